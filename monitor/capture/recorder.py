"""Recording while the service runs: the loop only appends to a queue, a thread of its own writes.

What is promised: an event handed over is in the file after at most one second (FLUSH + POLL + the time a write takes), so that
kill -9 loses the last second at most; the chunk before is whole, because a chunk goes out in one write that is undone when it fails.
The medium itself is synced every SYNC_SECONDS and when a file is closed: a power cut may lose that much.
What is not promised: that a recording is complete. A writer that cannot keep up, or a full disk, leaves out frames and never slows
the service; each hole is counted and stands in the recording as a `gap`.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import structlog

from monitor.capture.container import CHUNK_BYTES, Opener, exclusive
from monitor.capture.format import Checkpoint, Gap, StateEvent
from monitor.capture.retention import MAX_SAME_SECOND, delete_oldest, file_name
from monitor.capture.standing import Standing, registered
from monitor.capture.writer import RecordingWriter
from monitor.errors import RecordingError
from monitor.events import Event, FrameReceived, RestReplied
from monitor.venues.base import Venue

GIB: Final = 1 << 30
POLL_SECONDS: Final = 0.2  # how often the writer looks at the queue
FLUSH_SECONDS: Final = 0.5  # oldest age of an event that is not in the file yet, when the writer looks
SYNC_SECONDS: Final = 5.0  # what a power cut may lose; an fsync each second would cost more than all else on slow disks
RETRY_SECONDS: Final = 30.0  # after a failed write: a full disk stays full for a while
ROTATE_BYTES: Final = (
    GIB // 2
)  # small enough that the cap is kept in steps, large enough that a day is a few dozen files
ROTATE_NS: Final = 6 * 3600 * 1_000_000_000
CAP_SHARE: Final = 8  # a file takes at most this part of the cap, so that deleting one leaves most of the past
CHUNKS_PER_FILE: Final = 4  # at least, so that a file of a very small cap is not far over its share
MAX_PENDING_BYTES: Final = (
    64 << 20
)  # waiting for the writer: half a second of disk stall at 100 MB/s; beyond it frames are left out
PENDING_OVERHEAD: Final = (
    192  # bytes of Python objects around a waiting frame, so that many tiny frames are bounded too
)
SLICE: Final = 256  # entries between two moments where the writer offers the interpreter to the loop

State = Literal["idle", "recording", "stopped", "closed"]
Frame = tuple[int, str, int, bytes]


@dataclass(frozen=True, slots=True)
class RecorderStats:
    """Counts since the start. `error`: why it is stopped, "" while it records."""

    state: State
    error: str
    path: Path | None
    events_written: int
    bytes_written: int  # on disk, compressed
    frames_dropped: int
    bytes_dropped: int
    files_opened: int
    files_deleted: int
    write_failures: int
    pending_bytes: int


class Recorder:
    """Writes what the hub is given into `directory`. One thread calls `frame` and `write` (the loop); any may read `stats`.

    on_rotate: called on the writer's thread after a new file was begun while others went before (use `call_soon_threadsafe`): books
        that a REST snapshot seeds can be asked for again, so that the new file alone has verified books soon.
    venues: those whose frames carry names that only an acknowledgement explains (`Venue.aliased`) are asked for them by name.
    """

    def __init__(
        self,
        directory: Path | str,
        max_total_gib: float,
        *,
        instance: str = "undertow-1",
        on_rotate: Callable[[], object] | None = None,
        rotate_bytes: int = ROTATE_BYTES,
        rotate_ns: int = ROTATE_NS,
        max_pending_bytes: int = MAX_PENDING_BYTES,
        retry_seconds: float = RETRY_SECONDS,
        opener: Opener = exclusive,
        venues: Callable[[], Mapping[str, Venue]] = registered,
    ) -> None:
        if not max_total_gib > 0:
            raise RecordingError(f"recording.max_total_gib is {max_total_gib}: give more than 0, or turn recording off")
        self.directory = Path(directory)
        self._cap = int(max_total_gib * GIB)
        self._instance = instance
        self._on_rotate = on_rotate
        self._rotate_bytes = min(rotate_bytes, max(1, self._cap // CAP_SHARE))
        self._rotate_ns = rotate_ns
        self._chunk_bytes = min(CHUNK_BYTES, max(1, self._rotate_bytes // CHUNKS_PER_FILE))
        self._max_pending = max_pending_bytes
        self._retry_seconds = retry_seconds
        self._opener = opener
        self._log = structlog.get_logger("recorder")

        # The loop's side. `_produced` is written by the loop only, `_consumed` by the writer only.
        self._queue: deque[Frame | StateEvent] = deque()
        self._append = self._queue.append
        self._produced = 0
        self._consumed = 0
        self._behind: Gap | None = None  # frames being left out because the writer is behind
        self._dropped_behind = (0, 0)

        # The writer's side.
        self._file: RecordingWriter | None = None
        self._standing = Standing(venues)
        self._run = ""
        self._part = 0
        self._file_start = 0
        self._last_at = 0
        self._oldest_pending: float | None = None
        self._last_sync = 0.0
        self._failed: Gap | None = None  # what is being left out because the file cannot be written
        self._retry_at = 0.0
        self._state: State = "idle"
        self._error = ""
        self._events_written = self._bytes_written = self._files_opened = 0
        self._files_deleted = self._write_failures = 0
        self._dropped_failed = (0, 0)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    # -- the loop's side
    def start(self) -> None:
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self._thread.start()

    def frame(self, venue: str, connection: int, data: bytes, at: int) -> None:
        """Record one raw frame. Never blocks, never raises; well under 2 us."""
        produced = self._produced + len(data) + PENDING_OVERHEAD
        if produced - self._consumed > self._max_pending:
            self._leave_out(at, len(data))
            return
        if self._behind is not None:
            self._end_leaving_out(at)
            produced += PENDING_OVERHEAD
        self._produced = produced
        self._append((at, venue, connection, data))

    def write(self, event: Event) -> None:
        """Record any event. State (listings, connects, disconnects, halts) is always taken; frames and REST bodies are bounded."""
        if isinstance(event, FrameReceived):
            self.frame(event.venue, event.connection, event.data, event.at)
            return
        size = PENDING_OVERHEAD
        if isinstance(event, RestReplied):
            size += len(event.body)
            if self._produced + size - self._consumed > self._max_pending:
                self._leave_out(event.at, len(event.body))
                return
        if self._behind is not None:
            self._end_leaving_out(event.at)
        self._produced += size
        self._append(event)

    def check(self) -> None:
        """Raises RecordingError when the directory cannot be written now (for commands that only record)."""
        probe = self.directory / f".undertow-{os.getpid()}"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise RecordingError(_trouble(self.directory, error)) from error

    def close(self) -> None:
        """Write what waits, finish the file. Blocks for as long as that takes: call it off the loop."""
        if self._behind is not None:
            self._end_leaving_out(self._behind.at)
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    @property
    def stats(self) -> RecorderStats:
        file = self._file
        return RecorderStats(
            state=self._state,
            error=self._error,
            path=file.container.path if file else None,
            events_written=self._events_written,
            bytes_written=self._bytes_written,
            frames_dropped=self._dropped_behind[0] + self._dropped_failed[0],
            bytes_dropped=self._dropped_behind[1] + self._dropped_failed[1],
            files_opened=self._files_opened,
            files_deleted=self._files_deleted,
            write_failures=self._write_failures,
            pending_bytes=self._produced - self._consumed,
        )

    def _leave_out(self, at: int, size: int) -> None:
        gap = self._behind or Gap(at=at, since=at, frames=0, bytes=0, reason="writer behind")
        self._behind = replace(gap, at=at, frames=gap.frames + 1, bytes=gap.bytes + size)
        self._dropped_behind = (self._dropped_behind[0] + 1, self._dropped_behind[1] + size)

    def _end_leaving_out(self, at: int) -> None:
        assert self._behind is not None
        self._append(replace(self._behind, at=at))
        self._produced += PENDING_OVERHEAD
        self._behind = None

    # -- the writer's side
    def _work(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            self._round()
        self._round()
        while self._queue:  # a failed write ends a round early
            self._round()
        if self._file is not None:
            try:
                self._finish()
            except OSError as error:
                self._fail(_trouble(self.directory, error))
        self._file = None
        self._state = "closed"

    def _round(self) -> None:
        try:
            self._drain()
            self._flush_when_due()
        except OSError as error:
            self._fail(_trouble(self.directory, error))
        except Exception as error:  # the thread must outlive its own mistakes: the queue has to be emptied
            self._log.exception("recorder_failed")
            with suppress(OSError):
                if self._file is not None:
                    self._flush()
            self._fail(f"recording failed inside ({error!r}); please report it; recording resumes by itself")

    def _drain(self) -> None:
        queue = self._queue
        remaining = len(queue)
        while remaining:
            batch = min(remaining, SLICE)
            remaining -= batch
            for _ in range(batch):
                self._take(queue.popleft())
            # Python threads otherwise hold the interpreter for 5 ms at a time: a frame must not wait that long for the recorder.
            time.sleep(0)

    def _flush_when_due(self) -> None:
        if self._file is None:
            return
        container = self._file.container
        now = time.monotonic()
        if self._oldest_pending is not None and now - self._oldest_pending >= FLUSH_SECONDS - POLL_SECONDS:
            self._flush()
            self._rotate_when_due()
        elif now - self._last_sync >= SYNC_SECONDS:
            container.sync()
            self._last_sync = now

    def _take(self, entry: Frame | StateEvent) -> None:
        if isinstance(entry, tuple):
            at, size, lossy = entry[0], len(entry[3]), True
        else:
            lossy = isinstance(entry, RestReplied)
            at, size = entry.at, len(entry.body) if isinstance(entry, RestReplied) else 0
        self._consumed += size + PENDING_OVERHEAD
        self._last_at = at
        try:
            if self._file is not None or self._open(at):
                self._put(entry)
            elif lossy:
                self._lose(at, size)
        except OSError as error:
            self._fail(_trouble(self.directory, error))
            if lossy:
                self._lose(at, size)
        finally:
            if isinstance(entry, tuple):
                self._standing.frame(entry[1], entry[2], entry[3])
            else:
                self._standing.update(entry)
        if self._file is not None and self._file.container.pending_bytes >= self._chunk_bytes:
            self._flush()
            self._rotate_when_due()

    def _put(self, entry: Frame | StateEvent) -> None:
        file = self._file
        assert file is not None
        if self._oldest_pending is None:
            self._oldest_pending = time.monotonic()
        if isinstance(entry, tuple):
            at, venue, connection, data = entry
            file.frame(venue, connection, data, at)
        else:
            file.event(entry)

    def _flush(self) -> None:
        assert self._file is not None
        container = self._file.container
        messages = container.pending_messages
        self._oldest_pending = None
        self._bytes_written += container.flush()
        self._events_written += messages

    def _rotate_when_due(self) -> None:
        """Finish a file that is large or old enough; the next event begins the next one and gives it its name."""
        assert self._file is not None
        container = self._file.container
        if container.size >= self._rotate_bytes or self._last_at - self._file_start >= self._rotate_ns:
            self._finish()
            self._file = None

    def _finish(self) -> None:
        assert self._file is not None
        container = self._file.container
        messages, before = container.pending_messages, container.size
        container.close()
        self._events_written += messages
        self._bytes_written += container.size - before
        self._oldest_pending = None

    def _open(self, at: int) -> bool:
        """Begin a file with the standing state. False: it is not yet time to try again."""
        if self._failed is not None and time.monotonic() < self._retry_at:
            return False
        follows = self._part > 0 and self._failed is None
        if not follows:
            self._run, self._part = f"{self._instance}-{at}", 0
        self.directory.mkdir(parents=True, exist_ok=True)
        self._make_room()
        file = self._file = self._new_file(at)
        self._part += 1
        self._file_start = at
        self._files_opened += 1
        self._bytes_written += file.container.size
        self._last_sync = time.monotonic()
        if self._failed is not None:
            self._put(replace(self._failed, at=at))
            self._failed = None
            self._log.info("recording_resumed", path=str(file.container.path))
        standing = list(self._standing.events(at))
        if standing:
            self._put(Checkpoint(at, len(standing)))
            for event in standing:
                self._put(event)
        self._state, self._error = "recording", ""
        if self._files_opened > 1 and self._on_rotate is not None:
            self._on_rotate()
        return True

    def _new_file(self, at: int) -> RecordingWriter:
        for number in range(MAX_SAME_SECOND):
            path = self.directory / file_name(at, number)
            with suppress(FileExistsError):
                return RecordingWriter(
                    path, instance=self._instance, run=self._run, part=self._part, created=at, opener=self._opener
                )
        raise FileExistsError(f"{MAX_SAME_SECOND} recordings begun in the same second")

    def _make_room(self) -> None:
        """Before a file is begun: what is kept and the file to come stay within the cap."""
        limit = max(0, self._cap - self._rotate_bytes - self._chunk_bytes)
        deleted = delete_oldest(self.directory, self._instance, limit)
        self._files_deleted += len(deleted)
        for path in deleted:
            self._log.info("recording_deleted", path=str(path), reason="recording.max_total_gib")

    def _lose(self, at: int, size: int) -> None:
        gap = self._failed
        assert gap is not None
        self._failed = replace(gap, since=gap.since or at, frames=gap.frames + 1, bytes=gap.bytes + size)
        self._dropped_failed = (self._dropped_failed[0] + 1, self._dropped_failed[1] + size)

    def _fail(self, trouble: str) -> None:
        """Stop recording, say so once, try again later. What waited in the chunk is lost and counted."""
        gap = self._failed or Gap(at=0, since=0, frames=0, bytes=0, reason="disk")
        if self._file is not None:
            lost, size = self._file.container.pending_messages, self._file.container.pending_bytes
            if lost:
                since = gap.since or self._file.container.pending_start
                gap = replace(gap, since=since, frames=gap.frames + lost, bytes=gap.bytes + size)
                self._dropped_failed = (self._dropped_failed[0] + lost, self._dropped_failed[1] + size)
            self._file.container.abandon()
        self._failed = gap
        self._file = None
        self._oldest_pending = None
        self._write_failures += 1
        self._retry_at = time.monotonic() + self._retry_seconds
        if self._state != "stopped":
            self._state = "stopped"
            self._error = trouble
            self._log.error("recording_stopped", reason=trouble, retry_seconds=self._retry_seconds)


def _trouble(directory: Path, error: OSError) -> str:
    return (
        f"cannot record into {directory}: {error.strerror or error}; free space or fix the folder's rights, "
        "recording resumes by itself"
    )
