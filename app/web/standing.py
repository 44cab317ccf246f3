"""How a thing stands, as pages say it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Standing:
    """A state in a few words, with its colour and icon, and what it means."""

    words: str
    colour: str
    icon: str
    meaning: str = ""
