"""Why a book cannot be read, why it lost sync, and what is counted about it."""

from __future__ import annotations

from typing import Final, Literal

from engines.book.memory import BEYOND, CROSSED, OVERSIZED, UPDATES, WINDOW_EXCEEDED
from engines.book.sequence import DROPPED, GAPS, RESETS

Reason = Literal[
    "",
    "no_snapshot",  # nothing has seeded the book yet
    "waiting_for_stream",  # seeded over REST, no frame has joined the snapshot yet
    "gap",
    "unreadable_frame",  # a frame that neither path could read: what it changed is not known
    "disconnected",
    "crossed",
    "mismatch",
    "stale_snapshot",
    "buffer_overflow",
    "oversized",
    "regrid",
    "one_sided",
    "moved_beyond_snapshot",  # the best price lies where the snapshot never reached
    "checksum",  # the venue's checksum of the book differs from ours
]

# Why a book that was in sync, or on its way to it, can lose it: the keys of `BookReader.resyncs`.
RESYNC_REASONS: Final[tuple[Reason, ...]] = (
    "gap",
    "unreadable_frame",
    "disconnected",
    "crossed",
    "mismatch",
    "buffer_overflow",
    "oversized",
    "regrid",
    "checksum",
)

KERNEL_COUNTERS: Final = {
    "updates": UPDATES,
    "gaps": GAPS,
    "crossed": CROSSED,
    "dropped": DROPPED,
    "resets": RESETS,
    "beyond": BEYOND,
    "oversized": OVERSIZED,
    "window_exceeded": WINDOW_EXCEEDED,
}
OWN_COUNTERS: Final = (
    "mismatch",  # snapshots that differed inside the verified reach
    "mismatched_levels",
    "merged",
    "merge_failed",  # snapshots of no use: too old, or no journal reached back to them
    "stale_snapshots",
    "recentred",
    "buffered_overflow",
    "journal_overflow",
    "carried",  # levels kept over a short gap
    "refused",
    "checksums",  # compared and right
    "checksum_mismatch",
    "uncrossed",  # frames after which the stream's levels stood crossed, and older ones were hidden
)
