"""Each alert rings when it should and is quiet when it should be, by Prometheus's own judgement."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "docs" / "ops" / "alerts.yml"
RULES = {rule["alert"]: rule for rule in yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]}

Series = Mapping[str, str]
"""Values a minute apart, as promtool writes them: `0+1x60` begins at 0 and goes up by 1."""


@dataclass(frozen=True)
class Case:
    """`rings` at minute `at` with `summary`, and not yet at minute `before`; `quiet` never."""

    rings: Series
    summary: str
    at: int
    before: int
    quiet: Series
    labels: Mapping[str, str] = field(default_factory=dict)


SMTP = {"job": "pillarbox-smtp"}
WORKER = {"job": "pillarbox-worker"}


def of(name: str, values: str, labels: Mapping[str, str]) -> Series:
    inside = ",".join(f'{key}="{value}"' for key, value in labels.items())
    return {f"{name}{{{inside}}}": values}


def smtp(name: str, values: str, **labels: str) -> Series:
    return of(f"pillarbox_{name}", values, SMTP | labels)


def worker(name: str, values: str, **labels: str) -> Series:
    return of(name, values, WORKER | labels)


def seconds_to_store(fast: str, all_of_them: str) -> Series:
    return smtp("spool_store_seconds_bucket", fast, le="0.1") | {
        key: all_of_them
        for bound in ("1.0", "+Inf")
        for key in smtp("spool_store_seconds_bucket", "", le=bound)
    }


CASES = {
    "PillarboxDown": Case(
        rings=of("up", "1x5 0x20", WORKER),
        summary="pillarbox-worker does not answer.",
        at=9,
        before=7,
        quiet=of("up", "1x5 0 1x20", WORKER) | of("up", "0x30", {"job": "another"}),
        labels=WORKER,
    ),
    "PillarboxDiskLow": Case(
        rings=smtp("spool_disk_free_percent", "12-1x20"),
        summary="The disk of the spool has 2 % left.",
        at=10,
        before=7,
        quiet=smtp("spool_disk_free_percent", "10x30"),
        labels=SMTP,
    ),
    "PillarboxDiskFull": Case(
        rings=smtp("spool_disk_free_bytes", "2e9x3 536870912x20"),
        summary="The disk of the spool has only 512MiB left.",
        at=6,
        before=3,
        quiet=smtp("spool_disk_free_bytes", "1e9x30"),
        labels=SMTP,
    ),
    "PillarboxInodesLow": Case(
        rings=smtp("spool_inodes_free", "2000x30"),
        summary="On the disk of the spool only 2k more files can be made.",
        at=6,
        before=4,
        quiet=smtp("spool_inodes_free", "10000x30"),
        labels=SMTP,
    ),
    "PillarboxSyncErrors": Case(
        rings=smtp("spool_sync_errors_total", "0x5 1x20"),
        summary="The disk of the spool failed to keep what was written.",
        at=7,
        before=5,
        quiet=smtp("spool_sync_errors_total", "3x30"),
        labels=SMTP,
    ),
    "PillarboxStoreSlow": Case(
        rings=seconds_to_store("0+50x40", "0+100x40"),
        summary="One message in a hundred takes 982ms or more to become durable.",
        at=15,
        before=9,
        quiet=seconds_to_store("0+100x40", "0+100x40"),
    ),
    "PillarboxBacklogOld": Case(
        rings=worker("pillarbox_spool_oldest_item_seconds", "0+60x30"),
        summary="Mail has waited for 12m 0s to be taken in.",
        at=12,
        before=10,
        quiet=worker("pillarbox_spool_oldest_item_seconds", "300x30"),
        labels=WORKER,
    ),
    "PillarboxBacklogLarge": Case(
        rings=smtp("spool_unread_bytes", "2e9x30"),
        summary="2G bytes of mail wait to be taken in.",
        at=6,
        before=4,
        quiet=smtp("spool_unread_bytes", "1e9x30"),
        labels=SMTP,
    ),
    "PillarboxObjectStoreDown": Case(
        rings=worker("pillarbox_objectstore_up", "1x3 0x20"),
        summary="The object store cannot be written to.",
        at=7,
        before=5,
        quiet=worker("pillarbox_objectstore_up", "1x3 0 1x20"),
        labels=WORKER,
    ),
    "PillarboxUploadErrors": Case(
        rings=worker("pillarbox_objectstore_upload_errors_total", "0x5 4x20"),
        summary="The object store did not take 4 uploads.",
        at=7,
        before=5,
        quiet=worker("pillarbox_objectstore_upload_errors_total", "4x30"),
        labels=WORKER,
    ),
    "PillarboxIndexerBehind": Case(
        rings=worker("pillarbox_indexer_lag_seconds", "0+60x30"),
        summary="New mail has not been found by searching for 12m 0s.",
        at=12,
        before=10,
        quiet=worker("pillarbox_indexer_lag_seconds", "290x30"),
        labels=WORKER,
    ),
    "PillarboxKafkaErrors": Case(
        rings=worker("mail_ingest_kafka_publish_errors_total", "0x5 1x20"),
        summary="Kafka did not take 1 events in five minutes.",
        at=7,
        before=5,
        # Errors of long ago, and a worker that was started anew.
        quiet=worker("mail_ingest_kafka_publish_errors_total", "500x10 0x20")
        | worker("mail_ingest_kafka_published_total", "0+100x30"),
        labels=WORKER,
    ),
    "PillarboxConsumerBehind": Case(
        rings=worker("pillarbox_consumer_lag_seconds", "0+60x30", consumer="kafka"),
        summary="The reader kafka of the event log is 12m 0s behind.",
        at=12,
        before=10,
        quiet=worker("pillarbox_consumer_lag_seconds", "290x30", consumer="kafka"),
        labels=WORKER | {"consumer": "kafka"},
    ),
    "PillarboxConsumerFallsBehind": Case(
        rings=worker("pillarbox_consumer_lag_seconds", "0+30x40", consumer="indexer"),
        summary="The reader indexer of the event log falls behind by 0.5 minutes each minute.",
        at=15,
        before=10,
        # It was far behind and catches up.
        quiet=worker("pillarbox_consumer_lag_seconds", "3000-60x40", consumer="indexer"),
        labels={**WORKER, "consumer": "indexer"},
    ),
    "PillarboxEventsParked": Case(
        rings=worker("pillarbox_consumer_parked_events", "2x20 3x20", consumer="kafka"),
        summary="The reader kafka has parked events that it could not handle.",
        at=22,
        before=20,
        quiet=worker("pillarbox_consumer_parked_events", "2x20 1x20", consumer="kafka"),
        labels=WORKER | {"consumer": "kafka"},
    ),
    "PillarboxWebhooksLate": Case(
        rings=worker("pillarbox_webhook_overdue_seconds", "0+60x30"),
        summary="Webhooks are sent 7m 0s late.",
        at=7,
        before=6,
        quiet=worker("pillarbox_webhook_overdue_seconds", "0 60x30"),
        labels=WORKER,
    ),
    "PillarboxQuarantined": Case(
        rings=worker("pillarbox_spool_quarantined_items", "2x20 3x20"),
        summary="Mail could not be taken in and waits for a person.",
        at=22,
        before=20,
        # A person has dealt with one.
        quiet=worker("pillarbox_spool_quarantined_items", "2x20 1x20"),
        labels=WORKER,
    ),
    "PillarboxDefersMail": Case(
        rings=smtp("smtp_replies_total", "0+1x30", code="452", cause="storage_full"),
        summary="Mail is deferred: storage_full.",
        at=4,
        before=2,
        quiet=smtp("smtp_replies_total", "0+1x30", code="451", cause="mx_lost"),
        labels={"cause": "storage_full"},
    ),
    "PillarboxTurnsClientsAway": Case(
        rings=smtp("smtp_replies_total", "0+1x30", code="421", cause="too_many_connections"),
        summary="More clients connect than there is room for.",
        at=8,
        before=5,
        quiet=smtp("smtp_replies_total", "7x30", code="421", cause="too_many_connections"),
    ),
    "PillarboxRefusesMuch": Case(
        rings=smtp("smtp_replies_total", "0+600x60", code="550", cause="unknown_recipient")
        | smtp("smtp_messages_total", "0+6x60"),
        summary="Ten times more is refused than accepted.",
        at=20,
        before=15,
        quiet=smtp("smtp_replies_total", "0+600x60", code="550", cause="unknown_recipient")
        | smtp("smtp_messages_total", "0+600x60"),
    ),
    "PillarboxNotesDropped": Case(
        rings=smtp("smtp_refusal_notes_dropped_total", "0x5 1x20"),
        summary="Not every refusal can be shown to its tenant.",
        at=7,
        before=5,
        quiet=smtp("smtp_refusal_notes_dropped_total", "9x30"),
        labels=SMTP,
    ),
}


@pytest.fixture(scope="module")
def promtool() -> str:
    """`make promtool` unpacks it; `.ci/run` does so, and sets PROMTOOL=needed."""
    unpacked = ROOT / ".venv" / "promtool" / "usr" / "bin"
    found = which("promtool", path=f"{os.environ['PATH']}:{unpacked}")
    if found is None:
        if os.environ.get("PROMTOOL") == "needed":
            pytest.fail("promtool is missing: make promtool")
        pytest.skip("promtool is not installed: make promtool")
    return found


def ask(promtool: str, *arguments: str | Path) -> None:
    done = subprocess.run([promtool, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_the_rules(promtool: str) -> None:
    ask(promtool, "check", "rules", "--lint-fatal", ALERTS)


def test_every_alert_is_tried() -> None:
    assert CASES.keys() == RULES.keys()


@pytest.mark.parametrize("alert", CASES)
def test_alert_rings_when_it_should_and_only_then(
    alert: str, promtool: str, tmp_path: Path
) -> None:
    case = CASES[alert]
    ringing = {
        "exp_labels": {"severity": RULES[alert]["labels"]["severity"], **case.labels},
        "exp_annotations": {"summary": case.summary},
    }
    test = {
        "rule_files": [str(ALERTS)],
        "evaluation_interval": "1m",
        "tests": [
            expect(alert, case.rings, {case.before: [], case.at: [ringing]}),
            expect(alert, case.quiet, {minute: [] for minute in range(0, 31, 2)}),
        ],
    }
    path = tmp_path / "test.yml"
    path.write_text(yaml.safe_dump(test))
    ask(promtool, "test", "rules", path)


def expect(alert: str, series: Series, alerts: Mapping[int, list[Any]]) -> dict[str, Any]:
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": series[name]} for name in series],
        "alert_rule_test": [
            {"alertname": alert, "eval_time": f"{minute}m", "exp_alerts": expected}
            for minute, expected in alerts.items()
        ],
    }
