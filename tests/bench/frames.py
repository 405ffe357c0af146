"""The real frames of the benchmark: Binance USD-M BTCUSDT, 2024-08-08, in the order in which they came."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

SHARED_DATA: Final = Path(__file__).resolve().parents[3] / "shared" / "data"
CAPTURE: Final = SHARED_DATA / "hftbacktest-binance-2024-08-08" / "usdm_btcusdt_20240808.gz"

SYMBOL: Final = "BTCUSDT"
STREAM: Final = "btcusdt@depth@0ms"
TICK, LOT = "0.1", "0.001"
BANDS: Final = ("0.1%", "0.25%", "0.5%", "1%", "2%", "5%", "10%")

SAMPLE_EVERY: Final = (
    11  # of the stream as it comes: enough frames for a steady median, few enough for slow contestants
)


@dataclass(frozen=True, slots=True)
class Capture:
    """A REST snapshot and the frames that follow it without a gap. levels[i]: of frames[i], both sides together."""

    snapshot: bytes
    frames: tuple[bytes, ...]
    levels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Frames of one size. Every frame of the capture changes the books; those of a group are timed."""

    name: str
    title: str
    places: tuple[int, ...]

    def mean_levels(self, capture: Capture) -> float:
        return sum(capture.levels[place] for place in self.places) / len(self.places)


def read_capture(path: Path = CAPTURE) -> Capture:
    """The snapshot, and every depth frame that reaches beyond it."""
    snapshot, found = b"", []
    with gzip.open(path) as lines:
        for line in lines:
            raw = line.split(b" ", 1)[1].rstrip(b"\n")
            if b'"depthUpdate"' in raw[:80]:
                found.append(raw)
            elif raw.startswith(b'{"lastUpdateId"'):
                snapshot = raw
    seeded = orjson.loads(snapshot)["lastUpdateId"]
    frames, levels = [], []
    for raw in found:
        data = orjson.loads(raw)["data"]
        if data["u"] >= seeded:
            frames.append(raw)
            levels.append(len(data["b"]) + len(data["a"]))
    return Capture(snapshot, tuple(frames), tuple(levels))


def groups(capture: Capture) -> Sequence[Group]:
    def places(least: int, most: int) -> tuple[int, ...]:
        return tuple(place for place, count in enumerate(capture.levels) if least <= count <= most)

    return (
        Group("wire_to_bands_10_levels", "real frames of 10 levels or fewer", places(0, 10)),
        Group("wire_to_bands_68_levels", "real frames of 60 to 76 levels", places(60, 76)),
        Group("wire_to_bands_500_levels", "real frames of 500 levels or more", places(500, 1 << 20)),
        Group(
            "wire_to_bands_stream",
            f"every {SAMPLE_EVERY}th real frame, as they come",
            tuple(range(0, len(capture.frames), SAMPLE_EVERY)),
        ),
    )
