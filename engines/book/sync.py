"""A book in sync, and out of it: joining the stream, losing it for a reason, what is kept for the way back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engines.book.backlog import Backlog
from engines.book.growth import with_range
from engines.book.hot import OVERSIZED_CODE
from engines.book.memory import CARRIED, COUNT, LAST_AT, OVERSIZED
from engines.book.outcome import Outcome
from engines.book.reader import BookReader
from engines.book.reasons import Reason
from engines.book.sequence import EMPTY, GAPS, STATUS, lose
from engines.wire.grammar import SequenceRule

Array = npt.NDArray[np.int64]


class BookSync(BookReader):
    """The part of `LiveBook` that knows whether the stream links to the seed."""

    def __init__(self, rule: SequenceRule, changes_at_any_price: bool, floor_settle_ns: int, checked: bool) -> None:
        super().__init__(changes_at_any_price, floor_settle_ns, snapshots_only=rule.mechanism == "snapshots")
        self.rule = rule
        self._checked = checked  # every frame has work outside the kernel
        self._buffer = Backlog()  # frames waiting for the seed
        self._journal: Backlog | None = None  # frames since a snapshot was asked for while in sync
        self._held: tuple[Array, Array] | None = None  # a snapshot ahead of the stream
        self._joined = False  # the stream links to the seed
        self._plain = False  # after an applied frame nothing is left to do outside the kernel
        self._left_at: int | None = None  # last frame before sync was lost, if its levels may be carried
        self._carrying = False

    def _too_large(self) -> int:
        self._block[OVERSIZED] += 1
        lose(self._block)
        return OVERSIZED_CODE

    def _widen(self, regions: int) -> None:
        if self._block[COUNT] + self._block[COUNT + 1] > 0:
            self._counts["recentred"] += 1
        self._block = with_range(self._block, regions)

    def _join(self, at: int) -> None:
        """The stream links to the seed: in sync."""
        self._joined = True
        if self._synced_at is None or not self._carrying:
            self._synced_at = at
        if self._carrying:
            self._counts["carried"] += int(self._block[CARRIED])
        self._left_at = None
        self._lost_reason = ""
        self._plain = self._journal is None and not self._checked
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

    def connection_gap(self, at: int) -> Outcome:
        """The connection's own numbering shows a lost frame, and it may have been of this book. IGNORED: there is no book to lose."""
        if self._block[STATUS] == EMPTY and not self._buffer.frames:
            return Outcome.IGNORED
        self._block[GAPS] += 1
        lose(self._block)
        return self._lost("gap", Outcome.GAP)

    def unreadable_frame(self, at: int) -> Outcome:
        """A frame of the stream that no path can read may have held changes: what the book says is no longer known."""
        lose(self._block)
        return self._lost("unreadable_frame", Outcome.GAP)

    def _close_journal(self) -> None:
        self._journal = None
        self._held = None
        self._plain = self._joined and not self._checked
