"""A book followed from recorded frames by the venue's own grammar, so that whoever joins a replayed stream late still gets a snapshot."""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np

from engines.wire.errors import WireError
from engines.wire.grammar import BookGrammar
from engines.wire.layout import (
    ASK_COUNT,
    BID_COUNT,
    EVENT_TIME,
    HEADER_SIZE,
    KIND,
    KIND_SNAPSHOT,
    LAST_ID,
    MAX_LEVELS,
    PRESENT,
)
from engines.wire.plain import plain_book
from monitor.facts import Instrument
from monitor.simulator.protocols.frames import Standing, TextRow
from monitor.venues.base import BookPolicy, Topic

KEPT_FRAMES = 2_000  # changes kept until the REST snapshot that seeds the book: more than any recorder buffers

Rows = list[tuple[int, int]]  # (tick, lots)

# One frame is read at a time.
_HEADER: Final = np.zeros(HEADER_SIZE, np.int64)
_LEVELS: Final = np.zeros((2, MAX_LEVELS, 2), np.int64)


class MirrorBook:
    """One topic's book. It says nothing from a frame it cannot read until the next snapshot."""

    def __init__(self, instrument: Instrument, topic: Topic, policy: BookPolicy) -> None:
        self.instrument, self.topic, self._policy = instrument, topic, policy
        self._window = topic.window or policy.window
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.seeded = False
        self._last_id, self._time_ms = -1, 0
        self._waiting: deque[tuple[int, tuple[Rows, Rows]]] = deque(maxlen=KEPT_FRAMES)

    def apply(self, frame: bytes) -> None:
        """A frame of the topic, as it was received."""
        rows = self._read(self.topic.book, frame)
        if rows is None:
            return
        rule = self._policy.sequence
        last, whole = self._header_id(), _HEADER[KIND] == KIND_SNAPSHOT
        if rule.seeded_by_rest and not whole:
            self._waiting.append((last, rows))
            if not self.seeded or last <= self._last_id:
                return
        self._take(rows, whole=whole or (rule.restart_id is not None and last == rule.restart_id))

    def seed(self, body: bytes) -> None:
        """A recorded REST snapshot. Changes that came before it and go beyond it are applied again."""
        grammar = self._policy.snapshot_grammar
        rows = None if grammar is None else self._read(grammar, body)
        if rows is None or (self.seeded and self._header_id() <= self._last_id):
            return
        self._take(rows, whole=True)
        for last, later in self._waiting:
            if last > self._last_id:
                self._change(later)
                self._last_id = last

    def standing(self) -> Standing | None:
        """The book as it stands; None where it is not known."""
        if not self.seeded:
            return None
        bids, asks = (sorted(side.items(), reverse=not number) for number, side in enumerate(self.sides))
        return Standing(self.instrument.symbol, self._text(bids), self._text(asks), self._last_id, self._time_ms)

    def _read(self, grammar: BookGrammar | None, data: bytes) -> tuple[Rows, Rows] | None:
        if grammar is None:
            return None
        try:
            plain_book(grammar, self.instrument.scale, self.instrument.symbol, data, _HEADER, _LEVELS)
        except WireError:
            self.seeded = False
            return None
        bids, asks = (_LEVELS[side, : _HEADER[slot]].tolist() for side, slot in enumerate((BID_COUNT, ASK_COUNT)))
        return bids, asks

    @staticmethod
    def _header_id() -> int:
        return int(_HEADER[LAST_ID]) if int(_HEADER[PRESENT]) >> LAST_ID & 1 else -1

    def _take(self, rows: tuple[Rows, Rows], *, whole: bool) -> None:
        if whole:
            self.sides, self.seeded = ({}, {}), True
        if self.seeded:
            self._change(rows)
            self._last_id, self._time_ms = self._header_id(), int(_HEADER[EVENT_TIME]) // 1_000_000

    def _change(self, rows: tuple[Rows, Rows]) -> None:
        for number, (side, changes) in enumerate(zip(self.sides, rows, strict=True)):
            for tick, lots in changes:
                if lots:
                    side[tick] = lots
                else:
                    side.pop(tick, None)
            while self._window is not None and len(side) > self._window:  # a venue may leave the cutting to its clients
                del side[max(side) if number else min(side)]

    def _text(self, rows: Rows) -> list[TextRow]:
        scale = self.instrument.scale
        return [(f"{scale.price.to_decimal(tick):f}", f"{scale.size.to_decimal(lots):f}") for tick, lots in rows]
