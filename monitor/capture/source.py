"""Recordings as what the simulated venues play: `undertow simulate --recording`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from monitor.capture.recording_set import RecordingSet
from monitor.simulator.recording_source import RecordingSource, listed_instruments, recorded
from monitor.venues.registry import VENUES


def open_source(paths: Sequence[Path | str], *, speed: float = 1.0) -> RecordingSource:
    """The simulator's frame source over recording files or folders. They are read three times in all: what was listed, what
    topics there are, and once more, chunk by chunk, during the playback.

    Raises:
        RecordingError: a file cannot be read, or there is no frame to serve.
    """
    recordings = RecordingSet.open(paths)
    return RecordingSource(
        lambda: recorded(recordings.events(), VENUES), listed_instruments(recordings.events()), speed=speed
    )
