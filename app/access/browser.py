"""What a browser shows of itself when somebody asks for a way in, or takes one."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.secrets import hash_token


@dataclass(frozen=True, slots=True)
class Browser:
    """`kind` is coarse (`Firefox on a computer`) and `network` an address or an IPv6 /64.

    `secrets` are what its cookie holds: one for each time it asked, the newest first. Nobody else
    has them, so they tell whether it is the browser that a link or a code was made for.
    """

    user_agent: str = ""
    kind: str = ""
    network: str = ""
    secrets: Sequence[str] = ()

    @property
    def secret_hashes(self) -> Sequence[bytes]:
        return [hash_token(secret) for secret in self.secrets]
