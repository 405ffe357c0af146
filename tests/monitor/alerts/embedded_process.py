"""Run as a process of its own: starts the embedded broker, prints BROKER, its pid and port, and waits to be killed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from monitor.alerts.embedded_broker import EmbeddedBroker


async def main(folder: str) -> None:
    broker = EmbeddedBroker("127.0.0.1:0", Path(folder))
    options = await broker.start("test-1", "undertow/v1")
    assert options is not None
    print("BROKER", broker.pid, options.port, flush=True)
    await broker.run()


asyncio.run(main(sys.argv[1]))
