"""The Piccolo engine, as this project uses it."""

from piccolo.engine.postgres import PostgresEngine


class LazyPostgresEngine(PostgresEngine):
    """Connects only when it is asked to: importing it must not need a running server."""

    async def check_version(self) -> None:
        """The version is checked before migrations run."""
