"""The whole API, asked for by its own description: what may be sent, and what may not.

`make fuzz-api` sends a hundred times as much.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mailroom import Mailroom
from schemathesis import BaseSchema, Case, GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from web_process import serving_process

from app.access.grants import COMMAND_LINE
from app.access.permissions import SCOPES
from app.settings import Settings

MAIL = b"From: a@example.org\r\nSubject: hello\r\n\r\nHi\r\n"
UNLIMITED = 10**9
# No schema can say which addresses and cursors there are.
UNSAID = [positive_data_acceptance]

# The few of every day are always the same; many are others each time.
EXAMPLES = int(os.environ.get("API_FUZZ_EXAMPLES", "6"))
SIZE = settings(max_examples=EXAMPLES, derandomize="API_FUZZ_EXAMPLES" not in os.environ)


@pytest.fixture
async def key(mailroom: Mailroom) -> str:
    tenant_id = mailroom.mailbox.tenant_id
    return (await mailroom.services.keys.create(COMMAND_LINE, tenant_id, SCOPES)).key


@pytest.fixture
async def known(mailroom: Mailroom) -> Mapping[str, Sequence[UUID]]:
    """What there is, by the names of path parameters: made-up ids alone find nothing."""
    for _ in range(3):
        await mailroom.spool(MAIL)
    await mailroom.take_in()
    other = await mailroom.services.keys.create(COMMAND_LINE, mailroom.mailbox.tenant_id)
    label = await mailroom.services.labels.ensure(mailroom.mailbox.tenant_id, "Bills")
    return {
        "message_id": [row.id for row in await mailroom.rows()],
        "mailbox_id": [mailroom.mailbox.id],
        "label_id": [label.id],
        "key_id": [other.id],
    }


@pytest.fixture
def schema(settings: Settings, mailroom: Mailroom) -> Iterator[BaseSchema]:
    with serving_process(settings, API_REQUESTS_PER_MINUTE=str(UNLIMITED)) as url:
        yield schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json")


@pytest.mark.parametrize("mode", GenerationMode)
def test_api_keeps_to_its_description_whatever_it_is_sent(
    schema: BaseSchema, key: str, known: Mapping[str, Sequence[UUID]], mode: GenerationMode
) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    operations = [result.ok() for result in schema.get_all_operations()]
    # A stream does not end.
    operations = [each for each in operations if not each.path.endswith("/stream")]
    if mode is GenerationMode.NEGATIVE:
        # The others take nothing that could be wrong.
        operations = [each for each in operations if "security" in each.definition.raw]
    assert len(operations) > 10
    for operation in operations:

        @settings(SIZE, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
        def run(case: Case, data: st.DataObject) -> None:
            for name, ids in known.items() if mode is GenerationMode.POSITIVE else ():
                if name in (case.path_parameters or {}) and data.draw(st.booleans()):
                    case.path_parameters[name] = str(data.draw(st.sampled_from(ids)))
            # Nothing happens meanwhile that would be worth waiting for.
            if str((case.query or {}).get("wait", "")).isdigit():
                case.query["wait"] = 0
            if case.path.endswith("/wait"):
                case.query = {**(case.query or {}), "timeout": 0}
            case.call_and_validate(headers=headers, excluded_checks=UNSAID)

        run()
