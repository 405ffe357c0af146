"""Reading the records of an MCAP file straight from its bytes: bounded, checked, and quick where messages are many.

Every malformation is a `Malformed` with a few words; `monitor.capture.reader` decides whether it ends the file, loses a chunk or refuses it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from typing import Final

import zstandard
from mcap.opcode import Opcode

MAGIC: Final = b"\x89MCAP0\r\n"
MAX_CHUNK_BYTES: Final = (
    1 << 28
)  # raw bytes a chunk may unpack to (ours: 1 MiB and one frame): bounds what a crafted file makes us allocate
MAX_RECORD_BYTES: Final = MAX_CHUNK_BYTES + (1 << 16)  # a longer record is damage
RECORD_HEADER: Final = struct.Struct("<BQ")
_CHUNK_HEAD: Final = struct.Struct("<QQQII")  # start, end, raw size, crc, length of the compression's name
_FOOTER: Final = struct.Struct("<QQI")
FOOTER_BYTES: Final = RECORD_HEADER.size + _FOOTER.size + len(MAGIC)
_SIZE_UNKNOWN: Final = -1
MESSAGE: Final = struct.Struct("<BQHIQQ")


class Malformed(Exception):
    """These bytes are not the record they claim to be."""


@dataclass(frozen=True, slots=True)
class Record:
    offset: int  # of the opcode
    opcode: int
    length: int  # of the content

    @property
    def content(self) -> int:
        return self.offset + RECORD_HEADER.size

    @property
    def end(self) -> int:
        return self.content + self.length


@dataclass(frozen=True, slots=True)
class ChunkHead:
    start: int
    end: int
    raw_size: int
    crc: int
    compression: str
    data_offset: int  # within the record's content
    data_length: int


@dataclass(frozen=True, slots=True)
class ChannelRecord:
    id: int
    topic: str
    encoding: str


@dataclass(frozen=True, slots=True)
class Footer:
    summary_start: int
    summary_crc: int
    offset: int  # of the footer record


class Cursor:
    """Bounded reads from bytes."""

    __slots__ = ("data", "position")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self.data):
            raise Malformed("a field runs over the end of its record")
        piece = self.data[self.position : end]
        self.position = end
        return piece

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def text(self) -> str:
        try:
            return self.take(self.number(4)).decode()
        except UnicodeDecodeError:
            raise Malformed("a text is not UTF-8") from None

    def pairs(self) -> dict[str, str]:
        stop = self.number(4) + self.position
        if stop > len(self.data):
            raise Malformed("a map runs over the end of its record")
        found: dict[str, str] = {}
        while self.position < stop:
            key = self.text()
            found[key] = self.text()
        return found


def scan(file: BufferedReader, offset: int, size: int) -> Iterator[Record]:
    """The records from `offset` on, as far as they are whole; ends at the footer, at the end, or at what is no record."""
    while offset + RECORD_HEADER.size <= size:
        file.seek(offset)
        opcode, length = RECORD_HEADER.unpack(file.read(RECORD_HEADER.size))
        record = Record(offset, opcode, length)
        if opcode == 0 or length > MAX_RECORD_BYTES or record.end > size:
            return
        yield record
        if opcode == Opcode.FOOTER:
            return
        offset = record.end


def read_content(file: BufferedReader, record: Record) -> bytes:
    file.seek(record.content)
    data = file.read(record.length)
    if len(data) != record.length:
        raise Malformed("the file is shorter than its index says")
    return data


def parse_header(content: bytes) -> tuple[str, str]:
    """Profile and library."""
    cursor = Cursor(content)
    return cursor.text(), cursor.text()


def parse_metadata(content: bytes) -> tuple[str, dict[str, str]]:
    cursor = Cursor(content)
    return cursor.text(), cursor.pairs()


def parse_channel(content: bytes) -> ChannelRecord:
    cursor = Cursor(content)
    number = cursor.number(2)
    cursor.number(2)
    return ChannelRecord(number, cursor.text(), cursor.text())


def parse_chunk_index(content: bytes) -> tuple[int, int]:
    """Offset and length of the chunk record."""
    cursor = Cursor(content)
    cursor.take(16)
    return cursor.number(8), cursor.number(8)


def parse_statistics(content: bytes) -> tuple[int, int, int]:
    """Message count, first and last log time."""
    cursor = Cursor(content)
    count = cursor.number(8)
    cursor.take(2 + 4 + 4 + 4 + 4)
    return count, cursor.number(8), cursor.number(8)


def parse_chunk_head(content: bytes) -> ChunkHead:
    """`content`: at least the first bytes of a chunk record, up to its data."""
    cursor = Cursor(content)
    start, end, raw_size, crc, name_length = _CHUNK_HEAD.unpack(cursor.take(_CHUNK_HEAD.size))
    if name_length > 16:
        raise Malformed("a chunk's compression has no sensible name")
    try:
        compression = cursor.take(name_length).decode()
    except UnicodeDecodeError:
        raise Malformed("a chunk's compression has no sensible name") from None
    length = cursor.number(8)
    return ChunkHead(start, end, raw_size, crc, compression, cursor.position, length)


CHUNK_HEAD_BYTES: Final = _CHUNK_HEAD.size + 16 + 8


def unpack_chunk(content: bytes) -> bytes:
    """The raw records of a chunk, checked against its size and CRC."""
    head = parse_chunk_head(content)
    data = content[head.data_offset : head.data_offset + head.data_length]
    if len(data) != head.data_length or head.raw_size > MAX_CHUNK_BYTES:
        raise Malformed("a chunk's sizes make no sense")
    if head.compression == "zstd":
        try:
            # The frame's own size wins over max_output_size inside the library, so it is compared first.
            if zstandard.frame_content_size(data) not in (head.raw_size, _SIZE_UNKNOWN):
                raise Malformed("a chunk's sizes make no sense")
            raw = zstandard.ZstdDecompressor().decompress(data, max_output_size=head.raw_size)
        except (zstandard.ZstdError, MemoryError):
            raise Malformed("a chunk does not unpack") from None
    elif head.compression == "":
        raw = data
    else:
        raise Malformed(f"a chunk is compressed with {head.compression}; rewrite it: mcap compress --compression zstd")
    if len(raw) != head.raw_size or (head.crc and zlib.crc32(raw) != head.crc):
        raise Malformed("a chunk fails its checksum")
    return raw


def parse_message_index_count(length: int) -> int:
    """Messages an index record of that content length stands for."""
    return max(0, length - 6) // 16


def parse_footer(tail: bytes, size: int) -> Footer | None:
    """`tail`: the last FOOTER_BYTES of the file. None: no footer there, the file was cut."""
    if len(tail) != FOOTER_BYTES or not tail.endswith(MAGIC):
        return None
    opcode, length = RECORD_HEADER.unpack_from(tail)
    if opcode != Opcode.FOOTER or length != _FOOTER.size:
        return None
    summary_start, _, crc = _FOOTER.unpack_from(tail, RECORD_HEADER.size)
    return Footer(summary_start, crc, size - FOOTER_BYTES)
