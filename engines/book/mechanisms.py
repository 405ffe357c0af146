"""Is this frame the next one? The venues' continuity rules (`SequenceRule`) over the state of `engines.book.sequence`.

`step` looks at a frame's header only, moves the state and says what is to be done with the levels. The same state, header
and rule always give the same action; no time, no I/O.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engines.book.sequence import (
    APPLY,
    BUFFER,
    BUFFER_LAST,
    BUFFERING,
    COUNTER,
    DROPPED,
    EMPTY,
    FIRST_OVERLAPS,
    FLAGS,
    FRESH,
    GAP,
    GAPS,
    IGNORE,
    KEEPALIVE,
    LAST,
    LINKED,
    LIVE,
    MECHANISM,
    PREVIOUS,
    RANGE_WITH_PREVIOUS,
    REBUFFER,
    REPLACE,
    RESET,
    RESETS,
    RESTART_ID,
    SEEDED,
    SNAPSHOTS,
    STALE_LIMIT,
    STALE_RUN,
    STATUS,
    STREAM_SEEDED,
    STRICT,
    TIME,
    TOO_OLD,
    UNSEQUENCED,
    applied,
    lose,
    stale,
)
from engines.kernel import I64, I64_1, borrowing_kernel
from engines.wire.layout import (
    ASK_COUNT,
    BID_COUNT,
    EVENT_TIME,
    FIRST_ID,
    KIND,
    KIND_SNAPSHOT,
    LAST_ID,
    PREVIOUS_ID,
)

Ints = npt.NDArray[np.int64]


@borrowing_kernel(I64(I64_1, I64_1))
def step_range_with_previous(state: Ints, header: Ints) -> int:
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


@borrowing_kernel(I64(I64_1, I64, I64, I64))
def follows(state: Ints, first: int, last: int, before: int) -> int:
    """1 = a frame of newer ids than `before` leaves none out."""
    if first == before + 1:
        return 1
    return 1 if state[FLAGS] & STRICT == 0 and first <= before + 1 <= last else 0


@borrowing_kernel(I64(I64_1, I64_1))
def step_range(state: Ints, header: Ints) -> int:
    """range, seeded by the stream: see SequenceRule."""
    first, last = header[FIRST_ID], header[LAST_ID]
    if header[KIND] == KIND_SNAPSHOT:
        applied(state, last, 0)
        return REPLACE
    if state[STATUS] != LIVE:
        state[DROPPED] += 1
        return IGNORE
    if last != state[RESTART_ID]:
        if last <= state[LAST]:
            return stale(state)
        if follows(state, first, last, state[LAST]) == 1:
            return applied(state, last, 0)
    state[GAPS] += 1
    lose(state)
    return GAP


@borrowing_kernel(I64(I64_1, I64_1))
def step_range_over_rest(state: Ints, header: Ints) -> int:
    """range, seeded over REST: see SequenceRule. Id -1 is the snapshot of a book that never held anything: any frame joins it."""
    first, last = header[FIRST_ID], header[LAST_ID]
    status = state[STATUS]
    restarted = last == state[RESTART_ID]
    if status == LIVE:
        if not restarted and last > state[LAST] and follows(state, first, last, state[LAST]) == 1:
            return applied(state, last, 0)
        if last <= state[LAST] and not restarted:
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
        if state[LAST] >= 0 and last <= state[LAST] and not restarted:
            state[DROPPED] += 1
            return IGNORE
        if state[LAST] < 0 or (first <= state[LAST] + 1 and not restarted):
            return applied(state, last, 0)
        state[STATUS] = EMPTY
        state[BUFFERING] = 1
        state[BUFFER_LAST] = last
        return TOO_OLD
    before = state[BUFFER_LAST]
    linked = state[BUFFERING] == 1 and not restarted and last > before and follows(state, first, last, before) == 1
    if state[BUFFERING] == 1 and not linked:
        if last <= before and not restarted and state[STALE_RUN] < STALE_LIMIT:
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
        state[FRESH] = 1
        return REPLACE
    if state[STATUS] != LIVE:
        state[DROPPED] += 1
        return IGNORE
    if previous == state[LAST]:
        if last == previous and header[BID_COUNT] == 0 and header[ASK_COUNT] == 0:
            state[STALE_RUN] = 0
            return KEEPALIVE
        applied(state, last, previous)
        state[FRESH] = 0
        if last < previous:
            state[RESETS] += 1
            return RESET
        return APPLY
    overlaps = state[FRESH] == 1 and state[FLAGS] & FIRST_OVERLAPS != 0 and previous <= state[LAST] <= last
    if overlaps and previous != state[RESTART_ID]:
        state[FRESH] = 0
        return applied(state, last, previous)
    if last == state[LAST] and previous == state[PREVIOUS]:
        return stale(state)  # the same frame twice
    state[GAPS] += 1
    lose(state)
    return GAP


@borrowing_kernel(I64(I64_1, I64_1))
def step_snapshots(state: Ints, header: Ints) -> int:
    """snapshots: see SequenceRule. A frame that says no time is taken as it comes."""
    time = header[EVENT_TIME]
    if state[STATUS] == LIVE and time != 0 and time < state[TIME]:
        return stale(state)
    applied(state, header[LAST_ID], 0)
    if time != 0:
        state[TIME] = time
    return REPLACE


@borrowing_kernel(I64(I64_1, I64_1))
def step_unsequenced(state: Ints, header: Ints) -> int:
    """unsequenced: see SequenceRule."""
    if header[KIND] == KIND_SNAPSHOT:
        applied(state, header[LAST_ID], 0)
        return REPLACE
    if state[STATUS] != LIVE:
        state[DROPPED] += 1
        return IGNORE
    if header[BID_COUNT] == 0 and header[ASK_COUNT] == 0:
        return KEEPALIVE
    return applied(state, header[LAST_ID], 0)


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
        return step_range_with_previous(state, header)
    if state[MECHANISM] == COUNTER:
        return step_counter(state, header)
    if state[MECHANISM] == LINKED:
        return step_linked(state, header)
    if state[MECHANISM] == SNAPSHOTS:
        return step_snapshots(state, header)
    if state[MECHANISM] == UNSEQUENCED:
        return step_unsequenced(state, header)
    if state[FLAGS] & STREAM_SEEDED:
        return step_range(state, header)
    return step_range_over_rest(state, header)
