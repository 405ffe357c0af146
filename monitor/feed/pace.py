"""How fast frames go out on one connection: the venue's messages a second, and the rest it wants between subscriptions."""

from __future__ import annotations

from monitor.clock import MILLISECOND, SECOND
from monitor.feed.window import SpendWindow
from monitor.venues.base import Limits

PACE_WINDOW = 1250 * MILLISECOND  # the venue's second, stretched: frames bunch on the way
KEPT_FOR_PINGS = 1  # of the frames in that window, for pings, pongs and answers


class Pace(SpendWindow):
    """Whoever sends on the connection spends here. Times must not step back."""

    __slots__ = ("_kept", "_next_at", "_spacing")

    def __init__(self, limits: Limits) -> None:
        slow = max(1.0, 1.0 / limits.frames_per_second)  # venues that allow less than one frame a second
        super().__init__(max(1, int(limits.frames_per_second * slow)), int(PACE_WINDOW * slow))
        self._kept = min(KEPT_FOR_PINGS, self.limit - 1)
        self._spacing = int(limits.frame_spacing_seconds * SECOND)
        self._next_at = 0

    def takes_subscription(self, at: int) -> bool:
        """Whether a frame that subscribes or unsubscribes may go now."""
        return at >= self._next_at and self.used(at) + self._kept < self.limit

    def spend_subscription(self, at: int) -> None:
        self.spend(at)
        self._next_at = at + self._spacing
