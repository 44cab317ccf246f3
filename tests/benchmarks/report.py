"""How a benchmark says what it measured: a table for people, then one line for programs."""

import json
from collections.abc import Mapping, Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of all lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def report(
    name: str, figures: Mapping[str, float], ratios: Mapping[str, float] | None = None
) -> None:
    """Prints the table and, as the last line, `{"bench": …, "figures": …, "ratios": …}`."""
    width = max(len(label) for label in figures)
    for label, value in figures.items():
        print(f"{label.replace('_', ' '):{width}}  {value:>12,.1f}")
    print(json.dumps({"bench": name, "figures": dict(figures), "ratios": dict(ratios or {})}))
