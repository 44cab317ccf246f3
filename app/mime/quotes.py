"""Where a mail stops and the mail that it answers begins."""

import re
from collections.abc import Sequence

MAX_CHARS = 256 * 1024


def split_quote(text: str) -> tuple[str, str]:
    """What the sender wrote, and what was quoted below it with the line that introduces it.

    The second is empty where nothing is quoted at the end, where something was written below or
    between (that answer would be hidden), or where there is nothing but the quotation. Nothing is
    lost: both together are `text`. Takes linear time; a text over `MAX_CHARS` is not looked at.
    """
    if len(text) > MAX_CHARS:
        return text, ""
    lines = text.splitlines(keepends=True)
    start = min(_find_marked(lines), _find_introduced(lines))
    written = "".join(lines[:start])
    if start == len(lines) or not written.strip():
        return text, ""
    return written, text[len(written) :]


def is_copied_header(lines: Sequence[str]) -> bool:
    """Whether these lines begin with fields that a mail program copied above what it quotes: who
    it is from, and two more of when, to whom and about what, in one of many languages."""
    names = []
    for line in lines[:_HEADER_LINES]:
        if not line.strip("> \t\r\n"):
            continue
        found = _FIELD.match(line)
        if not found:
            break
        names.append(_FIELD_NAMES.get(found[1].strip().lower(), ""))
    return names[:1] == ["from"] and len(set(names) - {""}) >= 3


def is_divider(line: str) -> bool:
    """`-----Original Message-----` and what other programs draw there."""
    return bool(_DIVIDER.match(line))


def is_first_field(line: str) -> bool:
    """Whether a copied header may begin with this line: with who it is from, in some language."""
    return _FIELD_NAMES.get(line.partition(":")[0].strip("*> \t").lower()) == "from"


def _find_marked(lines: Sequence[str]) -> int:
    """The lines at the end that are marked with `>`, and what introduces them."""
    start = end = len(lines)
    while end and (lines[end - 1][0] == ">" or not lines[end - 1].strip()):
        end -= 1
        if lines[end][0] == ">":
            start = end
    return start if start == len(lines) else start - _count_introducing(lines, start, strict=False)


def _find_introduced(lines: Sequence[str]) -> int:
    """The first line after which all is quoted without a mark, as some programs do."""
    first_mark = next((n for n, line in enumerate(lines) if line[0] == ">"), len(lines))
    for number, line in enumerate(lines[:first_mark]):
        if is_divider(line) and any(map(str.strip, lines[number + 1 :])):
            return number
        if _FIELD.match(line) and is_copied_header(lines[number : number + _HEADER_LINES]):
            return number
        # Below an introduction there may be an answer between marked lines.
        if first_mark == len(lines) and line.rstrip().endswith(":"):
            introducing = _count_introducing(lines, number + 1, strict=True)
            if introducing and any(map(str.strip, lines[number + 1 :])):
                return number + 1 - introducing
    return len(lines)


def _count_introducing(lines: Sequence[str], end: int, *, strict: bool) -> int:
    """How many lines before `end` say who wrote what follows: none to three, and blank ones after.

    `strict` asks for a figure too, of a date, where no marked line proves it.
    """
    last = end
    while last and end - last < 2 and not lines[last - 1].strip():
        last -= 1
    found = 0
    for count in (1, 2, 3):
        if count > last or not lines[last - count].strip():
            break
        joined = " ".join(line.strip() for line in lines[last - count : last])
        if len(joined) > _MAX_INTRODUCTION_CHARS or not joined.endswith(":"):
            break
        words = joined[:-1].lower().split()
        if _VERBS.isdisjoint(words[-_VERB_WORDS:]):
            break
        if words[0] in _BEGINNINGS and (not strict or any(map(str.isdigit, joined))):
            return count + end - last
        if count == 1 and not strict:
            found = count + end - last
    return found


_HEADER_LINES = 12
_MAX_INTRODUCTION_CHARS = 400
_VERB_WORDS = 8
_BEGINNINGS = frozenset(
    {"am", "dne", "dnia", "den", "el", "em", "il", "le", "on", "op", "pe", "w", "в"}
)
_VERBS = frozenset(
    {
        "dijo", "escreveu", "escribió", "geschreven", "kirjoitti", "napisał", "napisała",
        "napsal", "napsala", "scritto", "scris", "schreef", "schrieb", "skrev", "writes", "wrote",
        "írta", "écrit", "написал", "написала", "написал(а)", "пишет",
    }
)  # fmt: skip
_DIVIDER = re.compile(
    r"[>\s]{0,20}-{2,30} ?(?:original message|forwarded message|reply message|ursprüngliche "
    r"nachricht|weitergeleitete nachricht|message d'origine|message transféré|mensaje original|"
    r"mensagem original|messaggio originale|oorspronkelijk bericht|исходное сообщение|"
    r"пересылаемое сообщение|původní zpráva|wiadomość oryginalna) ?-{2,30}\s*\Z",
    re.I,
)
_FIELD = re.compile(r"[>\s]{0,20}\*?([^\W\d_][\w\- ]{0,20}?)\s?:\*?(?:\s|\Z)")
_FIELD_NAMES = {
    **dict.fromkeys(
        ("from", "von", "de", "da", "van", "från", "fra", "od", "от", "от кого"), "from"
    ),
    **dict.fromkeys(
        (
            "date", "sent", "gesendet", "datum", "envoyé", "fecha", "enviado", "enviado el", "data",
            "inviato", "verzonden", "skickat", "sendt", "wysłano", "odesláno", "дата", "отправлено",
        ),
        "date",
    ),
    **dict.fromkeys(
        ("to", "an", "à", "para", "a", "aan", "till", "til", "do", "komu", "кому"), "to"
    ),
    **dict.fromkeys(
        (
            "subject", "betreff", "objet", "asunto", "assunto", "oggetto", "onderwerp", "ämne",
            "emne", "temat", "předmět", "тема",
        ),
        "subject",
    ),
}  # fmt: skip
