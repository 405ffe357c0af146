"""Several recording files as one: the parts of a run join, what does not join is said so to the hub."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, Self

from monitor.capture.format import Checkpoint, Gap, TopicOf, registry_topic
from monitor.capture.reader import OnGap, Recording
from monitor.errors import RecordingError
from monitor.events import Connected, Disconnected, Event, FrameReceived

LOST_CONNECTION: Final = "recording_gap"  # reason of the Disconnected put in where two files do not join
MAX_OVERLAP_NS: Final = (
    60 * 1_000_000_000
)  # a restarted service may begin with a clock set back; more is another recorder's file


class RecordingSet:
    """Recordings one after the other, in the order of their first events.

    Parts of one run join without a gap: the standing state that a later part repeats is left out. Where two files do not join
    (another run, a part missing) every connection still open is ended with reason `recording_gap` before the next file begins.
    """

    def __init__(self, recordings: Sequence[Recording], *, notices: Sequence[str] = ()) -> None:
        if not recordings:
            raise RecordingError("no recording given: name a .mcap file or a directory that holds some")
        self.recordings = tuple(sorted(recordings, key=lambda r: (r.start, r.metadata.run, r.metadata.part)))
        self._notices = tuple(notices)
        for before, after in pairwise(self.recordings):
            if after.start < before.end - MAX_OVERLAP_NS:
                raise RecordingError(
                    f"{before.path} and {after.path} overlap in time: replay the files of one instance at a time"
                )

    @classmethod
    def open(cls, paths: Sequence[Path | str], *, topic_of: TopicOf = registry_topic) -> Self:
        """Files, or directories: then all of their `*.mcap` that can be read, the others in `notices`. Raises RecordingError."""
        recordings: list[Recording] = []
        notices: list[str] = []
        for path in map(Path, paths):
            if not path.is_dir():
                recordings.append(Recording(path, topic_of=topic_of))
                continue
            files = sorted(path.glob("*.mcap"))
            if not files:
                raise RecordingError(f"{path} holds no .mcap file: nothing was recorded there")
            for file in files:
                # A recorder killed within its first second leaves a file without a chunk; it must not cost the others.
                try:
                    recordings.append(Recording(file, topic_of=topic_of))
                except RecordingError as error:
                    notices.append(f"left out: {error}")
        if not recordings and notices:
            raise RecordingError(notices[0].removeprefix("left out: "))
        return cls(recordings, notices=notices)

    @property
    def start(self) -> int:
        return min(recording.start for recording in self.recordings)

    @property
    def end(self) -> int:
        return max(recording.end for recording in self.recordings)

    @property
    def message_count(self) -> int:
        return sum(recording.message_count for recording in self.recordings)

    @property
    def size(self) -> int:
        return sum(recording.size for recording in self.recordings)

    @property
    def notices(self) -> tuple[str, ...]:
        """What is missing, one sentence each; grows when iteration meets a damaged chunk."""
        return self._notices + tuple(notice for recording in self.recordings for notice in recording.notices)

    def events(self, *, on_gap: OnGap | None = None, progress: Callable[[int], None] | None = None) -> Iterator[Event]:
        """All events in order; `progress` gets bytes done over all files."""
        live: dict[tuple[str, int], None] = {}
        before: Recording | None = None
        done = 0
        for recording in self.recordings:
            joined = before is not None and recording.joins == (before.joins[0], before.joins[1] + 1)
            if before is not None and not joined:
                for venue, connection in live:
                    yield Disconnected(recording.start, venue, connection, LOST_CONNECTION)
                live.clear()
            skip = 0
            report = None if progress is None else _offset(progress, done)
            for entry in recording.entries(progress=report):
                if type(entry) is FrameReceived:
                    yield entry
                elif isinstance(entry, Checkpoint):
                    skip = entry.count if joined else 0
                elif skip:
                    skip -= 1
                elif isinstance(entry, Gap):
                    if on_gap is not None:
                        on_gap(entry)
                else:
                    if isinstance(entry, Connected):
                        live[entry.venue, entry.connection] = None
                    elif isinstance(entry, Disconnected):
                        live.pop((entry.venue, entry.connection), None)
                    yield entry
            done += recording.size
            before = recording


def _offset(progress: Callable[[int], None], done: int) -> Callable[[int], None]:
    return lambda size: progress(done + size)
