"""One market's book, kept true: frames and snapshots in, an answer for each, figures out. No I/O; time is an argument (ns)."""

from __future__ import annotations

from collections.abc import Sequence

from engines.book.backlog import Backlog, Kept, packed
from engines.book.growth import BookTooLarge, copy_into, with_range, with_room
from engines.book.hot import (
    CROSSED_CODE,
    OVERSIZED_CODE,
    SHORT_RANGE,
    WANTS_RANGE,
    WANTS_ROOM,
    load_snapshot,
    wanted_regions,
)
from engines.book.intake import BookIntake
from engines.book.ladder import differing, erase, verified_edge
from engines.book.layers import Layer, join_layers
from engines.book.memory import FOREVER, REGIONS, VERIFIED_HIGH, VERIFIED_LOW, Block, new_block
from engines.book.outcome import Outcome
from engines.book.reader import DEEP_FRESH_FOR
from engines.book.sequence import EMPTY, LAST, LIVE, REPLACE, STATUS, is_old, joins, lose, numbered, start
from engines.book.sync import Array
from engines.wire.layout import ASK, BID, CROSS_ID, LAST_ID


class LiveBook(BookIntake):
    """One market's book. See `BookIntake` for how it is made, `BookReader` for what can be asked of it."""

    # -- snapshots over REST

    def snapshot_body(self, data: bytes, at: int) -> Outcome:
        """`snapshot` from the body of the reply. REFUSED: parse it the plain way, then call `snapshot`."""
        refused = self._scan_body(0, data)
        return self._refused(refused) if refused else self.snapshot(self._scratch.header, self._scratch.levels, at)

    def deep_body(self, data: bytes, at: int) -> Outcome:
        """`deep` from the body of the reply. REFUSED: parse it the plain way, then call `deep`."""
        refused = self._scan_body(1, data)
        return self._refused(refused) if refused else self.deep(self._scratch.header, self._scratch.levels, at)

    def _scan_body(self, which: int, data: bytes) -> int:
        forms = self._body_forms[which]
        if forms is None:
            raise ValueError("this book was made without a grammar for that body")
        return forms.scan(data, self._scratch)

    def snapshot_requested(self, at: int) -> None:
        """A REST snapshot is being asked for: from here on frames are kept, so that it can be merged into a live book."""
        if self._joined and self.rule.seeded_by_rest and self._journal is None:
            self._journal = Backlog()
            self._plain = False

    def snapshot(self, header: Array, levels: Array, at: int) -> Outcome:
        """A REST snapshot: seeds the book, or is compared with it and merged when it is in sync.

        Returns:
            REPLACED (in sync), HELD (ahead of the stream), NEED_SNAPSHOT (too old), MERGED, MISMATCH, CROSSED, OVERSIZED,
            or IGNORED (of no use).
        """
        if not self.rule.seeded_by_rest:
            return Outcome.IGNORED
        last = int(header[LAST_ID])
        if self._block[STATUS] == LIVE:
            if self._journal is None or last < 0:  # the id of a book that never held anything compares with none
                return self._unmerged()
            if last > self._block[LAST]:
                self._held = (header.copy(), packed(header, levels))
                return Outcome.HELD
            return self._merge(header, levels, at)
        if self._block[STATUS] != EMPTY and last < self._block[LAST]:
            return Outcome.IGNORED
        first = next((kept for kept in self._buffer.frames if not is_old(self.rule, last, kept.last)), None)
        if (first is not None and not joins(self.rule, last, first.first, first.previous)) or self._of_another_time(
            header
        ):
            self._counts["stale_snapshots"] += 1
            return Outcome.NEED_SNAPSHOT
        return self._seed(header, levels, at)

    def _of_another_time(self, header: Array) -> bool:
        """A snapshot whose ids lie among those of the frames kept and which is not of their sequence: from before a restart."""
        cross, last = int(header[CROSS_ID]), int(header[LAST_ID])
        kept = self._buffer.frames
        if cross == 0 or not kept or kept[0].cross == 0:
            return False
        return cross < kept[0].cross or any(frame.last == last and frame.cross != cross for frame in kept)

    def _seed(self, header: Array, levels: Array, at: int) -> Outcome:
        last = int(header[LAST_ID])  # the scratch it lies in is written over by the frames kept
        self._carrying = self._changes_at_any_price and self._left_at is not None and at - self._left_at < self.carry_ns
        try:
            self._block, code = self._loaded(
                self._block, header, levels, self._snapshot_levels, int(self._carrying), at
            )
        except BookTooLarge:
            code = self._too_large()
        if code == CROSSED_CODE:
            return self._lost("crossed", Outcome.CROSSED)
        if code == OVERSIZED_CODE:
            return self._lost("oversized", Outcome.OVERSIZED)
        trouble: Outcome | None = None
        for kept in self._buffer.take():
            if kept.last == self.rule.restart_id and is_old(self.rule, last, kept.last):
                continue  # the restart after which this snapshot was made: no news of another one
            outcome = self._again(kept)
            if outcome.needs_recovery:
                trouble = outcome
        if trouble is not None:
            return trouble
        return Outcome.REPLACED if self._joined else Outcome.HELD

    @staticmethod
    def _loaded(block: Block, header: Array, levels: Array, limit: int, keep: int, at: int) -> tuple[Block, int]:
        """`load_snapshot`, with a block grown as it asks. Raises BookTooLarge."""
        while True:
            code = load_snapshot(block, header, levels, limit, keep, at)
            if code >= SHORT_RANGE:
                return block, code - SHORT_RANGE
            if code == WANTS_RANGE:
                block = with_range(block, wanted_regions(header, levels))
            elif code >= WANTS_ROOM:
                block = with_room(block)
            else:
                return block, code

    def _again(self, kept: Kept) -> Outcome:
        """A frame from a backlog, as if it came now (with the time it came)."""
        if kept.data is not None:
            return self.frame(kept.data, kept.at)
        assert kept.header is not None
        assert kept.levels is not None
        return self.levels(kept.header, kept.levels, kept.at)

    def _unmerged(self) -> Outcome:
        self._counts["merge_failed"] += 1
        self._close_journal()
        return Outcome.IGNORED

    def _merge(self, header: Array, levels: Array, at: int) -> Outcome:
        """Brings the snapshot up to now with the frames kept, compares where both are verified, takes over what it adds."""
        assert self._journal is not None
        other = LiveBook(
            scale=self.scale,
            market=self.market,
            grammar=self._grammar,
            rule=self.rule,
            changes_at_any_price=False,
            snapshot_levels=self._snapshot_levels,
            scratch=self._scratch,
        )
        other.snapshot(header, levels, at)
        last = int(self._block[LAST])
        for kept in self._journal.frames:
            if kept.last >= other.last_id and other._again(kept).needs_recovery:
                return self._unmerged()
        theirs = other._block
        if other.unseeded or other.last_id != last:
            return self._unmerged()
        ours = self._block
        low = max(verified_edge(ours, BID), verified_edge(theirs, BID))
        high = min(verified_edge(ours, ASK), verified_edge(theirs, ASK))
        different = differing(ours, theirs, BID, low, FOREVER) + differing(ours, theirs, ASK, 0, high)
        if different:
            self._counts["mismatch"] += 1
            self._counts["mismatched_levels"] += different
            lose(self._block)
            return self._lost("mismatch", Outcome.MISMATCH)
        low, high = verified_edge(theirs, BID), verified_edge(theirs, ASK)
        try:
            if theirs[REGIONS] > ours[REGIONS]:
                self._widen(int(theirs[REGIONS]))
            erase(self._block, BID, low, FOREVER)
            erase(self._block, ASK, 0, high)
            self._block = copy_into(self._block, theirs, BID, low, FOREVER)
            self._block = copy_into(self._block, theirs, ASK, 0, high)
        except BookTooLarge:
            self._too_large()
            return self._lost("oversized", Outcome.OVERSIZED)
        self._verify_also(theirs)
        self._counts["merged"] += 1
        self._close_journal()
        return Outcome.MERGED

    def _verify_also(self, theirs: Block) -> None:
        """Known are all bids down to an edge and all asks up to one: of two books at the same id the farther edges hold."""
        self._block[VERIFIED_LOW] = min(self._block[VERIFIED_LOW], theirs[VERIFIED_LOW])
        self._block[VERIFIED_HIGH] = max(self._block[VERIFIED_HIGH], theirs[VERIFIED_HIGH])
        self._seed_reach = min(self.reach("bid") or 0.0, self.reach("ask") or 0.0)

    def adopt(self, older: LiveBook, at: int) -> Outcome:
        """Takes over what another book of the same market, in sync on its own connection, knows beyond this one's reach.

        Its outer levels are kept as `floor`, and its time in sync goes on, so that a planned move to a new connection blinds
        nothing. Where both stand at the same id, its verified reach holds here too. A deep snapshot is of no connection: it
        goes on to count for its time.

        Returns:
            MERGED, or IGNORED where one of the two is not in sync or the stream teaches nothing beyond its window.
        """
        ours, theirs = self._block, older._block
        if (
            older._deep is not None
            and self.scale == older.scale
            and (self._deep is None or self._deep_at < older._deep_at)
        ):
            self._deep, self._deep_at, self._deep_until = older._deep, older._deep_at, older._deep_until
            self._layered = older._layered
        if not (self._changes_at_any_price and self._joined and older._joined and self.scale == older.scale):
            return Outcome.IGNORED
        low, high = verified_edge(ours, BID), verified_edge(ours, ASK)
        same = numbered(self.rule) and theirs[LAST] == ours[LAST]
        try:
            if theirs[REGIONS] > ours[REGIONS]:
                self._widen(int(theirs[REGIONS]))
            if same:
                # What this book carried over a gap of its own may be gone: where the other one knows every level, only those stand.
                erase(self._block, BID, verified_edge(theirs, BID), low - 1)
                erase(self._block, ASK, high + 1, verified_edge(theirs, ASK))
            before = sum(self.level_counts)
            self._block = copy_into(self._block, theirs, BID, 0, low - 1)
            self._block = copy_into(self._block, theirs, ASK, high + 1, FOREVER)
        except BookTooLarge:
            self._too_large()
            return self._lost("oversized", Outcome.OVERSIZED)
        self._counts["carried"] += sum(self.level_counts) - before
        if same:
            self._verify_also(theirs)
        if older._synced_at is not None:
            self._synced_at = older._synced_at
        return Outcome.MERGED

    def deep(self, header: Array, levels: Array, at: int) -> Outcome:
        """A deep REST snapshot: what it says beyond the verified reach counts for 60 s (basis `snapshot`)."""
        block = new_block(1)
        start(block, self.rule)
        try:
            block, code = self._loaded(block, header, levels, self._deep_levels, 0, at)
        except BookTooLarge:
            return Outcome.IGNORED
        if code != REPLACE:
            return Outcome.IGNORED
        self._deep, self._deep_at, self._deep_until = block, at, at + DEEP_FRESH_FOR
        self._layered = False
        return Outcome.REPLACED

    def set_layers(self, layers: Sequence[Layer], at: int) -> Outcome:
        """What coarser books of the market say beyond this one's reach counts from now on, like a deep snapshot (basis `snapshot`).

        To be called once a second. A layer that cannot be read, lies on another grid or is older than it may be is left out. The
        figures are as old as the oldest layer used, and count until the first of them is too old; of layers without an age, for 60 s.

        Returns:
            REPLACED, or IGNORED where this book or every layer is unreadable: what was known before counts for its time.
        """
        used = [
            layer
            for layer in sorted(layers, key=lambda layer: -layer.significant_figures)
            if layer.book.readable and layer.book.scale == self.scale and _is_fresh(layer, at)
        ]
        if not used or not self.readable:
            return Outcome.IGNORED
        try:
            self._coarse = join_layers(
                self._block,
                [(layer.book._block, layer.significant_figures) for layer in used],
                self.scale.price.multiple,
                self._coarse,
            )
        except BookTooLarge:
            self._coarse = None
        if self._coarse is None:
            return Outcome.IGNORED
        self._deep = self._coarse
        self._layered = True
        self._deep_at = min(layer.book.last_update or at for layer in used)
        self._deep_until = min(
            at + DEEP_FRESH_FOR if layer.fresh_ns is None else (layer.book.last_update or at) + layer.fresh_ns
            for layer in used
        )
        return Outcome.REPLACED

    def drop_layers(self) -> None:
        """No layer holds any more: what they said counts no longer."""
        if self._layered:
            self._deep = None
            self._layered = False


def _is_fresh(layer: Layer, at: int) -> bool:
    last = layer.book.last_update
    return last is not None and last <= at and (layer.fresh_ns is None or at - last <= layer.fresh_ns)
