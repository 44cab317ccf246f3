"""What is counted is what Prometheus reads."""

import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.core.metrics import Metrics


def read(metrics: Metrics) -> dict[str, float]:
    """Each sample by its name and labels, as Prometheus's own parser understands the text."""
    return {
        sample.name + "".join(f" {name}={value}" for name, value in sample.labels.items()): (
            sample.value
        )
        for family in text_string_to_metric_families(metrics.expose().decode())
        for sample in family.samples
    }


def test_counter_has_a_number_for_each_combination_of_labels() -> None:
    metrics = Metrics()
    replies = metrics.counter("x_replies_total", "Replies.", "code", "cause")
    replies.count("550", "unknown")
    replies.count("550", "unknown")
    replies.count("452", 'full "disk"\n', amount=3)
    samples = read(metrics)
    assert samples["x_replies_total cause=unknown code=550"] == 2
    assert samples['x_replies_total cause=full "disk"\n code=452'] == 3


def test_counter_without_labels_is_there_from_the_start() -> None:
    metrics = Metrics()
    metrics.counter("x_total", "Things.")
    assert read(metrics)["x_total"] == 0


def test_gauge_is_read_when_somebody_asks() -> None:
    metrics = Metrics()
    values = [1.0, 2.0]
    metrics.gauge("x_now", "Now.", values.pop)
    assert read(metrics)["x_now"] == 2
    assert read(metrics)["x_now"] == 1


def test_gauge_without_a_value_is_left_out_and_nothing_else_is() -> None:
    def fail() -> float:
        raise OSError("the disk does not answer")

    metrics = Metrics()
    metrics.gauge("x_none", "None.", lambda: None)
    metrics.gauge("x_fails", "Fails.", fail)
    metrics.gauge("x_five", "Five.", lambda: 5)
    samples = read(metrics)
    assert samples["x_five"] == 5
    assert not samples.keys() & {"x_none", "x_fails"}


def test_histogram_counts_a_value_in_its_own_bucket_and_all_above() -> None:
    metrics = Metrics()
    seconds = metrics.histogram("x_seconds", "Time.", (0.1, 1))
    for value in (0.05, 0.1, 0.5, 7):
        seconds.observe(value)
    samples = read(metrics)
    assert samples["x_seconds_bucket le=0.1"] == 2
    assert samples["x_seconds_bucket le=1.0"] == 3
    assert samples["x_seconds_bucket le=+Inf"] == 4
    assert samples["x_seconds_count"] == 4
    assert samples["x_seconds_sum"] == pytest.approx(7.65)


def test_process_tells_its_memory_too() -> None:
    assert read(Metrics())["process_resident_memory_bytes"] > 1_000_000


def test_name_is_given_once_and_says_what_it_is() -> None:
    metrics = Metrics()
    metrics.counter("x_total", "Things.")
    with pytest.raises(ValueError, match="already"):
        metrics.gauge("x_total", "Things.", lambda: 1)
    with pytest.raises(ValueError, match="_total"):
        metrics.counter("y", "Things.")
    assert metrics.names == ("x_total",)


def test_counting_does_not_import_the_client_library() -> None:
    script = (
        "import sys; from app.core.metrics import Metrics; "
        "Metrics().counter('x_total', 'x').count(); "
        "import app.core.metrics_server; print('prometheus_client' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "False\n"
