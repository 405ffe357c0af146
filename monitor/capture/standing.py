"""The state that a recording file begun in the middle of a run has to repeat."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from monitor.capture.aliases import learn
from monitor.capture.format import StateEvent
from monitor.events import Connected, Disconnected, InstrumentsListed, VenueHalted
from monitor.feed.aliases import Aliases
from monitor.venues.base import Venue


def registered() -> Mapping[str, Venue]:
    """Every venue there is."""
    from monitor.venues.registry import VENUES  # noqa: PLC0415 - so that writing and tests need no venue module

    return VENUES


class Standing:
    """What holds now: the listing of each venue, its open connections, its halt. Enough to begin a file that stands alone.

    An open connection is repeated with what the venue called its subscriptions, where frames carry that: the acknowledgements
    that said so stand in an earlier file.
    """

    def __init__(self, venues: Callable[[], Mapping[str, Venue]] = registered) -> None:
        self._venues = venues
        self._listed: dict[str, InstrumentsListed] = {}
        self._connected: dict[tuple[str, int], Connected] = {}
        self._aliases: dict[tuple[str, int], tuple[Venue, Aliases]] = {}
        self._halted: dict[str, VenueHalted] = {}

    def update(self, event: StateEvent) -> None:
        match event:
            case InstrumentsListed():
                self._listed[event.venue] = event
            case Connected():
                self._open(event)
                self._halted.pop(event.venue, None)
            case Disconnected():
                self._connected.pop((event.venue, event.connection), None)
                self._aliases.pop((event.venue, event.connection), None)
            case VenueHalted():
                self._halted[event.venue] = event
            case _:
                pass

    def frame(self, venue: str, connection: int, data: bytes) -> None:
        """A frame of an open connection: one that names a subscription is remembered."""
        aliased = self._aliases.get((venue, connection))
        if aliased is not None:
            learn(*aliased, data)

    def events(self, at: int) -> Iterator[InstrumentsListed | Connected | VenueHalted]:
        yield from (replace(listed, at=at) for listed in self._listed.values())
        yield from (replace(self._as_it_stands(connected), at=at) for connected in self._connected.values())
        yield from (replace(halted, at=at) for halted in self._halted.values())

    def _open(self, event: Connected) -> None:
        which = event.venue, event.connection
        self._connected[which] = event
        self._aliases.pop(which, None)
        venue = self._venues().get(event.venue)
        if venue is not None and venue.aliased:
            self._aliases[which] = venue, Aliases()

    def _as_it_stands(self, event: Connected) -> Connected:
        aliased = self._aliases.get((event.venue, event.connection))
        if aliased is None:
            return event
        alias_of = aliased[1].alias_of
        topics = tuple(replace(topic, alias=alias_of.get(topic.key, "")) for topic in event.plan.topics)
        return replace(event, plan=replace(event.plan, topics=topics))
