"""Where a simulated venue's frames come from: a scenario, a recording, or a load generator. The servers know only this."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class OutFrame:
    """One data frame as the venue writes it, without the envelope that depends on the connection (Binance `stream`)."""

    venue: str
    key: str  # the topic key, as Venue.frame_key gives it
    data: bytes


@dataclass(frozen=True, slots=True)
class RestReply:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


class FrameSource(Protocol):
    """Elapsed time is ns of real time since the source started (a scenario's speed is the source's own business)."""

    @property
    def outages(self) -> frozenset[str]:
        """Venues that are unreachable now."""
        ...

    def knows(self, venue: str, key: str) -> bool:
        """Whether the venue has this topic."""
        ...

    def opening(self, venue: str, key: str) -> list[bytes]:
        """What a new subscriber gets right after the acknowledgement (snapshots)."""
        ...

    def rest(self, venue: str, path: str, query: Mapping[str, str]) -> RestReply | None:
        """The reply to a GET; None: no such address."""
        ...

    def next_due(self) -> int | None:
        """Elapsed time at which the next frames come; None: no more."""
        ...

    def advance(self, elapsed_ns: int) -> Iterable[OutFrame]:
        """Everything due up to this moment, in order."""
        ...

    def started_by(self, venue: str, key: str) -> None:
        """Somebody subscribed. A recording waits for the first subscriber, so that its first frames are not lost."""
        ...
