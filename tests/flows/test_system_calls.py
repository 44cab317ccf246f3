"""The order of system calls of the real sidecar: write, fdatasync, and only then 250."""

import re
import smtplib
import threading
from collections.abc import Sequence

import pytest
from pillarbox import compose, wait_until
from sidecar import Sidecar, sidecar
from system_calls import SystemCall, first, read_trace, strace_into, why_no_strace

pytestmark = [
    pytest.mark.flow,
    pytest.mark.skipif(bool(why_no_strace()), reason=why_no_strace() or "strace works"),
]

SENDERS = 12
MAILS_OF_EACH = 5
LARGE_SIZE_BYTES = 600_000


def send_and_note_id(client: smtplib.SMTP, number: int, size_bytes: int) -> str:
    client.mail("sender@example.org")
    client.rcpt("anyone@example.test")
    code, answer = client.data(compose("anyone@example.test", number, size_bytes))
    assert code == 250, answer
    return answer.decode().split()[-1]


def send_batches(one: Sidecar) -> list[str]:
    """Many connections at once, so that mails share commits. The ids that they were told."""
    ids: list[str] = []

    def send_some(part: int) -> None:
        with one.connect() as client:
            for number in range(MAILS_OF_EACH):
                ids.append(send_and_note_id(client, part * 100 + number, 1000))

    threads = [threading.Thread(target=send_some, args=(part,)) for part in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return ids


@pytest.fixture(scope="module")
def trace(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Sequence[SystemCall], Sequence[str], str]:
    """All calls, the ids of small mails, and the id of a large one."""
    folder = tmp_path_factory.mktemp("traced")
    written = folder / "trace"
    with sidecar(folder, wrapper=strace_into(written)) as one:
        small = send_batches(one)
        with one.connect() as client:
            large = send_and_note_id(client, 9999, LARGE_SIZE_BYTES)
        one.stop()
    assert one.process is not None
    ended = re.compile(rf"^{one.process.pid} +\+\+\+ exited with 0", re.M)
    wait_until(lambda: ended.search(written.read_text("latin-1")), "the trace is whole")
    return read_trace(written), small, large


def acknowledgement(calls: Sequence[SystemCall], item_id: str) -> SystemCall:
    return first(
        calls, f"250 for {item_id}", lambda call: f"250 2.6.0 Queued as {item_id}" in call.text
    )


def record_and_sync(calls: Sequence[SystemCall], item_id: str) -> tuple[SystemCall, SystemCall]:
    """The write of the record, and the first fdatasync of its descriptor that began after it."""
    record = first(
        calls,
        f"record of {item_id}",
        lambda call: item_id in call.text and call.target.endswith(".open"),
    )
    sync = first(
        calls,
        f"fdatasync after the record of {item_id}",
        lambda call: (
            call.name == "fdatasync" and call.target == record.target and call.begun > record.done
        ),
    )
    return record, sync


def test_every_mail_of_a_batch_is_written_then_synced_then_acknowledged(trace) -> None:
    calls, small, large = trace
    assert len(set(small)) == SENDERS * MAILS_OF_EACH
    syncs = set()
    for item_id in [*small, large]:
        record, sync = record_and_sync(calls, item_id)
        syncs.add(sync.begun)
        told = acknowledgement(calls, item_id)
        assert told.target.startswith("socket:")
        assert record.done < sync.begun <= sync.done < told.begun
    assert len(syncs) < len(small), "no two mails shared a commit"


def test_the_folder_of_a_new_segment_is_synced_before_the_first_acknowledgement(trace) -> None:
    calls, small, _ = trace
    made = first(
        calls,
        "new segment",
        lambda call: call.name == "openat" and "0001.open" in call.text and "O_CREAT" in call.text,
    )
    synced = first(
        calls,
        "sync of the producer's folder",
        lambda call: (
            call.name == "fsync" and call.target.endswith("/smtp-0") and call.begun > made.done
        ),
    )
    assert synced.done < min(acknowledgement(calls, item_id).begun for item_id in small)


def test_a_large_body_and_its_name_are_synced_before_its_record(trace) -> None:
    calls, _, large = trace
    record, _ = record_and_sync(calls, large)
    assert len(record.text) < LARGE_SIZE_BYTES, "the body lies in a file of its own"
    file = re.search(r'file\\":\\"([0-9a-f]+)', record.text)
    assert file
    body = first(
        calls,
        "fsync of the body",
        lambda call: call.name == "fsync" and call.target.endswith(f"/bodies/{file[1]}"),
    )
    name = first(
        calls,
        "sync of the folder of bodies",
        lambda call: (
            call.name == "fsync" and call.target.endswith("/bodies") and call.begun > body.done
        ),
    )
    assert body.done < name.begun <= name.done < record.begun


def test_a_sealed_segment_is_synced_then_renamed_then_its_folder_synced(trace) -> None:
    calls, _, _ = trace
    renamed = first(
        calls,
        "rename of the sealed segment",
        lambda call: call.name.startswith("rename") and ".seg" in call.text,
    )
    (footer, sync) = [
        call for call in calls if call.target.endswith("0001.open") and call.begun < renamed.begun
    ][-2:]
    assert "sealed_at" in footer.text
    assert sync.name == "fdatasync"
    assert sync.done < renamed.begun
    first(
        calls,
        "sync of the folder after the rename",
        lambda call: (
            call.name == "fsync" and call.target.endswith("/smtp-0") and call.begun > renamed.done
        ),
    )
