"""The lines of another recorder's capture, whatever its format: what the format modules yield and the importer takes."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal

from monitor.errors import RecordingError

MAX_LINE_BYTES: Final = 64 << 20  # the largest known REST snapshot is 2 MB; beyond this it is not a capture of lines
GZIP_MAGIC: Final = b"\x1f\x8b"
_NS: Final = Decimal(1_000_000_000)
_SECONDS: Final = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,12})?", re.ASCII)
_LATEST_NS: Final = 1 << 62  # year 2116: a time beyond it is in another unit than the format says
_SHOWN: Final = 80

LineKind = Literal["open", "sent", "frame", "reply"]


@dataclass(frozen=True, slots=True)
class CaptureLine:
    """One thing the other recorder saw. `at`: receive time, ns. `url`: of the socket (open) or the request (reply)."""

    at: int
    kind: LineKind
    data: bytes
    place: str  # "file line 7", for messages
    source: str = ""  # tells connections apart
    url: str = ""


def raw_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Numbered lines of a text file, plain or gzip, without their line ends; empty ones are left out. Raises RecordingError."""
    number = 0
    try:
        with path.open("rb") as probe:
            packed = probe.read(2) == GZIP_MAGIC
        with gzip.open(path, "rb") if packed else path.open("rb") as file:
            while line := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise RecordingError(
                        f"{path} line {number} is longer than {MAX_LINE_BYTES} bytes: not a capture of lines"
                    )
                line = line.rstrip(b"\r\n")
                if line:
                    yield number, line
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise RecordingError(f"{path} is damaged after line {number} ({error}): fetch the capture again") from error
    except OSError as error:
        raise RecordingError(f"{path} cannot be read: {error.strerror or error}; give a capture file") from error


def seconds_to_ns(text: str) -> int:
    """Epoch seconds as decimal text, exact to the ns. Raises ValueError."""
    if not _SECONDS.fullmatch(text):
        raise ValueError(f"not epoch seconds: {text[:_SHOWN]!r}")
    at = int(Decimal(text) * _NS)
    if not 0 < at < _LATEST_NS:
        raise ValueError(f"not epoch seconds: {text[:_SHOWN]!r}")
    return at


def shown(data: bytes) -> str:
    """The beginning of a frame, for an error message of one line."""
    text = data[: 2 * _SHOWN].decode("utf-8", "replace")
    return ascii(text[:_SHOWN] + ("..." if len(text) > _SHOWN else ""))
