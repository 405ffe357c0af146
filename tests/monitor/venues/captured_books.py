"""Captured book frames through the venue's module into a live book, as the service takes them, beside the plainest book there is."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import numpy as np
import orjson

from engines.book.live_book import LiveBook
from engines.book.outcome import Outcome
from engines.book.worth import Worth
from engines.wire.layout import HEADER_SIZE, MAX_LEVELS
from engines.wire.plain import plain_book
from engines.wire.scale import Grid, Scale
from monitor.venues.base import Venue

Sides = tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]
_header = np.zeros(HEADER_SIZE, np.int64)
_levels = np.zeros((2, MAX_LEVELS, 2), np.int64)


class CapturedBook:
    """One topic's book. `outcomes` counts what each frame did; "plainly": frames that the scanner left to the plain path."""

    def __init__(self, venue: Venue, key: str, tick: str, lot: str, *, inverse: bool = False) -> None:
        topic = venue.topic(key)
        assert topic is not None
        assert topic.book is not None
        policy = topic.policy or venue.book
        self.outcomes: Counter[str] = Counter()
        self.grammar, self.symbol, self.venue = topic.book, topic.symbols[0], venue
        scale = Scale(Grid.from_step(tick), Grid.from_step(lot))
        self.book = LiveBook(
            scale=scale,
            market=self.symbol,
            grammar=topic.book,
            rule=policy.sequence,
            changes_at_any_price=policy.changes_at_any_price,
            window=topic.window if topic.window is not None else policy.window,
            snapshot_grammar=policy.snapshot_grammar,
            deep_grammar=policy.deep_grammar,
            snapshot_levels=policy.snapshot_levels,
            deep_levels=policy.deep_levels,
            worth=Worth(scale=scale, inverse=inverse, contract_size=Decimal(1), unit_multiplier=1),
        )

    def take(self, frame: bytes, at: int = 0) -> Outcome:
        outcome = self.book.frame(frame, at)
        if outcome is Outcome.REFUSED:
            self.outcomes["plainly"] += 1
            plain_book(self.grammar, self.book.scale, self.symbol, frame, _header, _levels)
            outcome = self.book.levels(_header, _levels, at)
        self.outcomes[outcome.name] += 1
        return outcome

    def seed(self, body: bytes, at: int = 0) -> Outcome:
        """A REST snapshot."""
        outcome = self.book.snapshot_body(body, at)
        if outcome is Outcome.REFUSED:
            self.outcomes["plainly"] += 1
            grammar = self.venue.book.snapshot_grammar
            assert grammar is not None
            plain_book(grammar, self.book.scale, self.symbol, body, _header, _levels)
            outcome = self.book.snapshot(_header, _levels, at)
        return outcome

    def sides(self) -> Sides:
        price, size = self.book.scale.price.step, self.book.scale.size.step
        bids, asks = (
            {tick * price: lots * size for tick, lots in self.book.levels_of(side).tolist()} for side in ("bid", "ask")
        )
        return bids, asks


class DictBook:
    """Absolute sizes by price; zero deletes."""

    def __init__(self) -> None:
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}

    def take(self, bids: list[list[str]], asks: list[list[str]]) -> None:
        for side, rows in ((self.bids, bids), (self.asks, asks)):
            for price, size, *_ in rows:
                if Decimal(size):
                    side[Decimal(price)] = Decimal(size)
                else:
                    assert side.pop(Decimal(price), None) is not None, f"{price} is deleted and was not there"

    @property
    def sides(self) -> Sides:
        return self.bids, self.asks


def bybit_rows(frame: bytes) -> tuple[list[list[str]], list[list[str]]]:
    data = orjson.loads(frame)["data"]
    return data["b"], data["a"]


def okx_rows(frame: bytes) -> tuple[list[list[str]], list[list[str]]]:
    (data,) = orjson.loads(frame)["data"]
    return data["bids"], data["asks"]
