"""What the sidecar counts, read as Prometheus reads it."""

import pytest


def test_accepted_mail_is_counted_with_its_bytes_and_times(sidecar):
    with sidecar.smtp() as client:
        client.sendmail("s@sender.test", ["ann@example.test"], b"x: y\r\n\r\nhello\r\n")
        client.sendmail("s@sender.test", ["bob@example.test"], b"x: y\r\n\r\nhello\r\n")
        counted = sidecar.counted()
        assert counted["pillarbox_smtp_connections"] == 1
    sidecar.wait_until_idle()
    counted = sidecar.counted()
    assert counted["pillarbox_smtp_connections"] == 0
    assert counted["pillarbox_smtp_connections_opened_total"] == 1
    assert counted["pillarbox_smtp_messages_total"] == 2
    assert counted["pillarbox_smtp_message_bytes_total"] == 2 * len(b"x: y\r\n\r\nhello\r\n")
    assert counted["pillarbox_smtp_transaction_seconds_count"] == 2
    assert counted["pillarbox_spool_store_seconds_count"] == 2
    assert counted["pillarbox_spool_batch_size_sum"] == 2
    assert counted["pillarbox_spool_puts_waiting"] == 0
    assert counted["pillarbox_spool_sync_errors_total"] == 0


@pytest.mark.parametrize(
    ("commands", "label"),
    [
        ([b"FROB"], "{unrecognised}{500}"),
        ([b"MAIL FROM:<s@sender.test>"], "{hello_first}{503}"),
        (
            [b"EHLO c", b"MAIL FROM:<s@sender.test>", b"RCPT TO:<x@example.test>"],
            "{unknown_recipient}{550}",
        ),
        (
            [b"EHLO c", b"MAIL FROM:<s@sender.test>", b"RCPT TO:<x@elsewhere.test>"],
            "{relaying_denied}{550}",
        ),
        ([b"EHLO c", b"MAIL FROM:<s@sender.test> SIZE=5000000"], "{too_large}{552}"),
    ],
)
def test_refusal_is_counted_by_code_and_cause(sidecar, commands, label):
    client = sidecar.connect()
    client.reply()
    for command in commands:
        client.say(command)
    assert sidecar.counted()[f"pillarbox_smtp_replies_total{label}"] == 1


def test_refused_message_is_counted_once_and_not_as_accepted(sidecar):
    client = sidecar.connect()
    client.open_data()
    client.send(b"bare\nline\r\n.\r\n")
    assert client.reply().startswith("550")
    counted = sidecar.counted()
    assert counted["pillarbox_smtp_replies_total{bare_line_ending}{550}"] == 1
    assert counted["pillarbox_smtp_messages_total"] == 0
    assert counted["pillarbox_smtp_transaction_seconds_count"] == 1


def test_last_error_counts_as_the_reply_that_was_sent(start_sidecar):
    sidecar = start_sidecar(max_errors=2)
    client = sidecar.connect()
    client.reply()
    client.say(b"FROB")
    assert client.say(b"FROB").startswith("421")
    counted = sidecar.counted()
    assert counted["pillarbox_smtp_replies_total{unrecognised}{500}"] == 1
    assert counted["pillarbox_smtp_replies_total{too_many_errors}{421}"] == 1


def test_goodbye_is_no_refusal(sidecar):
    client = sidecar.connect()
    client.reply()
    client.say(b"QUIT")
    assert not [name for name in sidecar.counted() if "replies_total" in name]


def test_disk_is_told_while_it_answers(sidecar):
    counted = sidecar.counted()
    assert counted["pillarbox_spool_disk_free_bytes"] > 0
    assert 0 < counted["pillarbox_spool_disk_free_percent"] <= 100
