"""An independent reader of the three venues' books, by the rules of their documentation, in plain Python and Decimal."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson


class BookReader:
    """Follows one book from frames; counts what breaks the venue's rules."""

    def __init__(self, venue: str, look_every: int = 1) -> None:
        self.venue, self.look_every = venue, look_every
        self.lowest_of_snapshot = Decimal(0)
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}
        self.last: int | None = None
        self.waiting: list[dict[str, Any]] = []
        self.joined = False
        self.gaps = 0
        self.crossed = 0
        self.keep_alives = 0
        self.frames = 0
        self.ignored = 0

    def snapshot_reply(self, body: bytes) -> None:
        """Binance: REST snapshot; buffered changes are applied by the documented rule."""
        reply = orjson.loads(body)
        self._replace(reply["bids"], reply["asks"])
        self.last, self.joined = reply["lastUpdateId"], False
        self.lowest_of_snapshot = min(self.bids)
        for message in self.waiting:
            self._change(message)
        self.waiting.clear()

    def frame(self, data: bytes) -> None:
        message = orjson.loads(data)
        message = message.get("data", message) if "stream" in message else message
        self.frames += 1
        if self.venue == "binance_usdm":
            if self.last is None:
                self.waiting.append(message)
            else:
                self._change(message)
        elif self.venue == "bybit_linear":
            self._bybit(message)
        else:
            self._okx(message)
        if self.frames % self.look_every == 0 and self.bids and self.asks and max(self.bids) >= min(self.asks):
            self.crossed += 1

    def _change(self, m: dict[str, Any]) -> None:
        assert self.last is not None
        assert m["U"] <= m["u"]
        if not self.joined:
            if m["u"] < self.last:
                return
            if not (m["U"] <= self.last <= m["u"] or m["pu"] == self.last):
                self.gaps += 1
                return
            self.joined = True
        elif m["pu"] != self.last:
            self.gaps += 1
        self._apply(m["b"], m["a"])
        self.last = m["u"]

    def _bybit(self, message: dict[str, Any]) -> None:
        data = message["data"]
        if message["type"] == "snapshot" or data["u"] == 1:
            self._replace(data["b"], data["a"])
        elif self.last is None or data["u"] <= self.last:
            self.ignored += 1
            return
        else:
            self.gaps += data["u"] != self.last + 1
            self._apply(data["b"], data["a"])
        self.last = data["u"]

    def _okx(self, message: dict[str, Any]) -> None:
        (data,) = message["data"]
        assert data["checksum"] == 0
        if message["action"] == "snapshot":
            assert data["prevSeqId"] == -1
            self._replace(data["bids"], data["asks"])
        else:
            if not data["bids"] and not data["asks"]:
                self.keep_alives += 1
            self.gaps += data["prevSeqId"] != self.last
            self._apply(data["bids"], data["asks"])
        self.last = data["seqId"]

    def _replace(self, bids: list[list[str]], asks: list[list[str]]) -> None:
        self.bids, self.asks = {}, {}
        self._apply(bids, asks)

    def _apply(self, bids: list[list[str]], asks: list[list[str]]) -> None:
        for side, rows in ((self.bids, bids), (self.asks, asks)):
            for price, size, *_ in rows:
                if Decimal(size) == 0:
                    side.pop(Decimal(price), None)
                else:
                    side[Decimal(price)] = Decimal(size)


def true_levels(market: Any, sign: int, count: int | None = None) -> dict[Decimal, Decimal]:
    """The simulated book as a reader should hold it, in the venue's units."""
    book, spec = market.book, market.spec
    indices = book.top(sign, count or book.size)
    return {spec.tick_size * (book.low + int(i)): spec.lot_size * abs(int(book.lots[i])) for i in indices}
