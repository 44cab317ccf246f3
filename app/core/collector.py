"""The cyclic garbage collector of a process that serves."""

import gc


def collect_seldom() -> None:
    """What is there at the start stays: the collector need not look through it again. What a
    request makes is mostly freed without it. Called once, when all is set up."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
