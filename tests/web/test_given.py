"""What handlers depend on is given to them without a task for each."""

import asyncio

from litestar import Litestar, get
from litestar.di import Provide
from litestar.testing import AsyncTestClient

from app.web.given import Given, give_in_turn


async def test_dependencies_are_looked_up_by_the_task_of_the_request() -> None:
    tasks: list[object] = []

    def provide() -> Provide:
        def note() -> str:
            tasks.append(asyncio.current_task())
            return "x"

        return Provide(note, sync_to_thread=False)

    @get("/")
    async def answer(one: Given[str], two: Given[str], three: Given[str]) -> str:
        tasks.append(asyncio.current_task())
        return one + two + three

    app = Litestar(
        [answer],
        dependencies={name: provide() for name in ("one", "two", "three")},
    )
    give_in_turn(app)
    async with AsyncTestClient(app) as client:
        assert (await client.get("/")).text == "xxx"
    assert len(tasks) == 4
    assert len(set(tasks)) == 1
