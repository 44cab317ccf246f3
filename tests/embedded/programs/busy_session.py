"""A session that computes for ever: `busy_session.py DATABASE_URL`; says its server process."""

import asyncio
import sys

import asyncpg


async def main() -> None:
    connection = await asyncpg.connect(sys.argv[1])
    print(connection.get_server_pid(), flush=True)
    await connection.fetchval("SELECT count(*) FROM generate_series(1, 100000000000) AS a")


asyncio.run(main())
