"""What `pillarbox up` says when all is ready."""

from collections.abc import Sequence

from app.assembly import assemble
from app.directory.bootstrap import ensure_temporary_domain, ensure_tenant
from app.embedded.run_file import RunFile
from app.settings import read_settings

FIRST_TENANT = "Pillarbox"


async def greet(run: RunFile) -> Sequence[str]:
    """Where to go: a fresh inbox, a one-time sign-in link, and how to send a first mail."""
    settings = read_settings(run.environment)
    services = assemble(settings)
    async with services.running():
        await ensure_temporary_domain(services.tenants, services.domains, settings.temporary_domain)
        inbox = await services.inboxes.create()
        tenant = await ensure_tenant(services.tenants, FIRST_TENANT, "enterprise")
        admin = await services.users.add(
            f"admin@{settings.temporary_domain}", tenant.id, "owner", is_operator=True
        )
        link = await services.sign_in.create_link(admin.id)
    url = settings.public_url
    return [
        "",
        "Pillarbox is ready.",
        "",
        f"  Web      {url}",
        f"  SMTP     {run.smtp}",
        "",
        f"  Inbox    {inbox.address}",
        f"           {url}/t/{inbox.token}",
        f"  Sign in  {url}/sign-in/{link}",
        f"           once, within an hour, as {admin.email}",
        "",
        'Send a first mail with the button "Send a test mail" on the inbox page, or with',
        f"  swaks --server {run.smtp} --to {inbox.address}",
        "",
        "Ctrl-C stops everything.",
    ]
