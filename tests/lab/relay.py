"""`python -m tests.lab.relay ADDRESS PORT LISTEN SECONDS`: passes each connection on, SECONDS later."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

NAME = "lab-relay"


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One way, until it ends."""
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


async def main(address: str, port: int, listen: int, seconds: float) -> None:
    """Until killed."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        with suppress(OSError):
            there, back = await asyncio.open_connection(address, port)
            await asyncio.gather(pump(reader, back), pump(there, writer))
            back.close()
        writer.close()

    async with await asyncio.start_server(pass_on, address, listen) as server:
        await server.serve_forever()


if __name__ == "__main__":
    Path("/proc/self/comm").write_text(NAME)
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
