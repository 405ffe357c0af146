"""Book frames of Coinbase Advanced as frames of one event each, none of them too long and none an empty snapshot."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import orjson

from monitor.venues.reading import Reader

START: Final = b'{"channel":'  # of every frame of Advanced
HEAD: Final = re.compile(
    rb'\{"channel":"l2_data",(?:"client_id":"[^"\\]{0,64}",)?"timestamp":"[^"\\]{1,40}","sequence_num":\d{1,19},'
    rb'"events":\[\{"type":"(snapshot|update)","product_id":"([^"\\]{1,40})"'
)
# The snapshot of BTC-USD has tens of thousands of rows, a scan holds 20,000 a side. A row has more than 80 bytes.
CUT_BYTES: Final = 800_000
NEXT_EVENT: Final = b"]},{"
NEXT_ROW: Final = b"},{"
ROWS: Final = b',"updates":['
END: Final = b"]}]}"
SNAPSHOT: Final = b'"snapshot"'
SHORT: Final = 512  # a frame without rows
NO_ROWS: Final = re.compile(rb'"updates":\s*\[\s*\]')
NO_BOOK: Final = b'"updates":"an empty snapshot is no book"'


def parts(venue: str, frame: bytes) -> Sequence[bytes]:
    """Raises FrameError for several events that are not JSON."""
    several = frame.find(NEXT_EVENT) >= 0  # four times as fast as `in`
    if not several and len(frame) <= CUT_BYTES and (len(frame) >= SHORT or frame.find(SNAPSHOT) < 0):
        return (frame,)
    events = _events(venue, frame) if several else (frame,)
    return [piece for event in events for piece in _pieces(event)]


def _events(venue: str, frame: bytes) -> Sequence[bytes]:
    reader = Reader(venue, "frame")
    message = reader.record(reader.load(frame))
    events = message.get("events")
    if message.get("channel") != "l2_data" or not isinstance(events, list):
        return (frame,)
    return [orjson.dumps({**message, "events": [event]}) for event in events]


def _pieces(frame: bytes) -> list[bytes]:
    """An empty snapshot made unreadable, so that its book is lost and asked for again; a long one cut into a snapshot and changes."""
    if len(frame) < SHORT and SNAPSHOT in frame and NO_ROWS.search(frame):
        return [NO_ROWS.sub(NO_BOOK, frame)]
    found = HEAD.match(frame)
    if found is None or not frame.startswith(ROWS, found.end()) or not frame.endswith(END):
        return [frame]
    start, last = found.end() + len(ROWS), len(frame) - len(END)
    head, pieces = frame[:start], []
    while last - start > CUT_BYTES and (cut := frame.find(NEXT_ROW, start + CUT_BYTES // 2, last)) >= 0:
        pieces.append(head + frame[start : cut + 1] + END)
        head = frame[: found.start(1)] + b"update" + frame[found.end(1) : found.end()] + ROWS
        start = cut + 2
    return [*pieces, head + frame[start:]]
