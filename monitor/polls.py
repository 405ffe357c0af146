"""When to ask for the figures that have no stream: each in its own cadence, a failed one again sooner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from monitor.clock import SECOND
from monitor.venues.base import Poll, RestRequest

# A figure asked for over REST, which waits while the budget is spent on snapshots; one asked for more seldom stands for three of its intervals.
POLLED_KEPT: Final = 300 * SECOND
INTERVALS_KEPT: Final = 3
# A failed poll of hours (margin tiers) is asked for again after this, doubling up to its own interval.
RETRY_FIRST: Final = 60 * SECOND


class Polls:
    """Polls of one market, or of one venue as a whole, told apart by their key."""

    def __init__(self, polls: Sequence[Poll] = ()) -> None:
        self._polls: dict[str, tuple[RestRequest, int]] = {}
        self._due: dict[str, int] = {}
        self._failures: dict[str, int] = {}
        self.change(polls)

    def change(self, polls: Sequence[Poll]) -> None:
        """The market was listed anew, or the venue has other markets: what was asked for lately is not asked for again."""
        self._polls = {poll.request.key: (poll.request, round(poll.interval_seconds * SECOND)) for poll in polls}
        self._due = {key: due for key, due in self._due.items() if key in self._polls}

    def hasten(self) -> None:
        """There is more to be told about than was asked for: everything is due at once."""
        self._due.clear()

    def due(self, at: int) -> list[RestRequest]:
        """What is to be asked now."""
        found = []
        for key, (request, interval) in self._polls.items():
            if at >= self._due.get(key, 0):
                self._due[key] = at + interval
                found.append(request)
        return found

    def answered(self, key: str, at: int) -> int | None:
        """An answer came that can be used; until when what it says stands. None: nobody asked for it here."""
        self._failures.pop(key, None)
        known = self._polls.get(key)
        return None if known is None else at + max(POLLED_KEPT, INTERVALS_KEPT * known[1])

    def failed(self, key: str, at: int) -> None:
        """No answer, or one that cannot be read."""
        if key not in self._polls:
            return
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        again = at + (RETRY_FIRST << min(failures - 1, 16))
        self._due[key] = min(self._due.get(key, again), again)
