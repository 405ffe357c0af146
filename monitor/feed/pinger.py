"""Application-layer pings: when one is due, and when its answer is overdue."""

from __future__ import annotations

from monitor.clock import SECOND
from monitor.venues.base import Ping

PINGS_MISSED = (
    3  # in a row, while data still flows: then the connection is given up all the same (Bybit: "2-3 missed pongs")
)


class Pinger:
    """A venue without a text ping (it pings by protocol frames, which the transport answers) is never due and never overdue."""

    __slots__ = ("_interval", "_missed", "_next", "_sent_at", "_text", "_timeout", "changes", "lost_since")

    def __init__(self, ping: Ping, opened_at: int) -> None:
        self._text = ping.text
        self._interval = int(ping.interval_seconds * SECOND)
        self._timeout = int(ping.pong_timeout_seconds * SECOND)
        self._next = opened_at + self._interval
        self._sent_at: int | None = None
        self._missed = 0
        self.lost_since: int | None = None  # sending time of the first ping that was not answered
        self.changes = 0

    def due(self, at: int) -> bool:
        return self._text is not None and self._sent_at is None and at >= self._next

    def sent(self, at: int) -> str:
        """The text to send; the answer is awaited from now."""
        self._sent_at = at
        self._next = at + self._interval
        return self._text or ""

    def pong(self) -> None:
        self._sent_at = None
        self._missed = 0
        if self.lost_since is not None:
            self.lost_since = None
            self.changes += 1

    def overdue(self, at: int, heard_at: int) -> bool:
        """Whether the connection is to be given up: no answer in time, and nothing else heard either, or no answer several times."""
        sent_at = self._sent_at
        if sent_at is None or at - sent_at <= self._timeout:
            return False
        self._sent_at = None
        self._missed += 1
        if self.lost_since is None:
            self.lost_since = sent_at
            self.changes += 1
        return heard_at <= sent_at or self._missed >= PINGS_MISSED
