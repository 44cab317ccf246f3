"""What was refused is noted for the tenant whose mail it was, within bounds, and costs no reply."""

import pytest

from app.inbound.smtpd import refusals as refusals_module
from app.inbound.smtpd.refusals import KEPT_IN_WINDOW
from app.storage import refused_mail
from app.storage.refused_mail import RefusedMailFolder


def refuse_recipient(client, recipient: bytes) -> str:
    client.reply()
    client.say(b"EHLO client.test")
    client.say(b"MAIL FROM:<s@sender.test>")
    return client.say(b"RCPT TO:<" + recipient + b">")


def test_unknown_recipient_is_noted_with_all_that_its_sender_was_told(sidecar):
    sent = refuse_recipient(sidecar.connect(), b"Nobody@example.test")
    (note,) = sidecar.notes()
    assert (note.client_address, note.client_name) == ("127.0.0.1", "client.test")
    assert (note.mail_from, note.recipient) == ("s@sender.test", "Nobody@example.test")
    assert (note.code, note.enhanced_code, note.cause) == (550, "5.1.1", "unknown_recipient")
    assert note.reply == sent == "550 5.1.1 No such mailbox here"
    assert note.refused_at == sidecar.clock.now()
    assert note.sampled_out == 0


@pytest.mark.parametrize("recipient", [b"someone@elsewhere.test", b"not an address", b""])
def test_what_belongs_to_no_tenant_is_not_noted(sidecar, recipient):
    assert refuse_recipient(sidecar.connect(), recipient).startswith("5")
    assert sidecar.notes() == []


def test_refused_message_is_noted_for_each_of_its_recipients(sidecar):
    client = sidecar.connect()
    client.open_data(b"ann@example.test", b"x@all.test")
    client.send(b"bare\nline\r\n.\r\n")
    client.reply()
    notes = sidecar.notes()
    assert {note.recipient for note in notes} == {"ann@example.test", "x@all.test"}
    assert {note.cause for note in notes} == {"bare_line_ending"}
    assert len({note.trace_id for note in notes}) == 1
    assert len({note.id for note in notes}) == 2


def test_recipient_that_is_refused_after_data_is_noted(sidecar):
    client = sidecar.connect()
    client.open_data(b"unknown@after.test")
    client.send(b"hello\r\n.\r\n")
    assert client.reply().startswith("550 5.1.1")
    (note,) = sidecar.notes()
    assert (note.recipient, note.cause) == ("unknown@after.test", "refused_after_data")


def test_accepted_mail_and_errors_of_dialogue_leave_no_note(sidecar):
    client = sidecar.connect()
    client.open_data()
    client.send(b"hello\r\n.\r\n")
    assert client.reply().startswith("250")
    client.say(b"MAIL FROM:<s@sender.test>")
    client.say(b"RCPT TO:<ann@example.test>")
    client.say(b"FROB")
    assert sidecar.notes() == []


def test_connection_that_is_ended_within_a_mail_notes_its_recipients(start_sidecar):
    sidecar = start_sidecar(max_errors=1)
    client = sidecar.connect()
    client.reply()
    client.say(b"EHLO client.test")
    client.say(b"MAIL FROM:<s@sender.test>")
    client.say(b"RCPT TO:<ann@example.test>")
    assert client.say(b"FROB").startswith("421")
    (note,) = sidecar.notes()
    assert (note.recipient, note.cause) == ("ann@example.test", "too_many_errors")


def test_more_than_a_sample_is_counted_with_the_last_that_is_kept(sidecar):
    client = sidecar.connect()
    refuse_recipient(client, b"nobody0@example.test")
    for number in range(1, KEPT_IN_WINDOW + 7):
        client.say(b"RCPT TO:<nobody%d@example.test>" % number)
    client.say(b"RCPT TO:<ann@suspended.test>")
    notes = sidecar.notes()
    unknown = [note for note in notes if note.cause == "unknown_recipient"]
    assert len(unknown) == KEPT_IN_WINDOW
    assert sorted(note.sampled_out for note in unknown) == [0] * (KEPT_IN_WINDOW - 1) + [7]
    assert [note.recipient for note in notes if note.cause == "domain_suspended"] == [
        "ann@suspended.test"
    ]
    assert sidecar.counted()["pillarbox_smtp_refusal_notes_total"] == KEPT_IN_WINDOW + 1


def test_window_that_is_over_lets_new_notes_in(sidecar, monkeypatch):
    monkeypatch.setattr(refusals_module, "WINDOW_SECONDS", 0.0)
    client = sidecar.connect()
    refuse_recipient(client, b"nobody@example.test")
    for _ in range(2 * KEPT_IN_WINDOW):
        client.say(b"RCPT TO:<nobody@example.test>")
        sidecar.run(sidecar.refusals.write())
    assert len(sidecar.notes()) == 2 * KEPT_IN_WINDOW + 1


def test_full_folder_drops_notes_and_counts_them(sidecar, monkeypatch):
    monkeypatch.setattr(refused_mail, "MAX_FILES", 0)
    assert refuse_recipient(sidecar.connect(), b"nobody@example.test").startswith("550")
    assert sidecar.notes() == []
    assert sidecar.counted()["pillarbox_smtp_refusal_notes_dropped_total"] == 1


def test_failing_disk_drops_notes_and_no_reply(sidecar):
    (sidecar.spool_folder / "refused").write_bytes(b"a file where the folder should be")
    client = sidecar.connect()
    assert refuse_recipient(client, b"nobody@example.test").startswith("550")
    sidecar.run(sidecar.refusals.write(ending=True))
    assert client.say(b"RCPT TO:<nobody@example.test>").startswith("550")
    assert sidecar.counted()["pillarbox_smtp_refusal_notes_dropped_total"] == 1


def test_too_many_at_once_are_dropped_and_counted(sidecar, monkeypatch):
    monkeypatch.setattr(refusals_module, "_MAX_PENDING", 2)
    client = sidecar.connect()
    refuse_recipient(client, b"nobody@example.test")
    for _ in range(4):
        client.say(b"RCPT TO:<nobody@example.test>")
    counted = sidecar.counted()
    assert counted["pillarbox_smtp_refusal_notes_dropped_total"] == 3
    assert len(sidecar.notes()) == 2


def test_damaged_lines_of_a_file_are_left_out(sidecar, tmp_path):
    refuse_recipient(sidecar.connect(), b"nobody@example.test")
    sidecar.run(sidecar.refusals.write(ending=True))
    folder = RefusedMailFolder(sidecar.spool_folder / "refused")
    (file,) = folder.waiting()
    file.write_bytes(b'{"id": 1}\n\xff\xfe\n' + file.read_bytes() + b'{"torn')
    assert len(folder.read(file)) == 1
