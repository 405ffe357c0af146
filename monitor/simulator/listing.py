"""What a venue lists, written from instruments by its own writer: for sources that have instruments and no simulated markets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import parse_qsl, urlsplit

import numpy as np

from engines.wire.scale import Grid
from monitor.facts import Instrument
from monitor.simulator.http_forms import posted
from monitor.simulator.market import Market
from monitor.simulator.protocols.base import Front
from monitor.simulator.protocols.frames import VenueClock
from monitor.simulator.protocols.registry import PROTOCOLS
from monitor.simulator.source import RestReply
from monitor.simulator.specs import SMALL, AssetSpec, MarketSpec, NumberText
from monitor.venues.base import RestRequest, Venue

MAX_PAGES = 32  # of one listing; the longest simulated one has three
START_TICKS = 1_000  # price of an idle market: its book is there because a writer wants one, and nobody sees it


class Listing:
    """A venue's listing of these instruments, its addresses to connect to, and the topics it knows for them."""

    def __init__(self, venue: Venue, instruments: Iterable[Instrument]) -> None:
        self.instruments = {instrument.symbol: instrument for instrument in instruments}
        protocol = PROTOCOLS[venue.name]
        self.front: Front = protocol.front(self.knows)
        self.frames = protocol.frames
        self._writer = protocol.frames([_idle(each) for each in self.instruments.values()], VenueClock(0))
        self._writer.lists_others = False
        plans = venue.connections(tuple(self.instruments.values())) if self.instruments else []
        addresses = [plan.address for plan in plans if plan.address is not None]
        self._asked = [_parts(request) for request in (*self._pages(venue), *addresses)]

    def knows(self, key: str) -> bool:
        return self._writer.knows(key)

    def _pages(self, venue: Venue) -> Iterator[RestRequest]:
        """Every request a client makes for the listing, in the order it makes them."""
        for first in venue.instrument_requests(list(self.instruments)):
            request: RestRequest | None = first
            for _ in range(MAX_PAGES):
                if request is None:
                    break
                yield request
                query = dict(parse_qsl(urlsplit(request.url).query))
                path, body = _parts(request)
                reply = self._writer.rest(path, {**query, **body})
                if reply is None:
                    break
                _, request = venue.parse_instruments(request, reply.body)

    def rest(self, path: str, query: Mapping[str, str]) -> RestReply | None:
        """None: not a request for the listing or an address to connect to; other figures would be made up."""
        asked = any(path == where and body.items() <= query.items() for where, body in self._asked)
        return self._writer.rest(path, query) if asked else None


def address_of(request: RestRequest) -> str:
    """What tells a request from others: path, query and posted members, in order."""
    path, body = _parts(request)
    return joined(path, {**dict(parse_qsl(urlsplit(request.url).query)), **body})


def joined(path: str, query: Mapping[str, str]) -> str:
    return path + "?" + "&".join(f"{name}={value}" for name, value in sorted(query.items()))


def _parts(request: RestRequest) -> tuple[str, dict[str, str]]:
    return urlsplit(request.url).path, posted((request.body or "").encode())


def _idle(instrument: Instrument) -> Market:
    scale = instrument.scale
    spec = MarketSpec(
        instrument.venue,
        instrument.symbol,
        instrument.asset,
        instrument.quote,
        instrument.contract_type,
        instrument.tick_size,
        instrument.lot_size,
        instrument.contract_size,
        instrument.unit_multiplier,
        _text(scale.price),
        _text(scale.size),
        *SMALL,
        engine_usd_per_second=0.0,
    )
    asset = AssetSpec(instrument.asset, START_TICKS * spec.tick_usd, 0.0, START_TICKS * spec.tick_usd)
    return Market(spec, asset, np.random.SeedSequence(0))


def _text(grid: Grid) -> NumberText:
    return NumberText(grid, grid.decimals)
