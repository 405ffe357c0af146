"""What became of a frame or a snapshot given to a book."""

from __future__ import annotations

from enum import IntEnum


class Outcome(IntEnum):
    """The answer of `LiveBook`. `needs_recovery` says that the feed has to act."""

    APPLIED = 0
    RESET = 1  # applied; the venue restarted its ids legally
    REPLACED = 2  # the frame, or the snapshot, is the whole book now
    KEEPALIVE = 3  # nothing changed, and the link is right
    IGNORED = 4  # older than the book, doubled, before the seed, or of no use
    BUFFERED = 5  # kept until the REST snapshot comes
    NEED_SNAPSHOT = 6  # kept; a REST snapshot (a newer one) is wanted
    GAP = 7  # a frame is missing: the book is unreadable from this step on
    CROSSED = 8  # the best bid reached the best ask: unreadable
    MISMATCH = 9  # a snapshot taken while live differs inside the verified reach: unreadable
    OVERFLOW = 10  # waiting for the snapshot took more frames than are kept: the attempt starts again
    OVERSIZED = 11  # quantities or levels beyond what the ladder holds: unreadable
    MERGED = 12  # a snapshot taken while live agreed and widened the verified reach
    HELD = 13  # a snapshot ahead of the stream waits for it
    REFUSED = 14  # the scanner refused the frame: the plain path decides, then `levels`
    CHECKSUM = 15  # the venue's checksum differs from the book's: unreadable

    @property
    def needs_recovery(self) -> bool:
        """A REST snapshot (books seeded by REST) or a new subscription (books seeded by the stream) is wanted."""
        return self in _RECOVERY

    @property
    def changed(self) -> bool:
        """The levels may differ from before."""
        return self in _CHANGED


_RECOVERY = frozenset(
    (
        Outcome.NEED_SNAPSHOT,
        Outcome.GAP,
        Outcome.CROSSED,
        Outcome.MISMATCH,
        Outcome.OVERFLOW,
        Outcome.OVERSIZED,
        Outcome.CHECKSUM,
    )
)
_CHANGED = frozenset((Outcome.APPLIED, Outcome.RESET, Outcome.REPLACED, Outcome.MERGED))
