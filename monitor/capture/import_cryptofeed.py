"""cryptofeed's raw collection: a text file per connection, or the same events as JSON lines.

Text: `<wss url> <-> <t>` opened, `<wss url> <- <t>: <text>` sent, `<http url> -> <t>: <text>` a REST reply, `<t>: <text>` received;
the first line is `configuration: ...`. Binary frames stand there as a Python bytes literal. REST replies are in files of their own:
give the directory to bring them in together, in the order of their times.
JSON lines: `{"t", "k": open|send|recv|http, "raw", "url"?, "src"?}`. Times are epoch seconds.
"""

from __future__ import annotations

import ast
import heapq
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson

from monitor.capture.lines import CaptureLine, LineKind, raw_lines, seconds_to_ns, shown
from monitor.errors import RecordingError

_KINDS: Final[dict[str, LineKind]] = {"open": "open", "send": "sent", "recv": "frame", "http": "reply"}
_OPENED: Final = re.compile(rb"(\S+) <-> ([0-9.eE+-]+)")
_REPLY: Final = re.compile(rb"(https?://\S+) -> ([0-9.eE+-]+): (.*)", re.DOTALL)
_SENT: Final = re.compile(rb"(\S+) <- ([0-9.eE+-]+): (.*)", re.DOTALL)
_RECEIVED: Final = re.compile(rb"([0-9.eE+-]+): (.*)", re.DOTALL)
_HEADER: Final = b"configuration: "


def read(path: Path) -> Iterator[CaptureLine]:
    if not path.is_dir():
        yield from _read_file(path)
        return
    files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    if not files:
        raise RecordingError(f"{path} holds no file: give the folder into which cryptofeed collected")
    yield from heapq.merge(*map(_read_file, files), key=lambda line: line.at)


def _read_file(path: Path) -> Iterator[CaptureLine]:
    for number, line in raw_lines(path):
        if number == 1 and line.startswith(_HEADER):
            continue
        place = f"{path.name} line {number}"
        try:
            yield _json_line(line, place) if line.startswith(b"{") else _text_line(line, place, path.name)
        except (ValueError, KeyError, TypeError, AttributeError, SyntaxError) as error:
            raise RecordingError(
                f"{path} line {number} is none of cryptofeed's raw lines ({error}): {shown(line)}"
            ) from error


def _json_line(line: bytes, place: str) -> CaptureLine:
    fields = orjson.loads(line)
    at, kind, raw = seconds_to_ns(repr(fields["t"])), _KINDS[fields["k"]], fields["raw"].encode()
    url = raw.decode() if kind == "open" else str(fields.get("url", ""))
    return CaptureLine(at, kind, raw, place, source=str(fields.get("src", "")), url=url)


def _text_line(line: bytes, place: str, source: str) -> CaptureLine:
    # A received line begins with a digit, every other one with an address.
    if found := _RECEIVED.fullmatch(line):
        return CaptureLine(_time(found[1]), "frame", _payload(found[2]), place, source=source)
    if found := _OPENED.fullmatch(line):
        return CaptureLine(_time(found[2]), "open", b"", place, source=source, url=found[1].decode())
    if found := _REPLY.fullmatch(line):
        return CaptureLine(_time(found[2]), "reply", _payload(found[3]), place, source=source, url=found[1].decode())
    if found := _SENT.fullmatch(line):
        return CaptureLine(_time(found[2]), "sent", found[3], place, source=source, url=found[1].decode())
    raise ValueError("unknown form")


def _time(text: bytes) -> int:
    return seconds_to_ns(text.decode())


def _payload(data: bytes) -> bytes:
    """The frame; a binary one was written as the literal of a Python bytes object."""
    if not data.startswith((b"b'", b'b"')):
        return data
    value = ast.literal_eval(data.decode())
    if not isinstance(value, bytes):
        raise TypeError("not a bytes literal")
    return value
