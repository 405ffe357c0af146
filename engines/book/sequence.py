"""Is this frame the next one? The state of a venue's continuity rule (`SequenceRule`): 16 integers, and what moves them.

The rules themselves are in `engines.book.mechanisms`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from engines.kernel import I64, I64_1, borrowing_kernel
from engines.wire.grammar import SequenceMechanism, SequenceRule

Ints = npt.NDArray[np.int64]

# Slots of the state: the first 16 of a book's block.
MECHANISM: Final = 0
RESTART_ID: Final = 1
STATUS: Final = 2
LAST: Final = 3  # id of the last frame applied, or of the snapshot
PREVIOUS: Final = 4  # the link of the last frame applied (linked)
EPOCH: Final = 5  # goes up with every loss of sync: one recovery belongs to one epoch
BUFFER_LAST: Final = 6  # id of the last frame kept while waiting for the REST snapshot
BUFFERING: Final = 7  # 1 = a frame is kept
STALE_RUN: Final = 8  # frames ignored in a row since the last one applied
GAPS: Final = 9
DROPPED: Final = 10  # frames ignored: older than the book, doubled, or before the seed
RESETS: Final = 11  # legal restarts of the ids
FLAGS: Final = 12  # STRICT | FIRST_OVERLAPS | STREAM_SEEDED
FRESH: Final = 13  # 1 = nothing but the snapshot has been applied (linked)
TIME: Final = 14  # venue time of the last frame applied (snapshots)
STATE_SIZE: Final = 16

RANGE_WITH_PREVIOUS: Final = 0
COUNTER: Final = 1
LINKED: Final = 2
RANGE: Final = 3
SNAPSHOTS: Final = 4
UNSEQUENCED: Final = 5
_MECHANISMS: Final[dict[SequenceMechanism, int]] = {
    "range_with_previous": RANGE_WITH_PREVIOUS,
    "counter": COUNTER,
    "linked": LINKED,
    "range": RANGE,
    "snapshots": SNAPSHOTS,
    "unsequenced": UNSEQUENCED,
}
STRICT: Final = 1
FIRST_OVERLAPS: Final = 2
STREAM_SEEDED: Final = 4
NO_RESTART: Final = -1 << 62  # no id: an empty book may say -1

EMPTY: Final = 0  # no seed
SEEDED: Final = 1  # the REST snapshot is loaded, no frame has joined it yet
LIVE: Final = 2

# Doubled and late frames are ignored, but not for ever: ids that went backwards for good are a restart nobody announced,
# and ignoring them would leave a frozen book that looks calm.
STALE_LIMIT: Final = 32


class Action(IntEnum):
    """What to do with a frame's levels."""

    APPLY = 0
    RESET = 1  # apply; the venue restarted its ids legally
    REPLACE = 2  # the frame is the whole book
    KEEPALIVE = 3
    IGNORE = 4
    BUFFER = 5  # keep until the REST snapshot comes
    REBUFFER = 6  # keep this one and drop those kept before: they do not link to it (also the first one kept)
    GAP = 7  # a frame is missing; seeded over REST: this one is the first kept for the next seed
    TOO_OLD = 8  # the REST snapshot does not reach this frame: a newer one is needed; this one is the first kept


APPLY, RESET, REPLACE, KEEPALIVE, IGNORE = 0, 1, 2, 3, 4
BUFFER, REBUFFER, GAP, TOO_OLD = 5, 6, 7, 8


def start(state: npt.NDArray[np.int64], rule: SequenceRule) -> None:
    """Writes the rule and an empty state into `state` (int64[>= STATE_SIZE])."""
    state[:STATE_SIZE] = 0
    state[MECHANISM] = _MECHANISMS[rule.mechanism]
    state[RESTART_ID] = NO_RESTART if rule.restart_id is None else rule.restart_id
    state[FLAGS] = (
        (STRICT if rule.strict else 0)
        | (FIRST_OVERLAPS if rule.first_overlaps else 0)
        | (0 if rule.seeded_by_rest else STREAM_SEEDED)
    )


def numbered(rule: SequenceRule) -> bool:
    """Whether two books of this rule that stand at the same id hold the same levels."""
    return rule.mechanism not in ("snapshots", "unsequenced")


def is_old(rule: SequenceRule, seed: int, last: int) -> bool:
    """Whether a REST snapshot with id `seed` holds already what a kept frame up to `last` changed."""
    return seed >= 0 and (last <= seed if rule.mechanism == "range" else last < seed)


def joins(rule: SequenceRule, seed: int, first: int, previous: int) -> bool:
    """Whether the first kept frame that is not old links to a REST snapshot with id `seed`; else the snapshot is too old."""
    if rule.mechanism == "range":
        return seed < 0 or first <= seed + 1
    return first <= seed or previous == seed


@borrowing_kernel(I64(I64_1))
def lose(state: Ints) -> int:
    """Sync is lost: no seed, a new epoch. Returns the epoch."""
    state[STATUS] = EMPTY
    state[BUFFERING] = 0
    state[STALE_RUN] = 0
    state[EPOCH] += 1
    return int(state[EPOCH])


@borrowing_kernel(I64(I64_1, I64))
def seed(state: Ints, last: int) -> int:
    """A REST snapshot with this id is loaded; the next frame has to join it. Returns the id."""
    state[STATUS] = SEEDED
    state[LAST] = last
    state[STALE_RUN] = 0
    return last


@borrowing_kernel(I64(I64_1))
def stale(state: Ints) -> int:
    """An old frame: ignored, or a gap when there is no end of them."""
    state[DROPPED] += 1
    state[STALE_RUN] += 1
    if state[STATUS] != EMPTY and state[STALE_RUN] > STALE_LIMIT:
        state[GAPS] += 1
        lose(state)
        return GAP
    return IGNORE


@borrowing_kernel(I64(I64_1, I64, I64))
def applied(state: Ints, last: int, previous: int) -> int:
    state[STATUS] = LIVE
    state[LAST] = last
    state[PREVIOUS] = previous
    state[STALE_RUN] = 0
    return APPLY
