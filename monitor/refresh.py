"""Whose turn it is to be subscribed anew, on a venue whose stream cannot show that nothing is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from monitor.book_lane import BookLane
from monitor.clock import SECOND
from monitor.feed.subscription import Phase
from monitor.links import Link

# One at a time, but a new subscription that brings no book in this time (two recoveries) holds the others up no longer: theirs
# would go unchecked for as long as one market is in trouble.
RENEWAL_TIMEOUT: Final = 60 * SECOND
GIVEN_UP: Final = frozenset((Phase.REFUSED, Phase.UNANSWERED))


class RefreshTurn:
    """One venue's books, one after another and evenly over the interval: the one whose whole book is oldest goes next.

    Until the old subscription has ended its changes still come, so the book can be read until then, and again with the
    first frame of the new one.
    """

    def __init__(self, interval_seconds: float) -> None:
        self._interval = round(interval_seconds * SECOND)
        self._last: int | None = None  # when the last turn was
        self._going: tuple[Link, BookLane] | None = None  # whose turn it was, as long as its new book is waited for

    def step(self, books: Sequence[tuple[Link, BookLane]], at: int) -> tuple[Link, BookLane] | None:
        """Once a second: the book to subscribe anew now. `books`: those that are read, with their connections."""
        if not books or self._last is None:
            self._last, self._going = at if books else None, None
            return None
        if self._waits(books, self._last, at) or at - self._last < self._interval // len(books):
            return None
        ready = [(link, lane) for link, lane in books if lane.readable and not lane.recovery.need]
        ready = [(link, lane) for link, lane in ready if link.succeeded_at is None and not link.session.closing]
        if not ready:
            return None
        self._last = at
        self._going = min(ready, key=lambda book: book[1].whole_at)
        return self._going

    def _waits(self, books: Sequence[tuple[Link, BookLane]], since: int, at: int) -> bool:
        """Whether the new book asked for at `since` is still on its way."""
        if self._going is None:
            return False
        link, lane = self._going
        if (
            lane.whole_at >= since
            or at - since >= RENEWAL_TIMEOUT
            or link.session.phase(lane.topic.key) in GIVEN_UP
            or all(lane is not other for _, other in books)
        ):
            self._going = None
        return self._going is not None
