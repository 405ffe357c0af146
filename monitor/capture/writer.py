"""One recording file being written: events in, MCAP out. The recorder and the importers share it."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Final

from monitor.capture.container import CHUNK_BYTES, Container, Opener, exclusive
from monitor.capture.format import (
    EVENT_ENCODING,
    FRAME_ENCODING,
    METADATA_NAME,
    PROFILE,
    SCHEMA_VERSION,
    StateEvent,
    encode,
    event_schema,
    event_topic,
    frame_topic,
)
from monitor.events import Event, FrameReceived

DISTRIBUTION: Final = "undertow"


class RecordingWriter:
    """Collects into chunks; the caller says when to `flush`. Raises OSError from the file.

    created: receive time of the first event, ns. Files of one `run` with consecutive `part` join without a gap.
    """

    def __init__(
        self, path: Path, *, instance: str, run: str, part: int, created: int, opener: Opener = exclusive
    ) -> None:
        metadata = {
            "version": version(DISTRIBUTION),
            "instance": instance,
            "schema": str(SCHEMA_VERSION),
            "created": str(created),
            "run": run,
            "part": str(part),
        }
        self.container = Container(path, profile=PROFILE, metadata_name=METADATA_NAME, metadata=metadata, opener=opener)
        self._frames: dict[tuple[str, int], int] = {}
        self._events: dict[str, int] = {}

    def frame(self, venue: str, connection: int, data: bytes, at: int) -> None:
        channel = self._frames.get((venue, connection))
        if channel is None:
            labels = {"venue": venue, "connection": str(connection)}
            channel = self.container.channel(frame_topic(venue, connection), FRAME_ENCODING, metadata=labels)
            self._frames[venue, connection] = channel
        self.container.message(channel, at, data)

    def event(self, event: StateEvent) -> None:
        kind, data = encode(event)
        channel = self._events.get(kind)
        if channel is None:
            channel = self.container.channel(event_topic(kind), EVENT_ENCODING, schema=event_schema(kind))
            self._events[kind] = channel
        self.container.message(channel, event.at, data)

    def write(self, event: Event) -> None:
        """Any event, flushed by full chunks: for files written in one go."""
        if isinstance(event, FrameReceived):
            self.frame(event.venue, event.connection, event.data, event.at)
        else:
            self.event(event)
        if self.container.pending_bytes >= CHUNK_BYTES:
            self.container.flush()
