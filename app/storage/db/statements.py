"""Plain SQL inside a Piccolo migration."""

from collections.abc import Awaitable, Callable

from piccolo.engine import engine_finder


def run_statements(sql: str) -> Callable[[], Awaitable[None]]:
    """A step for `MigrationManager.add_raw` that runs several statements as they stand."""

    async def step() -> None:
        engine = engine_finder()
        await engine.current_transaction.get().connection.execute(sql)  # type: ignore[union-attr]

    return step
