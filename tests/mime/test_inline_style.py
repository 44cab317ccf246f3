"""Values of inline styles that do not end what they begin."""

import pytest

from app.mime.inline_style import filter_style


@pytest.mark.parametrize(
    "style",
    [
        "color:'",
        'font-family:"Arial',
        "font-family:'a\"b'",
        "color:rgb(1,2,3",
        "background:linear-gradient(rgb(1,2,3)",
        "color:red !",
        "font-:red",
        "color:red)",
    ],
)
def test_filter_style_drops_what_is_left_open(style: str) -> None:
    assert filter_style(style) == ("", 0)


def test_filter_style_keeps_what_is_closed() -> None:
    style = "font-family:'Segoe UI',Arial;color:rgb(1,2,3) !important"
    assert filter_style(style) == (style, 0)
