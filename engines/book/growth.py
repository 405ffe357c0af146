"""Giving a book more room: a longer pool, or a longer directory. The block handed in is left alone; use the one returned."""

from __future__ import annotations

import numpy as np

from engines.book.ladder import NO_ROOM, copy_levels
from engines.book.memory import (
    BEYOND,
    CAPACITY,
    FIRST_CAPACITY,
    FOREVER,
    KNOWN_TOP,
    LAST_SETTING,
    LEVEL_ROOM,
    MAX_CAPACITY,
    REGION_SHIFT,
    REGIONS,
    ROOM_FACTOR,
    VERIFIED_LOW,
    Block,
    new_block,
)
from engines.wire.layout import ASK, BID


class BookTooLarge(Exception):
    """The book holds more scattered levels than MAX_CAPACITY: the caller starts it afresh."""


def with_room(block: Block) -> Block:
    """The same book with a longer pool.

    Raises:
        BookTooLarge: it would pass MAX_CAPACITY.
    """
    capacity = int(block.shape[0] * ROOM_FACTOR) + LEVEL_ROOM
    if capacity > MAX_CAPACITY:
        raise BookTooLarge
    longer = np.zeros(capacity, np.int64)
    longer[: block.shape[0]] = block
    longer[CAPACITY] = capacity
    return longer


def copy_into(target: Block, source: Block, side: int, low: int, high: int) -> Block:
    """`target` with every level that `source` holds from `low` to `high`; a longer one where it had no room."""
    while copy_levels(target, source, side, low, high) == NO_ROOM:
        target = with_room(target)
    return target


def with_range(block: Block, regions: int) -> Block:
    """The same book under a directory of `regions` regions, packed.

    Levels that lay beyond the old ladder are not known: KNOWN_TOP remembers where that begins.
    """
    wider = new_block(regions, capacity=max(FIRST_CAPACITY, block.shape[0]))
    known_top = int(block[KNOWN_TOP]) if block[BEYOND] > 0 else (regions << REGION_SHIFT) - 1
    wider[:CAPACITY] = block[:CAPACITY]  # the sequence state
    wider[BEYOND : BEYOND + 2] = block[BEYOND : BEYOND + 2]
    wider[VERIFIED_LOW : LAST_SETTING + 1] = block[VERIFIED_LOW : LAST_SETTING + 1]
    wider[KNOWN_TOP] = min(known_top, (regions << REGION_SHIFT) - 1)
    for side in (BID, ASK):
        wider = copy_into(wider, block, side, 0, FOREVER)
    assert regions >= block[REGIONS]
    return wider
