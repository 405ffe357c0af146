"""Frames of the stream into the book: sequence, growth, what is checked after each, keeping what has to wait."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

import numpy as np

from engines.book.backlog import Kept
from engines.book.checksum import BookChecksum
from engines.book.forms import Forms
from engines.book.growth import BookTooLarge, with_room
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
    CROSSED,
    MAX_REGIONS,
    OVERSIZED,
    RANGE_FACTOR,
    REGION_SHIFT,
    UNCROSSES,
    UPDATES,
    WINDOW_EXCEEDED,
    new_block,
)
from engines.book.outcome import Outcome
from engines.book.reader import SECOND
from engines.book.sequence import (
    BUFFER,
    DROPPED,
    EPOCH,
    GAP,
    GAPS,
    KEEPALIVE,
    LAST,
    REBUFFER,
    REPLACE,
    RESETS,
    TOO_OLD,
    lose,
    start,
)
from engines.book.sync import Array, BookSync
from engines.book.uncross import Uncrosser
from engines.book.worth import Worth
from engines.wire.grammar import BookGrammar, Checksum, Crossing, SequenceRule
from engines.wire.layout import CHECKSUM, LAST_ID, OK, PRESENT
from engines.wire.scale import Scale

FLOOR_SETTLE: Final = 1_800 * SECOND  # contract: engine.floor_settle
CARRY: Final = 60 * SECOND  # contract: after a gap of under 60 s outer levels are kept as floor

_DONE: Final = (Outcome.APPLIED, Outcome.RESET, Outcome.REPLACED, Outcome.KEEPALIVE, Outcome.IGNORED)  # by Action


class BookIntake(BookSync, ABC):
    """The part of `LiveBook` that takes the stream.

    Args:
        scale: the market's grids.
        market: the name frames must carry where the grammar says so.
        grammar: of the stream's frames, with their alternates; snapshot_grammar, deep_grammar: of the REST bodies.
        rule: the venue's continuity rule.
        changes_at_any_price: the stream reports changes at any price, so levels beyond the snapshot are learned.
        window: levels a side the stream keeps, None = no window.
        snapshot_levels, deep_levels: levels a side asked for over REST: a side with fewer is known completely.
        floor_settle_ns: how long in sync before `floor` figures are published.
        carry_ns: a gap shorter than this keeps the levels outside the next snapshot.
        checksum: of the book, compared with every frame that carries one, after the frame was applied. The scale must then have
            the wire's own number of decimals.
        crossing: what a book that stands crossed after a frame means.
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
        checksum: Checksum = "",
        crossing: Crossing = "lost",
        worth: Worth | None = None,
        scratch: Scratch | None = None,
    ) -> None:
        if crossing == "uncross" and window:
            raise ValueError("a windowed book cannot be uncrossed: a hidden level has not left the window")
        self._uncrosser = Uncrosser() if crossing == "uncross" else None
        super().__init__(rule, changes_at_any_price, floor_settle_ns, checked=bool(checksum or self._uncrosser))
        self.market = market
        self.carry_ns = carry_ns
        self.refusal = OK  # why the scanner refused the last frame or body, a REFUSED_* code
        self._grammar = grammar
        self._body_grammars = (snapshot_grammar, deep_grammar)
        self._checksum_kind: Checksum = checksum
        self._checksum: BookChecksum | None = None
        self._window = window or 0
        self._snapshot_levels = snapshot_levels or 0
        self._deep_levels = deep_levels or 0
        self._scratch = scratch or Scratch()
        self._lay_out(scale, worth)

    def _lay_out(self, scale: Scale, worth: Worth | None) -> None:
        self.scale = scale
        self.worth = worth or Worth(scale)
        self._forms = Forms(self._grammar, scale, self.market)
        self._body_forms = tuple(
            None if grammar is None else Forms(grammar, scale, self.market) for grammar in self._body_grammars
        )
        if self._checksum_kind:
            self._checksum = BookChecksum(self._checksum_kind, scale)
        self._block = new_block(1, self._window)
        self._block[UNCROSSES] = int(self._uncrosser is not None)
        start(self._block, self.rule)

    @property
    def header(self) -> Array:
        """The header of the frame or body scanned last; shared with every book of the same scratch."""
        return self._scratch.header

    # -- frames of the stream

    def frame(self, data: bytes, at: int) -> Outcome:
        """One frame as received. REFUSED: parse it the plain way, then call `levels`; the book has not changed."""
        code = take_frame(np.frombuffer(data, np.uint8), self._forms.table, self._scratch.memory, self._block, at)
        if code == 0 and self._plain:
            return Outcome.APPLIED
        if code < REFUSED_CODE:
            return self._finish(code, self._scratch.header, self._scratch.levels, data, at)
        refusal = self._forms.scan_others(data, self._scratch, code - REFUSED_CODE)
        if refusal != OK:
            return self._refused(refusal)
        header, levels = self._scratch.header, self._scratch.levels
        return self._finish(take_levels(self._block, header, levels, at), header, levels, data, at)

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
        if self._checked and code <= KEEPALIVE:
            trouble = self._check(code, header, levels)
            if trouble is not None:
                return trouble
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

    def _check(self, code: int, header: Array, levels: Array) -> Outcome | None:
        """What this book does after every frame: uncross, compare the checksum. None: all is well."""
        if self._uncrosser is not None and code <= REPLACE:
            try:
                self._block = self._uncrosser.settle(self._block, code, header, levels)
            except BookTooLarge:
                self._too_large()
                return self._lost("oversized", Outcome.OVERSIZED)
            if self._uncrosser.crossed_for_good:
                self._block[CROSSED] += 1
                lose(self._block)
                return self._lost("crossed", Outcome.CROSSED)
            self._counts["uncrossed"] += self._uncrosser.hidden > 0
        if self._checksum is not None and header[PRESENT] & (1 << CHECKSUM):
            if not self._checksum.agrees(self._block, header):
                self._counts["checksum_mismatch"] += 1
                lose(self._block)
                return self._lost("checksum", Outcome.CHECKSUM)
            self._counts["checksums"] += 1
        return None

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

    def regrid(self, scale: Scale, at: int, worth: Worth | None = None) -> None:
        """The venue changed tick or lot size: everything known is in the old units, so the book starts afresh."""
        kept = [EPOCH, UPDATES, CROSSED, WINDOW_EXCEEDED, OVERSIZED, GAPS, DROPPED, RESETS]
        counted = self._block[kept]
        self._lay_out(scale, worth)
        self._block[kept] = counted
        lose(self._block)
        self._deep = None
        self._lost("regrid", Outcome.IGNORED)
