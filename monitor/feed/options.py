"""What the feed needs to know about one venue's settings, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from monitor.events import Command, Event
from monitor.venues.base import Credentials

MAX_REST_BODY_BYTES = 32 << 20  # the largest known answer (all instruments of a venue) is under 6 MB
REST_CONCURRENCY = (
    3  # requests of one venue on the wire at once: enough to hide round trips, few enough to stop in time
)


@dataclass(frozen=True, slots=True)
class VenueOptions:
    """Settings of one `[venues.*]` table.

    symbols: as the venue spells them. ws_origin, rest_origin: replace scheme, host and port (contract); None: the venue's own.
    rest_budget_ratio: our share of the venue's REST weight. lag_bound_seconds: lag beyond which books are unreadable (read by the hub).
    credentials: a read-only key for requests that are signed; it goes no further than `monitor.feed.rest`.
    proxy: address of an HTTP proxy for sockets and REST; None: none, whatever the environment says.
    """

    symbols: tuple[str, ...]
    ws_origin: str | None = None
    rest_origin: str | None = None
    rest_budget_ratio: float = 0.3
    lag_bound_seconds: float = 5.0
    credentials: Credentials | None = field(default=None, repr=False)
    proxy: str | None = None
    rest_concurrency: int = REST_CONCURRENCY
    rest_timeout_seconds: float = 15.0
    rest_max_body_bytes: int = MAX_REST_BODY_BYTES
    connect_timeout_seconds: float = 10.0
    close_timeout_seconds: float = 1.0
    refresh_seconds: float = 3600.0  # instruments are listed again this often

    def __post_init__(self) -> None:
        if not 0 < self.rest_budget_ratio <= 1:
            raise ValueError("rest_budget_ratio is a share: above 0, at most 1")
        if not 1 <= self.rest_concurrency <= 4:
            raise ValueError("rest_concurrency is 1 to 4")


class FeedSink(Protocol):
    """Who takes the events: the hub. All calls come from one event loop, one at a time, and must not block."""

    def on_event(self, event: Event) -> Sequence[Command]:
        """Everything but frames. The commands are executed in order, in the same step."""

    def on_frame(self, venue: str, connection: int, data: bytes, at: int) -> Sequence[Command]:
        """The hot path: one frame, in the step in which it came off the socket. Returns a shared empty tuple when nothing is to be done."""

    def on_tick(self, at: int) -> Sequence[Command]:
        """Once a second, also when no frame comes (silence is noticed by time alone).

        To replay equal, a hub runs its timers on whole seconds of event time: before any event at `at`, and here, it catches up to `at`.
        """
