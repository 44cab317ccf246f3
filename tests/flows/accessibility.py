"""axe in front of a page, in the version that is locked in `axe/`."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from playwright.sync_api import Page

WIDTHS = (1280, 390)
_FOLDER = Path(__file__).with_name("axe")
_RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
# All that the scheme changes.
_COLOURS = ("color-contrast",)
_RUN = """async (rules) => (await axe.run(document, { runOnly: rules })).violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`)"""
_EXCESS = "document.documentElement.scrollWidth - innerWidth"


def find_faults(page: Page) -> Sequence[str]:
    """What axe has against the page that is shown, by rule and element, at both widths, light and
    dark; and whether it is wider than the window."""
    # Evaluated by the browser itself, which the page's policy does not bind.
    page.evaluate(_read_axe())
    faults = list(_faults(page))
    page.set_viewport_size({"width": WIDTHS[0], "height": 800})
    page.emulate_media(color_scheme="light")
    return faults


def _faults(page: Page) -> Iterator[str]:
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        yield from (f"{width}, {fault}" for fault in page.evaluate(_RUN, list(_RULES)))
        page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        yield from (f"{width} dark, {fault}" for fault in page.evaluate(_RUN, list(_COLOURS)))
        excess = page.evaluate(_EXCESS)
        if excess > 0:
            yield f"{width}, {excess} pixels too wide"


@cache
def _read_axe() -> str:
    folder = Path(mkdtemp(prefix="axe-"))
    try:
        shutil.copytree(_FOLDER, folder, dirs_exist_ok=True)
        subprocess.run(["npm", "ci"], cwd=folder, check=True, capture_output=True, timeout=60)
        return (folder / "node_modules/axe-core/axe.min.js").read_text()
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"npm cannot install axe-core here: {error}")
    finally:
        shutil.rmtree(folder)
