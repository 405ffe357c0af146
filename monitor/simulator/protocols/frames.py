"""What the writers of the three venues' frames share: the venue's clock, and the shape of a writer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

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


class VenueFrames(ABC):
    """Writes one venue's frames and REST bodies from its markets. `now_ms` is scenario time.

    Identifiers and published books advance whether or not somebody listens, so that the bytes depend on the seed alone.
    """

    venue: ClassVar[str]

    def __init__(self, markets: Sequence[Market], clock: VenueClock) -> None:
        self.markets = {market.spec.symbol: market for market in markets}
        self.clock = clock
        self.now_ms = 0

    @property
    def stamp(self) -> int:
        return self.clock.at(self.now_ms)

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
