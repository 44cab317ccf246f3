"""axe in front of a page, in the version that is locked in `axe/`."""

import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from playwright.sync_api import Page

_FOLDER = Path(__file__).with_name("axe")
_RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_RUN = """async (tags) => (await axe.run(document, { runOnly: tags })).violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`)"""


def find_faults(page: Page) -> Sequence[str]:
    """What axe has against the page as it is shown now, by rule and element."""
    # Evaluated by the browser itself, which the page's policy does not bind.
    page.evaluate(_read_axe())
    faults: Sequence[str] = page.evaluate(_RUN, list(_RULES))
    return faults


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
