"""What is in the DNS, held against what should be there. Pure: the answers are given.

Several resolvers are asked. A record is found when most of them have seen it. It is missing, or
another, only when most say so and none has seen it: one that is broken, stale or lies cannot take
a domain away, nor give one to somebody. In all other cases nothing is known.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from app.directory.domain_policy import Finding, Observation
from app.directory.domain_records import OWNERSHIP_KEY, DnsRecord, Purpose

_SHOWN = 5
_SHOWN_CHARACTERS = 500


class RecordState(StrEnum):
    FOUND = "found"
    MISSING = "missing"
    DIFFERS = "differs"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Seen:
    """One record of an answer: as it reads, and what it comes to when aliases are followed."""

    text: str
    target: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """What came of one record. `seen` are the records of its kind that are there, as far as shown;
    `by` says what each resolver saw; `note` what else there is to say."""

    purpose: Purpose
    name: str
    state: RecordState
    seen: Sequence[str] = ()
    note: str = ""
    by: Mapping[str, RecordState] = field(default_factory=dict)


def compare(record: DnsRecord, answer: Sequence[Seen]) -> Sighting:
    """What one resolver's answer, which may be empty, says of a record."""
    relevant = [seen for seen in answer if _is_of_its_kind(record, seen)]
    state, note = RecordState.MISSING, ""
    if relevant:
        state, note = _JUDGES[record.purpose](record, relevant)
    shown = tuple(seen.text[:_SHOWN_CHARACTERS] for seen in relevant[:_SHOWN])
    return Sighting(record.purpose, record.name, state, shown, note)


def agree(record: DnsRecord, by_resolver: Mapping[str, Sighting | None]) -> Sighting:
    """What the resolvers came to together, where None is one that did not answer."""
    needed = len(by_resolver) // 2 + 1
    answered = [sighting for sighting in by_resolver.values() if sighting is not None]
    found = [sighting for sighting in answered if sighting.state is RecordState.FOUND]
    by = {
        resolver: RecordState.UNKNOWN if sighting is None else sighting.state
        for resolver, sighting in by_resolver.items()
    }
    if len(found) >= needed:
        chosen = found[0]
    elif len(answered) >= needed and not found:
        states = Counter(sighting.state for sighting in answered)
        wanted = states.most_common(1)[0][0]
        chosen = next(sighting for sighting in answered if sighting.state is wanted)
    else:
        note = (
            "The DNS servers that we ask do not agree, so nothing was concluded."
            if len(answered) >= needed
            else "The DNS did not answer, so nothing was concluded."
        )
        seen = tuple(dict.fromkeys(text for sighting in answered for text in sighting.seen))
        return Sighting(record.purpose, record.name, RecordState.UNKNOWN, seen[:_SHOWN], note, by)
    return Sighting(record.purpose, record.name, chosen.state, chosen.seen, chosen.note, by)


def observe(sightings: Sequence[Sighting]) -> Observation:
    """What the records that decide come to: one MX that brings mail here is enough."""
    return Observation(
        ownership=_any_found(sightings, Purpose.OWNERSHIP), mx=_any_found(sightings, Purpose.MX)
    )


def _any_found(sightings: Sequence[Sighting], purpose: Purpose) -> Finding:
    states = {sighting.state for sighting in sightings if sighting.purpose is purpose}
    if RecordState.FOUND in states:
        return Finding.PRESENT
    if RecordState.UNKNOWN in states or not states:
        return Finding.UNKNOWN
    return Finding.ABSENT


_Judgement = tuple[RecordState, str]
_PREFIXES = {
    Purpose.OWNERSHIP: OWNERSHIP_KEY,
    Purpose.SPF: "v=spf1",
    Purpose.DMARC: "v=dmarc1",
    Purpose.MTA_STS: "v=stsv1",
    Purpose.TLS_RPT: "v=tlsrptv1",
}


def _is_of_its_kind(record: DnsRecord, seen: Seen) -> bool:
    """A name may hold TXT records for other purposes."""
    return seen.text.strip().lower().startswith(_PREFIXES.get(record.purpose, ""))


def _judge_ownership(record: DnsRecord, relevant: Sequence[Seen]) -> _Judgement:
    """Others of its kind may stand beside it: another tenant's, or one of long ago."""
    return _found_if(any(seen.text.strip() == record.value for seen in relevant))


def _judge_mx(record: DnsRecord, relevant: Sequence[Seen]) -> _Judgement:
    host = record.value.split()[-1].removesuffix(".")
    ours = [seen for seen in relevant if seen.target == host]
    if not ours:
        if [seen.target for seen in relevant] == ["."]:
            return RecordState.DIFFERS, "It says that the domain takes no mail (RFC 7505)."
        return RecordState.DIFFERS, ""
    if all(seen.text != host for seen in ours):
        return RecordState.FOUND, (
            f"It comes here through an alias, which not every sender follows: use {host} itself."
        )
    return RecordState.FOUND, ""


def _judge_address(record: DnsRecord, relevant: Sequence[Seen]) -> _Judgement:
    host = record.value.removesuffix(".")
    return _found_if(any(seen.target == host for seen in relevant))


def _judge_spf(record: DnsRecord, relevant: Sequence[Seen]) -> _Judgement:
    if len(relevant) > 1:
        return RecordState.DIFFERS, "There are several; others then heed none (RFC 7208, 4.5)."
    there = {term.removeprefix("+").lower() for term in relevant[0].text.split()}
    wanted = [term for term in record.value.split() if term[0] not in "v~-?"]
    missing = " ".join(term for term in wanted if term not in there)
    return _found_if(not missing, note=f"It lacks {missing}.")


def _judge_dkim(record: DnsRecord, relevant: Sequence[Seen]) -> _Judgement:
    wanted = _read_tags(record.value)["p"]
    return _found_if(any(_read_tags(seen.text).get("p") == wanted for seen in relevant))


def _judge_sole(_: DnsRecord, relevant: Sequence[Seen]) -> _Judgement:
    """Whatever it says, as that is for its owner to choose; but it must be the only one."""
    return _found_if(len(relevant) == 1, note="There are several; others then heed none.")


def _judge_mta_sts(record: DnsRecord, relevant: Sequence[Seen]) -> _Judgement:
    state, note = _judge_sole(record, relevant)
    if state is not RecordState.FOUND:
        return state, note
    same = _read_tags(relevant[0].text).get("id") == _read_tags(record.value)["id"]
    return _found_if(same, note="Its id is another: the policy has changed since.")


def _found_if(condition: bool, *, note: str = "") -> _Judgement:
    return (RecordState.FOUND, "") if condition else (RecordState.DIFFERS, note)


def _read_tags(text: str) -> Mapping[str, str]:
    """A list of `tag=value` (RFC 6376, section 3.2), without white space."""
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): "".join(value.split()) for name, _, value in pairs}


_JUDGES: Mapping[Purpose, Callable[[DnsRecord, Sequence[Seen]], _Judgement]] = {
    Purpose.OWNERSHIP: _judge_ownership,
    Purpose.MX: _judge_mx,
    Purpose.SPF: _judge_spf,
    Purpose.DKIM: _judge_dkim,
    Purpose.DMARC: _judge_sole,
    Purpose.MTA_STS: _judge_mta_sts,
    Purpose.MTA_STS_HOST: _judge_address,
    Purpose.TLS_RPT: _judge_sole,
}
