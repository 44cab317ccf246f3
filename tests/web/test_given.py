"""What handlers depend on is given to them without a task for each."""

import asyncio

from litestar import Litestar, get
from litestar.di import Provide
from litestar.testing import AsyncTestClient

from app.web.given import give_in_turn


async def test_dependencies_are_looked_up_by_the_task_of_the_request() -> None:
    names: list[str] = []

    def note() -> str:
        task = asyncio.current_task()
        names.append(task.get_name() if task else "")
        return "x"

    async def handler(one: str, two: str, three: str) -> str:
        task = asyncio.current_task()
        names.append(task.get_name() if task else "")
        return one + two + three

    app = Litestar(
        [get("/")(handler)],
        dependencies={
            name: Provide(note, sync_to_thread=False) for name in ("one", "two", "three")
        },
    )
    give_in_turn(app)
    async with AsyncTestClient(app) as client:
        assert (await client.get("/")).text == "xxx"
    assert len(names) == 4
    assert len(set(names)) == 1
