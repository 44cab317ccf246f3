"""The MTA-STS policies of our domains, where other mail servers fetch them (RFC 8461, 3.3)."""

from typing import Any

from litestar import Request, Response, get

from app.core.errors import NotFound
from app.directory.domain_policy import DomainStatus
from app.directory.domains import Domains
from app.directory.mta_sts import write_policy
from app.settings import Settings
from app.web.given import Given
from app.web.guards import allow_public

_PREFIX = "mta-sts."


@get("/.well-known/mta-sts.txt", opt=allow_public(), include_in_schema=False)
async def show_policy(
    request: Request[Any, Any, Any], domains: Given[Domains], settings: Given[Settings]
) -> Response[bytes]:
    """The policy of the domain that the host name says, as long as its mail is taken here.

    Any other answers 404: where the MX has gone elsewhere, ours would keep mail from it.
    """
    host = request.headers.get("host", "").partition(":")[0].lower().removesuffix(".")
    if not host.startswith(_PREFIX):
        raise NotFound("There is no policy here.")
    domain = await domains.find_receiving(host.removeprefix(_PREFIX))
    if domain.status is not DomainStatus.VERIFIED:
        raise NotFound("There is no policy here.")
    policy = write_policy(domain.mta_sts_mode, settings.mx_hosts)
    return Response(policy.encode(), media_type="text/plain; charset=utf-8")
