"""What a venue is: data, and a few pure functions from frames to facts. No socket, no clock, no state.

The shared code (feed, hub, simulator checks, conformance tests) works on these types alone and names no venue.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Literal
from urllib.parse import urlsplit, urlunsplit

from engines.wire.grammar import BookGrammar, SequenceRule, TradeGrammar
from monitor.facts import Channel, Coverage, Fact, Instrument


@dataclass(frozen=True, slots=True)
class Topic:
    """One subscription. `key` is what its frames carry and what `Venue.frame_key` returns."""

    key: str
    channel: Channel
    symbols: tuple[str, ...]  # () = every market of the venue
    silence_seconds: float | None = None  # longest silence that is normal, also for the first frame; None = any
    book: BookGrammar | None = None
    trades: TradeGrammar | None = None
    window: int | None = None  # levels a side this very stream keeps, where it differs from the venue's usual one


@dataclass(frozen=True, slots=True)
class ConnectionPlan:
    """One socket: its address (the venue's own; origins are replaced later) and what is subscribed on it."""

    name: str
    url: str
    topics: tuple[Topic, ...]


RestPurpose = Literal["instruments", "snapshot", "deep", "poll"]


@dataclass(frozen=True, slots=True)
class RestRequest:
    """One GET. `weight` in the venue's own units (see Limits.rest_weight)."""

    purpose: RestPurpose
    url: str
    weight: int
    symbol: str | None = None
    key: str = ""  # tells polls apart ("open_interest")


@dataclass(frozen=True, slots=True)
class Poll:
    """A figure that has no stream: asked every `interval_seconds` when the budget allows."""

    request: RestRequest
    interval_seconds: float


@dataclass(frozen=True, slots=True)
class Ping:
    """How a connection is kept alive. `text`: sent as a text frame; None: the venue pings (websockets answers)."""

    text: str | None
    interval_seconds: float
    pong_timeout_seconds: float


@dataclass(frozen=True, slots=True)
class Limits:
    """The venue's bounds, each with its source on the venue's page."""

    connects: int  # new connections per address ...
    connects_window_seconds: float  # ... in this window
    topics_per_connection: int
    topics_per_frame: int
    frames_per_second: float  # client messages a second on one connection (pings and pongs included)
    operations_per_hour: int | None  # subscribe and unsubscribe frames an hour on one connection
    lifetime_seconds: float | None  # the venue cuts a connection at this age
    max_frame_bytes: int
    ack_timeout_seconds: float
    ping: Ping
    rest_weight: int  # weight allowed ...
    rest_window_seconds: float  # ... in this window
    used_weight_header: str | None = None
    args_characters_per_connection: int | None = (
        None  # length of all topic names on one connection, with their quotes and commas
    )


@dataclass(frozen=True, slots=True)
class BookPolicy:
    """How the venue's book stays true and how far it reaches.

    changes_at_any_price: the stream reports changes at any price, so levels beyond the snapshot are learned (`floor`).
    window: levels a side the stream keeps; a delete at its edge means "left the window". None: no window.
    deep_interval_seconds: cadence of the deep REST snapshot, None where the venue has none.
    """

    sequence: SequenceRule
    changes_at_any_price: bool
    window: int | None
    deep_interval_seconds: float | None = None
    snapshot_grammar: BookGrammar | None = None  # of the REST snapshot that seeds the book
    deep_grammar: BookGrammar | None = None
    snapshot_levels: int | None = None  # levels a side the seed asks for: a side with fewer is known completely
    deep_levels: int | None = None


# What a frame that is not data turns out to be.
@dataclass(frozen=True, slots=True)
class Acked:
    """Subscription confirmed. Either the request id (all its topics) or single topic keys.

    unsubscribed: the ack says it answers an unsubscribe (Binance's does not tell: there the request id decides).
    """

    request_id: int | None = None
    keys: tuple[str, ...] = ()
    unsubscribed: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Subscription refused. `keys` empty: the whole request. `whole_batch`: the request's other topics are dead too and must be asked again.

    `keys` empty and `whole_batch`: no topic is at fault; every topic of the request that is not acked must be asked again.
    """

    reason: str
    request_id: int | None = None
    keys: tuple[str, ...] = ()
    whole_batch: bool = False


@dataclass(frozen=True, slots=True)
class Pong:
    pass


@dataclass(frozen=True, slots=True)
class PingAsked:
    """The venue pings in the application layer; `reply` goes back as it is."""

    reply: str


@dataclass(frozen=True, slots=True)
class ShutdownAnnounced:
    """The venue will cut this connection: open another, move over, close this one."""

    text: str


@dataclass(frozen=True, slots=True)
class ErrorSaid:
    """An error frame that names no subscription."""

    text: str


Control = Acked | Refused | Pong | PingAsked | ShutdownAnnounced | ErrorSaid


class Venue(ABC):
    """One venue. Instances hold no state; one per venue lives in `monitor.venues.registry`."""

    name: ClassVar[str]
    title: ClassVar[str]
    checked: ClassVar[date]  # when the facts of its page were last checked
    contract_types: ClassVar[tuple[str, ...]]
    limits: ClassVar[Limits]
    book: ClassVar[BookPolicy]
    liquidation_coverage: ClassVar[Coverage]
    verification: ClassVar[str]  # how a book is verified, for people ("sequence pu = u, REST snapshot")
    symbol_pattern: ClassVar[str]  # regular expression a configured symbol must match
    symbol_example: ClassVar[str]

    # -- instruments
    @abstractmethod
    def instrument_requests(self, symbols: Sequence[str]) -> list[RestRequest]: ...

    @abstractmethod
    def parse_instruments(self, request: RestRequest, body: bytes) -> tuple[list[Instrument], RestRequest | None]:
        """Instruments of one page, and the request of the next page. Raises FrameError."""

    # -- sockets
    @abstractmethod
    def connections(self, instruments: Sequence[Instrument]) -> list[ConnectionPlan]:
        """Every socket and topic these markets need, within `limits`."""

    @abstractmethod
    def topic(self, key: str) -> Topic | None:
        """The topic a key stands for (also keys that `connections` never asks for but captures hold); None: unknown."""

    @abstractmethod
    def frame_key(self, frame: bytes) -> bytes | None:
        """The topic key of a data frame by a cheap look at its head; None: not a data frame, or not to be told cheaply."""

    @abstractmethod
    def slow_frame_key(self, frame: bytes) -> str | None:
        """The topic key by parsing the frame whole; None: a control frame. Raises FrameError when it is not JSON."""

    @abstractmethod
    def subscribe(self, topics: Sequence[Topic], request_id: int) -> str: ...

    @abstractmethod
    def unsubscribe(self, topics: Sequence[Topic], request_id: int) -> str: ...

    @abstractmethod
    def control(self, frame: bytes) -> list[Control]:
        """What a frame without topic says. Raises FrameError when it is nothing the venue's page knows."""

    # -- facts of the cold channels
    @abstractmethod
    def parse(self, topic: Topic, frame: bytes) -> list[Fact]:
        """Facts of a frame of a cold channel. Raises FrameError naming channel, market and reason."""

    # -- REST
    def snapshot_request(self, instrument: Instrument) -> RestRequest | None:
        """The snapshot that seeds the book; None where the stream seeds it."""
        return None

    def deep_request(self, instrument: Instrument) -> RestRequest | None:
        return None

    def polls(self, instrument: Instrument) -> list[Poll]:
        return []

    def parse_poll(self, request: RestRequest, body: bytes) -> list[Fact]:
        raise NotImplementedError

    @abstractmethod
    def check_reply(self, request: RestRequest, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Raises RetryLater, VenueStopped, VenueError or FrameError for a reply that is not the asked thing. Header names are lower case."""


def replace_origin(url: str, origin: str | None) -> str:
    """`url` with scheme, host and port of `origin`; the path stays the venue's own (contract: ws_origin, rest_origin)."""
    if origin is None:
        return url
    ours, theirs = urlsplit(origin), urlsplit(url)
    return urlunsplit((ours.scheme, ours.netloc, theirs.path, theirs.query, ""))
