"""The browser of the tests: Debian's Chromium without windows, which needs a quarter less time."""

PROGRAM = "/usr/bin/chromium-headless-shell"
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
