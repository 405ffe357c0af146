"""What a recording holds: each event of `monitor.events` as one MCAP message, and back without loss.

Raw frames: one channel per (venue, connection), topic `frames/<venue>/<connection>`, the message data are the frame's bytes untouched.
Everything else: one JSON channel per kind, topic `events/<kind>`. Log time is the receive time of the event in ns; publish
time is the same, because a recorder publishes what it receives. The order of messages in the file is the order of events.

Two kinds exist only in recordings: `gap` (frames were not recorded) and `checkpoint` (the next messages repeat standing state so
that this file can be replayed without the file before it).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import orjson

from monitor.errors import RecordingError
from monitor.events import Connected, Disconnected, Event, InstrumentsListed, RestReplied, VenueHalted
from monitor.facts import Channel, Instrument
from monitor.venues.base import ConnectionPlan, RestRequest, Topic

PROFILE: Final = "undertow"  # the MCAP header's profile: what tells our files from other MCAP files
METADATA_NAME: Final = "undertow"
SCHEMA_VERSION: Final = 1  # raised when an older reader would misread a file
FRAME_ENCODING: Final = (
    "raw"  # venue frames: JSON mostly, also bare texts like "pong"; never touched, so never promised to be JSON
)
EVENT_ENCODING: Final = "json"

TopicOf = Callable[[str, str], Topic | None]  # (venue, key) -> topic; raises RecordingError for a venue nobody knows


@dataclass(frozen=True, slots=True)
class Gap:
    """Frames were received and not recorded (or recorded and damaged since). Books heal by their own sequence rules; sums do not."""

    at: int  # receive time of the first event after the gap
    since: int  # receive time of the first frame that is missing; 0: unknown
    frames: int  # 0: unknown
    bytes: int
    reason: str  # "writer behind" | "disk" | "damaged"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The next `count` messages repeat state that already stood in the recording before this file."""

    at: int
    count: int


Entry = Event | Gap | Checkpoint  # everything that can stand in a file, FrameReceived included
StateEvent = InstrumentsListed | Connected | Disconnected | RestReplied | VenueHalted | Gap | Checkpoint

KINDS: Final[dict[type, str]] = {
    InstrumentsListed: "instruments_listed",
    Connected: "connected",
    Disconnected: "disconnected",
    RestReplied: "rest_replied",
    VenueHalted: "venue_halted",
    Gap: "gap",
    Checkpoint: "checkpoint",
}


def frame_topic(venue: str, connection: int) -> str:
    return f"frames/{venue}/{connection}"


def event_topic(kind: str) -> str:
    return f"events/{kind}"


def event_schema(kind: str) -> tuple[str, bytes]:
    """Name and text of the JSON Schema of a kind: enough for MCAP tools to show the fields."""
    fields = {key: {"type": kinds} for key, kinds in _FIELDS[kind].items()}
    schema = {"type": "object", "properties": fields, "required": [key for key in fields if key not in _OPTIONAL]}
    return f"undertow.recording.{kind}.v{SCHEMA_VERSION}", orjson.dumps(schema)


_FIELDS: Final[dict[str, dict[str, Any]]] = {
    "instruments_listed": {"venue": "string", "instruments": "array", "refused": "array"},
    "connected": {
        "venue": "string",
        "connection": "integer",
        "name": "string",
        "url": "string",
        "topics": "array",
        "encoding": "string",
        "address": "object",
    },
    "disconnected": {"venue": "string", "connection": "integer", "reason": "string"},
    "rest_replied": {
        "venue": "string",
        "request": "object",
        "error": "string",
        "body": "string",
        "body_base64": "string",
    },
    "venue_halted": {"venue": "string", "reason": "string", "until": ["integer", "null"]},
    "gap": {"since": "integer", "frames": "integer", "bytes": "integer", "reason": "string"},
    "checkpoint": {"count": "integer"},
}
_OPTIONAL: Final = ("body", "body_base64", "encoding", "address")
# Of a topic, written where they say something; its grammars are the venue module's.
_TOPIC_FIELDS: Final[dict[str, Any]] = {
    "first_seconds": None,
    "significant_figures": None,
    "cadence_seconds": None,
    "alias": "",  # standing state only: what the venue called it, for frames of a connection whose beginning is not in this file
}


def encode(event: StateEvent) -> tuple[str, bytes]:
    """Kind and JSON body of an event that is not a frame. The time is the message's own."""
    kind = KINDS[type(event)]
    match event:
        case InstrumentsListed():
            body: dict[str, Any] = {
                "venue": event.venue,
                "instruments": [_instrument_fields(instrument) for instrument in event.instruments],
                "refused": event.refused,
            }
        case Connected():
            body = {
                "venue": event.venue,
                "connection": event.connection,
                "name": event.plan.name,
                "url": event.plan.url,
                "topics": [_topic_fields(topic) for topic in event.plan.topics],
            }
            if event.plan.encoding != "text":
                body["encoding"] = event.plan.encoding
            if event.plan.address is not None:
                body["address"] = _request_fields(event.plan.address)
        case RestReplied():
            body = {"venue": event.venue, "request": _request_fields(event.request), "error": event.error}
            try:
                body["body"] = event.body.decode()
            except UnicodeDecodeError:
                body["body_base64"] = base64.b64encode(event.body).decode()
        case _:
            body = {key: getattr(event, key) for key in _FIELDS[kind]}
    return kind, orjson.dumps(body)


def decode(kind: str, at: int, data: bytes, topic_of: TopicOf) -> StateEvent:
    """The event a JSON message stands for.

    Raises:
        RecordingError: the message is not what this version writes, or names a venue it does not know.
    """
    try:
        body = orjson.loads(data)
        return _DECODERS[kind](at, body, topic_of)
    except (ValueError, KeyError, TypeError, AttributeError, InvalidOperation) as error:
        raise RecordingError(
            f"a {kind} message of the recording cannot be read ({error!r}): use the Undertow version that wrote it"
        ) from error


def registry_topic(venue: str, key: str) -> Topic | None:
    """`Venue.topic` of the registered venue."""
    from monitor.venues.registry import VENUES  # noqa: PLC0415 - so that writing and tests need no venue module

    known = VENUES.get(venue)
    if known is None:
        raise RecordingError(f"the recording holds venue {venue!r}, which this version does not know: upgrade Undertow")
    return known.topic(key)


def _instrument_fields(instrument: Instrument) -> dict[str, Any]:
    fields = asdict(instrument)
    for name in _DECIMAL_FIELDS:
        fields[name] = str(fields[name])
    return fields


_DECIMAL_FIELDS: Final = ("tick_size", "lot_size", "contract_size")


def _instrument(fields: dict[str, Any]) -> Instrument:
    return Instrument(**(fields | {name: Decimal(fields[name]) for name in _DECIMAL_FIELDS}))


def _request_fields(request: RestRequest) -> dict[str, Any]:
    """A GET without its missing body: the fields of every recording since the first."""
    fields = asdict(request)
    if request.body is None:
        del fields["body"]
    return fields


def _topic_fields(topic: Topic) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "key": topic.key,
        "channel": topic.channel,
        "symbols": topic.symbols,
        "silence_seconds": topic.silence_seconds,
    }
    more = {name: getattr(topic, name) for name in _TOPIC_FIELDS}
    return fields | {name: value for name, value in more.items() if value != _TOPIC_FIELDS[name]}


def _topic(venue: str, fields: dict[str, Any], topic_of: TopicOf) -> Topic:
    symbols, silence = tuple(fields["symbols"]), fields["silence_seconds"]
    more = {name: fields.get(name, default) for name, default in _TOPIC_FIELDS.items()}
    known = topic_of(venue, fields["key"])
    if known is not None:
        return replace(known, symbols=symbols, silence_seconds=silence, **more)
    channel = Channel(fields["channel"])
    # A book or trade topic without its grammar cannot be scanned: its frames are known and not used.
    if channel in (Channel.BOOK, Channel.TRADES):
        channel = Channel.OTHER
    return Topic(key=fields["key"], channel=channel, symbols=symbols, silence_seconds=silence, **more)


def _instruments_listed(at: int, body: dict[str, Any], _: TopicOf) -> InstrumentsListed:
    refused = tuple((str(symbol), str(reason)) for symbol, reason in body["refused"])
    return InstrumentsListed(at, body["venue"], tuple(_instrument(fields) for fields in body["instruments"]), refused)


def _connected(at: int, body: dict[str, Any], topic_of: TopicOf) -> Connected:
    topics = tuple(_topic(body["venue"], fields, topic_of) for fields in body["topics"])
    address = body.get("address")
    plan = ConnectionPlan(
        name=body["name"],
        url=body["url"],
        topics=topics,
        encoding=body.get("encoding", "text"),
        address=None if address is None else RestRequest(**address),
    )
    return Connected(at, body["venue"], body["connection"], plan)


def _rest_replied(at: int, body: dict[str, Any], _: TopicOf) -> RestReplied:
    text = body.get("body")
    try:
        data = text.encode() if text is not None else base64.b64decode(body["body_base64"], validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
    return RestReplied(at, body["venue"], RestRequest(**body["request"]), data, body["error"])


_DECODERS: Final[dict[str, Callable[[int, dict[str, Any], TopicOf], StateEvent]]] = {
    "instruments_listed": _instruments_listed,
    "connected": _connected,
    "disconnected": lambda at, body, _: Disconnected(at, body["venue"], body["connection"], body["reason"]),
    "rest_replied": _rest_replied,
    "venue_halted": lambda at, body, _: VenueHalted(at, body["venue"], body["reason"], body["until"]),
    "gap": lambda at, body, _: Gap(at, body["since"], body["frames"], body["bytes"], body["reason"]),
    "checkpoint": lambda at, body, _: Checkpoint(at, body["count"]),
}
