"""cryptofeed's `order_book`, fed as cryptofeed's own Binance module does it: yapic.json, Decimal keys and values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

import cryptofeed  # noqa: F401 - the peer is the whole, not only its book
from order_book import OrderBook
from yapic import json

from tests.bench.frames import BANDS

RATIOS = [Decimal(band.rstrip("%")) / 100 for band in BANDS]


class CryptofeedBook:
    def __init__(self, snapshot: bytes, frames: Sequence[bytes]) -> None:
        data = json.loads(snapshot, parse_float=Decimal)
        self.book = OrderBook()
        self.book.bids = {Decimal(row[0]): Decimal(row[1]) for row in data["bids"]}
        self.book.asks = {Decimal(row[0]): Decimal(row[1]) for row in data["asks"]}
        self.last: int | None = None

    def update(self, frame: bytes) -> None:
        data = json.loads(frame, parse_float=Decimal)["data"]
        if self.last is not None and data["pu"] != self.last:
            raise ValueError("a frame is missing")
        self.last = data["u"]
        for key, side in (("b", self.book.bids), ("a", self.book.asks)):
            for row in data[key]:
                price = Decimal(row[0])
                amount = Decimal(row[1])
                if amount == 0:
                    if price in side:
                        del side[price]
                else:
                    side[price] = amount

    def update_and_bands(self, frame: bytes) -> list[float]:
        self.update(frame)
        return self.figures()

    def figures(self) -> list[float]:
        bids, asks = self.book.bids, self.book.asks
        mid = (bids.index(0)[0] + asks.index(0)[0]) / 2
        below = _sums(bids.to_list(), [mid * (1 - ratio) for ratio in RATIOS], falling=True)
        return below + _sums(asks.to_list(), [mid * (1 + ratio) for ratio in RATIOS], falling=False)


def _sums(levels: Iterable[tuple[Decimal, Decimal]], edges: list[Decimal], *, falling: bool) -> list[float]:
    """Coins and USD up to each edge, from the touch outwards; stops beyond the last."""
    out: list[float] = []
    base = usd = Decimal(0)
    left = iter(edges)
    edge = next(left, None)
    for price, amount in levels:
        while edge is not None and (price < edge if falling else price > edge):
            out += (float(base), float(usd))
            edge = next(left, None)
        if edge is None:
            return out
        base += amount
        usd += amount * price
    while edge is not None:
        out += (float(base), float(usd))
        edge = next(left, None)
    return out
