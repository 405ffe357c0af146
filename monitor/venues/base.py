"""What a venue is: data, and a few pure functions from frames to facts. No socket, no clock, no state.

The shared code (feed, hub, simulator checks, conformance tests) works on these types alone and names no venue.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import ClassVar, Literal
from urllib.parse import urlsplit, urlunsplit

from engines.wire.grammar import BookGrammar, Checksum, Crossing, SequenceRule, TradeGrammar
from monitor.facts import Channel, Coverage, Fact, Instrument, MarginTiers


@dataclass(frozen=True, slots=True)
class Topic:
    """One subscription. `key` is what its frames carry and what `Venue.frame_key` returns.

    first_seconds: the first frame comes within this time of the acknowledgement, however quiet the market (a snapshot); None: as
        `silence_seconds`. Venues that acknowledge what they do not serve are found out by it.
    facts_when: byte strings; a trade frame that holds one of them also goes through `Venue.parse` (prints that are liquidations).
    significant_figures: the stream's prices are rounded to so many figures, bids down and asks up: it is not the book, and only says
        what lies beyond the reach of the market's finer streams. None: the book itself.
    cadence_seconds: of a snapshot-only stream; the book is unreadable when its last frame is older than three times this.
    alias: what the venue called this subscription on this connection (a channel number), set by the session for `unsubscribe`.
    policy: how this very stream's book stays true, where that is not the venue's usual way (`Venue.book`).
    repeats_past: the first frame of trades after a subscription holds old ones, and nothing marks it: what is not newer than
        what was counted is dropped, and before anything was counted that whole frame.
    """

    key: str
    channel: Channel
    symbols: tuple[str, ...]  # () = every market of the venue
    silence_seconds: float | None = None  # longest silence that is normal; None = any
    book: BookGrammar | None = None
    trades: TradeGrammar | None = None
    window: int | None = None  # levels a side this very stream keeps, where it differs from the venue's usual one
    first_seconds: float | None = None
    facts_when: tuple[bytes, ...] = ()
    significant_figures: int | None = None
    cadence_seconds: float | None = None
    alias: str = ""
    policy: BookPolicy | None = None
    repeats_past: bool = False


@dataclass(frozen=True, slots=True)
class ConnectionPlan:
    """One socket: its address (the venue's own; origins are replaced later) and what is subscribed on it.

    encoding: gzip: every frame is a gzip member; it is inflated before anybody sees it (bound: Limits.max_frame_bytes).
    address: the venue hands the address out for each connection: ask this first, `Venue.address` reads the reply.
    """

    name: str
    url: str
    topics: tuple[Topic, ...]
    encoding: Literal["text", "gzip"] = "text"
    address: RestRequest | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """A read-only API key, for polls that are signed. Known to the feed's edge alone; neither shows when it is printed."""

    key: str = field(repr=False)
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class LiquidationRule:
    """How the venue counts where a position is liquidated (docs/liquidation-price.md).

    text: for people. taker_fee: the closing fee that its requirement holds; 0: it holds none.
    older_at_entry: its older pages value the margin at the entry price. from_account: it counts from the account's value at the mark.
    """

    text: str = "equity meets the requirement at the mark price; the general rule, no page of this venue says it"
    taker_fee: float = 0.0
    older_at_entry: bool = False
    from_account: bool = False


RestPurpose = Literal["instruments", "address", "snapshot", "deep", "poll", "history"]


@dataclass(frozen=True, slots=True)
class RestRequest:
    """One GET, or a POST of JSON where there is a `body`. `weight` in the venue's own units (see Limits.rest_weight)."""

    purpose: RestPurpose
    url: str
    weight: int
    symbol: str | None = None
    key: str = ""  # tells polls apart ("open_interest")
    body: str | None = None


@dataclass(frozen=True, slots=True)
class Poll:
    """A figure that has no stream: asked every `interval_seconds` when the budget allows.

    The request's purpose is `poll`, or `history`: the past, which can wait until the present has been asked for.
    """

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
    frame_spacing_seconds: float = 0.0  # least time between two frames that subscribe or unsubscribe, on one connection
    silence_seconds: float | None = (
        None  # a connection on which nothing at all came for so long is dead; None: by topics alone
    )
    # The venue answers a topic it does not know by closing the connection without a word: one that dies within this time of
    # a subscription died of it, and the topics asked in it are asked again apart. None: it says what it refuses.
    fatal_subscribe_seconds: float | None = None


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
    checksum: Checksum = ""
    crossing: Crossing = "lost"
    refresh_seconds: float | None = (
        None  # a book whose stream cannot show that nothing is missing is subscribed anew this often
    )
    # After a subscription changes may come before the whole book, for at most so long: they mean nothing and are no fault. None: the
    # whole book comes first.
    whole_within_seconds: float | None = None


# What a frame that is not data turns out to be.
@dataclass(frozen=True, slots=True)
class Acked:
    """Subscription confirmed. Either the request id (all its topics) or single topic keys.

    unsubscribed: the ack says it answers an unsubscribe (Binance's does not tell: there the request id decides).
    only: the ack lists what was taken; topics of the same request that are not among `keys` were silently dropped: refused.
        Without a request id the list is of everything the connection has.
    alias: from here on frames of the (one) topic carry this instead of its key, on this connection; with `unsubscribed` and no
        keys it names the topic that was left. Several keys: what it may have been asked for as, the likeliest first.
    in_order: it names neither its request nor a topic: it answers the oldest request of its kind (subscribe, unsubscribe) that
        the connection has not had an answer to.
    """

    request_id: int | None = None
    keys: tuple[str, ...] = ()
    unsubscribed: bool = False
    only: bool = False
    alias: str = ""
    in_order: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Subscription refused. `keys` empty: the whole request. `whole_batch`: the request's other topics are dead too and must be asked again.

    `keys` empty and `whole_batch`: no topic is at fault; every topic of the request that is not acked must be asked again.
    in_order: as in `Acked`; then `unsubscribed` says that it answers an unsubscribe.
    passing: the venue's own trouble, and nothing is wrong with what was asked: it is asked again soon, and again.
    """

    reason: str
    request_id: int | None = None
    keys: tuple[str, ...] = ()
    whole_batch: bool = False
    in_order: bool = False
    unsubscribed: bool = False
    passing: bool = False


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
    headers: ClassVar[Mapping[str, str]] = {}  # sent with every handshake and REST request
    sequenced: ClassVar[bool] = False  # frames of a connection are numbered through: see `connection_sequence`
    splits: ClassVar[bool] = False  # a frame may hold several topics: see `split`
    aliased: ClassVar[bool] = (
        False  # frames carry what the acknowledgement called their subscription: see `Acked.alias`
    )
    signed_tiers: ClassVar[bool] = False  # margin tiers are told to those with a key: see `signed_polls` and `sign`
    liquidation: ClassVar[LiquidationRule] = LiquidationRule()
    inverse_symbols: ClassVar[str | None] = (
        None  # matches symbols of inverse contracts, where the venue lists both kinds
    )
    unasked: ClassVar[tuple[str, ...]] = ()  # keys of cold topics that come on every connection by themselves

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

    def greeting(self, plan: ConnectionPlan) -> list[str]:
        """Frames to send first on a new connection, before any subscription (flags, heartbeats)."""
        return []

    def dated(self, text: str, at: int) -> str:
        """A frame of ours as it goes out at `at` (ns): with the time in it, where the venue wants one in each frame."""
        return text

    def address(self, plan: ConnectionPlan, body: bytes) -> str:
        """The socket's address out of the reply to `plan.address`. Raises FrameError."""
        raise NotImplementedError

    def connection_sequence(self, frame: bytes) -> int | None:
        """The frame's number on its connection, by a cheap look; None: this frame carries none. Only where `sequenced`.

        Each number is one above the last; a jump means a lost frame of any topic, so everything on the connection is lost; a
        number that is not newer is an old frame, which is dropped.
        """
        return None

    def split(self, frame: bytes) -> Sequence[bytes]:
        """The frame itself, or one frame for each of its topics. Only where `splits`. Raises FrameError."""
        return (frame,)

    @abstractmethod
    def subscribe(self, topics: Sequence[Topic], request_id: int) -> str: ...

    @abstractmethod
    def unsubscribe(self, topics: Sequence[Topic], request_id: int) -> str: ...

    @abstractmethod
    def control(self, frame: bytes) -> list[Control]:
        """What a frame without topic says. Raises FrameError when it is nothing the venue's page knows."""

    # -- captures
    def unlisted_contract_size(self, symbol: str) -> Decimal | None:
        """Instrument.contract_size of a market for which there are frames and no listing; None: no frame tells it."""
        return Decimal(1) if self.contract_types == ("spot",) else None

    # -- facts of the cold channels
    @abstractmethod
    def parse(self, topic: Topic, frame: bytes) -> list[Fact]:
        """Facts of a frame of a cold channel. Raises FrameError naming channel, market and reason."""

    # -- REST
    def snapshot_request(self, instrument: Instrument) -> RestRequest | None:
        """The snapshot that seeds the book; None where the stream seeds it."""
        return None

    def wide_request(self, instrument: Instrument) -> RestRequest | None:
        """A larger form of the snapshot that seeds the book, merged into it once it is live; None: the seed is the largest there is.

        For venues where weight grows with size: every book is soon readable, and their reach follows as the budget allows.
        """
        return None

    def deep_request(self, instrument: Instrument) -> RestRequest | None:
        return None

    def polls(self, instrument: Instrument) -> list[Poll]:
        """Figures of one market."""
        return []

    def signed_polls(self, instrument: Instrument) -> list[Poll]:
        """Figures of one market that take a key; asked only where the settings hold one. Their requests are recorded as they are here."""
        return []

    def needs_signature(self, request: RestRequest) -> bool:
        """Whether `request` is one of `signed_polls`."""
        return False

    def sign(self, request: RestRequest, credentials: Credentials, at: int) -> tuple[str, Mapping[str, str]]:
        """Address and headers with which the feed sends a signed request at `at` (ns). They go on the wire and nowhere else."""
        raise NotImplementedError

    def venue_polls(self, instruments: Sequence[Instrument]) -> list[Poll]:
        """Figures that one request brings for all markets, and the venue's own state. Facts about other markets are dropped."""
        return []

    def dated_request(self, request: RestRequest, at: int) -> RestRequest:
        """A poll as it goes out at `at` (ns): with the times of what is wanted, where the venue asks for them."""
        return request

    def parse_poll(self, request: RestRequest, body: bytes) -> list[Fact]:
        raise NotImplementedError

    def documented_tiers(self, instrument: Instrument) -> MarginTiers | None:
        """Margin tiers out of the venue's documentation, where it has no public endpoint for them; None: none known."""
        return None

    @abstractmethod
    def check_reply(self, request: RestRequest, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Raises RetryLater, VenueStopped, VenueError or FrameError for a reply that is not the asked thing. Header names are lower case."""


def replace_origin(url: str, origin: str | None) -> str:
    """`url` with scheme, host and port of `origin`; the path stays the venue's own (contract: ws_origin, rest_origin)."""
    if origin is None:
        return url
    ours, theirs = urlsplit(origin), urlsplit(url)
    return urlunsplit((ours.scheme, ours.netloc, theirs.path, theirs.query, ""))
