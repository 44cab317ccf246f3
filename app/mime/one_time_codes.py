"""One-time codes in a message: what a person would copy from it to sign in.

There is no standard for them. A code is a short run of digits, or of digits and capitals, that the
words around it call one; what they call a price, a date, an order or a telephone number is none.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.mime.html_text import html_to_text

MAX_CODES = 10
MAX_READ_CHARS = 20_000
_MAX_HTML_CHARS = 500_000
_MAX_CANDIDATES = 200
# Of the likeliest one's score; what has less stood near by chance.
_MIN_SHARE = 0.5


def find_codes(subject: str, text: str, html: str = "") -> list[str]:
    """The codes, the likeliest first, at most `MAX_CODES` of them; `html` is looked at where the
    text has none.

    Spaces are left out, and hyphens between digits: `123 456` and `123-456` become `123456`,
    `WDJB-MJHT` stays. Reads `MAX_READ_CHARS` of the text, in time that is linear in it; never
    fails.
    """
    codes = _find(f"{subject[:MAX_READ_CHARS]}\n\n{text[:MAX_READ_CHARS]}")
    if not codes and html:
        codes = _find(html_to_text(html[:_MAX_HTML_CHARS])[:MAX_READ_CHARS])
    return codes


@dataclass(frozen=True, slots=True)
class _Candidate:
    start: int
    end: int
    written: str

    @property
    def code(self) -> str:
        found = self.written
        for space in " \u00a0\u202f":
            found = found.replace(space, "")
        bare = found.translate(_HYPHENS)
        # Google writes `G-123456` and wants the digits.
        if found[1] in _HYPHENS_WRITTEN:
            return bare[1:]
        return bare if bare.isdigit() else found


_HYPHENS_WRITTEN = ("-", "\u2010", "\u2011", "\u2013")
_HYPHENS = str.maketrans(dict.fromkeys(_HYPHENS_WRITTEN, ""))


def _find(text: str) -> list[str]:
    text = _NOT_READ.sub(lambda found: " " * len(found[0]), text)
    words = _Words.of(text)
    if not words.starts:
        return []
    scores: dict[str, float] = {}
    for number, candidate in zip(range(_MAX_CANDIDATES), _candidates(text), strict=False):
        score = _score(text, candidate, words)
        if score > 0:
            # Of equals the first stands first.
            score -= number / _MAX_CANDIDATES
            scores[candidate.code] = max(score, scores.get(candidate.code, 0))
    likeliest = max(scores.values(), default=0)
    codes = [code for code, score in scores.items() if score >= likeliest * _MIN_SHARE]
    return sorted(codes, key=lambda code: -scores[code])[:MAX_CODES]


@dataclass(frozen=True, slots=True)
class _Words:
    """Where the words stand that make something near them a code."""

    starts: Sequence[int]
    ends: Sequence[int]

    @classmethod
    def of(cls, text: str) -> "_Words":
        spoiled = {found.end() for found in _OTHER_CODES.finditer(text)}
        found = [word for word in _CODE_WORDS.finditer(text) if word.end() not in spoiled]
        return cls([word.start() for word in found], [word.end() for word in found])

    def last_before(self, position: int) -> int | None:
        """Where the last one before `position` ends."""
        index = bisect_left(self.starts, position) - 1
        return self.ends[index] if index >= 0 else None

    def first_after(self, position: int) -> int | None:
        index = bisect_left(self.starts, position)
        return self.starts[index] if index < len(self.starts) else None


def _candidates(text: str) -> Iterator[_Candidate]:
    for found in _CANDIDATE.finditer(text):
        yield _Candidate(found.start(), found.end(), found[0])


def _score(text: str, candidate: _Candidate, words: _Words) -> float:
    """How likely it is a code; 0 for what is none."""
    before = text[max(0, candidate.start - _NEAR) : candidate.start]
    if _WRONG_BEFORE.search(before) or _WRONG_AFTER.match(text, candidate.end):
        return 0
    word, next_word = words.last_before(candidate.start), words.first_after(candidate.end)
    is_called = word is not None and _BETWEEN.fullmatch(text, word, candidate.start) is not None
    is_alone = bool(_LINE_START.search(before) and _LINE_END.match(text, candidate.end))
    if _OFTEN_ELSE.fullmatch(candidate.written) and not (is_called or is_alone):
        return 0
    score = 0.0
    if is_called:
        score = 8
    elif word is not None and candidate.start - word <= _NEAR:
        score = 4 - (candidate.start - word) / _NEAR
    if next_word is not None and next_word - candidate.end <= _NEAR_AFTER:
        score = max(score, 3 - (next_word - candidate.end) / _NEAR_AFTER)
    if is_alone:
        score += 4
    return score + _LIKELY_LENGTHS.get(len(candidate.code), 0) if score else 0


_NEAR = 120
_NEAR_AFTER = 60
_LIKELY_LENGTHS = {6: 2.0, 4: 1.0, 5: 1.0, 7: 1.0, 8: 1.0}
_HYPHEN = r"[-\u2010\u2011\u2013]"
_SPACE = r"[ \u00a0\u202f]"

# Of scripts that put spaces between words; in the others a code may follow a word directly.
_LETTER = r"A-Za-z0-9_\u00c0-\u024f\u0370-\u03ff\u0400-\u04ff"

# Addresses of the web and of people are full of what looks like codes.
_NOT_READ = re.compile(r"https?://[^\s<>\"]{1,4000}|[\w.+-]{1,64}@[\w.-]{1,255}", re.I)

# Years, dates and words in capitals.
_OFTEN_ELSE = re.compile(
    rf"(?:19|20)[0-9]{{2}}(?:(?:0[1-9]|1[0-2])(?:[0-2][0-9]|3[01]))?"
    rf"|[0-9]{{2}}{_HYPHEN}[0-9]{{2}}{_HYPHEN}[0-9]{{2}}|[A-Z]+{_HYPHEN}?[A-Z]+"
)
# Not within a number, a word or an address.
_CANDIDATE = re.compile(
    rf"""(?<![{_LETTER}.,:/+$€£¥₹#&=%@])(?<![{_LETTER}]{_HYPHEN})(?<![0-9]{_SPACE})
    (?:
        [0-9]{{4,8}}
        | [0-9]{{3}}(?:{_SPACE}|{_HYPHEN})[0-9]{{3}}
        | [0-9]{{4}}(?:{_SPACE}|{_HYPHEN})[0-9]{{4}}
        | [0-9]{{2}}(?:(?:{_SPACE}|{_HYPHEN})[0-9]{{2}}){{2,3}}
        | [0-9](?:{_SPACE}[0-9]){{3,7}}
        | [A-Z]{_HYPHEN}[0-9]{{4,8}}
        | (?=[A-Z]{{0,7}}[0-9])(?=[0-9]{{0,7}}[A-Z])[A-Z0-9]{{4,8}}
        | (?=[0-9]{{0,4}}{_HYPHEN}?[0-9]{{0,4}}[A-Z])[A-Z0-9]{{3,4}}{_HYPHEN}[A-Z0-9]{{3,4}}
    )
    (?![{_LETTER}%€£$¥@=&/])(?!{_HYPHEN}[{_LETTER}])(?!{_SPACE}[0-9])(?![.,:][0-9])
    """,
    re.X,
)
_LINE_START = re.compile(r"(?:^|\n)[ \t\u00a0>*|]*\Z")
_LINE_END = re.compile(r"[ \t\u00a0*|]*(?:\n|\Z)")
# `code: 1234`, `code is "1234"`, `Code lautet: 1234`, `验证码是1234`.
_BETWEEN = re.compile(
    r"[ \t\u00a0]*(?:\([^()\n]{0,20}\)[ \t]*)?"
    r"(?:is|are|ist|lautet|est|es|è|é|er|är|on|to|jest|:|：|=|は|은|는|是|为|為|—|–|-)?"
    r"[ \t\u00a0]*[:：]?[\s\u00a0*|\"'“”„«»‘’「【\[(<]{0,20}",
    re.I,
)
_WRONG_BEFORE = re.compile(
    r"(?:\b(?:orders?|invoices?|receipts?|tracking|parcel|shipments?|tickets?|case|bookings?"
    r"|reservations?|customer|client|account|accounts|contract|policy|refs?|reference|id|phone"
    r"|tel|telephone|telefon|fon|fax|mobile|call|call us at|call us on|zip|postal|plz|suite|room"
    r"|flight|iban|bic|vat|serial|model|version|build|copyright|since|year|ends? in|ending"
    r"|ending in|bestellung|bestellnummer|rechnung|rechnungsnummer|kundennummer"
    r"|auftragsnummer|sendungsnummer|commande|facture|pedido|factura|ordine|fattura|bestelling"
    r"|usd|eur|gbp|chf|jpy|inr)"
    r"(?:[ \t]?(?:nos?|nr|n°|nº|num|number|numbers|nummer|numéro|número|numero|id|code))?"
    r"|©|[$€£¥₹№#])[ \t\u00a0]*(?:is|ist|:|\.)?[ \t\u00a0.:#(*]*\Z",
    re.I,
)
_WRONG_AFTER = re.compile(
    r"[ \t\u00a0]*(?:[€£¥₹%]|(?:usd|eur|gbp|chf|jpy|inr|dollars?|euros?|min|mins|minutes?|minuten"
    r"|seconds?|secs?|hours?|hrs?|days?|weeks?|months?|years?|people|users|customers|items?"
    r"|points?|km|kg|mb|gb|kb|px|am|pm|st|street|road|avenue)\b)",
    re.I,
)
_CODE_WORDS = re.compile(
    r"(?:codes?|kod(?:en?|er)?|koodi(?:si)?)\b"
    r"|\b(?:otps?|pins?|tans?|tokens?|2fa|mfa|one[- ]time|onetime|passwords?|verification|verify"
    r"|authentication|kennwort|einmalpasswort|einmalkennwort|passwort|wachtwoord|contraseña"
    r"|clave|código|codigo|senha|codice|cod|mot de passe|pincode|kód|kódja"
    r"|kódu|heslo|hasło|haslo|şifre|sifre|kodu|kodunuz|mã|kodas|lösenord"
    r"|engångskod|engangskode|salasana|parola|jelszó)\b"
    r"|код|пароль|κωδικ|קוד|סיסמ|رمز|كود|کد|कोड|ओटीपी|รหัส"
    r"|验证码|驗證碼|校验码|动态码|動態碼|代码|コード|認証番号|確認番号|暗証番号|인증번호|인증\s?코드|코드",
    re.I,
)
# What is called a code and signs nobody in.
_OTHER_CODES = re.compile(
    r"\b(?:promo|promotion|promotional|discount|coupon|voucher|gift|country|area|dialling|zip"
    r"|postal|post|qr|bar|source|dress|error|status|exit|product|colou?r|booking|tracking|order"
    r"|sort|swift|bank|referral|invite|tax|currency|morse|airport)[- ]?codes?\b"
    r"|\b(?:gutschein|rabatt|aktions|qr-?|post|länder|fehler|quell)codes?\b"
    r"|\b(?:code promo|code postal|código postal|codice postale|codice fiscale)\b",
    re.I,
)
