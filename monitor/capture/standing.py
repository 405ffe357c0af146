"""The state that a recording file begun in the middle of a run has to repeat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from monitor.capture.format import StateEvent
from monitor.events import Connected, Disconnected, InstrumentsListed, VenueHalted


class Standing:
    """What holds now: the listing of each venue, its open connections, its halt. Enough to begin a file that stands alone."""

    def __init__(self) -> None:
        self._listed: dict[str, InstrumentsListed] = {}
        self._connected: dict[tuple[str, int], Connected] = {}
        self._halted: dict[str, VenueHalted] = {}

    def update(self, event: StateEvent) -> None:
        match event:
            case InstrumentsListed():
                self._listed[event.venue] = event
            case Connected():
                self._connected[event.venue, event.connection] = event
                self._halted.pop(event.venue, None)
            case Disconnected():
                self._connected.pop((event.venue, event.connection), None)
            case VenueHalted():
                self._halted[event.venue] = event
            case _:
                pass

    def events(self, at: int) -> Iterator[InstrumentsListed | Connected | VenueHalted]:
        yield from (replace(listed, at=at) for listed in self._listed.values())
        yield from (replace(connected, at=at) for connected in self._connected.values())
        yield from (replace(halted, at=at) for halted in self._halted.values())
