"""An address of a temporary inbox is a secret: nothing about it can be worked out."""

import re
from collections import Counter

from app.assembly import Services
from app.directory.bootstrap import ensure_temporary_domain

# 12 of 27 letters are 57 bits.
ADDRESS = re.compile(r"([bcdfghjkmnpqrstvwxz23456789]{12})@(.+)")
COUNT = 150


async def test_addresses_are_drawn_evenly_and_apart_from_tokens(services: Services) -> None:
    domain = services.settings.temporary_domain
    await ensure_temporary_domain(services.tenants, services.domains, domain)
    inboxes = [await services.inboxes.create() for _ in range(COUNT)]
    matches = [ADDRESS.fullmatch(inbox.address) for inbox in inboxes]
    names = [match[1] for match in matches if match and match[2] == domain]
    assert len(set(names)) == COUNT
    letters = Counter("".join(names))
    assert len(letters) == 27
    # 67 of each are expected; twice as many come once in 10^14 runs.
    assert max(letters.values()) < 134
    assert not any(name in inbox.token for name, inbox in zip(names, inboxes, strict=True))
