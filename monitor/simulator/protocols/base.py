"""What every simulated venue's front shares: sessions, replies, the frame header, request counters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from monitor.facts import Channel
from monitor.simulator.source import RestReply

SECOND = 1_000_000_000


@dataclass(slots=True)
class Session:
    """One socket as the venue sees it. `route` and `mode` come from its address; `topics` in subscription order."""

    number: int
    route: str
    mode: str
    opened_at: int
    topics: dict[str, None] = field(default_factory=dict)
    messages: deque[int] = field(default_factory=deque)  # receive times of client messages within the rate window
    last_active: int = 0  # when the client or a topic last moved, ns


@dataclass(slots=True)
class Answer:
    """What a client message leads to, in this order: texts, then openings of the new topics. `close` ends the socket."""

    texts: list[str] = field(default_factory=list)
    subscribed: list[str] = field(default_factory=list)
    unsubscribed: list[str] = field(default_factory=list)
    close: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class Treatment:
    """How a fault wants one subscription treated."""

    refuse: bool = False
    no_ack: bool = False


FAIR = Treatment()


class WeightWindow:
    """Request weight within a sliding window."""

    def __init__(self, allowed: int, seconds: float) -> None:
        self.allowed, self._span = allowed, int(seconds * SECOND)
        self._spent: deque[tuple[int, int]] = deque()
        self.used = 0

    def spend(self, weight: int, now: int) -> bool:
        """Count a request; False when it goes beyond the limit (it counts all the same)."""
        while self._spent and self._spent[0][0] <= now - self._span:
            self.used -= self._spent.popleft()[1]
        self._spent.append((now, weight))
        self.used += weight
        return self.used <= self.allowed


class Front(ABC):
    """A venue's manners: addresses, control frames, limits. One instance per simulated venue; `now` is real time in ns."""

    venue: ClassVar[str]
    server_ping_seconds: ClassVar[float | None] = None
    idle_close_seconds: ClassVar[float | None] = None

    def __init__(self, knows: Callable[[str], bool], treat: Callable[[str], Treatment] = lambda _: FAIR) -> None:
        self.knows, self.treat = knows, treat

    @abstractmethod
    def open(self, path: str, query: Mapping[str, str], number: int, now: int) -> Session | None:
        """The session of a socket opened at this address, with the topics its address names; None: no such address."""

    @abstractmethod
    def receive(self, session: Session, text: str, now: int) -> Answer:
        """Answer a client's text frame."""

    @abstractmethod
    def describe(self, key: str) -> tuple[Channel, str]:
        """(channel, symbol) of a topic key; the symbol is "" for topics of the whole venue."""

    def envelope(self, session: Session, key: str, data: bytes) -> bytes:
        return data

    def envelope_kind(self, session: Session) -> str:
        """Sessions of one kind get the same bytes for the same frame."""
        return ""

    @abstractmethod
    def limit(self, path: str, query: Mapping[str, str], now: int) -> RestReply | None:
        """Count a REST request; the refusal when it is beyond the venue's limits."""

    def dress(self, reply: RestReply) -> RestReply:
        """Add the headers the venue sends with every reply."""
        return reply

    @abstractmethod
    def rest_error(self, status: int, retry_after: int | None) -> RestReply:
        """The venue's own form of a 429, 418, 403, 451 or 503."""

    @abstractmethod
    def not_found(self, path: str) -> RestReply: ...
