"""What is served as it is: checksums, weights, and colours that can be read."""

import hashlib
import re

import pytest

from app.web.assets import STATIC_FOLDER, Assets
from app.web.rendering import TEMPLATE_FOLDER

_VENDOR = STATIC_FOLDER / "vendor"
_STYLE = (STATIC_FOLDER / "style.css").read_text()
_ROW = re.compile(r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$", re.MULTILINE)


def test_vendored_file_has_the_checksum_it_came_with() -> None:
    written = dict(_ROW.findall((_VENDOR / "README.md").read_text()))
    files = {file for file in _VENDOR.iterdir() if file.suffix in (".js", ".svg")}
    assert written == {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_scripts_and_style_stay_light() -> None:
    files = Assets.of(STATIC_FOLDER).files
    assert 0 < sum(len(files[name].compressed) for name in ("htmx.js", "app.js")) <= 25_000
    assert 0 < len(files["style.css"].compressed) <= 15_000


def test_every_script_is_in_one_that_is_served() -> None:
    files = Assets.of(STATIC_FOLDER).files
    script = "\n".join(files[name].content.decode() for name in ("htmx.js", "app.js"))
    for file in STATIC_FOLDER.rglob("*.js"):
        last = file.read_text().rstrip().splitlines()[-1]
        assert last in script, file
    assert script.index("htmx") < script.index("hx-sse")


def test_every_icon_is_used() -> None:
    texts = [file.read_text() for file in TEMPLATE_FOLDER.rglob("*.html")]
    texts.append((TEMPLATE_FOLDER.parent / "app/web/rendering.py").read_text())
    used = set(re.findall(r'"([a-z0-9-]+)"', "\n".join(texts)))
    assert set(Assets.of(STATIC_FOLDER).icons) - used == set()


def test_own_files_ask_no_other_host() -> None:
    own = [file for file in STATIC_FOLDER.iterdir() if file.is_file()]
    for file in own:
        text = re.sub(r"http://www.w3.org/2000/svg", "", file.read_text())
        assert not re.search(r"https?:|[\"'(]//|@import", text), file


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("above", "below", "least"),
    [
        *((ink, ground, 4.5) for ink in ("ink", "muted") for ground in ("paper", "card", "hover")),
        *(("on-fill", ground, 4.5) for ground in ("fill", "fill-hover", "rail", "rail-hover")),
        ("red", "card", 4.5),
        ("ink", "found", 4.5),
        *((sign, "paper", 3.0) for sign in ("green", "amber", "blue")),
        *((sign, "card", 3.0) for sign in ("blue", "edge")),
    ],
)
def test_contrast_is_enough(above: str, below: str, least: float, theme: str) -> None:
    """WCAG 2.2, 1.4.3 for text and 1.4.11 for signs."""
    assert contrast(colour(above, theme), colour(below, theme)) >= least


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["star", "star-on", "box", "box-on", "box-some"])
def test_picture_of_one_colour_is_seen_in_both_themes(name: str, theme: str) -> None:
    """WCAG 2.2, 1.4.11."""
    picture = re.search(rf"--{name}: url\(.*?'%23(\w{{6}})'", _STYLE)
    assert picture, name
    assert contrast(f"#{picture[1]}", colour("card", theme)) >= 3.0


def test_browser_frame_has_the_colour_of_the_rail() -> None:
    layout = (TEMPLATE_FOLDER / "layout.html").read_text()
    frame = re.findall(r'name="theme-color" content="(#\w{6})"', layout)
    assert frame == [colour("rail", "light"), colour("rail", "dark")]


def colour(name: str, theme: str) -> str:
    value = re.search(rf"--{name}: (?:light-dark\((#\w+), (#\w+)\)|(#\w+));", _STYLE)
    assert value, name
    light, dark, both = value.groups()
    return str(both or (light if theme == "light" else dark))


def contrast(one: str, other: str) -> float:
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def luminance(hex_colour: str) -> float:
    parts = [int(hex_colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))
