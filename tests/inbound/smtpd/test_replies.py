"""The table of replies, in the code and in the documentation."""

import re
from pathlib import Path

import pytest

from app.inbound.smtpd import replies
from app.inbound.smtpd.replies import Reply, encode_lines

EVERY_REPLY = [value for value in vars(replies).values() if isinstance(value, Reply)]
DOCUMENTATION = Path(__file__).parents[3] / "docs" / "smtp.md"


@pytest.mark.parametrize("reply", EVERY_REPLY, ids=lambda reply: reply.text)
def test_a_reply_is_one_line_whose_two_codes_agree(reply):
    facts = dict.fromkeys(re.findall(r"{(\w+)}", reply.text), "fact")
    line = reply.encode(**facts).decode()
    assert re.fullmatch(r"[2-5]\d\d ([245]\.\d\.\d{1,2} )?[^\r\n]+\r\n", line)
    assert len(line) <= 512
    if reply.enhanced_code:
        assert reply.enhanced_code[0] == str(reply.code)[0]
    else:
        assert reply.code in (220, 354)


def test_every_reply_is_documented_and_no_other():
    table = DOCUMENTATION.read_text().partition("## Every reply")[2]
    rows = re.findall(
        r"^\| (\d{3}) \| ([\d.]*) ?\| `(.+?)` \| (?:`(\w+)` )?\|$", table, re.MULTILINE
    )
    assert sorted(rows) == sorted(
        (
            str(reply.code),
            reply.enhanced_code,
            reply.text.replace("{", "<").replace("}", ">"),
            reply.cause,
        )
        for reply in EVERY_REPLY
    )


def test_every_refusal_has_a_cause_of_its_own_and_nothing_else_has():
    assert all(
        re.fullmatch(r"[a-z][a-z0-9_]+", reply.cause) for reply in EVERY_REPLY if reply.code >= 400
    )
    assert not any(reply.cause for reply in EVERY_REPLY if reply.code < 400)
    causes = [reply.cause for reply in EVERY_REPLY if reply.cause]
    assert sorted(causes) == sorted(set(causes))


def test_several_lines_are_one_reply():
    assert encode_lines(250, ["a", "b", "c"]) == b"250-a\r\n250-b\r\n250 c\r\n"
    assert encode_lines(250, ["a"]) == b"250 a\r\n"
