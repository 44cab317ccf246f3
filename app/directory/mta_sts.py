"""The MTA-STS policy of a domain (RFC 8461): mail for it comes over TLS, to these hosts."""

import hashlib
from collections.abc import Sequence
from typing import Literal

MtaStsMode = Literal["none", "testing", "enforce"]
"""`testing`: senders tell of what fails and deliver all the same; `enforce`: they do not deliver;
`none`: the policy is withdrawn (section 8.3)."""

# While senders still find out whether all is well, they should not remember it for long.
_MAX_AGE_SECONDS = {"none": 86_400, "testing": 86_400, "enforce": 14 * 86_400}
_ID_CHARACTERS = 20


def write_policy(mode: MtaStsMode, mx_hosts: Sequence[str]) -> str:
    """The policy as it is served (section 3.2)."""
    lines = ["version: STSv1", f"mode: {mode}"]
    if mode != "none":
        lines += [f"mx: {host}" for host in mx_hosts]
    lines.append(f"max_age: {_MAX_AGE_SECONDS[mode]}")
    return "".join(f"{line}\r\n" for line in lines)


def policy_id(policy: str) -> str:
    """The id of the TXT record (section 3.1): another one as soon as the policy is another."""
    return hashlib.sha256(policy.encode()).hexdigest()[:_ID_CHARACTERS]
