"""What happens to the hub, in the order it happened: exactly what a recording holds. And what the hub asks for in return.

Every `at` is receive time (ns, monotone). A live run and a replay hand the same events to the same hub.
"""

from __future__ import annotations

from dataclasses import dataclass

from monitor.facts import Instrument
from monitor.venues.base import ConnectionPlan, RestRequest


@dataclass(frozen=True, slots=True)
class InstrumentsListed:
    """The markets to run on a venue (already resolved against settings), with the venue's listing facts."""

    at: int
    venue: str
    instruments: tuple[Instrument, ...]
    refused: tuple[tuple[str, str], ...] = ()  # (symbol, reason)


@dataclass(frozen=True, slots=True)
class Connected:
    at: int
    venue: str
    connection: int  # small index, unique within the venue while the process lives
    plan: ConnectionPlan


@dataclass(frozen=True, slots=True)
class FrameReceived:
    at: int
    venue: str
    connection: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Disconnected:
    at: int
    venue: str
    connection: int
    reason: str  # a short closed set: see monitor.feed.reasons


@dataclass(frozen=True, slots=True)
class RestReplied:
    """The answer to a snapshot, deep snapshot or poll. `error` set: the request failed for good in this attempt."""

    at: int
    venue: str
    request: RestRequest
    body: bytes
    error: str = ""


@dataclass(frozen=True, slots=True)
class VenueHalted:
    """The venue refuses this address (403, 418, 451) or is unreachable; `until` None: for this run."""

    at: int
    venue: str
    reason: str
    until: int | None


Event = InstrumentsListed | Connected | FrameReceived | Disconnected | RestReplied | VenueHalted


# -- what the hub asks the feed to do (ignored in a replay: its consequences are recorded)
@dataclass(frozen=True, slots=True)
class Send:
    venue: str
    connection: int
    text: str


@dataclass(frozen=True, slots=True)
class CloseConnection:
    venue: str
    connection: int
    reason: str


@dataclass(frozen=True, slots=True)
class OpenSuccessor:
    """Open a second connection with the plan of `connection`; it is closed once the successor carries its books."""

    venue: str
    connection: int
    reason: str


@dataclass(frozen=True, slots=True)
class Fetch:
    venue: str
    request: RestRequest


Command = Send | CloseConnection | OpenSuccessor | Fetch
