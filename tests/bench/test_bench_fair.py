"""The contestants of the benchmark do the same work: every installed peer gives our band sums on real frames."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

import pytest

from tests.bench.contestants import OURS, PEERS, make
from tests.bench.frames import BANDS, CAPTURE, Capture, groups, read_capture
from tests.bench.ours import UndertowBook
from tests.bench.rounds import Unfair, check, run

FRAMES = 300
BUNDLED = "orjson + floats + sortedcontainers"  # there with the test tools; the others come with `make bench`, which runs their marks


_read = cache(read_capture)


@pytest.fixture
def capture(shared_data: Path) -> Capture:
    assert shared_data in CAPTURE.parents
    return _read()


@pytest.mark.parametrize(
    "name", [BUNDLED, *(pytest.param(name, marks=pytest.mark.bench) for name in PEERS if name != BUNDLED)]
)
def test_a_peer_gives_our_figures(name: str, request: pytest.FixtureRequest) -> None:
    module, attribute, packages = PEERS[name]
    try:
        kind = getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        pytest.skip(f"{', '.join(packages)}: not installed here, `make bench` does that ({error})")
    capture: Capture = request.getfixturevalue("capture")  # after the skip: that one is not for want of it
    frames = capture.frames[:FRAMES]
    books = {OURS: make(UndertowBook, capture.snapshot, frames), name: make(kind, capture.snapshot, frames)}
    for number, frame in enumerate(frames):
        for book in books.values():
            (book.update_and_bands if number % 3 == 0 else book.update)(frame)
        if number % 50 == 0:
            check(books)
    check(books)
    assert len(books[OURS].figures()) == 4 * len(BANDS)


def test_a_contestant_that_computes_something_else_is_refused(capture: Capture) -> None:
    class Wrong(UndertowBook):
        def figures(self) -> list[float]:
            return [figure * 1.000001 for figure in super().figures()]

    short = Capture(capture.snapshot, capture.frames[:60], capture.levels[:60])
    with pytest.raises(Unfair, match="wrong differs"):
        run(short, [], {OURS: UndertowBook, "wrong": Wrong}, 1)


def test_the_groups_hold_frames_of_their_size(capture: Capture) -> None:
    small, middle, large, stream = groups(capture)
    assert all(capture.levels[place] <= 10 for place in small.places)
    assert 66 < middle.mean_levels(capture) < 70
    assert all(capture.levels[place] >= 500 for place in large.places)
    assert min(len(group.places) for group in (small, middle, large, stream)) >= 100
