"""Writing one MCAP file, chunk by chunk, so that a chunk is either whole in the file or not there.

The stock writer spends about 8 us of Python on a message; here a message is one struct and its bytes in a list. The records
that are rare (schemas, channels, indexes, footer) are the stock library's. A chunk and its message indexes go out in one `write`;
when that fails half way (disk full) the file is cut back to the end of the chunk before.

Every chunk repeats the schemas and channels it uses: any chunk can be read although another one is damaged.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Final

import zstandard
from mcap.data_stream import RecordBuilder
from mcap.opcode import Opcode
from mcap.records import (
    Channel,
    ChunkIndex,
    DataEnd,
    Footer,
    Header,
    McapRecord,
    Metadata,
    MetadataIndex,
    Schema,
    Statistics,
    SummaryOffset,
)

MAGIC: Final = b"\x89MCAP0\r\n"
CHUNK_BYTES: Final = (
    1 << 20
)  # raw bytes of a full chunk: beyond 1 MiB zstd gains nothing on market data, and a chunk is what a crash loses
ZSTD_LEVEL: Final = 3  # about 400 MB/s on JSON frames at a ratio near 7; level 9 halves the speed for a tenth less
_MESSAGE: Final = struct.Struct("<BQHIQQ")  # opcode, length, channel, sequence, log time, publish time
MESSAGE_HEADER_BYTES: Final = _MESSAGE.size
_CHUNK: Final = struct.Struct("<BQQQQII4sQ")  # opcode, length, start, end, raw size, crc, 4, "zstd", compressed size
_INDEX: Final = struct.Struct("<BQHI")
_MESSAGE_FIELDS: Final = 22  # bytes of a message record's fields before its data
_RECORD_HEADER: Final = 9  # opcode and length
_SEQUENCE_MASK: Final = 0xFFFF_FFFF
_COMPRESSION: Final = b"zstd"

Opener = Callable[[Path], FileIO]


def exclusive(path: Path) -> FileIO:
    """A new file, never an existing one, locked so that no other recorder takes it for an old file to delete."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
    with contextlib.suppress(OSError):  # a file system without locks: name and instance still protect others' files
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return FileIO(descriptor, "r+")


@dataclass(slots=True)
class _ChunkInProgress:
    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    messages: int = 0
    start: int = 0
    end: int = 0
    indexes: dict[int, list[int]] = field(default_factory=dict)  # channel -> log time, offset, log time, offset, ...


class Container:
    """An MCAP file being written. `message` only collects; `flush` puts the chunk into the file. Raises OSError from the file."""

    def __init__(
        self,
        path: Path,
        *,
        profile: str,
        metadata_name: str,
        metadata: Mapping[str, str],
        opener: Opener = exclusive,
    ) -> None:
        self.path = path
        self.size = 0  # bytes that stand complete in the file
        self.message_count = 0
        self._file = opener(path)
        self._compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
        self._schemas: dict[str, Schema] = {}
        self._channels: dict[int, Channel] = {}
        self._definitions: dict[int, bytes] = {}  # channel -> its schema and channel records, as bytes
        self._counts: dict[int, int] = {}
        self._chunk_indexes: list[ChunkIndex] = []
        self._chunk = _ChunkInProgress()
        head = MAGIC + _bytes(Header(profile=profile, library="undertow"))
        note = _bytes(Metadata(name=metadata_name, metadata=dict(metadata)))
        self._metadata_index = MetadataIndex(offset=len(head), length=len(note), name=metadata_name)
        try:
            self._write(head + note)
        except OSError:
            self.abandon()
            raise

    def channel(
        self,
        topic: str,
        encoding: str,
        *,
        schema: tuple[str, bytes] | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> int:
        """A new channel's id; `schema`: name and JSON Schema text."""
        known = None
        if schema is not None:
            name, text = schema
            known = self._schemas.get(name)
            if known is None:
                known = Schema(id=len(self._schemas) + 1, data=text, encoding="jsonschema", name=name)
                self._schemas[name] = known
        channel = Channel(
            id=len(self._channels) + 1,
            topic=topic,
            message_encoding=encoding,
            schema_id=known.id if known else 0,
            metadata=dict(metadata or {}),
        )
        self._channels[channel.id] = channel
        self._definitions[channel.id] = (_bytes(known) if known else b"") + _bytes(channel)
        self._counts[channel.id] = 0
        return channel.id

    def message(self, channel: int, at: int, data: bytes) -> None:
        """Add a message to the chunk in progress. `at`: ns, log and publish time. Raises struct.error for a time MCAP cannot hold."""
        chunk = self._chunk
        sequence = (self.message_count + chunk.messages) & _SEQUENCE_MASK
        # Packed before anything changes: a message that cannot be packed leaves no trace.
        header = _MESSAGE.pack(Opcode.MESSAGE, _MESSAGE_FIELDS + len(data), channel, sequence, at, at)
        index = chunk.indexes.get(channel)
        if index is None:
            index = chunk.indexes[channel] = []
            definition = self._definitions[channel]
            chunk.parts.append(definition)
            chunk.size += len(definition)
        if not chunk.messages:
            chunk.start = chunk.end = at
        elif at > chunk.end:
            chunk.end = at
        elif at < chunk.start:
            chunk.start = at
        index.append(at)
        index.append(chunk.size)
        chunk.parts.append(header)
        chunk.parts.append(data)
        chunk.size += MESSAGE_HEADER_BYTES + len(data)
        chunk.messages += 1

    @property
    def pending_bytes(self) -> int:
        return self._chunk.size

    @property
    def pending_messages(self) -> int:
        return self._chunk.messages

    @property
    def pending_start(self) -> int:
        """Log time of the first message of the chunk in progress."""
        return self._chunk.start

    def flush(self) -> int:
        """Put the chunk in progress into the file: complete, or (OSError) not at all and still pending. Returns the bytes written."""
        chunk = self._chunk
        if not chunk.messages:
            return 0
        raw = b"".join(chunk.parts)
        data = self._compressor.compress(raw)
        head = _CHUNK.pack(
            Opcode.CHUNK,
            _CHUNK.size - _RECORD_HEADER + len(data),
            chunk.start,
            chunk.end,
            len(raw),
            zlib.crc32(raw),
            len(_COMPRESSION),
            _COMPRESSION,
            len(data),
        )
        record = head + data
        indexes: list[bytes] = []
        offsets: dict[int, int] = {}
        position = self.size + len(record)
        for channel, entries in chunk.indexes.items():
            length = 8 * len(entries)
            indexes.append(
                _INDEX.pack(Opcode.MESSAGE_INDEX, 6 + length, channel, length)
                + struct.pack(f"<{len(entries)}Q", *entries)
            )
            offsets[channel] = position
            position += len(indexes[-1])
        index = ChunkIndex(
            message_start_time=chunk.start,
            message_end_time=chunk.end,
            chunk_start_offset=self.size,
            chunk_length=len(record),
            message_index_offsets=offsets,
            message_index_length=sum(map(len, indexes)),
            compression=_COMPRESSION.decode(),
            compressed_size=len(data),
            uncompressed_size=len(raw),
        )
        written = self._write(b"".join((record, *indexes)))
        self._chunk = _ChunkInProgress()
        self._chunk_indexes.append(index)
        self.message_count += chunk.messages
        for channel, entries in chunk.indexes.items():
            self._counts[channel] += len(entries) // 2
        return written

    def sync(self) -> None:
        """Ask the operating system to put the file on the medium (a power cut then loses nothing written before)."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Flush, write the summary and footer, sync. On OSError the file stays readable as a cut one."""
        try:
            self.flush()
            self._write(_bytes(DataEnd(data_section_crc=0)) + self._summary() + MAGIC)
            self.sync()
        finally:
            with contextlib.suppress(OSError):
                self._file.close()

    def abandon(self) -> None:
        """Close without a summary: the file reads as one cut after its last chunk. One without any is removed: it holds nothing."""
        with contextlib.suppress(OSError):
            self._file.close()
        if not self.message_count:
            with contextlib.suppress(OSError):
                self.path.unlink()  # a full disk is tried again and again: no heap of empty files

    def _write(self, data: bytes) -> int:
        view = memoryview(data)
        try:
            while view:
                view = view[self._file.write(view) or 0 :]
        except OSError:
            with contextlib.suppress(OSError):
                self._file.seek(self.size)
                self._file.truncate(self.size)
            raise
        self.size += len(data)
        return len(data)

    def _summary(self) -> bytes:
        summary_start = self.size + len(_bytes(DataEnd(data_section_crc=0)))
        starts = [index.message_start_time for index in self._chunk_indexes]
        ends = [index.message_end_time for index in self._chunk_indexes]
        groups: list[tuple[Opcode, list[McapRecord]]] = [
            (Opcode.SCHEMA, list(self._schemas.values())),
            (Opcode.CHANNEL, list(self._channels.values())),
            (
                Opcode.STATISTICS,
                [
                    Statistics(
                        attachment_count=0,
                        channel_count=len(self._channels),
                        channel_message_counts=dict(self._counts),
                        chunk_count=len(self._chunk_indexes),
                        message_count=self.message_count,
                        message_start_time=min(starts, default=0),
                        message_end_time=max(ends, default=0),
                        metadata_count=1,
                        schema_count=len(self._schemas),
                    )
                ],
            ),
            (Opcode.CHUNK_INDEX, list(self._chunk_indexes)),
            (Opcode.METADATA_INDEX, [self._metadata_index]),
        ]
        body = b""
        offsets = b""
        for opcode, records in groups:
            group = b"".join(map(_bytes, records))
            if group:
                start = summary_start + len(body)
                offsets += _bytes(SummaryOffset(group_opcode=opcode, group_start=start, group_length=len(group)))
            body += group
        offset_start = summary_start + len(body)
        fields = struct.pack("<BQQQ", Opcode.FOOTER, 20, summary_start, offset_start)
        crc = zlib.crc32(fields, zlib.crc32(body + offsets))
        return (
            body
            + offsets
            + _bytes(Footer(summary_start=summary_start, summary_offset_start=offset_start, summary_crc=crc))
        )


def _bytes(record: McapRecord) -> bytes:
    builder = RecordBuilder()
    record.write(builder)
    data: bytes = builder.end()  # type: ignore[no-untyped-call]
    return data
