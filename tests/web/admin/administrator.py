"""An administrator in front of the pages, without a browser: reads them, and sends their forms."""

from dataclasses import dataclass
from typing import Any

import httpx
from selectolax.lexbor import LexborHTMLParser

from app.assembly import Services
from app.directory.tenants import Tenant


@dataclass
class Administrator:
    web: httpx.AsyncClient
    tenant: Tenant

    async def read(self, path: str) -> LexborHTMLParser:
        answer = await self.web.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        return LexborHTMLParser(answer.text)

    async def text(self, path: str) -> str:
        main = (await self.read(path)).css_first("main")
        assert main
        return " ".join(main.text(separator=" ").split())

    async def send(self, page: str, action: str, **fields: Any) -> httpx.Response:
        """The form of `page` that goes to `action`, with these fields changed."""
        form = (await self.read(page)).css_first(f'form[method="post"][action="{action}"]')
        assert form, (page, action)
        values: dict[str, Any] = {}
        for field in form.css("input[name], textarea[name]"):
            kind, name = field.attributes.get("type"), str(field.attributes["name"])
            if kind not in ("radio", "checkbox"):
                values[name] = field.attributes.get("value") or field.text()
            elif "checked" in field.attributes:
                values.setdefault(name, []).append(field.attributes["value"])
        for choice in form.css("select[name]"):
            chosen = choice.css_first("option[selected]") or choice.css_first("option")
            values[str(choice.attributes["name"])] = chosen.text() if chosen else ""
        return await self.web.post(action, data={**values, **fields})


async def sign_in(
    services: Services,
    web: httpx.AsyncClient,
    tenant: Tenant,
    *,
    email: str = "ada@acme.test",
    role: str = "owner",
    is_operator: bool = False,
) -> Administrator:
    user = await services.users.add(email, tenant.id, role, is_operator=is_operator)
    link = await services.sign_in.create_link(user.id)
    assert (await web.post(f"/sign-in/{link}")).status_code == 303
    return Administrator(web, tenant)
