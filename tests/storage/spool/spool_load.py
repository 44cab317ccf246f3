"""A producer under load, to be killed: prints the id of each item once its put returned."""

import asyncio
import os
import sys
from pathlib import Path
from uuid import uuid4

from msgspec.structs import replace
from spool_samples import START, Items, TurnedClock

from app.core.ids import Ids
from app.core.log import configure_logging
from app.storage.spool.folder_writer import FolderLimits
from app.storage.spool.forms import FolderSpool


async def main(root: str) -> None:
    limits = FolderLimits(max_segment_size_bytes=200_000)
    spool = FolderSpool(Path(root), TurnedClock(START), Ids(), limits)
    writer = await spool.open_writer("smtp")
    new_metadata = Items()

    async def put_for_ever(number: int) -> None:
        while True:
            metadata = replace(new_metadata(), item_id=uuid4())
            raw: bytes | Path = metadata.item_id.bytes * (1 + number * 100)
            if number == 0:
                raw = writer.new_body_file()
                raw.write_bytes(metadata.item_id.bytes * 20_000)
            await writer.put(metadata, raw)
            os.write(1, f"{metadata.item_id}\n".encode())

    await asyncio.gather(*(put_for_ever(number) for number in range(12)))


configure_logging(human=False)
asyncio.run(main(sys.argv[1]))
