"""Reading one recording file as the events the hub saw.

A file whose writer was killed has no footer and may end inside a chunk: every whole chunk is read and `notices` says what is
left out. A damaged chunk in the middle becomes a `Gap`. What cannot be read at all is a RecordingError of one line.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Final

from mcap.opcode import Opcode

from monitor.capture import records
from monitor.capture.format import (
    FRAME_ENCODING,
    METADATA_NAME,
    PROFILE,
    SCHEMA_VERSION,
    Checkpoint,
    Entry,
    Gap,
    TopicOf,
    decode,
    registry_topic,
)
from monitor.capture.records import MESSAGE, RECORD_HEADER, Malformed, Record
from monitor.errors import RecordingError
from monitor.events import Event, FrameReceived

_MESSAGE_FIELDS: Final = MESSAGE.size - RECORD_HEADER.size
OnGap = Callable[[Gap], None]


@dataclass(frozen=True, slots=True)
class RecordingMetadata:
    """Who wrote the file. Files of one `run` with consecutive `part` join without a gap."""

    version: str  # of Undertow
    instance: str
    schema: int
    created: int  # receive time of the first event, ns
    run: str
    part: int


class Recording:
    """One recording file. Reading it again gives the same events; the file may still be growing, then it reads as a cut one."""

    def __init__(self, path: Path | str, *, topic_of: TopicOf = registry_topic) -> None:
        self.path = Path(path)
        self._topic_of = topic_of
        self._notices: list[str] = []
        self._chunks: list[Record] = []
        self._channels: dict[int, tuple[str, str, int]] = {}  # id -> (kind or "frame", venue, connection)
        try:
            with self.path.open("rb") as file:
                self._size = file.seek(0, 2)
                self.metadata = self._open(file)
        except OSError as error:
            raise RecordingError(
                f"{self.path} cannot be read: {error.strerror or error}; give a recording file"
            ) from error
        except Malformed as error:
            raise RecordingError(f"{self.path} is damaged: {error}; nothing of it can be replayed") from error

    # -- what it is
    @property
    def notices(self) -> tuple[str, ...]:
        """What is missing, one sentence each; grows when iteration meets a damaged chunk."""
        return tuple(self._notices)

    @property
    def message_count(self) -> int:
        return self._count

    @property
    def start(self) -> int:
        """Receive time of the first message, ns."""
        return self._start

    @property
    def end(self) -> int:
        return self._end

    @property
    def size(self) -> int:
        """Bytes of the file, for a progress bar next to `entries(progress=...)`."""
        return self._size

    @property
    def joins(self) -> tuple[str, int]:
        return self.metadata.run, self.metadata.part

    # -- what it holds
    def events(self, *, on_gap: OnGap | None = None, progress: Callable[[int], None] | None = None) -> Iterator[Event]:
        """The events in order. `on_gap` is told where something was not recorded; `progress` gets bytes of the file done, per chunk."""
        for entry in self.entries(progress=progress):
            if type(entry) is FrameReceived:
                yield entry
            elif isinstance(entry, Gap):
                if on_gap is not None:
                    on_gap(entry)
            elif not isinstance(entry, Checkpoint):
                yield entry

    def entries(self, *, progress: Callable[[int], None] | None = None) -> Iterator[Entry]:
        """Everything that stands in the file, gap and checkpoint marks too."""
        last = self._start
        try:
            with self.path.open("rb") as file:
                for record in self._chunks:
                    try:
                        raw = self._raw(file, record)
                    except Malformed as error:
                        self._note(f"{self.path.name}: {error}; its frames are left out (at byte {record.offset})")
                        yield Gap(at=last, since=last, frames=0, bytes=record.length, reason="damaged")
                    else:
                        entry: Entry | None = None
                        for entry in self._messages(raw):
                            yield entry
                        if entry is not None:
                            last = entry.at
                    if progress is not None:
                        progress(record.end)
        except OSError as error:
            raise RecordingError(f"{self.path} cannot be read: {error.strerror or error}") from error
        except Malformed as error:
            raise RecordingError(f"{self.path} is damaged: {error}") from error

    # -- inside
    def _open(self, file: BufferedReader) -> RecordingMetadata:
        if self._size == 0:
            raise RecordingError(f"{self.path} is empty: nothing was recorded")
        file.seek(0)
        magic = file.read(len(records.MAGIC))
        if magic != records.MAGIC:
            if records.MAGIC.startswith(magic):
                raise RecordingError(f"{self.path} is cut before its first event: nothing can be replayed")
            raise RecordingError(
                f"{self.path} is not an MCAP file: give a recording, or bring another recorder's capture in with `undertow import`"
            )
        metadata = self._head(file)
        if not self._from_summary(file):
            self._from_scan(file)
        if not self._chunks:
            raise RecordingError(f"{self.path} holds no complete chunk: nothing can be replayed")
        return metadata

    def _head(self, file: BufferedReader) -> RecordingMetadata:
        header, fields = None, None
        for record in records.scan(file, len(records.MAGIC), self._size):
            if record.opcode == Opcode.HEADER:
                header = records.parse_header(records.read_content(file, record))
                if header[0] != PROFILE:
                    raise RecordingError(
                        f"{self.path} is an MCAP file of another program (profile {header[0]!r}): give an Undertow recording"
                    )
            elif record.opcode == Opcode.METADATA:
                name, found = records.parse_metadata(records.read_content(file, record))
                if name == METADATA_NAME:
                    fields = found
                    break
            elif record.opcode == Opcode.CHUNK:
                break
        if header is None or fields is None:
            raise RecordingError(f"{self.path} is cut before its first event: nothing can be replayed")
        try:
            metadata = RecordingMetadata(
                version=fields["version"],
                instance=fields["instance"],
                schema=int(fields["schema"]),
                created=int(fields["created"]),
                run=fields["run"],
                part=int(fields["part"]),
            )
        except (KeyError, ValueError) as error:
            raise RecordingError(f"{self.path} has no usable Undertow metadata ({error!r}): record it again") from error
        if metadata.schema != SCHEMA_VERSION:
            raise RecordingError(
                f"{self.path} has recording schema {metadata.schema}, this version reads {SCHEMA_VERSION}: "
                f"use Undertow {metadata.version}"
            )
        return metadata

    def _from_summary(self, file: BufferedReader) -> bool:
        """Chunks, count and times from the summary. False: there is none that can be trusted."""
        file.seek(max(0, self._size - records.FOOTER_BYTES))
        footer = records.parse_footer(file.read(), self._size)
        if footer is None or not 0 < footer.summary_start <= footer.offset:
            return False
        file.seek(footer.summary_start)
        # The CRC covers the summary and the footer up to the CRC itself.
        covered = file.read(footer.offset - footer.summary_start + records.FOOTER_BYTES - len(records.MAGIC) - 4)
        if footer.summary_crc and zlib.crc32(covered) != footer.summary_crc:
            return False
        chunks: list[Record] = []
        statistics: tuple[int, int, int] | None = None
        for record in records.scan(file, footer.summary_start, footer.offset):
            if record.opcode == Opcode.CHUNK_INDEX:
                offset, length = records.parse_chunk_index(records.read_content(file, record))
                if offset + length > footer.summary_start:
                    return False
                chunks.append(Record(offset, Opcode.CHUNK, length - RECORD_HEADER.size))
            elif record.opcode == Opcode.STATISTICS:
                statistics = records.parse_statistics(records.read_content(file, record))
        if statistics is None:
            return False
        self._chunks = sorted(chunks, key=lambda chunk: chunk.offset)
        self._count, self._start, self._end = statistics
        return True

    def _from_scan(self, file: BufferedReader) -> None:
        """What a cut file still holds: every whole chunk."""
        starts: list[int] = []
        ends: list[int] = []
        counted = messages = 0
        position = len(records.MAGIC)
        finished = False
        for record in records.scan(file, position, self._size):
            if record.opcode == Opcode.CHUNK:
                if len(self._chunks) > counted:
                    messages += self._count_messages(file, self._chunks[-1])
                    counted += 1
                file.seek(record.content)
                try:
                    head = records.parse_chunk_head(file.read(min(records.CHUNK_HEAD_BYTES, record.length)))
                except Malformed:
                    break  # what follows has no frame of reference any more
                starts.append(head.start)
                ends.append(head.end)
                self._chunks.append(record)
            elif record.opcode == Opcode.DATA_END:
                finished = True
                break
            position = record.end
        if len(self._chunks) > counted:
            messages += self._count_messages(file, self._chunks[-1])
        self._count = messages
        self._start, self._end = min(starts, default=0), max(ends, default=0)
        lost = self._size - position
        if finished:
            self._note(f"{self.path.name} has no usable index (its end is damaged); all of its chunks were found")
        else:
            self._note(
                f"{self.path.name} was cut (its writer did not end normally): {len(self._chunks)} whole chunks are read, "
                f"the last {lost} bytes are left out"
            )

    def _count_messages(self, file: BufferedReader, chunk: Record) -> int:
        """By the message indexes behind the chunk, which cost no unpacking; by the chunk itself where they are cut off."""
        total = 0
        stop = self._size
        for record in records.scan(file, chunk.end, stop):
            if record.opcode != Opcode.MESSAGE_INDEX:
                return total or self._count_inside(file, chunk)
            total += records.parse_message_index_count(record.length)
        return self._count_inside(file, chunk)

    def _count_inside(self, file: BufferedReader, chunk: Record) -> int:
        try:
            raw = self._raw(file, chunk)
        except Malformed:
            return 0
        position, total = 0, 0
        while position + RECORD_HEADER.size <= len(raw):
            opcode, length = RECORD_HEADER.unpack_from(raw, position)
            total += opcode == Opcode.MESSAGE
            position += RECORD_HEADER.size + length
        return total

    def _raw(self, file: BufferedReader, chunk: Record) -> bytes:
        return records.unpack_chunk(records.read_content(file, chunk))

    def _messages(self, raw: bytes) -> Iterator[Entry]:
        channels, unpack, header, size = self._channels, MESSAGE.unpack_from, RECORD_HEADER.unpack_from, len(raw)
        frames: dict[int, tuple[str, int]] = {}
        position = 0
        while position < size:
            if raw[position] == Opcode.MESSAGE and position + MESSAGE.size <= size:
                _, length, number, _, at, _ = unpack(raw, position)
                data_start = position + MESSAGE.size
                position += 9 + length
                if length < _MESSAGE_FIELDS or position > size:
                    raise Malformed("a message runs over its chunk")
                source = frames.get(number)
                if source is not None:
                    yield FrameReceived(at, source[0], source[1], raw[data_start:position])
                    continue
                kind, venue, connection = self._channel(number)
                if kind == "frame":
                    frames[number] = (venue, connection)
                    yield FrameReceived(at, venue, connection, raw[data_start:position])
                else:
                    yield decode(kind, at, raw[data_start:position], self._topic_of)
                continue
            if position + RECORD_HEADER.size > size:
                raise Malformed("a record runs over its chunk")
            opcode, length = header(raw, position)
            content = position + RECORD_HEADER.size
            position = content + length
            if position > size:
                raise Malformed("a record runs over its chunk")
            if opcode == Opcode.CHANNEL:
                channel = records.parse_channel(raw[content:position])
                channels[channel.id] = _channel_source(channel)

    def _channel(self, number: int) -> tuple[str, str, int]:
        try:
            return self._channels[number]
        except KeyError:
            raise Malformed(f"a message names channel {number}, which is not declared") from None

    def _note(self, notice: str) -> None:
        if notice not in self._notices:
            self._notices.append(notice)


def _channel_source(channel: records.ChannelRecord) -> tuple[str, str, int]:
    match channel.topic.split("/"):
        case ["frames", venue, connection] if channel.encoding == FRAME_ENCODING and connection.isdecimal():
            return "frame", venue, int(connection)
        case ["events", kind]:
            return kind, "", 0
        case _:
            raise Malformed(f"topic {channel.topic!r} is none of ours")
