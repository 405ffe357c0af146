"""What our own parts cost: beyond the scan, seven bands in books of every shape, memory. Medians of many short runs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from engines.book.bands import BandSet
from engines.book.hot import take_frame
from engines.book.live_book import LiveBook
from engines.book.sums import FLOOR_ALLOWED, measure
from engines.wire.book_scan import compile_book_grammar, scan_book
from engines.wire.grammar import SequenceRule
from engines.wire.layout import ASK_COUNT, BID_COUNT, HEADER_SIZE, LAST_ID
from engines.wire.scale import Grid, Scale
from monitor.venues.registry import VENUES
from tests.bench.asset_second import asset_figures
from tests.bench.cascade import two_sides
from tests.bench.exposure import map_figures
from tests.bench.figures import Figure
from tests.bench.frames import BANDS, LOT, STREAM, SYMBOL, TICK, Capture, Group
from tests.bench.ours import UndertowBook

ROUNDS: Final = 9
FRAME_ROUNDS: Final = 5  # each runs the whole capture through a book twice
CALLS: Final = 2_000
CASCADE_CALLS: Final = 50
BEYOND_SCAN_NS: Final = 20.0  # goals of the issue
BANDS_US: Final = 3.0
FINE_TICK_MB: Final = 4.0
CASCADE_US: Final = 1_000.0
SEED: Final = 20261122  # of the books that are made up


def per_call(run: Callable[[], object], calls: int) -> tuple[float, float]:
    """(median, spread) in us a call; the spread is the interquartile range over the median."""
    run()
    took = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        run()
        took.append((time.perf_counter() - begun) / calls * 1e6)
    low, middle, high = statistics.quantiles(took, n=4)
    return middle, (high - low) / middle


def engine_figures(capture: Capture, groups: Sequence[Group]) -> list[Figure]:
    found: list[Figure] = []
    for group in groups[1:]:
        found += _frame_figures(capture, group)
    real = UndertowBook(capture.snapshot, ())
    for frame in capture.frames[:3000]:
        real.update(frame)
    books = {
        "real book": real.lane.book,
        "5,000 levels a side": made_up("0.1", 618_000, 61_800),
        "5,000 levels a side, tick 0.01 at 60,000": made_up("0.01", 6_000_000, 600_000),
    }
    for title, book in books.items():
        found += _band_figures(title, book)
    fine = books["5,000 levels a side, tick 0.01 at 60,000"]
    found.append(_cascade_figure())
    found.append(Figure("memory_fine_tick", "fine-tick book, memory", fine.nbytes / 1e6, "MB", goal=FINE_TICK_MB))
    return [*found, *map_figures(), *asset_figures(books["5,000 levels a side"])]


def _frame_figures(capture: Capture, group: Group) -> list[Figure]:
    """The scan, and the fused kernel, of the same frames at their place in the stream, so that both find the same caches."""
    scans, wholes = [], []
    for _ in range(FRAME_ROUNDS):
        scans.append(_in_stream(capture, group, scan_only=True))
        wholes.append(_in_stream(capture, group, scan_only=False))
    mean = group.mean_levels(capture)
    scan, whole = statistics.median(scans), statistics.median(wholes)
    beyond = [(b - a) * 1e3 / mean for a, b in zip(scans, wholes, strict=True)]
    spread = (max(beyond) - min(beyond)) / statistics.median(beyond)
    title = f"{group.title}:"
    return [
        Figure(f"{group.name}_scan", f"{title} scan", scan, "us"),
        Figure(f"{group.name}_book", f"{title} scan, sequence, apply, check", whole, "us"),
        Figure(
            f"{group.name}_beyond_scan",
            f"{title} beyond the scan, a level",
            statistics.median(beyond),
            "ns",
            BEYOND_SCAN_NS,
            spread,
        ),
    ]


def _in_stream(capture: Capture, group: Group, *, scan_only: bool) -> float:
    """Mean us a frame of the group, while the whole capture runs through a book."""
    topic = VENUES["binance_usdm"].topic(STREAM)
    assert topic is not None
    assert topic.book is not None
    table = compile_book_grammar(topic.book, Scale(Grid.from_step(TICK), Grid.from_step(LOT)), SYMBOL).table
    ours = UndertowBook(capture.snapshot, ())
    book = ours.lane.book
    scratch = book._scratch
    wanted = set(group.places)
    took = 0
    clock = time.perf_counter_ns
    for place, frame in enumerate(capture.frames):
        if place not in wanted:
            ours.update(frame)
            continue
        array = np.frombuffer(frame, np.uint8)
        if scan_only:
            begun = clock()
            scan_book(array, table, scratch.header, scratch.levels)
            took += clock() - begun
            ours.update(frame)
            continue
        begun = clock()
        code = take_frame(array, table, scratch.memory, book._block, 1)
        took += clock() - begun
        if code:
            book._finish(code, scratch.header, scratch.levels, None, 1)
    return took / len(group.places) / 1e3


def _band_figures(title: str, book: LiveBook) -> list[Figure]:
    bands = BandSet(BANDS)
    block, at = book._block, 10**19

    def read() -> None:
        for _ in range(CALLS):
            book.depth(bands, at, 1.0)

    def sums() -> None:
        for _ in range(CALLS):
            measure(block, block, bands.ratios, bands.sums, FLOOR_ALLOWED)

    whole, spread = per_call(read, CALLS)
    inside, _ = per_call(sums, CALLS)
    name = title.replace(",", "").replace(" ", "_").replace(".", "")
    levels = sum(book.level_counts)
    return [
        Figure(f"seven_bands_{name}", f"{title}: seven bands in coins and USD", whole, "us", BANDS_US, spread, levels),
        Figure(f"seven_bands_{name}_sums", f"{title}: of which the sums", inside, "us", levels=levels),
    ]


def _cascade_figure() -> Figure:
    """A whole asset: both sides, arbitrage included."""
    solve, title = two_sides(SEED)

    def run() -> None:
        for _ in range(CASCADE_CALLS):
            solve()

    took, spread = per_call(run, CASCADE_CALLS)
    return Figure("cascade_two_sided", title, took, "us", CASCADE_US, spread)


def made_up(tick: str, mid: int, spread: int, levels: int = 5_000) -> LiveBook:
    """A book of `levels` a side: about half of them close to the mid, the others evenly out to `spread` ticks."""
    rng = np.random.default_rng(SEED)
    header, rows = np.zeros(HEADER_SIZE, np.int64), np.zeros((2, levels, 2), np.int64)
    for side, sign in ((0, -1), (1, 1)):
        near = rng.exponential(spread / 20, 4 * levels).astype(np.int64) % spread + 1
        ticks = np.unique(
            np.concatenate((rng.permutation(np.unique(near))[: levels // 2], rng.integers(1, spread, 4 * levels)))
        )
        ticks = rng.permutation(ticks)[:levels]
        rows[side, :, 0] = mid + sign * np.sort(ticks)
        rows[side, :, 1] = rng.integers(1, 10**6, levels)
        header[BID_COUNT + side] = levels
    assert header[ASK_COUNT] == levels
    topic = VENUES["binance_usdm"].topic(STREAM)
    assert topic is not None
    assert topic.book is not None
    book = LiveBook(
        scale=Scale(Grid.from_step(tick), Grid.from_step(LOT)),
        market=SYMBOL,
        grammar=topic.book,
        rule=SequenceRule("range_with_previous"),
        changes_at_any_price=True,
        floor_settle_ns=0,
    )
    header[LAST_ID] = 1
    book.snapshot(header, rows, 1)
    book.levels(*_nothing(), 2)
    assert book.readable
    assert book.level_counts == (levels, levels)
    return book


def _nothing() -> tuple[np.ndarray, np.ndarray]:
    """A frame without levels that follows id 1."""
    from engines.wire.layout import FIRST_ID, PREVIOUS_ID

    header = np.zeros(HEADER_SIZE, np.int64)
    header[FIRST_ID], header[LAST_ID], header[PREVIOUS_ID] = 1, 2, 1
    return header, np.zeros((2, 1, 2), np.int64)
