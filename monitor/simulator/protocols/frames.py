"""What the writers of the venues' frames share: the venue's clock, and the shape of a writer. The guide is in `registry.py`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from monitor.simulator.history import HOUR_MS, Hour
from monitor.simulator.market import Market
from monitor.simulator.order_book import Ints
from monitor.simulator.source import RestReply

FUNDING_HOURS = 8
FUNDING_MS = FUNDING_HOURS * 3600 * 1000


@dataclass(slots=True)
class VenueClock:
    """A venue's own time in ms. Scenario time runs `speed` times as fast as the venue's clock; `skew_ms` is a fault."""

    epoch_ms: int
    speed: float = 1.0
    skew_ms: int = 0

    def at(self, scenario_ms: float) -> int:
        return self.epoch_ms + int(scenario_ms / self.speed) + self.skew_ms


def next_funding(now_ms: int) -> int:
    return (now_ms // FUNDING_MS + 1) * FUNDING_MS


Keyed = tuple[str, bytes]  # (topic key, frame)
TextRow = tuple[str, str]  # price and size as the venue writes them


@dataclass(frozen=True, slots=True)
class Standing:
    """A recorded book as it stands: rows best first, and of the last frame the ids (-1: it had none) and the venue's time in ms."""

    symbol: str
    bids: Sequence[TextRow]
    asks: Sequence[TextRow]
    last_id: int
    time_ms: int


class VenueFrames(ABC):
    """Writes one venue's frames and REST bodies from its markets. `now_ms` is scenario time.

    Identifiers and published books advance whether or not somebody listens, so that the bytes depend on the seed alone.

    lists_others: the listing also holds what is no market of ours (halted, another kind), so that a client meets what it must leave
    out; False where a recording is served, whose own markets may have those names.
    """

    venue: ClassVar[str]

    def __init__(self, markets: Sequence[Market], clock: VenueClock) -> None:
        self.markets = {market.spec.symbol: market for market in markets}
        self.clock = clock
        self.lists_others = True
        self.now_ms = 0

    @property
    def stamp(self) -> int:
        return self.clock.at(self.now_ms)

    def hours(self, symbol: str) -> list[Hour]:
        """A market's last hours, oldest first; the last one is running."""
        return self.markets[symbol].hours(self.clock.at(0) // HOUR_MS, self.stamp // HOUR_MS)

    def long_share(self, symbol: str) -> float:
        """Of the accounts with a position: the share that is long."""
        longs, shorts = (self.markets[symbol].ledger.holders(sign) for sign in (1, -1))
        return longs / (longs + shorts)

    @abstractmethod
    def step(self, now_ms: int, touched: Mapping[str, Ints]) -> Iterable[Keyed]:
        """Frames due after a world step that ended at `now_ms`; `touched`: the changed levels by symbol, as SimulatedBook tells them."""

    @abstractmethod
    def knows(self, key: str) -> bool: ...

    @abstractmethod
    def opening(self, key: str) -> list[bytes]: ...

    @abstractmethod
    def rest(self, path: str, query: Mapping[str, str]) -> RestReply | None: ...

    @abstractmethod
    def cross(self, symbol: str) -> None:
        """Fault: the next book frame of this market holds a bid above the best ask."""

    @abstractmethod
    def restart(self, symbol: str) -> list[Keyed]:
        """Fault: what the venue sends when its book service restarts; [] where it says nothing."""

    # -- serving a recording: all of it may stay as it is
    @classmethod
    def recorded(cls, key: str, data: bytes) -> tuple[str, bytes]:
        """A recorded frame as `step` would have given it: without what `Front.envelope` and `Front.number` put round it."""
        return key, data

    @classmethod
    def same_book(cls, key: str) -> str:
        """The same text for all topics of one book (another speed or depth serves the one asked for); "": each for itself."""
        return ""

    @classmethod
    def standing(cls, key: str, book: Standing) -> list[bytes]:
        """The opening for somebody who joins a recorded book's stream late; []: there is none, and he waits for the next snapshot."""
        return []

    @classmethod
    def standing_reply(cls, path: str, query: Mapping[str, str], book: Standing) -> RestReply | None:
        """The REST snapshot of a recorded book; None: what was recorded is given."""
        return None
