"""A book whose stream is only eventually consistent, read as if its older, crossed levels were gone.

Where the best bid reaches the best ask, the level that was told earlier is hidden; of two told in the same frame the smaller
size is taken off both. What is hidden is taken out of the ladder and remembered: before the next frame's levels are looked at it
is put back, unless that frame changed it. So the ladder that is read is always the same function of the levels told and their ages,
and a level that is no longer crossed is back without an update of its own. Source: dYdX, "How to uncross the orderbook".
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from engines.book.growth import with_range, with_room
from engines.book.ladder import NO_ROOM, STORED, clear, lots_at, set_level
from engines.book.memory import BEST, REGIONS, Block, new_block
from engines.book.sequence import REPLACE
from engines.kernel import I64, I64_1, I64_2, I64_3, borrowing_kernel
from engines.wire.layout import ASK, BID, BID_COUNT, LOTS, TICK

Ints = npt.NDArray[np.int64]

# Levels out of sight at once. The whole known book has a few thousand; one crossed by more than this is not late but broken.
MAX_HIDDEN: Final = 1_024
TOO_MANY: Final = -1

# Columns of `hidden`.
SIDE: Final = 0
PLACE: Final = 1
SIZE: Final = 2


@borrowing_kernel(I64(I64_1, I64_1, I64_3, I64))
def note_ages(ages: Ints, header: Ints, levels: Ints, now: int) -> int:
    """Every level of the frame was told at `now`. `ages` is a ladder that holds frame numbers in place of lots. STORED or NO_ROOM."""
    for side in range(2):
        for row in range(header[BID_COUNT + side]):
            told = now if levels[side, row, LOTS] > 0 else 0
            if set_level(ages, side, levels[side, row, TICK], told) == NO_ROOM:
                return NO_ROOM
    return STORED


@borrowing_kernel(I64(I64_1, I64_1, I64_2, I64, I64))
def put_back(block: Ints, ages: Ints, hidden: Ints, count: int, now: int) -> int:
    """Hidden levels that the frame `now` did not change go back into the ladder. STORED or NO_ROOM."""
    for row in range(count - 1, -1, -1):  # backwards: of one cut twice the size it had first is put back last
        side, tick = hidden[row, SIDE], hidden[row, PLACE]
        told = lots_at(ages, side, tick)
        if 0 < told < now and set_level(block, side, tick, hidden[row, SIZE]) == NO_ROOM:
            return NO_ROOM
    return STORED


@borrowing_kernel(I64(I64_1, I64_1, I64_2))
def hide_crossed(block: Ints, ages: Ints, hidden: Ints) -> int:
    """Takes levels out of the ladder until it is not crossed, and writes them to `hidden`. Returns how many rows, or TOO_MANY."""
    count = 0
    while True:
        bid, ask = block[BEST + BID], block[BEST + ASK]
        if bid < 0 or ask < 0 or bid < ask:
            return count
        if count + 2 > hidden.shape[0]:
            return TOO_MANY
        bid_lots, ask_lots = lots_at(block, BID, bid), lots_at(block, ASK, ask)
        bid_told, ask_told = lots_at(ages, BID, bid), lots_at(ages, ASK, ask)
        bid_cut = bid_lots if bid_told < ask_told else 0
        ask_cut = ask_lots if ask_told < bid_told else 0
        if bid_told == ask_told:
            bid_cut = ask_cut = min(bid_lots, ask_lots)
        if bid_cut > 0:
            hidden[count, SIDE], hidden[count, PLACE], hidden[count, SIZE] = BID, bid, bid_lots
            set_level(block, BID, bid, bid_lots - bid_cut)
            count += 1
        if ask_cut > 0:
            hidden[count, SIDE], hidden[count, PLACE], hidden[count, SIZE] = ASK, ask, ask_lots
            set_level(block, ASK, ask, ask_lots - ask_cut)
            count += 1


class Uncrosser:
    """The ages of one book's levels, and what is out of sight."""

    __slots__ = ("_ages", "_count", "_hidden", "_now")

    def __init__(self) -> None:
        self._ages = new_block(1)
        self._hidden = np.zeros((MAX_HIDDEN, 3), np.int64)
        self._count = 0
        self._now = 0

    @property
    def hidden(self) -> int:
        """Levels that are hidden or cut now."""
        return self._count

    def settle(self, block: Block, action: int, header: Ints, levels: Ints) -> Block:
        """After the levels of a frame were stored with `action`: the book, uncrossed. The block returned may be a longer one.

        `crossed_for_good` afterwards: more than MAX_HIDDEN levels are crossed.

        Raises:
            BookTooLarge: the ladders would pass their bound.
        """
        if action == REPLACE:
            self._count = self._now = 0
            clear(self._ages)
        if self._ages[REGIONS] < block[REGIONS]:
            self._ages = with_range(self._ages, int(block[REGIONS]))
        self._now += 1
        while note_ages(self._ages, header, levels, self._now) == NO_ROOM:
            self._ages = with_room(self._ages)
        if self._count > 0:
            while put_back(block, self._ages, self._hidden, self._count, self._now) == NO_ROOM:
                block = with_room(block)
        self._count = int(hide_crossed(block, self._ages, self._hidden))
        return block

    @property
    def crossed_for_good(self) -> bool:
        return self._count < 0
