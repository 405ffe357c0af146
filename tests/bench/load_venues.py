"""The load generator, in a process of its own: simulated venues under a steady rate, every frame stamped as it is made.

`python -m tests.bench.load_venues '{"core": 1, "rate": 5000, "markets": 60}'` writes one line of JSON (settings) when it listens.
A line `burst on` or `burst off` on its standard input starts and ends liquidation bursts; the end of the input ends it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Iterator
from typing import Final

import uvloop

from monitor.simulator.load_source import LoadSource
from monitor.simulator.protocols.registry import USUAL
from monitor.simulator.service import VenueHost, venue_settings
from monitor.simulator.source import OutFrame
from tests.bench.place import place
from tests.bench.stamp import stamped

BINANCE: Final = "binance_usdm"
SECOND: Final = 1_000_000_000
BURST_EVERY: Final = SECOND // 4
# Three prints a burst, each enough for the next severity under the settings of the bench: opened, escalated, escalated.
PRINTS: Final = ("150.000", "300.000", "700.000")


class StampedLoad(LoadSource):
    """A load whose frames carry the moment they were written; and, when asked, liquidation bursts in one market after another."""

    bursting = False
    _next_burst = 0
    _bursts = 0

    def _frame(self, market: tuple[str, str], bids: bytes, asks: bytes, *, snapshot: bool) -> bytes:
        return stamped(super()._frame(market, bids, asks, snapshot=snapshot))

    def advance(self, elapsed_ns: int) -> Iterator[OutFrame]:
        yield from super().advance(elapsed_ns)
        if self.bursting and elapsed_ns >= self._next_burst:
            self._next_burst = elapsed_ns + BURST_EVERY
            yield from self._burst()

    def _burst(self) -> Iterator[OutFrame]:
        markets = [instrument.symbol for instrument in self.instruments[BINANCE]]
        number, self._bursts = self._bursts, self._bursts + 1
        symbol = markets[number % len(markets)]
        side = ("SELL", "BUY")[number // len(markets) % 2]
        now = self._now()
        for offset, quantity in enumerate(PRINTS):
            text = (
                f'{{"e":"forceOrder","E":{now + offset},"o":{{"s":"{symbol}","S":"{side}","o":"LIMIT","f":"IOC","q":"{quantity}",'
                f'"p":"70000.0","ap":"70000.0","X":"FILLED","l":"{quantity}","z":"{quantity}","T":{now + offset},"ps":"{symbol}",'
                f'"st":1}}}}'
            )
            yield OutFrame(BINANCE, f"{symbol.lower()}@forceOrder", stamped(text.encode()))


async def serve(order: dict[str, float]) -> None:
    source = StampedLoad(markets=int(order["markets"]), rate=order["rate"], epoch_ns=time.time_ns(), venues=USUAL)
    symbols = {venue: [each.symbol for each in listed] for venue, listed in source.instruments.items()}
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def heard() -> None:
        line = sys.stdin.readline().strip()
        if not line:
            ended.set()
        source.bursting = line == "burst on"

    loop.add_reader(sys.stdin.fileno(), heard)
    async with VenueHost(source, USUAL) as host:
        gc.collect()
        gc.freeze()
        sys.stdout.write(
            json.dumps({"settings": venue_settings(host.origins, symbols), "origins": host.origins}) + "\n"
        )
        sys.stdout.flush()
        await ended.wait()
        lost = host.time_lost_ns / SECOND
    sys.stdout.write(json.dumps({"seconds_lost": lost, "cpu_seconds": time.process_time()}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    place(asked["core"])
    uvloop.run(serve(asked))
