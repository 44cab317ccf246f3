"""What the API says of who sent a message."""

import httpx
from mailroom import Mailroom
from test_api import bearer, mail


async def test_results_are_null_until_a_message_was_checked(
    web: httpx.AsyncClient, mailroom: Mailroom
) -> None:
    await mailroom.spool(mail(1))
    await mailroom.take_in()
    (row,) = await mailroom.rows()
    headers = await bearer(mailroom)
    answer = await web.get(f"/api/v1/messages/{row.id}", headers=headers)
    assert answer.json()["authentication"] == {"spf": None, "dkim": None, "dmarc": None}

    await mailroom.services.database.execute(
        """insert into message_authentication values ($1, $2, 'softfail', 'example.org', '',
            'pass', 'example.org', '', 'pass', '', 'none', 'example.org', true, 1, null, now())""",
        row.id,
        mailroom.mailbox.tenant_id,
    )
    answer = await web.get(f"/api/v1/messages/{row.id}", headers=headers)
    assert answer.json()["authentication"] == {"spf": "softfail", "dkim": "pass", "dmarc": "pass"}
