"""What each role is called and may do, for people; as `app/access/permissions.py` has it."""

from collections.abc import Mapping

# From the one that may do least to the one that may do most.
ROLE_WORDS: Mapping[str, tuple[str, str]] = {
    "viewer": ("Viewer", "Reads mail."),
    "agent": ("Agent", "Reads, sorts and answers mail."),
    "admin": ("Admin", "As an agent, and looks after users, domains, mailboxes and keys."),
    "owner": ("Owner", "Everything, also how people sign in and who else is an owner."),
}
