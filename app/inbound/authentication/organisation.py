"""Which domain names belong together (RFC 7489, section 3)."""

from publicsuffixlist import PublicSuffixList


class Organisations:
    """Domains by the public suffix list. Names are in lower case and ASCII."""

    def __init__(self) -> None:
        self._suffixes = PublicSuffixList()

    def domain_of(self, domain: str) -> str:
        """The organisational domain (section 3.2); a public suffix is its own."""
        return self._suffixes.privatesuffix(domain) or domain

    def are_aligned(self, one: str, other: str, *, is_strict: bool) -> bool:
        """Identifier alignment (section 3.1). An empty name is aligned with nothing."""
        if not (one and other):
            return False
        return one == other or (not is_strict and self.domain_of(one) == self.domain_of(other))
