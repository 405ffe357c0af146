"""What the book costs, on real frames and on large made-up books. Run: python tests/bench/bench_book.py

Prints one line a figure; microseconds unless it says otherwise. The best of several rounds: other load only ever adds.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engines" / "book"))

from book_captures import BINANCE_FRAME, BINANCE_SNAPSHOT, RANGE, hftbacktest_lines, levels_of, scale

from engines.book.bands import BandSet
from engines.book.hot import take_frame
from engines.book.live_book import LiveBook
from engines.book.outcome import Outcome
from engines.book.sums import COLUMNS, FLOOR_ALLOWED, measure
from engines.wire.book_scan import scan_book

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
BANDS = BandSet(["0.1%", "0.25%", "0.5%", "1%", "2%", "5%", "10%"])
ROUNDS = 7


def best_of(run: Callable[[], float]) -> float:
    return min(run() for _ in range(ROUNDS))


def each(calls: int, run: Callable[[], None]) -> Callable[[], float]:
    def timed() -> float:
        started = time.perf_counter()
        run()
        return (time.perf_counter() - started) / calls * 1e6

    return timed


def show(name: str, value: float, unit: str = "us") -> None:
    print(f"{name:58} {value:9.3f} {unit}")


def bands_of(name: str, book: LiveBook) -> None:
    out = np.zeros((2, len(BANDS), COLUMNS), np.int64)
    none = np.zeros((2, 0, COLUMNS), np.int64)

    def seven(target: np.ndarray) -> Callable[[], None]:
        block, ratios = book._block, BANDS.ratios
        return lambda: [measure(block, block, ratios, target, FLOOR_ALLOWED) for _ in range(3000)] and None  # type: ignore[func-returns-value]

    call = best_of(each(3000, seven(none)))
    total = best_of(each(3000, seven(out)))
    show(f"{name}: seven bands, both sides, base and quote", total)
    show(f"{name}:   of which the call itself", call)
    show(
        f"{name}: bands() as Python values",
        best_of(each(300, lambda: [book.bands(BANDS, 10**19) for _ in range(300)] and None)),
    )  # type: ignore[func-returns-value]
    show(
        f"{name}: five costs, one side",
        best_of(each(300, lambda: [book.cost("sell", [1e4, 1e5, 5e5, 1e6, 1e7]) for _ in range(300)] and None)),
    )  # type: ignore[func-returns-value]
    show(f"{name}: memory", book.nbytes / 1e6, "MB")


def made_up(levels: int, tick: str, mid: int, spread: int) -> LiveBook:
    """A book of `levels` a side: half of them close to the mid, half spread evenly out to `spread` ticks."""
    rng = np.random.default_rng(20261122)
    sides = []
    for sign in (-1, 1):
        near = rng.exponential(spread / 20, levels).astype(np.int64) % spread + 1
        even = rng.integers(1, spread, levels)
        ticks = np.unique(np.where(rng.random(levels) < 0.5, near, even))
        sides.append([(mid + sign * int(tick), int(rng.integers(1, 10**6))) for tick in ticks])
    book = LiveBook(
        scale=scale(tick, "0.001"),
        market="X",
        grammar=BINANCE_FRAME,
        rule=RANGE,
        changes_at_any_price=True,
        floor_settle_ns=0,
    )
    book.snapshot(*levels_of(*sides, last=1), 1)
    book.levels(*levels_of([], [], first=1, last=2), 2)
    assert book.readable
    return book


def capture() -> None:
    frames, snapshot = [], b""
    for line in hftbacktest_lines(DATA):
        if b'"depthUpdate"' in line.raw[:80]:
            frames.append(line.raw)
        elif line.raw.startswith(b'{"lastUpdateId"'):
            snapshot, seeded_after = line.raw, len(frames)

    def fresh() -> LiveBook:
        book = LiveBook(
            scale=scale("0.1", "0.001"),
            market="BTCUSDT",
            grammar=BINANCE_FRAME,
            rule=RANGE,
            changes_at_any_price=True,
            snapshot_grammar=BINANCE_SNAPSHOT,
            floor_settle_ns=0,
        )
        for raw in frames[:seeded_after]:
            book.frame(raw, 1)
        book.snapshot_body(snapshot, 1)
        return book

    rest = frames[seeded_after:]
    arrays = [np.frombuffer(raw, np.uint8) for raw in rest]
    out = np.zeros((2, len(BANDS), COLUMNS), np.int64)

    def scan_only() -> float:
        book = fresh()
        header, levels = book._scratch.header, book._scratch.levels
        return each(len(rest), lambda: [scan_book(a, book._table, header, levels) for a in arrays] and None)()  # type: ignore[func-returns-value]

    def kernel_only() -> float:
        book = fresh()
        scratch = book._scratch

        def run() -> None:
            for array in arrays:
                code = take_frame(array, book._table, scratch.memory, book._block, 1)
                if code:
                    book._finish(code, scratch.header, scratch.levels, None, 1)

        return each(len(rest), run)()

    def frame_call() -> float:
        book = fresh()
        return each(len(rest), lambda: [book.frame(raw, 1) for raw in rest] and None)()  # type: ignore[func-returns-value]

    def with_bands() -> float:
        book = fresh()

        def run() -> None:
            for raw in rest:
                book.frame(raw, 1)
                measure(book._block, book._block, BANDS.ratios, out, FLOOR_ALLOWED)

        return each(len(rest), run)()

    book = fresh()
    rows = sum(int(book.frame(raw, 1) is Outcome.APPLIED and book.header[8] + book.header[9]) for raw in rest) / len(
        rest
    )
    scan, kernels = best_of(scan_only), best_of(kernel_only)
    show("real frames: levels a frame", rows, "")
    show("real frames: scan", scan)
    show("real frames: scan, sequence, apply, crossed check", kernels)
    show("real frames: beyond the scan", (kernels - scan) * 1000 / rows, "ns a level")
    show("real frames: LiveBook.frame(bytes)", best_of(frame_call))
    show("real frames: LiveBook.frame(bytes) and seven bands", best_of(with_bands))
    show("real frames: levels held at the end", float(sum(book.level_counts)), "")
    bands_of("real book", book)
    short = json.loads(snapshot)
    short["bids"], short["asks"] = short["bids"][:34], short["asks"][:34]
    small = LiveBook(
        scale=scale("0.1", "0.001"),
        market="BTCUSDT",
        grammar=BINANCE_FRAME,
        rule=RANGE,
        changes_at_any_price=True,
        snapshot_grammar=BINANCE_SNAPSHOT,
    )
    small.snapshot_body(json.dumps(short, separators=(",", ":")).encode(), 1)
    small.levels(*levels_of([], [], first=1, last=short["lastUpdateId"] + 1, previous=short["lastUpdateId"]), 2)
    bands_of("68 levels", small)


if __name__ == "__main__":
    capture()
    bands_of("5,000 a side, tick 0.1", made_up(5_000, "0.1", 618_000, 61_800))
    bands_of("5,000 a side, tick 0.01 (fine)", made_up(5_000, "0.01", 6_000_000, 600_000))
