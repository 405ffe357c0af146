"""One raw frame a line and nothing else: the receive time is the frame's own sending time (so no lag can be measured in it).

A frame without a time (an acknowledgement) has the time of the frame before it, the first ones that of the frame after them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson

from monitor.capture.lines import CaptureLine, raw_lines, shown
from monitor.errors import RecordingError

_MILLISECOND: Final = 1_000_000
_LATEST_MS: Final = 1 << 42  # year 2109
_MAX_LEADING: Final = 1000  # frames without a time before the first with one


def read(path: Path) -> Iterator[CaptureLine]:
    leading: list[tuple[bytes, str]] = []
    last: int | None = None
    for number, line in raw_lines(path):
        try:
            frame = orjson.loads(line)
        except ValueError as error:
            raise RecordingError(f"{path} line {number} is not a JSON frame: {shown(line)}") from error
        place = f"{path.name} line {number}"
        at = _sent(frame)
        if at is None and last is None:
            leading.append((line, place))
            if len(leading) > _MAX_LEADING:
                break
            continue
        if at is not None:
            last = at
        assert last is not None
        for earlier, where in leading:
            yield CaptureLine(last, "frame", earlier, where)
        leading = []
        yield CaptureLine(last, "frame", line, place)
    if leading:
        raise RecordingError(
            f"{path} has no frame with a time of its own (`ts` or `E`): use a format that keeps receive times"
        )


def _sent(frame: object) -> int | None:
    """The venue's sending time, ns: `ts` of Bybit, `data[0].ts` of OKX, `E` of Binance, in ms."""
    if not isinstance(frame, dict):
        return None
    data = frame.get("data")
    inner = data[0] if isinstance(data, list) and data else data
    for holder, key in ((frame, "ts"), (frame, "E"), (inner, "ts"), (inner, "E")):
        value = holder.get(key) if isinstance(holder, dict) else None
        if isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _LATEST_MS:
            return value * _MILLISECOND
    return None
