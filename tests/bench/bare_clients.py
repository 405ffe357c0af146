"""What receiving alone costs: the same subscriptions on the same venues, every frame thrown away.

`python -m tests.bench.bare_clients '{"kind": "recv" | "push", "core": 0, "origins": {...}, "markets": 60, "seconds": 8}'`
recv: the plain loop of `websockets` on uvloop. push: the transport of the service with an empty callback.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import uvloop
from websockets.asyncio.client import connect

from monitor.feed.transport import FrameSocket, open_socket
from monitor.simulator.load_source import LoadSource
from monitor.venues.base import ConnectionPlan, Venue, replace_origin
from monitor.venues.registry import VENUES
from tests.bench.place import place

WARM_UP_SECONDS = 2.0
MAX_FRAME = 16 << 20


class Count:
    frames = 0
    bytes = 0


def plans(markets: int, origins: dict[str, dict[str, str]]) -> Iterator[tuple[Venue, ConnectionPlan, str]]:
    listed = LoadSource(markets=markets, epoch_ns=0).instruments
    for name, origin in origins.items():
        venue = VENUES[name]
        for plan in venue.connections(tuple(listed[name])):
            yield venue, plan, replace_origin(plan.url, origin["ws_origin"])


def subscriptions(venue: Venue, plan: ConnectionPlan) -> Iterator[str]:
    step = 10  # small enough for every venue
    for number, begin in enumerate(range(0, len(plan.topics), step)):
        yield venue.subscribe(plan.topics[begin : begin + step], number + 1)


async def receive(venue: Venue, plan: ConnectionPlan, url: str, count: Count) -> None:
    async with connect(url, compression=None, max_size=MAX_FRAME, proxy=None, ping_interval=None) as socket:
        for text in subscriptions(venue, plan):
            await socket.send(text)
            await asyncio.sleep(0.15)
        while True:
            frame = await socket.recv(decode=False)
            count.frames += 1
            count.bytes += len(frame)


async def push(venue: Venue, plan: ConnectionPlan, url: str, count: Count) -> None:
    socket: FrameSocket = await open_socket(url, max_frame_bytes=MAX_FRAME, open_seconds=5, close_seconds=1)

    def take(frame: bytes) -> None:
        count.frames += 1
        count.bytes += len(frame)

    socket.listen(take)
    for text in subscriptions(venue, plan):
        socket.write(text)
        await asyncio.sleep(0.15)
    await socket.ended


async def run(order: dict[str, Any]) -> dict[str, float]:
    count = Count()
    client = receive if order["kind"] == "recv" else push
    tasks = [
        asyncio.create_task(client(venue, plan, url, count))
        for venue, plan, url in plans(order["markets"], order["origins"])
    ]
    await asyncio.sleep(WARM_UP_SECONDS)
    gc.collect()
    gc.freeze()
    began, cpu, frames, size = time.monotonic(), time.process_time(), count.frames, count.bytes
    await asyncio.sleep(order["seconds"])
    took, spent = time.monotonic() - began, time.process_time() - cpu
    frames, size = count.frames - frames, count.bytes - size
    for task in tasks:
        if task.done():
            task.result()
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {
        "frames_per_second": frames / took,
        "bytes_per_frame": size / frames,
        "cpu_us_per_frame": spent / frames * 1e6,
        "cpu_share": spent / took,
    }


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    place(asked["core"])
    print(json.dumps(uvloop.run(run(asked))))
