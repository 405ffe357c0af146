"""Frames of the stream into the book: sequence, growth, keeping what has to wait, losing and finding sync."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

import numpy as np
import numpy.typing as npt

from engines.book.backlog import Backlog, Kept
from engines.book.growth import BookTooLarge, with_range, with_room
from engines.book.hot import (
    CROSSED_CODE,
    OVERSIZED_CODE,
    REFUSED_CODE,
    SHORT_RANGE,
    WANTS_RANGE,
    WANTS_ROOM,
    Scratch,
    store,
    take_frame,
    take_levels,
    wanted_regions,
)
from engines.book.memory import (
    BEST,
    CARRIED,
    COUNT,
    CROSSED,
    LAST_AT,
    MAX_REGIONS,
    OVERSIZED,
    RANGE_FACTOR,
    REGION_SHIFT,
    UPDATES,
    WINDOW_EXCEEDED,
    new_block,
)
from engines.book.outcome import Outcome
from engines.book.reader import SECOND, BookReader, Reason
from engines.book.sequence import (
    BUFFER,
    DROPPED,
    EMPTY,
    EPOCH,
    GAP,
    GAPS,
    LAST,
    REBUFFER,
    REPLACE,
    RESETS,
    STATUS,
    TOO_OLD,
    lose,
    start,
)
from engines.book.worth import Worth
from engines.wire.book_scan import compile_book_grammar
from engines.wire.grammar import BookGrammar, SequenceRule
from engines.wire.layout import LAST_ID, OK
from engines.wire.scale import Scale

FLOOR_SETTLE: Final = 1_800 * SECOND  # contract: engine.floor_settle
CARRY: Final = 60 * SECOND  # contract: after a gap of under 60 s outer levels are kept as floor

Array = npt.NDArray[np.int64]

_DONE: Final = (Outcome.APPLIED, Outcome.RESET, Outcome.REPLACED, Outcome.KEEPALIVE, Outcome.IGNORED)  # by Action


class BookIntake(BookReader, ABC):
    """The part of `LiveBook` that takes the stream.

    Args:
        scale: the market's grids.
        market: the name frames must carry where the grammar says so.
        grammar: of the stream's frames; snapshot_grammar, deep_grammar: of the REST bodies.
        rule: the venue's continuity rule.
        changes_at_any_price: the stream reports changes at any price, so levels beyond the snapshot are learned.
        window: levels a side the stream keeps, None = no window.
        snapshot_levels, deep_levels: levels a side asked for over REST: a side with fewer is known completely.
        floor_settle_ns: how long in sync before `floor` figures are published.
        carry_ns: a gap shorter than this keeps the levels outside the next snapshot.
        worth: units of the market (inverse contracts, contract sizes); None: spot.
        scratch: may be shared by all books of a thread.
    """

    def __init__(
        self,
        *,
        scale: Scale,
        market: str,
        grammar: BookGrammar,
        rule: SequenceRule,
        changes_at_any_price: bool,
        window: int | None = None,
        snapshot_grammar: BookGrammar | None = None,
        deep_grammar: BookGrammar | None = None,
        snapshot_levels: int | None = None,
        deep_levels: int | None = None,
        floor_settle_ns: int = FLOOR_SETTLE,
        carry_ns: int = CARRY,
        worth: Worth | None = None,
        scratch: Scratch | None = None,
    ) -> None:
        super().__init__(changes_at_any_price, floor_settle_ns)
        self.market = market
        self.rule = rule
        self.carry_ns = carry_ns
        self.refusal = OK  # why the scanner refused the last frame or body, a REFUSED_* code
        self._grammar = grammar
        self._body_grammars = (snapshot_grammar, deep_grammar)
        self._window = window or 0
        self._snapshot_levels = snapshot_levels or 0
        self._deep_levels = deep_levels or 0
        self._scratch = scratch or Scratch()
        self._buffer = Backlog()  # frames waiting for the seed
        self._journal: Backlog | None = None  # frames since a snapshot was asked for while in sync
        self._held: tuple[Array, Array] | None = None  # a snapshot ahead of the stream
        self._joined = False  # the stream links to the seed
        self._plain = False  # after an applied frame nothing is left to do outside the kernel
        self._left_at: int | None = None  # last frame before sync was lost, if its levels may be carried
        self._carrying = False
        self._lay_out(scale, worth)

    def _lay_out(self, scale: Scale, worth: Worth | None) -> None:
        self.scale = scale
        self.worth = worth or Worth(scale)
        self._table = compile_book_grammar(self._grammar, scale, self.market).table
        self._body_tables = tuple(
            None if grammar is None else compile_book_grammar(grammar, scale, self.market).table
            for grammar in self._body_grammars
        )
        self._block = new_block(1, self._window)
        start(self._block, self.rule)

    @property
    def header(self) -> Array:
        """The header of the frame or body scanned last; shared with every book of the same scratch."""
        return self._scratch.header

    # -- frames of the stream

    def frame(self, data: bytes, at: int) -> Outcome:
        """One frame as received. REFUSED: parse it the plain way, then call `levels`; the book has not changed."""
        code = take_frame(np.frombuffer(data, np.uint8), self._table, self._scratch.memory, self._block, at)
        if code == 0 and self._plain:
            return Outcome.APPLIED
        if code >= REFUSED_CODE:
            return self._refused(code - REFUSED_CODE)
        return self._finish(code, self._scratch.header, self._scratch.levels, data, at)

    def levels(self, header: Array, levels: Array, at: int) -> Outcome:
        """One frame that the plain path has read: int64[HEADER_SIZE] and int64[2, n, 2]."""
        return self._finish(take_levels(self._block, header, levels, at), header, levels, None, at)

    def _refused(self, refusal: int) -> Outcome:
        self.refusal = refusal
        self._counts["refused"] += 1
        return Outcome.REFUSED

    def _finish(self, code: int, header: Array, levels: Array, data: bytes | None, at: int) -> Outcome:
        """What the kernel leaves to be done: growing, keeping, losing, joining, merging."""
        if code >= WANTS_RANGE:
            code = self._stored(code, header, levels, at)
        if code in (BUFFER, REBUFFER, TOO_OLD, GAP):
            return self._keep(code, header, levels, data, at)
        if code == CROSSED_CODE:
            return self._lost("crossed", Outcome.CROSSED)
        if code == OVERSIZED_CODE:
            return self._lost("oversized", Outcome.OVERSIZED)
        if code > REPLACE:
            return _DONE[code]
        if not self._joined:
            self._join(at)
        if self._journal is not None and not self._journal.add(Kept.of(at, header, levels, data)):
            self._counts["journal_overflow"] += 1
            self._close_journal()
        if self._held is not None and self._block[LAST] >= self._held[0][LAST_ID]:
            return self._merge(*self._held, at)
        return _DONE[code]

    def _stored(self, code: int, header: Array, levels: Array, at: int) -> int:
        """Grows the block as long as the kernel asks for it; quantities are absolute, so storing again is harmless."""
        while code >= WANTS_RANGE:
            if code >= SHORT_RANGE:
                best = int(max(self._block[BEST], self._block[BEST + 1]))
                self._widen(min((RANGE_FACTOR * (best + 1) >> REGION_SHIFT) + 1, MAX_REGIONS))
                return code - SHORT_RANGE
            action = REPLACE
            try:
                if code == WANTS_RANGE:
                    self._widen(wanted_regions(header, levels))
                else:
                    action = code - WANTS_ROOM
                    self._block = with_room(self._block)
            except BookTooLarge:
                return self._too_large()
            code = store(self._block, header, levels, action, at)
        return code

    def _too_large(self) -> int:
        self._block[OVERSIZED] += 1
        lose(self._block)
        return OVERSIZED_CODE

    def _widen(self, regions: int) -> None:
        if self._block[COUNT] + self._block[COUNT + 1] > 0:
            self._counts["recentred"] += 1
        self._block = with_range(self._block, regions)

    def _keep(self, code: int, header: Array, levels: Array, data: bytes | None, at: int) -> Outcome:
        """A frame that cannot be applied now: kept for the next seed where the seed comes over REST."""
        outcome = Outcome.BUFFERED if code == BUFFER else Outcome.NEED_SNAPSHOT
        if code == GAP:
            outcome = self._lost("gap", Outcome.GAP)
            if not self.rule.seeded_by_rest:
                return outcome
        elif code == TOO_OLD:
            self._counts["stale_snapshots"] += 1
            self._lost_reason = "stale_snapshot"
        if code != BUFFER:
            self._buffer.clear()
        if not self._buffer.add(Kept.of(at, header, levels, data)):
            self._counts["buffered_overflow"] += 1
            lose(self._block)
            return self._lost("buffer_overflow", Outcome.OVERFLOW)
        return outcome

    @abstractmethod
    def _merge(self, header: Array, levels: Array, at: int) -> Outcome:
        """The snapshot held, now that the stream has reached it."""

    # -- losing and finding sync

    def _join(self, at: int) -> None:
        """The stream links to the seed: in sync."""
        self._joined = True
        if self._synced_at is None or not self._carrying:
            self._synced_at = at
        if self._carrying:
            self._counts["carried"] += int(self._block[CARRIED])
        self._left_at = None
        self._lost_reason = ""
        self._plain = self._journal is None
        self._seed_reach = min(self.reach("bid") or 0.0, self.reach("ask") or 0.0)

    def _lost(self, reason: Reason, outcome: Outcome) -> Outcome:
        """Sync is lost; the kernel has moved the state. A fault of content leaves nothing worth carrying."""
        if reason not in ("gap", "disconnected", "buffer_overflow"):
            self._left_at = None
            self._synced_at = None
        elif self._joined:
            self._left_at = int(self._block[LAST_AT])
        self._joined = False
        self._lost_reason = reason
        self._buffer.clear()
        self._close_journal()
        self._plain = False
        self.resyncs[reason] = self.resyncs.get(reason, 0) + 1
        return outcome

    def disconnected(self, at: int) -> None:
        """The stream's connection is gone; the next one starts a chain of its own."""
        if self._block[STATUS] == EMPTY and not self._buffer.frames:
            return
        lose(self._block)
        self._lost("disconnected", Outcome.IGNORED)

    def regrid(self, scale: Scale, at: int, worth: Worth | None = None) -> None:
        """The venue changed tick or lot size: everything known is in the old units, so the book starts afresh."""
        kept = [EPOCH, UPDATES, CROSSED, WINDOW_EXCEEDED, OVERSIZED, GAPS, DROPPED, RESETS]
        counted = self._block[kept]
        self._lay_out(scale, worth)
        self._block[kept] = counted
        lose(self._block)
        self._deep = None
        self._lost("regrid", Outcome.IGNORED)

    def unreadable_frame(self, at: int) -> Outcome:
        """A frame of the stream that no path can read may have held changes: what the book says is no longer known."""
        lose(self._block)
        return self._lost("unreadable_frame", Outcome.GAP)

    def _close_journal(self) -> None:
        self._journal = None
        self._held = None
        self._plain = self._joined
