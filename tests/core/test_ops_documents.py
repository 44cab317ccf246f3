"""Alerts, dashboard and documentation speak of metrics that exist, and of all of them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import ProcessCollector

from app.inbound.smtpd import replies
from app.inbound.smtpd.replies import Reply

ROOT = Path(__file__).parents[2]
OPS = ROOT / "docs" / "ops"
ALERTS = yaml.safe_load((OPS / "alerts.yml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((OPS / "dashboard.json").read_text())
DOCUMENTATION = (OPS / "metrics.md").read_text()
MADE = re.compile(r'\.(counter|gauge|histogram)\(\s*"([a-z_]+)"')


def made() -> dict[str, str]:
    """Every metric that the code makes, and its kind."""
    return {
        name: kind
        for folder in ("app", "workers")
        for file in (ROOT / folder).rglob("*.py")
        for kind, name in MADE.findall(file.read_text())
    }


def samples() -> set[str]:
    """Every name that a query may ask for."""
    metrics = made()
    names = {name for name, kind in metrics.items() if kind != "histogram"} | {"up"}
    for name in metrics.keys() - names:
        names |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"}
    process = ProcessCollector(registry=None).collect()
    return names | {sample.name for family in process for sample in family.samples}


def queries() -> Iterator[str]:
    yield from (rule["expr"] for rule in ALERTS)
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel["targets"])


def names_in(query: str) -> set[str]:
    return set(re.findall(r"\b(?:pillarbox|mail_ingest|process)_[a-z_]+|\bup\b", query))


@pytest.mark.parametrize("query", list(queries()))
def test_query_asks_for_metrics_that_exist(query: str) -> None:
    assert names_in(query)
    assert names_in(query) - samples() == set()
    assert query.count("(") == query.count(")")
    assert query.count("{") == query.count("}")


@pytest.mark.parametrize("query", list(queries()))
def test_query_asks_for_causes_that_exist(query: str) -> None:
    causes = {value.cause for value in vars(replies).values() if isinstance(value, Reply)}
    for pattern in re.findall(r'cause=~"([^"]+)"', query):
        assert set(pattern.split("|")) - causes == set()


def test_dashboard_shows_every_metric() -> None:
    shown = set().union(*map(names_in, queries()))
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown}
    assert made().keys() - shown == set()


def test_every_metric_is_documented_with_its_kind_and_no_other() -> None:
    row = re.compile(r"^\| `((?:pillarbox|mail_ingest)_[a-z_]+)[^`]*` \| (\w+) \|", re.MULTILINE)
    assert dict(row.findall(DOCUMENTATION)) == made()


def test_every_alert_says_what_it_means_and_what_to_do() -> None:
    names = {rule["alert"] for rule in ALERTS}
    assert len(names) == len(ALERTS)
    assert all(rule["annotations"]["summary"] for rule in ALERTS)
    assert all(rule["labels"]["severity"] in ("info", "warning", "critical") for rule in ALERTS)
    rows = re.findall(r"^\| (`Pillarbox[^|]+) \|", DOCUMENTATION, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(rows))) == names


def test_panels_lie_beside_each_other() -> None:
    panels: list[dict[str, Any]] = DASHBOARD["panels"]
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len({panel["id"] for panel in panels}) == len(panels)
