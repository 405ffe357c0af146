"""Forced closings of one market: each counted once, and only liquidations counted as liquidations."""

from __future__ import annotations

from collections import OrderedDict
from decimal import Decimal
from typing import Final, NamedTuple

from monitor.clock import SECOND
from monitor.facts import Liquidation, LiquidationKind, Position
from monitor.views import Closings

# A liquidation older than this when it arrives is a venue's replay of the past after a subscription, not news.
LIQUIDATION_MAX_AGE: Final = 60 * SECOND
SEEN_LIQUIDATIONS: Final = 1_024  # remembered to tell a second connection's copy; a minute of a heavy cascade
POSITIONS: Final[tuple[Position, Position]] = ("long", "short")
# A position closed against a profitable one, or handed to the venue's fund, meets no order of the book.
LIQUIDATED: Final[tuple[LiquidationKind, ...]] = ("liquidation", "takeover")  # the holder's margin was gone
APART: Final[tuple[LiquidationKind, ...]] = ("deleveraging", "takeover")


class Forced(NamedTuple):
    """Positions of one side that were closed by force since start, in the unit of open interest.

    slots: seconds in which at least one print came, for feeds that show at most one a second.
    """

    prints: int = 0
    size: float = 0.0
    slots: int = 0


class Prints:
    """Mutable; its market alone writes it."""

    def __init__(self) -> None:
        self.forced: dict[Position, Forced] = dict.fromkeys(POSITIONS, Forced())
        self._slot = dict.fromkeys(POSITIONS, 0)
        self.count = dict.fromkeys(POSITIONS, 0)
        self.usd = dict.fromkeys(POSITIONS, 0.0)
        self.dropped = 0  # copies, and prints of the past
        self.seen: OrderedDict[tuple[object, ...], int] = OrderedDict()
        self._named: OrderedDict[str, None] = OrderedDict()  # identifiers
        self._apart: dict[tuple[LiquidationKind, Position], tuple[int, float | None]] = {}

    def is_news(self, fact: Liquidation, at: int, connection: int, offset: int) -> bool:
        """Whether this print was not seen before: of those with an identifier the first one, on whatever connection.

        `connection`: tells one socket's life from another's: slots are used again, and a venue may begin a
        subscription with what it sent last. `offset`: the venue's clock offset (ns), so that a skewed clock does not make a print look old.
        """
        if fact.identifier and not self._is_first(fact.identifier):
            self.dropped += 1
            return False
        if at - fact.venue_time - offset > LIQUIDATION_MAX_AGE:
            self.dropped += 1
            return False
        key: tuple[int, str, Decimal, Decimal, str]
        key = (fact.venue_time, fact.position, fact.quantity, fact.price, fact.kind)
        if self.seen.setdefault(key, connection) != connection:
            self.dropped += 1  # the other connection's copy; two equal prints on one connection are two
            return False
        if len(self.seen) > SEEN_LIQUIDATIONS:
            self.seen.popitem(last=False)
        return True

    def _is_first(self, identifier: str) -> bool:
        """Of the past or not: what was told in the past is no news later."""
        if identifier in self._named:
            return False
        self._named[identifier] = None
        if len(self._named) > SEEN_LIQUIDATIONS:
            self._named.popitem(last=False)
        return True

    def add(self, fact: Liquidation, usd: float | None, size: float) -> None:
        """Count it. `usd` None: its worth is not known. size: coins; inverse: quote units."""
        position = fact.position
        if fact.kind in LIQUIDATED:
            slot = fact.venue_time // SECOND
            prints, closed, slots = self.forced[position]
            # A new mapping: who read the old one compares it with this one later.
            self.forced = self.forced | {
                position: Forced(prints + 1, closed + size, slots + (slot != self._slot[position]))
            }
            self._slot[position] = slot
        if fact.kind == "liquidation":
            self.count[position] += 1
            self.usd[position] += usd or 0.0
            return
        count, total = self._apart.get((fact.kind, position), (0, 0.0))
        self._apart[fact.kind, position] = count + 1, None if usd is None or total is None else total + usd

    def closings(self) -> tuple[Closings, ...]:
        """What was closed in another way than by an order in the market, since start; only what there was."""
        return tuple(
            Closings(kind, position, *self._apart[kind, position])
            for kind in APART
            for position in POSITIONS
            if (kind, position) in self._apart
        )
