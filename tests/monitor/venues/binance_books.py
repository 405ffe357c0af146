"""What the tests of Binance's captures share: books made as the service makes them, and the events of raw captures."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from engines.book.live_book import LiveBook
from engines.book.outcome import Outcome
from engines.wire.errors import WireError
from engines.wire.layout import HEADER_SIZE, MAX_LEVELS
from engines.wire.plain import plain_book
from engines.wire.scale import Grid, Scale
from monitor.book_lane import SCRATCH_HEADER, SCRATCH_LEVELS
from monitor.errors import FrameError
from monitor.venues.base import Venue

assert SCRATCH_HEADER.shape == (HEADER_SIZE,)
assert SCRATCH_LEVELS.shape == (2, MAX_LEVELS, 2)


@dataclass
class Tally:
    """What became of a capture's frames."""

    frames: int = 0
    plainly: int = 0


class Driven:
    """One market's book with the venue's own policy, driven frame by frame; the plain path takes what the scanner refuses."""

    def __init__(self, venue: Venue, key: str, tick: str, lot: str) -> None:
        topic = venue.topic(key)
        assert topic is not None
        assert topic.book is not None
        self.grammar = topic.book
        self.symbol = topic.symbols[0]
        self.tally = Tally()
        policy = venue.book
        self.book = LiveBook(
            scale=Scale(Grid.from_step(tick), Grid.from_step(lot)),
            market=self.symbol,
            grammar=topic.book,
            rule=policy.sequence,
            changes_at_any_price=policy.changes_at_any_price,
            window=policy.window,
            snapshot_grammar=policy.snapshot_grammar,
            snapshot_levels=policy.snapshot_levels,
        )

    def frame(self, data: bytes, at: int) -> Outcome:
        self.tally.frames += 1
        outcome = self.book.frame(data, at)
        if outcome is not Outcome.REFUSED:
            return outcome
        self.tally.plainly += 1
        try:
            plain_book(self.grammar, self.book.scale, self.symbol, data, SCRATCH_HEADER, SCRATCH_LEVELS)
        except WireError as error:
            raise FrameError(str(error)) from None
        return self.book.levels(SCRATCH_HEADER, SCRATCH_LEVELS, at)

    def seed(self, body: bytes, at: int) -> Outcome:
        outcome = self.book.snapshot_body(body, at)
        assert outcome is not Outcome.REFUSED, "a snapshot that only the plain path reads"
        return outcome

    def top(self) -> tuple[Decimal, Decimal, Decimal, Decimal] | None:
        """Best bid, its size, best ask, its size."""
        top = self.book.top()
        if top is None:
            return None
        tick, lot = self.book.scale.price.step, self.book.scale.size.step
        return top.bid_tick * tick, top.bid_lots * lot, top.ask_tick * tick, top.ask_lots * lot

    def levels(self) -> tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]:
        tick, lot = self.book.scale.price.step, self.book.scale.size.step
        bids, asks = (
            {price * tick: size * lot for price, size in self.book.levels_of(side).tolist()} for side in ("bid", "ask")
        )
        return bids, asks


class DictBook:
    """The same book in the plainest form: absolute quantities by price, zero deletes."""

    def __init__(self) -> None:
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}

    def apply(self, bids: list[list[str]], asks: list[list[str]]) -> None:
        for side, rows in ((self.bids, bids), (self.asks, asks)):
            for price, size in rows:
                if Decimal(size):
                    side[Decimal(price)] = Decimal(size)
                else:
                    side.pop(Decimal(price), None)


def hftbacktest(shared_data: Path, name: str) -> Iterator[tuple[int, bytes]]:
    with gzip.open(shared_data / "hftbacktest-binance-2024-08-08" / name, "rb") as file:
        for line in file:
            at, raw = line.rstrip().split(b" ", 1)
            yield int(at), raw


def unzipped(shared_data: Path, folder: str, name: str) -> bytes:
    with gzip.open(shared_data / folder / name, "rb") as file:
        return file.read()


def compact(value: object) -> bytes:
    """JSON as the venue writes it, of a capture that was written anew with spaces."""
    return json.dumps(value, separators=(",", ":")).encode()
