"""Frames kept to be applied again: while the REST snapshot is under way, or since one was asked for. Bounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from engines.wire.layout import ASK_COUNT, BID_COUNT, CROSS_ID, FIRST_ID, LAST_ID, PREVIOUS_ID

# A busy BTC book sends about 80 KB/s in 20 frames/s: a minute fits, which is longer than any REST queue should take.
MAX_FRAMES: Final = 4_096
MAX_BYTES: Final = 6 * 1024 * 1024


def packed(header: npt.NDArray[np.int64], levels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """A copy of the used rows of `levels` only: int64[2, rows, 2]."""
    return levels[:, : max(int(header[BID_COUNT]), int(header[ASK_COUNT]), 1)].copy()


@dataclass(frozen=True, slots=True)
class Kept:
    """One frame: its ids, and either its bytes or (from the plain path) its scanned form."""

    at: int
    first: int
    last: int
    previous: int
    data: bytes | None
    header: npt.NDArray[np.int64] | None = None
    levels: npt.NDArray[np.int64] | None = None
    cross: int = 0  # an id comparable between streams and snapshots, 0 where the venue has none

    @classmethod
    def of(cls, at: int, header: npt.NDArray[np.int64], levels: npt.NDArray[np.int64], data: bytes | None) -> Kept:
        first, last, previous = int(header[FIRST_ID]), int(header[LAST_ID]), int(header[PREVIOUS_ID])
        if data is not None:
            return cls(at, first, last, previous, data, cross=int(header[CROSS_ID]))
        return cls(at, first, last, previous, None, header.copy(), packed(header, levels), int(header[CROSS_ID]))

    @property
    def size(self) -> int:
        return len(self.data) if self.data is not None else 128 + (self.levels.nbytes if self.levels is not None else 0)


class Backlog:
    """A bounded list of frames, oldest first."""

    __slots__ = ("_bytes", "frames")

    def __init__(self) -> None:
        self.frames: list[Kept] = []
        self._bytes = 0

    def add(self, kept: Kept) -> bool:
        """False: the bound is reached and the frame was not kept."""
        if len(self.frames) >= MAX_FRAMES or self._bytes + kept.size > MAX_BYTES:
            return False
        self.frames.append(kept)
        self._bytes += kept.size
        return True

    def take(self) -> list[Kept]:
        """Every frame; the backlog is empty afterwards."""
        frames, self.frames, self._bytes = self.frames, [], 0
        return frames

    def clear(self) -> None:
        self.take()
