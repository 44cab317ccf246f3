"""Whether asking tells which temporary inboxes exist: RCPT, by its reply and by its time.

Existing and unknown addresses are asked for in random order on one connection. The area under the
curve is the chance that a random existing one is answered later than a random unknown one: 0.5
when times tell nothing.
"""

import argparse
import random
import smtplib
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "flows"))
from sidecar import UNLIMITED, Sidecar

from app.directory.snapshot import (
    DirectorySnapshot,
    DomainEntry,
    MailboxEntry,
    RecipientPolicy,
    save_snapshot,
    touch_snapshot,
)
from tests.benchmarks.report import report

POLICIES: Sequence[RecipientPolicy] = ("accept_and_discard", "reply_after_data")
MAILBOXES = 2000
_ALPHABET = "bcdfghjkmnpqrstvwxz23456789"
_RECIPIENTS_OF_A_MAIL = 50
_BODY = b"Subject: a guess\r\n\r\n" + b"x" * 500


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=6000, help="of each kind and policy")
    parser.add_argument("--mails", type=int, default=600, help="of each kind")
    options = parser.parse_args()
    chance = random.Random(3)
    known, unknown = ([_draw(chance) for _ in range(MAILBOXES)] for _ in range(2))
    figures: dict[str, float] = {}
    areas: dict[str, float] = {}
    replies: set[bytes] = set()
    with tempfile.TemporaryDirectory(prefix="pbx-") as folder:
        one = Sidecar(Path(folder), UNLIMITED)
        _save(one, known)
        one.start()
        try:
            for policy in POLICIES:
                with one.connect() as client:
                    asked = _order(chance, known, unknown, options.tries, _domain_of(policy))
                    times, answers = _ask(one, client, asked)
                replies |= answers
                areas[policy] = area_under_curve(*times)
                figures[f"{policy}_median_us"] = sorted(times[0])[len(times[0]) // 2] * 1e6
            with one.connect() as client:
                asked = _order(
                    chance, known, unknown, options.mails, _domain_of("accept_and_discard")
                )
                areas["whole_mail"] = area_under_curve(*_send(client, asked))
        finally:
            one.stop()
    figures |= {f"{name}_area_percent": 100 * area for name, area in areas.items()}
    figures["different_replies"] = len(replies)
    report("recipients", figures, areas)
    return 0 if len(replies) == 1 and all(0.45 <= area <= 0.55 for area in areas.values()) else 1


def area_under_curve(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The Mann-Whitney statistic as a share: ties count half."""
    both = sorted([(value, True) for value in positive] + [(value, False) for value in negative])
    ranks, at = 0.0, 0
    while at < len(both):
        end = at
        while end < len(both) and both[end][0] == both[at][0]:
            end += 1
        ranks += sum(kind for _, kind in both[at:end]) * (at + end + 1) / 2
        at = end
    smallest = len(positive) * (len(positive) + 1) / 2
    return (ranks - smallest) / (len(positive) * len(negative))


def _draw(chance: random.Random) -> str:
    return "".join(chance.choices(_ALPHABET, k=12))


def _domain_of(policy: RecipientPolicy) -> str:
    return policy.split("_")[0]


def _save(one: Sidecar, known: Sequence[str]) -> None:
    expires_at = datetime.now(UTC) + timedelta(hours=1)
    domains = {f"{_domain_of(policy)}.test": DomainEntry(policy) for policy in POLICIES}
    mailboxes = {
        f"{name}@{domain}": MailboxEntry(expires_at) for name in known for domain in domains
    }
    save_snapshot(one.spool / "directory.snapshot", DirectorySnapshot(1, domains, mailboxes))


def _order(
    chance: random.Random, known: Sequence[str], unknown: Sequence[str], count: int, domain: str
) -> Sequence[tuple[str, bool]]:
    """Addresses of both kinds in random order, and whether each exists."""
    asked = [(f"{chance.choice(known)}@{domain}.test", True) for _ in range(count)]
    asked += [(f"{chance.choice(unknown)}@{domain}.test", False) for _ in range(count)]
    chance.shuffle(asked)
    return asked


Times = tuple[list[float], list[float]]


def _ask(
    one: Sidecar, client: smtplib.SMTP, asked: Sequence[tuple[str, bool]]
) -> tuple[Times, set[bytes]]:
    """How long each RCPT took, of existing and of unknown addresses, and every reply."""
    times: Times = ([], [])
    replies: set[bytes] = set()
    for number, (address, exists) in enumerate(asked):
        if number % _RECIPIENTS_OF_A_MAIL == 0:
            touch_snapshot(one.spool / "directory.snapshot")
            client.rset()
            client.mail("sender@example.org")
        began = time.perf_counter()
        code, text = client.rcpt(address)
        times[not exists].append(time.perf_counter() - began)
        replies.add(b"%d %s" % (code, text))
    return times, replies


def _send(client: smtplib.SMTP, asked: Sequence[tuple[str, bool]]) -> Times:
    """How long a whole mail to each took."""
    times: Times = ([], [])
    for address, exists in asked:
        began = time.perf_counter()
        client.mail("sender@example.org")
        client.rcpt(address)
        code, _ = client.data(_BODY)
        times[not exists].append(time.perf_counter() - began)
        assert code == 250
    return times


if __name__ == "__main__":
    raise SystemExit(main())
