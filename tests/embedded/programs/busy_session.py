"""A session that computes for a minute: `busy_session.py DATABASE_URL`; says its server process."""

import asyncio
import sys

import asyncpg


async def main() -> None:
    connection = await asyncpg.connect(sys.argv[1])
    print(connection.get_server_pid(), flush=True)
    await connection.execute("""
        DO $$ BEGIN
            WHILE clock_timestamp() < now() + interval '1 minute' LOOP END LOOP;
        END $$
    """)


asyncio.run(main())
