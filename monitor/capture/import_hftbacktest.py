"""hftbacktest's collector: `<receive time, ns> <JSON as received>` a line; a REST book snapshot stands between them as a bare object."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from monitor.capture.lines import CaptureLine, LineKind, raw_lines, shown
from monitor.errors import RecordingError

_SNAPSHOT: Final = (
    b'{"lastUpdateId"'  # only a Binance REST snapshot begins with it; stream frames carry an envelope or `e`
)
_DIGITS: Final = 19  # of a time in ns between 2001 and 2262


def read(path: Path) -> Iterator[CaptureLine]:
    for number, line in raw_lines(path):
        stamp, space, data = line.partition(b" ")
        if not space or len(stamp) != _DIGITS or not stamp.isdigit():
            raise RecordingError(
                f"{path} line {number} is not `<ns> <json>`: {shown(line)}; give a file of hftbacktest's collector"
            )
        kind: LineKind = "reply" if data.startswith(_SNAPSHOT) else "frame"
        yield CaptureLine(int(stamp), kind, data, f"{path.name} line {number}")
