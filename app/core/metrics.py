"""What a process counts of itself, read by Prometheus.

Counting is cheap enough for the way of a message: a number in a dictionary, well under a
microsecond. The text of it is made when somebody asks, and only then is the Prometheus client
imported (0.15 s). Each metric is counted by one thread and may be read by any.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of what `Metrics.expose` returns."""


Reading: TypeAlias = float | Mapping[tuple[str, ...], float]
"""A number, or numbers by the values of labels."""


class Counter:
    """Only goes up. With labels it holds one number for each combination of their values."""

    __slots__ = ("_values",)

    def __init__(self, labels: Sequence[str]) -> None:
        self._values: dict[tuple[str, ...], float] = {} if labels else {(): 0}

    def count(self, *labels: str, amount: float = 1) -> None:
        """One more, or `amount`. `labels` are values, in the order of the names."""
        values = self._values
        values[labels] = values.get(labels, 0) + amount

    def values(self) -> Mapping[tuple[str, ...], float]:
        """What was counted, by the values of the labels."""
        return dict(self._values)


class Histogram:
    """How values spread over ranges, each of which ends with one of `bounds`, itself included."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    @property
    def sum(self) -> float:
        return self._sum

    def buckets(self) -> Sequence[tuple[str, int]]:
        """How many values were at most each bound, then how many there were."""
        at_most: list[tuple[str, int]] = []
        total = 0
        names = [*map(str, map(float, self._bounds)), "+Inf"]
        for name, number in zip(names, tuple(self._counts), strict=True):
            total += number
            at_most.append((name, total))
        return at_most


class Metrics:
    """Every metric of one process, each made once under a name of its own.

    Names follow Prometheus: a counter ends with `_total`, and seconds and bytes are the units.
    """

    def __init__(self) -> None:
        self._families: dict[str, Callable[[], Metric | None]] = {}

    def counter(
        self, name: str, meaning: str, *labels: str, counting: Counter | None = None
    ) -> Counter:
        """`labels` are names; `counting` is a counter without labels that counts already. Raises
        `ValueError` for a name that is taken or does not end so."""
        if not name.endswith("_total"):
            raise ValueError(f"{name} is a counter, so its name ends with _total.")
        counter = counting or Counter(labels)
        self._add(name, lambda: _counter_family(name, meaning, labels, counter))
        return counter

    def gauge(
        self, name: str, meaning: str, read: Callable[[], Reading | None], *labels: str
    ) -> None:
        """`read` is called when somebody asks, in any thread; with `labels` it gives a number for
        each combination of their values. With None, or an `OSError`, it has no value just then."""
        self._add(name, lambda: _gauge_family(name, meaning, labels, read))

    def histogram(self, name: str, meaning: str, bounds: Sequence[float]) -> Histogram:
        """`bounds` go up. Raises `ValueError` for a name that is taken."""
        histogram = Histogram(bounds)
        self._add(name, lambda: _histogram_family(name, meaning, histogram))
        return histogram

    @property
    def names(self) -> Sequence[str]:
        """Of all that was made, in that order."""
        return tuple(self._families)

    def expose(self) -> bytes:
        """All of it, and what the system knows of the process, in Prometheus's text format."""
        from prometheus_client import generate_latest

        return generate_latest(self)

    def collect(self) -> "Iterator[Metric]":
        """For the Prometheus client."""
        from prometheus_client import ProcessCollector

        for make in self._families.values():
            if (family := make()) is not None:
                yield family
        yield from ProcessCollector(registry=None).collect()

    def _add(self, name: str, make: "Callable[[], Metric | None]") -> None:
        if name in self._families:
            raise ValueError(f"There is a metric {name} already.")
        self._families[name] = make


def _counter_family(name: str, meaning: str, labels: Sequence[str], counter: Counter) -> "Metric":
    from prometheus_client.metrics_core import CounterMetricFamily

    family = CounterMetricFamily(name, meaning, labels=labels)
    for values, number in sorted(counter.values().items()):
        family.add_metric(values, number)
    return family


def _gauge_family(
    name: str, meaning: str, labels: Sequence[str], read: Callable[[], Reading | None]
) -> "Metric | None":
    from prometheus_client.metrics_core import GaugeMetricFamily

    try:
        reading = read()
    except OSError:
        return None
    if reading is None:
        return None
    family = GaugeMetricFamily(name, meaning, labels=labels)
    for values, number in sorted(
        reading.items() if isinstance(reading, Mapping) else [((), reading)]
    ):
        family.add_metric(values, number)
    return family


def _histogram_family(name: str, meaning: str, histogram: Histogram) -> "Metric":
    from prometheus_client.metrics_core import HistogramMetricFamily

    return HistogramMetricFamily(name, meaning, histogram.buckets(), histogram.sum)
