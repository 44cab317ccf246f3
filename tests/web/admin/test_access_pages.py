"""Users, keys, the audit trail and the installation, as an administrator sees them."""

import csv
import io
import json
import re

import httpx
import pytest
from administrator import Administrator, sign_in
from mailroom import Mailroom

from app.assembly import Services
from app.eventlog.parked import ParkedEvents
from workers.schedule import empty_trash, remove_expired_mailboxes


@pytest.fixture
async def owner(services: Services, web: httpx.AsyncClient) -> Administrator:
    tenant = await services.tenants.create("Acme", "developer")
    await services.domains.add("acme.test", tenant.id, vouched=True)
    return await sign_in(services, web, tenant)


async def open_first(owner: Administrator, listing: str) -> str:
    link = (await owner.read(listing)).css_first("tbody th a")
    assert link
    return str(link.attributes["href"])


def key_of(answer: httpx.Response) -> str:
    assert answer.status_code == 201, answer.status_code
    shown = re.findall(r"<code>([0-9a-f]{64})</code>", answer.text)
    assert len(shown) == 1
    return str(shown[0])


async def works(owner: Administrator, key: str) -> bool:
    bearer = {"authorization": f"Bearer {key}"}
    return (await owner.web.get("/api/v1/messages", headers=bearer)).status_code == 200


async def test_key_is_shown_once_rotated_and_revoked(owner: Administrator) -> None:
    made = await owner.send("/admin/keys/new", "/admin/keys", name="Billing")
    key = key_of(made)
    assert await works(owner, key)
    path = await open_first(owner, "/admin/keys?q=bill")
    for page in ("/admin/keys", path, f"{path}/rotate", f"{path}/revoke"):
        assert key not in (await owner.web.get(page)).text
    successor = key_of(await owner.send(f"{path}/rotate", f"{path}/rotate", overlap="day"))
    assert await works(owner, key)
    assert await works(owner, successor)
    assert "Replaced" in await owner.text(path)
    again = await owner.send(f"{path}/rotate", f"{path}/rotate", overlap="day")
    assert again.status_code == 400
    assert (await owner.send(f"{path}/revoke", f"{path}/revoke")).status_code == 303
    assert not await works(owner, key)
    assert "Revoked" in await owner.text(path)


async def test_key_is_limited_to_what_was_ticked(services: Services, owner: Administrator) -> None:
    box = await services.mailboxes.add("box@acme.test", owner.tenant.id)
    await owner.send(
        "/admin/keys/new",
        "/admin/keys",
        name="Limited",
        scopes=["messages:read"],
        mailbox_ids=[str(box.id)],
        lives="30",
    )
    page = await owner.text(await open_first(owner, "/admin/keys"))
    assert "box@acme.test" in page
    assert "Ends" in page
    for fields in (
        {"scopes": ["admin"], "mailbox_ids": [str(box.id)]},
        {"scopes": []},
        {"scopes": ["owner"]},
        {"mailbox_ids": ["nonsense"]},
        {"lives": "99"},
        {"name": "x" * 201},
    ):
        answer = await owner.send("/admin/keys/new", "/admin/keys", **fields)
        assert answer.status_code == 400, fields
        assert "<code>" not in answer.text


async def test_somebody_is_invited_gets_a_role_and_goes(
    services: Services, owner: Administrator
) -> None:
    invited = await owner.send(
        "/admin/users/new", "/admin/users", email="Ben@acme.test", role="viewer"
    )
    assert "/sign-in</code>" in invited.text
    path = await open_first(owner, "/admin/users?q=ben")
    assert (await owner.send(path, path, role="admin")).status_code == 303
    assert "Admin" in await owner.text("/admin/users?q=ben")
    assert (await owner.send(f"{path}/remove", f"{path}/remove")).status_code == 303
    assert "Nobody like that here." in await owner.text("/admin/users?q=ben")
    assert (await owner.web.get(path)).status_code == 404


async def test_last_owner_stays(owner: Administrator) -> None:
    path = await open_first(owner, "/admin/users")
    for answer in (
        await owner.send(path, path, role="viewer"),
        await owner.send(f"{path}/remove", f"{path}/remove"),
    ):
        assert answer.status_code == 400
        assert "last owner" in answer.text


async def test_admin_makes_no_owner(services: Services, owner: Administrator) -> None:
    owners_path = await open_first(owner, "/admin/users")
    admin = await sign_in(services, owner.web, owner.tenant, email="eve@acme.test", role="admin")
    form = await admin.read("/admin/users/new")
    assert {each.attributes["value"] for each in form.css("[name=role]")} == {
        *("viewer", "agent", "admin")
    }
    forged = await admin.send("/admin/users/new", "/admin/users", email="x@y.test", role="owner")
    assert forged.status_code == 400
    removed = await admin.send(f"{owners_path}/remove", f"{owners_path}/remove")
    assert removed.status_code == 400
    assert "ada@acme.test" in await admin.text("/admin/users")


async def test_audit_says_who_did_what_and_can_be_taken_along(owner: Administrator) -> None:
    await owner.send("/admin/keys/new", "/admin/keys", name="=cmd()")
    page = await owner.text("/admin/audit?check=true")
    assert "Made an API key" in page
    assert "ada@acme.test" in page
    assert "Nothing is missing" in page
    assert "Made an API key" not in await owner.text("/admin/audit?what=access.route")
    assert "Made an API key" in await owner.text("/admin/audit?q=ADA&what=access.key&since=day")
    assert (await owner.web.get("/admin/audit?what=x")).status_code == 400
    table = list(csv.DictReader(io.StringIO((await owner.web.get("/admin/audit/export.csv")).text)))
    lines = (await owner.web.get("/admin/audit/export.jsonl?what=access.key")).text.splitlines()
    assert [json.loads(line)["facts"]["name"] for line in lines] == ["=cmd()"]
    assert any(row["action"] == "access.key_created" for row in table)


async def test_changed_entry_shows(services: Services, owner: Administrator) -> None:
    await owner.send("/admin/keys/new", "/admin/keys", name="Billing")
    await services.database.execute("update audit_entry set actor_name = 'nobody'")
    assert "was changed" in await owner.text("/admin/audit?check=true")


async def test_organisation_is_renamed(services: Services, owner: Administrator) -> None:
    await services.tenants.create("Taken", "developer")
    page = "/admin/settings"
    assert (await owner.send(page, page, name=" New  name ")).status_code == 303
    assert "New name" in await owner.text("/admin")
    for name in ("", "x" * 201, "Taken"):
        assert (await owner.send(page, page, name=name)).status_code == 400


async def test_only_operators_see_the_installation(
    services: Services, owner: Administrator
) -> None:
    for page in ("/admin/tenants", "/admin/tenants/new", "/admin/jobs"):
        assert (await owner.web.get(page)).status_code == 403
    assert 'href="/admin/jobs"' not in (await owner.web.get("/admin")).text


async def test_operator_adds_a_tenant_and_opens_it(
    services: Services, owner: Administrator
) -> None:
    operator = await sign_in(
        services, owner.web, owner.tenant, email="op@acme.test", role="agent", is_operator=True
    )
    page = "/admin/tenants"
    assert (await operator.send(f"{page}/new", page, name="Harbour")).status_code == 303
    assert (await operator.send(f"{page}/new", page, name="Harbour")).status_code == 400
    path = await open_first(operator, f"{page}?q=harb")
    opened = await operator.send(path, path)
    assert opened.headers["location"] == "/admin"
    assert "Harbour" in await operator.text("/admin")
    assert "op@acme.test" in await operator.text("/admin/users")
    assert "Invited somebody" in await operator.text("/admin/audit")
    assert "Added an organisation" in await operator.text("/admin/audit?of=installation")


async def test_jobs_say_what_waits_and_what_ran(services: Services, owner: Administrator) -> None:
    operator = await sign_in(
        services, owner.web, owner.tenant, email="op@acme.test", is_operator=True
    )
    page = await operator.text("/admin/jobs")
    assert "No reader ran yet." in page
    assert "not yet" in page
    for job in (empty_trash, remove_expired_mailboxes):
        assert await job({"services": services}) == 0


async def test_operator_has_parked_events_tried_again_or_drops_them(
    services: Services, owner: Administrator
) -> None:
    operator = await sign_in(
        services, owner.web, owner.tenant, email="op@acme.test", is_operator=True
    )
    page = "/admin/jobs"
    for position in (1, 2, 3):
        await services.database.execute(
            """insert into parked_event values (gen_random_uuid(), 'indexer', $1,
                gen_random_uuid(), null, 'message.deleted', 'a <b> too many', 1, now())""",
            position,
        )
    assert "a <b> too many" in await operator.text(page)
    first, second, third = await ParkedEvents(services.log).list()
    assert (await operator.send(page, f"{page}/parked/{first.id}/retry")).status_code == 303
    assert (await operator.send(page, f"{page}/parked/{second.id}/drop")).status_code == 303
    left = await ParkedEvents(services.log).list()
    assert [(each.id, each.asked_at is None) for each in left] == [
        (first.id, False),
        (third.id, True),
    ]
    assert (await operator.send(page, f"{page}/parked/indexer/retry-all")).status_code == 303
    assert all(each.asked_at for each in await ParkedEvents(services.log).list())
    trail = await operator.text("/admin/audit?of=installation")
    assert "Had parked events handled again" in trail
    assert "Dropped a parked event" in trail


async def test_held_back_mail_is_tried_again_or_dropped(
    mailroom: Mailroom, web: httpx.AsyncClient
) -> None:
    services = mailroom.services
    tenant = await services.tenants.find("Example")
    owner = await sign_in(services, web, tenant)
    assert "Nothing is held back." in await owner.text("/admin/quarantine")
    for name in ("late", "never"):
        await mailroom.spool(b"Subject: <b>\xff\r\n\r\nHello\r\n", f"{name}@example.test")
    await mailroom.take_in()
    late = await open_first(owner, "/admin/quarantine?q=late")
    page = await owner.text(late)
    assert "No recipient has a mailbox." in page
    assert "<b>\\xff" in page
    raw = await web.get(f"{late}/raw")
    assert raw.content.endswith(b"Hello\r\n")
    assert raw.headers["content-disposition"].startswith("attachment")
    assert (await owner.send(late, f"{late}/retry")).headers["location"].endswith("?done=stays")
    await services.mailboxes.add("late@example.test", tenant.id)
    assert (await owner.send(late, f"{late}/retry")).headers["location"].endswith("?done=taken")
    assert (await web.get(late)).status_code == 404
    never = await open_first(owner, "/admin/quarantine")
    assert (await owner.send(f"{never}/drop", f"{never}/drop")).status_code == 303
    assert "Nothing is held back." in await owner.text("/admin/quarantine")
    actions = [entry.action for entry in (await services.audit.list(tenant.id)).entries]
    assert actions[:3] == [
        "access.quarantine_dropped",
        *["access.quarantine_retried"] * 2,
    ]
