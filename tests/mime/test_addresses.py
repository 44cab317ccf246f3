"""Addresses in header fields, and addresses as keys."""

import pytest

from app.mime.addresses import (
    MAX_MAILBOXES,
    Mailbox,
    is_valid_address,
    normalise_address,
    normalise_domain,
    parse_addresses,
    split_address,
    strip_subaddress,
)


@pytest.mark.parametrize(
    ("field", "mailboxes"),
    [
        ("", []),
        ("jane@x.org", [("", "jane@x.org")]),
        ("Jane Doe <jane@x.org>, bob@y.org", [("Jane Doe", "jane@x.org"), ("", "bob@y.org")]),
        ("jane@x.org; bob@y.org", [("", "jane@x.org"), ("", "bob@y.org")]),
        ('"Doe, Jane" <jane@x.org>', [("Doe, Jane", "jane@x.org")]),
        ('"a \\"b\\" c" <jane@x.org>', [('a "b" c', "jane@x.org")]),
        ("jane@x.org (Jane (née Roe))", [("Jane née Roe", "jane@x.org")]),
        ('"Bob :)" <bob@y.org>', [("Bob :)", "bob@y.org")]),
        ("team: a@x.org, b@x.org;, c@x.org", [("", "a@x.org"), ("", "b@x.org"), ("", "c@x.org")]),
        ("undisclosed-recipients:;", []),
        ("=?utf-8?q?Jan=C3=A9?= <jane@x.org>", [("Jané", "jane@x.org")]),
        ('"=?utf-8?q?Jan=C3=A9?=" <jane@x.org>', [("Jané", "jane@x.org")]),
        ("=?utf-8?q?Doe,_Jan=C3=A9?= <jane@x.org>", [("Doe, Jané", "jane@x.org")]),
        ("=?utf-8?q?bob=40bank.com=2C?= <eve@x.org>", [("bob@bank.com,", "eve@x.org")]),
        ("=?utf-8?q?bob=40bank.com?=", [("bob@bank.com", "")]),
        ('"jane doe"@x.org', [("", '"jane doe"@x.org')]),
        ('<"a,b"@x.org>', [("", '"a,b"@x.org')]),
        ("jane@[IPv6:2001:db8::1]", [("", "jane@[IPv6:2001:db8::1]")]),
        ("<@relay.org:jane@x.org>", [("", "jane@x.org")]),
        ("jane @ x . org", [("", "jane@x.org")]),
        ("Jane Doe jane@x.org", [("Jane Doe", "jane@x.org")]),
        ("mailto:jane@x.org", [("", "jane@x.org")]),
        ("jäne@bücher.example", [("", "jäne@bücher.example")]),
        ("Cron Daemon <root>", [("Cron Daemon", "root")]),
        ("Jane", [("Jane", "")]),
        ("<>", []),
        (", ,; ,", []),
        ('"Jane <jane@x.org>', [("Jane", "jane@x.org")]),
        (
            "Jane (the first <jane@x.org>, b@y.org",
            [("Jane the first", "jane@x.org"), ("", "b@y.org")],
        ),
        ("a <jane@x.org, b <b@y.org>", [("a", "jane@x.org"), ("b", "b@y.org")]),
        ("J\u202eenaJ\x00 <jane@x.org>", [("JenaJ", "jane@x.org")]),
        (f"Jane <{'a' * 600}@x.org>", [("Jane", "")]),
    ],
)
def test_parse_addresses_reads_what_senders_write(
    field: str, mailboxes: list[tuple[str, str]]
) -> None:
    assert parse_addresses(field) == tuple(Mailbox(*each) for each in mailboxes)


def test_parse_addresses_stops_at_its_bound() -> None:
    assert len(parse_addresses("a@b, " * (MAX_MAILBOXES + 1))) == MAX_MAILBOXES


@pytest.mark.parametrize("name", ["Jane", "Doe, Jane", 'a "b" \\c', "Jané (x)", "日本"])
def test_mailbox_reads_back_from_its_text(name: str) -> None:
    mailbox = Mailbox(name, "jane@x.org")
    assert parse_addresses(str(mailbox)) == (mailbox,)


@pytest.mark.parametrize(
    ("address", "normal"),
    [
        ("Jane.Doe@EXAMPLE.org", "jane.doe@example.org"),
        ("Jane@Bücher.Example.", "jane@xn--bcher-kva.example"),
        ("Ja\u0308ne@x.org", "j\u00e4ne@x.org"),
        ("*@Example.org", "*@example.org"),
        ("@Example.org", "@example.org"),
        ("no-at", "no-at"),
        ("a@no domain", "a@no domain"),
        ("", ""),
    ],
)
def test_normalise_address_makes_two_spellings_equal(address: str, normal: str) -> None:
    assert normalise_address(address) == normal
    assert normalise_address(normal) == normal


@pytest.mark.parametrize(
    ("domain", "normal"),
    [
        ("Example.ORG", "example.org"),
        ("straße.de", "xn--strae-oqa.de"),
        ("example.org.", "example.org"),
        ("localhost", "localhost"),
        ("-a.org", ""),
        ("a..org", ""),
        ("a_b.org", ""),
        ("[192.0.2.1]", ""),
        ("\u2603\ufdd0.net", ""),
        ("é" * 300, ""),
        ("a." * 127 + "org", ""),
        ("", ""),
        ("a.org\n", ""),
    ],
)
def test_normalise_domain_is_empty_for_what_is_no_domain_name(domain: str, normal: str) -> None:
    assert normalise_domain(domain) == normal


@pytest.mark.parametrize(
    "address", ["jane@x.org", "jäne@bücher.example", "a.b+c@x.org", "o'neil@x.org", "a@localhost"]
)
def test_is_valid_address_accepts_what_can_be_sent_to(address: str) -> None:
    assert is_valid_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "", "@", "jane", "jane@", "@x.org", ".a@x.org", "a.@x.org", "a..b@x.org", "a b@x.org",
        "a@b@c", '"a b"@x.org', "a@x.org\n", "a\r\nb@x.org", "a@-x.org", "a<b@x.org",
        "a@[192.0.2.1]", "a" * 65 + "@x.org", "é" * 33 + "@x.org",
        "a@" + "b." * 125 + "org", "\ud800@x.org",
    ],
)  # fmt: skip
def test_is_valid_address_refuses_what_cannot_be_sent_to(address: str) -> None:
    assert not is_valid_address(address)


def test_split_address_divides_at_the_last_at() -> None:
    assert split_address('"a@b"@x.org') == ('"a@b"', "x.org")
    assert split_address("root") == ("root", "")


@pytest.mark.parametrize(
    ("address", "stripped"),
    [
        ("jane+news@x.org", "jane@x.org"),
        ("jane+a+b@x.org", "jane@x.org"),
        ("jane@x.org", "jane@x.org"),
        ("+news@x.org", "+news@x.org"),
        ("jane+news", "jane+news"),
    ],
)
def test_strip_subaddress_drops_the_detail(address: str, stripped: str) -> None:
    assert strip_subaddress(address) == stripped
