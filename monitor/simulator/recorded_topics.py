"""Which topics a recorded frame belongs to: by the venue module's own reading, with the names a connection gave its subscriptions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from monitor.errors import FrameError
from monitor.events import Connected, Event, FrameReceived
from monitor.venues.base import Acked, Venue


class RecordedTopics:
    """Follows a recording from its beginning."""

    def __init__(self, venues: Mapping[str, Venue]) -> None:
        self._venues = venues
        self._aliases: dict[tuple[str, int], dict[str, str]] = {}
        self._planned: dict[tuple[str, int], set[str]] = {}

    def note(self, event: Event) -> None:
        """Connections: a new one has new names; one that stood when the file began brings its own."""
        if isinstance(event, Connected):
            named = {topic.alias: topic.key for topic in event.plan.topics if topic.alias}
            self._aliases[event.venue, event.connection] = named
            self._planned[event.venue, event.connection] = {topic.key for topic in event.plan.topics}

    def parts(self, event: FrameReceived) -> Iterator[tuple[str, bytes]]:
        """(topic key, frame) of each topic in a frame; none for control frames and what cannot be read."""
        venue = self._venues[event.venue]
        try:
            for part in venue.split(event.data) if venue.splits else (event.data,):
                key = self._key(venue, event.connection, part)
                if key is not None:
                    yield key, part
        except FrameError:
            return

    def _key(self, venue: Venue, connection: int, frame: bytes) -> str | None:
        quick = venue.frame_key(frame)
        key = venue.slow_frame_key(frame) if quick is None else quick.decode()
        aliases = self._aliases.setdefault((venue.name, connection), {})
        if key is None:
            for control in venue.control(frame):
                if isinstance(control, Acked) and control.alias and control.keys and not control.unsubscribed:
                    planned = self._planned.get((venue.name, connection), ())
                    aliases[control.alias] = next((k for k in control.keys if k in planned), control.keys[0])
            return None
        key = aliases.get(key, key)
        return None if venue.topic(key) is None else key
