"""Is this frame the next one? The venue's continuity rule (`SequenceRule`) as a machine over 16 integers.

`step` looks at a frame's header only, moves the state and says what is to be done with the levels. The same state, header
and rule always give the same action; no time, no I/O.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from engines.kernel import I64, I64_1, borrowing_kernel
from engines.wire.grammar import SequenceMechanism, SequenceRule
from engines.wire.layout import ASK_COUNT, BID_COUNT, FIRST_ID, KIND, KIND_SNAPSHOT, LAST_ID, PREVIOUS_ID

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
STATE_SIZE: Final = 16

RANGE_WITH_PREVIOUS: Final = 0
COUNTER: Final = 1
LINKED: Final = 2
_MECHANISMS: Final[dict[SequenceMechanism, int]] = {
    "range_with_previous": RANGE_WITH_PREVIOUS,
    "counter": COUNTER,
    "linked": LINKED,
}
NO_RESTART: Final = -1

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
    GAP = 7  # a frame is missing; range_with_previous: this one is the first kept for the next seed
    TOO_OLD = 8  # the REST snapshot does not reach this frame: a newer one is needed; this one is the first kept


APPLY, RESET, REPLACE, KEEPALIVE, IGNORE = 0, 1, 2, 3, 4
BUFFER, REBUFFER, GAP, TOO_OLD = 5, 6, 7, 8


def start(state: npt.NDArray[np.int64], rule: SequenceRule) -> None:
    """Writes the rule and an empty state into `state` (int64[>= STATE_SIZE])."""
    state[:STATE_SIZE] = 0
    state[MECHANISM] = _MECHANISMS[rule.mechanism]
    state[RESTART_ID] = NO_RESTART if rule.restart_id is None else rule.restart_id


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


@borrowing_kernel(I64(I64_1, I64_1))
def step_range(state: Ints, header: Ints) -> int:
    """range_with_previous: see SequenceRule."""
    first, last, previous = header[FIRST_ID], header[LAST_ID], header[PREVIOUS_ID]
    status = state[STATUS]
    if status == LIVE:
        if previous == state[LAST]:
            return applied(state, last, previous)
        if last <= state[LAST]:
            action = stale(state)
        else:
            state[GAPS] += 1
            lose(state)
            action = GAP
        if action == GAP:
            state[BUFFERING] = 1
            state[BUFFER_LAST] = last
        return action
    if status == SEEDED:
        if last < state[LAST]:
            state[DROPPED] += 1
            return IGNORE
        if first <= state[LAST] or previous == state[LAST]:
            return applied(state, last, previous)
        state[STATUS] = EMPTY
        state[BUFFERING] = 1
        state[BUFFER_LAST] = last
        return TOO_OLD
    linked = state[BUFFERING] == 1 and previous == state[BUFFER_LAST]
    if state[BUFFERING] == 1 and not linked:
        if last <= state[BUFFER_LAST] and state[STALE_RUN] < STALE_LIMIT:
            return stale(state)
        state[GAPS] += 1
    state[BUFFERING] = 1
    state[BUFFER_LAST] = last
    state[STALE_RUN] = 0
    return BUFFER if linked else REBUFFER


@borrowing_kernel(I64(I64_1, I64_1))
def step_counter(state: Ints, header: Ints) -> int:
    """counter: see SequenceRule."""
    last = header[LAST_ID]
    if header[KIND] == KIND_SNAPSHOT or last == state[RESTART_ID]:
        if last == state[RESTART_ID] and state[STATUS] == LIVE:
            state[RESETS] += 1
        applied(state, last, 0)
        return REPLACE
    if state[STATUS] != LIVE:
        state[DROPPED] += 1
        return IGNORE
    if last == state[LAST] + 1:
        return applied(state, last, 0)
    if last <= state[LAST]:
        return stale(state)
    state[GAPS] += 1
    lose(state)
    return GAP


@borrowing_kernel(I64(I64_1, I64_1))
def step_linked(state: Ints, header: Ints) -> int:
    """linked: see SequenceRule."""
    last, previous = header[LAST_ID], header[PREVIOUS_ID]
    if header[KIND] == KIND_SNAPSHOT:
        applied(state, last, previous)
        return REPLACE
    if state[STATUS] != LIVE:
        state[DROPPED] += 1
        return IGNORE
    if previous == state[LAST]:
        if last == previous and header[BID_COUNT] == 0 and header[ASK_COUNT] == 0:
            state[STALE_RUN] = 0
            return KEEPALIVE
        applied(state, last, previous)
        if last < previous:
            state[RESETS] += 1
            return RESET
        return APPLY
    if last == state[LAST] and previous == state[PREVIOUS]:
        return stale(state)  # the same frame twice
    state[GAPS] += 1
    lose(state)
    return GAP


@borrowing_kernel(I64(I64_1, I64_1))
def step(state: Ints, header: Ints) -> int:
    """One frame.

    Args:
        state: int64[>= STATE_SIZE], moved.
        header: int64[HEADER_SIZE] of the frame.

    Returns:
        An Action.
    """
    if state[MECHANISM] == RANGE_WITH_PREVIOUS:
        return step_range(state, header)
    if state[MECHANISM] == COUNTER:
        return step_counter(state, header)
    return step_linked(state, header)
