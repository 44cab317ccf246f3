"""The elements and attributes that mail needs to keep its look."""

import re

TAGS = frozenset(
    {
        "a", "abbr", "acronym", "address", "article", "aside", "b", "bdi", "bdo", "big",
        "blockquote", "br", "caption", "center", "cite", "code", "col", "colgroup", "dd", "del",
        "dfn", "div", "dl", "dt", "em", "figcaption", "figure", "font", "footer", "h1", "h2", "h3",
        "h4", "h5", "h6", "header", "hr", "i", "img", "ins", "kbd", "li", "main", "mark", "nav",
        "ol", "p", "pre", "q", "rp", "rt", "ruby", "s", "samp", "section", "small", "span",
        "strike", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "time",
        "tr", "tt", "u", "ul", "var", "wbr",
    }
)  # fmt: skip

# No `id`, `name` or `class`: without style blocks and scripts nothing needs them, and links within
# the page are dropped. `background` is listed only to be counted.
ATTRIBUTES = {
    "*": {
        "align", "aria-hidden", "aria-label", "background", "bgcolor", "dir", "height", "lang",
        "nowrap", "role", "style", "title", "valign", "width",
    },
    "a": {"href"},
    "blockquote": {"type"},
    "br": {"clear"},
    "col": {"span"},
    "colgroup": {"span"},
    "font": {"color", "face", "size"},
    "hr": {"color", "noshade", "size"},
    "img": {"alt", "border", "hspace", "src", "vspace"},
    "li": {"type", "value"},
    "ol": {"reversed", "start", "type"},
    "table": {"border", "bordercolor", "cellpadding", "cellspacing", "frame", "rules"},
    "td": {"abbr", "colspan", "headers", "rowspan", "scope"},
    "th": {"abbr", "colspan", "headers", "rowspan", "scope"},
    "ul": {"type"},
}  # fmt: skip

TEXT_ATTRIBUTES = frozenset({"abbr", "alt", "aria-label", "title"})

# Numbers, colours, words and font names; no address can be written with it.
PRESENTATIONAL_VALUE = re.compile(r"""[\w\s#%.,'"+*-]{0,200}+""")
