"""Ours: the lane of the running service, from the venue's own module, and the reading its market view makes."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from engines.book.bands import BandSet
from engines.book.depth import Depth
from monitor.events import RestReplied
from monitor.facts import Instrument
from monitor.market import Market, MarketOptions
from monitor.venues.base import RestRequest
from monitor.venues.registry import VENUES
from tests.bench.frames import BANDS, LOT, STREAM, SYMBOL, TICK

AT = 1_723_161_256_000_000_000  # receive times count on from here; the book asks for order, not for truth
FX = 1.0


class UndertowBook:
    def __init__(self, snapshot: bytes, frames: Sequence[bytes]) -> None:
        venue = VENUES["binance_usdm"]
        topic = venue.topic(STREAM)
        assert topic is not None
        listed = Instrument("binance_usdm", SYMBOL, "BTC", "USDT", "USDT", "linear", Decimal(TICK), Decimal(LOT))
        market = Market(venue, listed, MarketOptions(BANDS, (10_000,), floor_settle=0))
        self.lane = market.open_book(0, topic, AT)
        self.lane.recovery.want("snapshot")
        request = RestRequest("snapshot", "", 0, SYMBOL)
        self.lane.replied(RestReplied(AT, venue.name, request, snapshot, ""))
        self._at = AT
        self._bands = BandSet(BANDS)

    def update(self, frame: bytes) -> int:
        self._at += 1
        return self.lane.frame(frame, self._at)

    def update_and_bands(self, frame: bytes) -> Depth | None:
        self._at += 1
        self.lane.frame(frame, self._at)
        return self.lane.book.depth(self._bands, self._at, FX)

    def update_and_rows(self, frame: bytes) -> object:
        """The same, with a Python value for every figure, as a view of the service holds them."""
        depth = self.update_and_bands(frame)
        return None if depth is None else tuple(depth)

    def figures(self) -> list[float]:
        depth = self.lane.book.depth(self._bands, self._at, FX)
        assert depth is not None
        rows = list(depth)
        assert len(rows) == 2 * len(BANDS)
        return [figure for _, _, usd, base, _ in rows for figure in (base, usd)]
