"""Times contestants on the same frames, interleaved: a run of frames each, the order turning, several passes."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.bench.contestants import OURS, Contestant, disagreement, make
from tests.bench.frames import Capture, Group

RUN: Final = 48  # consecutive frames one contestant takes before the next has its turn
WARM_UP: Final = 64  # frames on a book of its own, thrown away
CHECK_EVERY: Final = 16  # runs between two comparisons of all figures
TOLERANCE: Final = 1e-9


class Unfair(Exception):
    """A contestant computes something else, so its time means nothing."""


@dataclass(frozen=True, slots=True)
class Timed:
    """us a frame of one group. medians[i]: of pass i."""

    median: float
    medians: tuple[float, ...]

    @property
    def spread(self) -> float:
        """The passes' range over the median."""
        return (max(self.medians) - min(self.medians)) / self.median


Take = Callable[[bytes], object]


def run(
    capture: Capture,
    groups: Sequence[Group],
    kinds: Mapping[str, type[Contestant]],
    passes: int,
    extra: Mapping[str, str] | None = None,
    progress: Callable[[], None] = lambda: None,
) -> dict[tuple[str, str], Timed]:
    """(group, contestant) -> times. `extra`: further ways of ours by name, each a method that does all the work.

    Raises:
        Unfair: two contestants disagree by more than TOLERANCE.
    """
    members: list[tuple[str, type[Contestant], str]] = [
        (name, kind, "update_and_bands") for name, kind in kinds.items()
    ]
    members += [(name, kinds[OURS], method) for name, method in (extra or {}).items()]
    timed_places = sorted({place for group in groups for place in group.places})
    wanted = bytearray(len(capture.frames))
    for place in timed_places:
        wanted[place] = 1
    took: list[dict[str, dict[int, float]]] = []
    for number in range(passes):
        took.append({name: {} for name, _, _ in members})
        _pass(capture, wanted, members, took[-1], number, progress)
    results = {}
    for group in groups:
        for name, _, _ in members:
            medians = tuple(statistics.median(one[name][place] for place in group.places) for one in took)
            each = [statistics.median(one[name][place] for one in took) for place in group.places]
            results[group.name, name] = Timed(statistics.median(each), medians)
    return results


def _pass(
    capture: Capture,
    wanted: bytearray,
    members: Sequence[tuple[str, type[Contestant], str]],
    took: dict[str, dict[int, float]],
    number: int,
    progress: Callable[[], None],
) -> None:
    books: dict[str, Contestant] = {}
    for name, kind, method in members:
        if number == 0:
            _warm_up(kind, method, capture)
        books[name] = make(kind, capture.snapshot, capture.frames)
    gc.collect()
    for turn, begin in enumerate(range(0, len(capture.frames), RUN)):
        places = range(begin, min(begin + RUN, len(capture.frames)))
        for name, _, method in _turned(members, turn + number):
            _take(books[name], method, capture.frames, places, wanted, took[name])
            progress()
        if turn % CHECK_EVERY == 0:
            check(books)
    check(books)


def _take(
    book: Any,
    method: str,
    frames: Sequence[bytes],
    places: Iterator[int] | range,
    wanted: bytearray,
    took: dict[int, float],
) -> None:
    update: Take = book.update
    whole: Take = getattr(book, method)
    clock = time.perf_counter_ns
    for place in places:
        frame = frames[place]
        if wanted[place]:
            begun = clock()
            whole(frame)
            took[place] = (clock() - begun) / 1000
        else:
            update(frame)


def _turned(members: Sequence[tuple[str, type[Contestant], str]], by: int) -> list[tuple[str, type[Contestant], str]]:
    by %= len(members)
    return [*members[by:], *members[:by]]


def _warm_up(kind: type[Contestant], method: str, capture: Capture) -> None:
    frames = capture.frames[:WARM_UP]
    book = make(kind, capture.snapshot, frames)
    for frame in frames:
        getattr(book, method)(frame)
    book.figures()


def check(books: Mapping[str, Contestant]) -> None:
    """All books say the same.

    Raises:
        Unfair: one does not.
    """
    ours = books[OURS].figures()
    for name, book in books.items():
        apart = disagreement(ours, book.figures())
        if apart > TOLERANCE:
            raise Unfair(f"{name} differs from ours by {apart:.2e}")
