"""What Kraken's tests share: captured frames, and a live book that takes them as the service does."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson
from venue_forms import lines

from engines.book.live_book import LiveBook
from engines.book.outcome import Outcome
from engines.wire import layout
from engines.wire.errors import WireError
from engines.wire.plain import plain_book
from engines.wire.scale import Grid, Scale
from monitor.venues.base import Venue

HEADER = np.zeros(layout.HEADER_SIZE, np.int64)
LEVELS = np.zeros((2, layout.MAX_LEVELS, 2), np.int64)


@dataclass
class Lane:
    """A book topic of a venue into a live book; counts what the scanner took and what it left to the plain path."""

    venue: Venue
    key: str
    tick: str
    lot: str
    window: int | None = None
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    fast: int = 0
    plain: int = 0

    def __post_init__(self) -> None:
        topic, policy = self.venue.topic(self.key), self.venue.book
        assert topic is not None
        assert topic.book is not None
        self.grammar = topic.book
        self.book = LiveBook(
            scale=Scale(Grid.from_step(self.tick), Grid.from_step(self.lot)),
            market=topic.symbols[0],
            grammar=topic.book,
            rule=policy.sequence,
            changes_at_any_price=policy.changes_at_any_price,
            window=policy.window if self.window is None else self.window,
            checksum=policy.checksum,
            crossing=policy.crossing,
        )

    def take(self, frame: bytes, at: int = 0) -> Outcome:
        outcome = self.book.frame(frame, at)
        if outcome is Outcome.REFUSED:
            self.plain += 1
            try:
                plain_book(self.grammar, self.book.scale, self.book.market, frame, HEADER, LEVELS)
            except WireError:
                return outcome
            outcome = self.book.levels(HEADER, LEVELS, at)
        else:
            self.fast += 1
        self.outcomes[outcome] += 1
        return outcome

    def levels(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """(ticks, lots) of each side, from the touch outwards."""
        bids, asks = self.book.levels_of("bid"), self.book.levels_of("ask")
        return [(int(t), int(q)) for t, q in bids[::-1]], [(int(t), int(q)) for t, q in asks]


def tardis(shared_data: Path, test: str) -> list[bytes]:
    """Messages of one of tardis' mapper tests, objects and arrays, serialised compactly as venues do."""
    rows = lines(shared_data / "tardis-node-messages" / "messages.jsonl.gz")
    found = [orjson.dumps(row["msg"]) for row in rows if row["test"] == test]
    assert found, test
    return found


def nautilus(shared_data: Path) -> dict[str, bytes]:
    """nautilus' Kraken fixtures by file name. Whitespace outside texts goes, numbers stay as they were written."""
    found = {}
    for row in lines(shared_data / "nautilus-adapter-messages" / "messages.jsonl.gz"):
        if row["venue"] == "kraken":
            found[str(row["file"]).rpartition("/")[2]] = compact(str(row["raw"]))
    return found


def compact(text: str) -> bytes:
    return re.sub(r'("(?:[^"\\]|\\.)*")|\s+', lambda found: found[1] or "", text).encode()
