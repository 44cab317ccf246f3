"""A browser and its system in words, as far as `User-Agent` can be believed."""

import re

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


def describe_user_agent(user_agent: str) -> str:
    """`Firefox on Windows`; only words of ours, whatever the header says."""
    browser, system = _name(_BROWSERS, user_agent), _name(_SYSTEMS, user_agent)
    if browser and system:
        return f"{browser} on {system}"
    return browser or (f"A browser on {system}" if system else "An unknown browser")


def _name(kinds: tuple[tuple[str, str], ...], user_agent: str) -> str:
    return next((name for mark, name in kinds if re.search(mark, user_agent)), "")
