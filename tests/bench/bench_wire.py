"""Frame bytes to integers: the scanner against orjson with float(), on the same frames in the same run.

    python tests/bench/bench_wire.py ../shared/data/hftbacktest-binance-2024-08-08/usdm_btcusdt_20240808.gz

Without a file it writes its own frames. Best of several runs; the frames of each row have about that many levels.
"""

from __future__ import annotations

import gzip
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson

from engines.wire.book_scan import compile_book_grammar, scan_book
from engines.wire.grammar import MILLISECOND, BookGrammar, IntegerField
from engines.wire.layout import ENGINE_TIME, EVENT_TIME, FIRST_ID, HEADER_SIZE, LAST_ID, OK, PREVIOUS_ID
from engines.wire.plain import plain_book
from engines.wire.scale import Grid, Scale

GRAMMAR = BookGrammar(
    bids=("data", "b"),
    asks=("data", "a"),
    integers=(
        IntegerField(("data", "U"), FIRST_ID),
        IntegerField(("data", "u"), LAST_ID),
        IntegerField(("data", "pu"), PREVIOUS_ID),
        IntegerField(("data", "E"), EVENT_TIME, MILLISECOND),
        IntegerField(("data", "T"), ENGINE_TIME, MILLISECOND),
    ),
    expects={("data", "e"): "depthUpdate"},
    market=(("data", "s"),),
)
SCALE = Scale(price=Grid(1, 1), size=Grid(3, 1))
COUNTS = (10, 68, 300)
FRAMES_A_ROW = 200
RUNS = 15


def made(levels: int, number: int) -> bytes:
    rows = [
        [f"{61000 + (index * 37 + number) % 9000 / 10:.2f}", f"{(index * index) % 9973 / 1000:.3f}"]
        for index in range(levels)
    ]
    data = {"e": "depthUpdate", "E": 1723161256299, "T": 1723161256298, "s": "BTCUSDT", "U": 5123107832006}
    data |= {"u": 5123107837557, "pu": 5123107831937, "b": rows[: levels // 2], "a": rows[levels // 2 :]}
    return orjson.dumps({"stream": "btcusdt@depth@0ms", "data": data})


def captured(path: Path) -> list[bytes]:
    lines = gzip.decompress(path.read_bytes()).splitlines()
    return [line.split(b" ", 1)[1] for line in lines if b'"depthUpdate"' in line]


def best(run: Callable[[], None]) -> float:
    took = []
    for _ in range(RUNS):
        start = time.perf_counter()
        run()
        took.append(time.perf_counter() - start)
    return min(took)


def level_count(frame: bytes) -> int:
    data = orjson.loads(frame)["data"]
    return len(data["b"]) + len(data["a"])


def row(name: str, frames: list[bytes]) -> None:
    compiled = compile_book_grammar(GRAMMAR, SCALE, "BTCUSDT")
    header, levels = np.zeros(HEADER_SIZE, np.int64), np.zeros((2, 20_000, 2), np.int64)
    arrays = [np.frombuffer(frame, np.uint8) for frame in frames]
    assert all(scan_book(array, compiled.table, header, levels) == OK for array in arrays)

    def ours() -> None:
        for array in arrays:
            scan_book(array, compiled.table, header, levels)

    def plain() -> None:
        for frame in frames[:20]:
            plain_book(GRAMMAR, SCALE, "BTCUSDT", frame, header, levels)

    def peer() -> None:
        for frame in frames:
            data = orjson.loads(frame)["data"]
            [(float(price), float(size)) for side in (data["b"], data["a"]) for price, size in side]

    count = len(frames)
    size = sum(map(len, frames))
    mean = sum(map(level_count, frames)) / count
    scan, slow, other = best(ours) / count, best(plain) / min(count, 20), best(peer) / count
    print(
        f"{name:>12} {mean:7.1f} levels {size / count:8.0f} B | scan {scan * 1e6:7.2f} us {scan / mean * 1e9:6.1f} ns/level "
        f"{size / count / scan / 1e6:6.0f} MB/s | orjson+float {other * 1e6:8.2f} us {other / scan:5.1f}x | plain {slow * 1e6:8.1f} us"
    )


def main() -> None:
    frames = (
        captured(Path(sys.argv[1]))
        if len(sys.argv) > 1
        else [made(levels, number) for levels in COUNTS for number in range(FRAMES_A_ROW)]
    )
    counts = np.array([level_count(frame) for frame in frames])
    for wanted in COUNTS:
        nearest = np.argsort(np.abs(counts - wanted), kind="stable")[:FRAMES_A_ROW]
        row(f"about {wanted}", [frames[index] for index in nearest])
    row("all", frames)
    row("made, 1000", [made(1000, number) for number in range(20)])


if __name__ == "__main__":
    main()
