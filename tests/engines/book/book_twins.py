"""Plain-Python twins of the book's kernels: dictionaries, Decimal and Fraction, written from models.md and the venue pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from engines.wire.grammar import SequenceRule


@dataclass
class PlainBook:
    """Two dictionaries tick -> lots."""

    bids: dict[int, int] = field(default_factory=dict)
    asks: dict[int, int] = field(default_factory=dict)

    def apply(self, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> None:
        for side, rows in ((self.bids, bids), (self.asks, asks)):
            for tick, lots in rows:
                if lots == 0:
                    side.pop(tick, None)
                else:
                    side[tick] = lots

    def side(self, index: int) -> dict[int, int]:
        return self.asks if index else self.bids

    def best(self, index: int) -> int:
        side = self.side(index)
        if not side:
            return -1
        return min(side) if index else max(side)

    def edge(self, index: int, band: Fraction, best: bool = False) -> Fraction:
        reference = Fraction(self.best(index)) if best else Fraction(self.best(0) + self.best(1), 2)
        return reference * (1 + band) if index else reference * (1 - band)

    def within(self, index: int, edge: Fraction) -> list[tuple[int, int]]:
        return [(t, q) for t, q in sorted(self.side(index).items()) if (t <= edge if index else t >= edge)]

    def sums(self, index: int, edge: Fraction) -> tuple[int, int]:
        rows = self.within(index, edge)
        return sum(q for _, q in rows), sum(t * q for t, q in rows)

    def cost(self, index: int, target: Fraction) -> tuple[Fraction, int] | None:
        """(vwap in ticks, worst tick) of an order of `target` lots * ticks; None when it cannot be filled."""
        rest, lots = target, Fraction(0)
        for tick, size in sorted(self.side(index).items(), reverse=not index):
            if tick * size >= rest:
                return target / (lots + rest / tick), tick
            rest -= tick * size
            lots += size
        return None


class DecimalBook:
    """Prices and sizes as the venue wrote them, in Decimal."""

    def __init__(self) -> None:
        self.sides: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]] = ({}, {})

    def apply(self, bids: list[list[str]], asks: list[list[str]]) -> None:
        for side, rows in zip(self.sides, (bids, asks), strict=True):
            for row in rows:
                price, size = Decimal(row[0]), Decimal(row[1])
                if size == 0:
                    side.pop(price, None)
                else:
                    side[price] = size

    @property
    def mid(self) -> Decimal:
        return (max(self.sides[0]) + min(self.sides[1])) / 2

    def depth(self, index: int, percent: Decimal, *, within: Decimal | None = None) -> tuple[Decimal, Decimal]:
        """(base, quote) within the band; `within`: only up to that price."""
        edge = self.mid * (1 + percent / 100) if index else self.mid * (1 - percent / 100)
        base = quote = Decimal(0)
        for price, size in self.sides[index].items():
            if (price <= edge if index else price >= edge) and (
                within is None or (price <= within if index else price >= within)
            ):
                base += size
                quote += size * price
        return base, quote


STALE_LIMIT = 32


@dataclass
class PlainSequence:
    """The venue's continuity rule, one frame at a time, as words."""

    rule: SequenceRule
    status: str = "empty"
    last: int = 0
    previous: int = 0
    buffered: int | None = None
    stale: int = 0
    only_seeded: bool = False
    time: int = 0

    def seed(self, last: int) -> None:
        self.status, self.last, self.stale = "seeded", last, 0

    def lose(self) -> None:
        self.status, self.buffered, self.stale = "empty", None, 0

    def _old(self) -> str:
        self.stale += 1
        if self.status != "empty" and self.stale > STALE_LIMIT:
            self.lose()
            return "GAP"
        return "IGNORE"

    def _take(self, last: int, previous: int) -> None:
        self.status, self.last, self.previous, self.stale = "live", last, previous, 0

    def step(self, first: int, last: int, previous: int, snapshot: bool, empty: bool, time: int = 0) -> str:
        if self.rule.mechanism == "snapshots":
            return self._snapshots(last, time)
        dense = self._dense_over_rest if self.rule.seeded_by_rest else self._dense
        step = {
            "range_with_previous": self._range,
            "range": dense,
            "counter": self._counter,
            "linked": self._linked,
            "unsequenced": self._unsequenced,
        }
        return step[self.rule.mechanism](first, last, previous, snapshot, empty)

    def _continues(self, before: int, first: int, last: int) -> bool:
        """All ids from before + 1 on are in the frame; a strict venue never repeats one."""
        return first == before + 1 or (not self.rule.strict and before + 1 in range(first, last + 1))

    def _dense(self, first: int, last: int, previous: int, snapshot: bool, empty: bool) -> str:
        if snapshot:
            self._take(last, 0)
            return "REPLACE"
        if self.status != "live":
            return "IGNORE"
        restarted = last == self.rule.restart_id
        if not restarted and last <= self.last:
            return self._old()
        if not restarted and self._continues(self.last, first, last):
            self._take(last, 0)
            return "APPLY"
        self.lose()
        return "GAP"

    def _dense_over_rest(self, first: int, last: int, previous: int, snapshot: bool, empty: bool) -> str:
        restarted = last == self.rule.restart_id
        if self.status == "live":
            if not restarted and last <= self.last:
                action = self._old()
            elif not restarted and self._continues(self.last, first, last):
                self._take(last, 0)
                return "APPLY"
            else:
                self.lose()
                action = "GAP"
            if action == "GAP":
                self.buffered = last
            return action
        if self.status == "seeded":
            if self.last >= 0 and last <= self.last and not restarted:
                return "IGNORE"
            if self.last < 0 or (not restarted and first <= self.last + 1):
                self._take(last, 0)
                return "APPLY"
            self.status, self.buffered = "empty", last
            return "TOO_OLD"
        if self.buffered is not None and not restarted:
            if last > self.buffered and self._continues(self.buffered, first, last):
                self.buffered, self.stale = last, 0
                return "BUFFER"
            if last <= self.buffered and self.stale < STALE_LIMIT:
                return self._old()
        self.buffered, self.stale = last, 0
        return "REBUFFER"

    def _snapshots(self, last: int, time: int) -> str:
        if self.status == "live" and 0 < time < self.time:
            return self._old()
        self._take(last, 0)
        self.time = time or self.time
        return "REPLACE"

    def _unsequenced(self, first: int, last: int, previous: int, snapshot: bool, empty: bool) -> str:
        if snapshot:
            self._take(last, 0)
            return "REPLACE"
        if self.status != "live":
            return "IGNORE"
        if empty:
            return "KEEPALIVE"
        self._take(last, 0)
        return "APPLY"

    def _range(self, first: int, last: int, previous: int, snapshot: bool, empty: bool) -> str:
        if self.status == "live":
            if previous == self.last:
                self._take(last, previous)
                return "APPLY"
            if last > self.last:
                self.lose()
                self.buffered = last
                return "GAP"
            action = self._old()
            if action == "GAP":
                self.buffered = last
            return action
        if self.status == "seeded":
            if last < self.last:
                return "IGNORE"
            if first <= self.last or previous == self.last:
                self._take(last, previous)
                return "APPLY"
            self.status, self.buffered = "empty", last
            return "TOO_OLD"
        if self.buffered is None:
            self.buffered, self.stale = last, 0
            return "REBUFFER"
        if previous == self.buffered:
            self.buffered, self.stale = last, 0
            return "BUFFER"
        if last <= self.buffered and self.stale < STALE_LIMIT:
            return self._old()
        self.buffered, self.stale = last, 0
        return "REBUFFER"

    def _counter(self, first: int, last: int, previous: int, snapshot: bool, empty: bool) -> str:
        if snapshot or last == self.rule.restart_id:
            self._take(last, 0)
            return "REPLACE"
        if self.status != "live":
            return "IGNORE"
        if last == self.last + 1:
            self._take(last, 0)
            return "APPLY"
        if last <= self.last:
            return self._old()
        self.lose()
        return "GAP"

    def _linked(self, first: int, last: int, previous: int, snapshot: bool, empty: bool) -> str:
        if snapshot:
            self._take(last, previous)
            self.only_seeded = True
            return "REPLACE"
        if self.status != "live":
            return "IGNORE"
        if previous == self.last:
            if last == previous and empty:
                self.stale = 0
                return "KEEPALIVE"
            self.only_seeded = False
            self._take(last, previous)
            return "RESET" if last < previous else "APPLY"
        may_overlap = self.rule.first_overlaps and self.only_seeded and previous != self.rule.restart_id
        if may_overlap and previous <= self.last <= last:
            self.only_seeded = False
            self._take(last, previous)
            return "APPLY"
        if last == self.last and previous == self.previous:
            return self._old()
        self.lose()
        return "GAP"
