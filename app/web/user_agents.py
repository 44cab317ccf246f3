"""A browser and its system in words, as far as `User-Agent` can be believed."""

import re
from collections.abc import Mapping, Sequence

# In this order: nearly every browser also names those that it wants to be taken for.
_BROWSERS = (
    ("Edg(?:e|A|iOS)?/", "Edge"),
    ("OPR/|Opera", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("Firefox/|FxiOS/", "Firefox"),
    ("Chrome/|CriOS/|Chromium/", "Chrome"),
    ("Version/[^ ]* (?:Mobile/[^ ]* )?Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh|Mac OS X", "macOS"),
    ("Linux|X11", "Linux"),
)

_DEVICES: Mapping[str, Sequence[str]] = {
    "a computer": ("Windows", "macOS", "Linux", "ChromeOS"),
    "a phone or tablet": ("iPhone", "iPad", "Android"),
}


def describe_user_agent(user_agent: str) -> str:
    """`Firefox on Windows`; only words of ours, whatever the header says."""
    browser, system = _name(_BROWSERS, user_agent), _name(_SYSTEMS, user_agent)
    if browser and system:
        return f"{browser} on {system}"
    return browser or (f"A browser on {system}" if system else "An unknown browser")


def classify_user_agent(user_agent: str) -> str:
    """`Firefox on a computer`: so coarse that no update of browser or system changes it."""
    browser, system = _name(_BROWSERS, user_agent), _name(_SYSTEMS, user_agent)
    device = next((kind for kind, systems in _DEVICES.items() if system in systems), "something")
    return f"{browser or 'A browser'} on {device}"


def _name(kinds: tuple[tuple[str, str], ...], user_agent: str) -> str:
    return next((name for mark, name in kinds if re.search(mark, user_agent)), "")
