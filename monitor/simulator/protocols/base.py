"""What every simulated venue's front shares: sessions, replies, request counters. The guide to a new one is in `registry.py`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from monitor.facts import Channel
from monitor.simulator.source import RestReply

SECOND = 1_000_000_000

Encoding = Literal[
    "text", "binary", "gzip"
]  # text: a text frame; binary: the same bytes in a binary frame; gzip: a gzip member in one


@dataclass(slots=True)
class Session:
    """One socket as the venue sees it. `route` and `mode` come from its address; `topics` in subscription order.

    numbered: frames sent so far, for fronts that number them. memory: whatever else the front wants to remember of this socket.
    """

    number: int
    route: str
    mode: str
    opened_at: int
    topics: dict[str, None] = field(default_factory=dict)
    messages: deque[int] = field(default_factory=deque)  # receive times of client messages within the rate window
    last_active: int = 0  # when the client or a topic last moved, ns
    numbered: int = 0
    memory: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Answer:
    """What a client message leads to, in this order: texts, then openings of the new topics. `close` ends the socket.

    A topic in `subscribed` that the socket already has gets its opening again.
    """

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
    """A venue's manners: addresses, control frames, limits. One instance per simulated venue; `now` is real time in ns.

    `query` holds an address's query; of a POST of a JSON object also its top-level members (scalars as text, others as JSON text);
    and the request headers named in `reads_headers`, lower case.

    snapshot_paths: REST addresses that give a book (faults aimed at the channel `book` strike them).
    numbers: frames of a connection are numbered through: `number` is then called for each, and else never.
    """

    venue: ClassVar[str]
    server_ping_seconds: ClassVar[float | None] = None  # protocol pings by the venue
    idle_close_seconds: ClassVar[float | None] = None  # a socket on which neither side said anything for so long is cut
    snapshot_paths: ClassVar[tuple[str, ...]] = ()
    reads_headers: ClassVar[tuple[str, ...]] = ()
    numbers: ClassVar[bool] = False

    def __init__(self, knows: Callable[[str], bool], treat: Callable[[str], Treatment] = lambda _: FAIR) -> None:
        self.knows, self.treat = knows, treat

    # -- sockets
    @abstractmethod
    def open(self, path: str, query: Mapping[str, str], number: int, now: int) -> Session | RestReply | None:
        """The session of a socket opened at this address, with the topics its address names; None: no such address.

        A RestReply refuses the handshake (a token that is missing or spent).
        """

    def welcome(self, session: Session) -> list[str]:
        """What the venue says first on a new socket."""
        return []

    @abstractmethod
    def receive(self, session: Session, text: str, now: int) -> Answer:
        """Answer a client's text frame."""

    def tick(self, session: Session, now: int) -> Answer | None:
        """What the venue does by itself as time passes: pings in its own words, heartbeats, closing. Asked every 50 ms or so."""
        return None

    def shutdown_notice(self, session: Session) -> str | None:
        """What the venue says before it cuts a connection; None: it says nothing."""
        return None

    @abstractmethod
    def describe(self, key: str) -> tuple[Channel, str]:
        """(channel, symbol) of a topic key; the symbol is "" for topics of the whole venue."""

    def served(self, session: Session, key: str) -> bool:
        """Whether this socket carries a topic it subscribed: False where the venue acknowledges and stays silent."""
        return True

    # -- the frame on its way to one socket: envelope, then number, then encoding
    def envelope(self, session: Session, key: str, data: bytes) -> bytes:
        """The writer's frame as this socket gets it."""
        return data

    def envelope_kind(self, session: Session) -> str:
        """Sessions of one kind get the same bytes for the same frame, before numbering."""
        return ""

    def number(self, session: Session, data: bytes) -> bytes:
        """The next frame with its number on this connection (count in `session.numbered`). Called for whatever is sent, acks too,
        and also for a frame that a fault then loses; a frame sent twice keeps its number."""
        return data

    def encoding(self, session: Session) -> Encoding:
        """How frames to the client are wrapped; what the client sends is always text."""
        return "text"

    # -- REST
    @abstractmethod
    def limit(self, path: str, query: Mapping[str, str], now: int) -> RestReply | None:
        """Count a REST request; the refusal when it is beyond the venue's limits."""

    def symbol_of(self, path: str, query: Mapping[str, str]) -> str:
        """The market a REST request is about; "": none or several."""
        return query.get("symbol", "")

    def seed_request(self, symbol: str) -> tuple[str, dict[str, str]] | None:
        """(path, query) of the snapshot that seeds a book; None where the stream seeds it."""
        return None

    def dress(self, reply: RestReply) -> RestReply:
        """Add the headers the venue sends with every reply."""
        return reply

    @abstractmethod
    def rest_error(self, status: int, retry_after: int | None) -> RestReply:
        """The venue's own form of a 429, 418, 403, 451 or 503."""

    @abstractmethod
    def not_found(self, path: str) -> RestReply: ...
