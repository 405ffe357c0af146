"""Real frames: no gaps where the capture has none, the venue's own best prices, and every band equal to a Decimal book."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from book_captures import (
    BINANCE_FRAME,
    BINANCE_SNAPSHOT,
    BYBIT_FRAME,
    COUNTER,
    LINKED,
    OKX_FRAME,
    RANGE,
    cryptofeed_records,
    hftbacktest_lines,
    levels_of,
    scale,
)
from book_twins import DecimalBook

from engines.book.bands import SIDES, BandSet
from engines.book.live_book import LiveBook
from engines.book.outcome import Outcome
from engines.wire.scale import Scale

PERCENTS = ["0.1", "0.25", "0.5", "1", "2", "5", "10"]
BANDS = BandSet([f"{percent}%" for percent in PERCENTS])


def binance(market: str, grid: Scale, **changed: int) -> LiveBook:
    return LiveBook(
        scale=grid,
        market=market,
        grammar=BINANCE_FRAME,
        rule=RANGE,
        changes_at_any_price=True,
        snapshot_grammar=BINANCE_SNAPSHOT,
        snapshot_levels=1000,
        **changed,
    )


def assert_bands(book: LiveBook, plain: DecimalBook, low: Decimal, high: Decimal, at: int, floor: bool) -> set[str]:
    """Raw sums equal the Decimal book's; what is published obeys its basis. Returns the bases seen."""
    report = book.bands(BANDS, at)
    assert report is not None
    tick, lot = book.scale.price.step, book.scale.size.step
    assert Decimal(report.half_ticks) * tick / 2 == plain.mid
    seen = set()
    for side, name in enumerate(SIDES):
        for figure, percent in zip(report.side(name), PERCENTS, strict=True):
            base, quote = plain.depth(side, Decimal(percent))
            assert (figure.raw.lots * lot, figure.raw.lot_ticks * lot * tick) == (base, quote)
            edge = plain.mid * (1 + Decimal(percent) / 100 * (1 if side else -1))
            if edge <= high if side else edge >= low:
                assert figure.basis == "live"
                assert figure.published == figure.raw
            elif floor:
                assert figure.basis == "floor"
                assert figure.published == figure.raw
            else:
                assert figure.basis is None
                assert figure.published is None
            assert figure.truncated == (figure.basis != "live")
            seen.add(str(figure.basis))
    return seen


def test_binance_usdm_capture(shared_data: Path) -> None:
    grid = scale("0.1", "0.001")
    book = binance("BTCUSDT", grid)
    eager = binance("BTCUSDT", grid, floor_settle_ns=0)
    plain = DecimalBook()
    waiting: list[bytes] = []
    low = high = Decimal(0)
    seeded = False
    frames = compared = tops = 0
    bases: set[str] = set()
    for line in hftbacktest_lines(shared_data):
        if b'"depthUpdate"' in line.raw[:80]:
            outcome = book.frame(line.raw, line.at)
            assert eager.frame(line.raw, line.at) is outcome
            if not seeded:
                waiting.append(line.raw)
                continue
            assert outcome is Outcome.APPLIED
            data = orjson.loads(line.raw)["data"]
            plain.apply(data["b"], data["a"])
            frames += 1
            if frames % 131 == 1 and book.readable:
                bases |= assert_bands(book, plain, low, high, line.at, floor=False)
                bases |= assert_bands(eager, plain, low, high, line.at, floor=True)
                compared += 1
        elif line.raw.startswith(b'{"lastUpdateId"'):
            assert book.snapshot_body(line.raw, line.at) is Outcome.REPLACED
            assert eager.snapshot_body(line.raw, line.at) is Outcome.REPLACED
            snapshot = orjson.loads(line.raw)
            low, high = Decimal(snapshot["bids"][-1][0]), Decimal(snapshot["asks"][-1][0])
            plain.apply(snapshot["bids"], snapshot["asks"])
            for raw in waiting:
                data = orjson.loads(raw)["data"]
                if data["u"] >= snapshot["lastUpdateId"]:
                    plain.apply(data["b"], data["a"])
            seeded = True
        elif seeded and b'"bookTicker"' in line.raw[:80] and b'"u":%d,' % book.last_id in line.raw:
            ticker = orjson.loads(line.raw)["data"]
            top = book.top()
            if top is not None:
                said = [Decimal(ticker[key]) for key in "bBaA"]
                tick, lot = grid.price.step, grid.size.step
                assert said == [top.bid_tick * tick, top.bid_lots * lot, top.ask_tick * tick, top.ask_lots * lot]
                tops += 1
    assert frames > 6_500
    assert compared >= 40
    assert tops > 100
    assert bases == {"live", "floor", "None"}
    for counter in ("gaps", "crossed", "refused", "mismatch"):
        assert book.counters[counter] == 0
    assert [dict(book.levels_of(side).tolist()) for side in SIDES] == [
        {
            int(price / grid.price.step): int(size / grid.size.step)
            for price, size in levels.items()
            if price < 3 * Decimal(61_800)
        }
        for levels in plain.sides
    ]


CRYPTOFEED_GRIDS = {
    "SUSHIUSDT": scale("0.0001", "1"),
    "AKROUSDT": scale("0.00001", "1"),
    "KEEPUSDT": scale("0.0001", "1"),
    "CTKUSDT": scale("0.00001", "1"),
}


def test_cryptofeed_binance_usdm(shared_data: Path) -> None:
    books = {market: binance(market, grid) for market, grid in CRYPTOFEED_GRIDS.items()}
    plain = {market: DecimalBook() for market in books}
    waiting: dict[str, list[dict[str, object]]] = {market: [] for market in books}
    edges: dict[str, tuple[Decimal, Decimal]] = {}
    last = 0
    for record in cryptofeed_records(shared_data, "binance_usdm"):
        raw = record.raw.encode()
        if record.kind == "recv" and b'"depthUpdate"' in raw[:120]:
            data = json.loads(raw)["data"]
            market = data["s"]
            outcome = books[market].frame(raw, record.at)
            if market in edges:
                assert outcome in (Outcome.APPLIED, Outcome.IGNORED)
                if outcome is Outcome.APPLIED:
                    plain[market].apply(data["b"], data["a"])
            else:
                waiting[market].append(data)
                assert outcome in (Outcome.NEED_SNAPSHOT, Outcome.BUFFERED)
            last = record.at
        elif record.kind == "http" and '"lastUpdateId"' in record.raw:
            market = record.url.split("symbol=")[1].split("&")[0]
            snapshot = json.loads(raw)
            assert books[market].snapshot_body(raw, record.at) in (Outcome.REPLACED, Outcome.HELD)
            plain[market].apply(snapshot["bids"], snapshot["asks"])
            for data in waiting[market]:
                if data["u"] >= snapshot["lastUpdateId"]:  # type: ignore[operator]
                    plain[market].apply(data["b"], data["a"])  # type: ignore[arg-type]
            whole = [len(snapshot[side]) < 1000 for side in ("bids", "asks")]
            edges[market] = (
                Decimal(0) if whole[0] else Decimal(snapshot["bids"][-1][0]),
                Decimal("Infinity") if whole[1] else Decimal(snapshot["asks"][-1][0]),
            )
    assert set(edges) == set(books)
    for market, book in books.items():
        assert book.readable, (market, book.reason)
        assert (book.counters["gaps"], book.counters["crossed"]) == (0, 0)
        assert_bands(book, plain[market], *edges[market], last, floor=False)


def test_cryptofeed_okx_window(shared_data: Path) -> None:
    """Frames of 2022 carry no ids: read the plain way here, numbered in the order they came."""
    grids = {"BTC-USD-220527": ("0.1", "1"), "UNI-USD-SWAP": ("0.001", "1"), "BTC-USDT": ("0.1", "0.00000001")}
    books = {}
    plain: dict[str, DecimalBook] = {}
    for market, (tick, lot) in grids.items():
        books[market] = LiveBook(
            scale=scale(tick, lot),
            market=market,
            grammar=OKX_FRAME,
            rule=LINKED,
            changes_at_any_price=False,
            window=400,
        )
    number = applied = 0
    for record in cryptofeed_records(shared_data, "okx_v5"):
        message = json.loads(record.raw) if record.kind == "recv" and '"books"' in record.raw else {}
        if "data" not in message:
            continue
        market = message["arg"]["instId"]
        book, data = books[market], message["data"][0]
        assert book.frame(record.raw.encode(), record.at) is Outcome.REFUSED  # no seqId
        snapshot = message["action"] == "snapshot"
        tick, lot = book.scale.price.step, book.scale.size.step
        number += 1
        rows = [
            [(int(Decimal(r[0]) / tick), int(Decimal(r[1]) / lot)) for r in data[side]] for side in ("bids", "asks")
        ]
        previous = -1 if snapshot else book.last_id
        outcome = book.levels(*levels_of(*rows, last=number, previous=previous, kind=int(snapshot)), record.at)
        assert outcome is (Outcome.REPLACED if snapshot else Outcome.APPLIED)
        if snapshot:
            plain[market] = DecimalBook()
        plain[market].apply(data["bids"], data["asks"])
        assert book.level_counts == tuple(map(len, plain[market].sides))
        applied += 1
    assert applied == 290
    for market, book in books.items():
        assert book.readable
        assert book.counters["window_exceeded"] == 0
        low, high = min(plain[market].sides[0]), max(plain[market].sides[1])
        if market != "BTC-USDT":
            assert max(book.level_counts) < 400
            low, high = Decimal(0), Decimal("Infinity")
        else:
            assert book.level_counts == (400, 400)
        assert_bands(book, plain[market], low, high, 0, floor=False)


def test_bybit_500_window(shared_data: Path) -> None:
    book = LiveBook(
        scale=scale("0.0001", "1"),
        market="XRPUSDT",
        grammar=BYBIT_FRAME,
        rule=COUNTER,
        changes_at_any_price=False,
        window=500,
    )
    plain = DecimalBook()
    path = shared_data / "nautilus-bybit-v5-orderbook500" / "2024-12-01_XRPUSDT_ob500.jsonl.gz"
    with gzip.open(path, "rb") as file:
        for number, line in enumerate(file):
            assert book.frame(line.strip(), number) is (Outcome.APPLIED if number else Outcome.REPLACED)
            data = orjson.loads(line)["data"]
            plain.apply(data["b"], data["a"])
            assert book.level_counts == (500, 500)
            assert_bands(book, plain, min(plain.sides[0]), max(plain.sides[1]), number, floor=False)
    assert book.counters["updates"] == 50
    assert book.counters["window_exceeded"] == 0


def test_tickvault_bybit_spot(shared_data: Path) -> None:
    book = LiveBook(
        scale=scale("0.1", "0.000001"),
        market="BTCUSDT",
        grammar=BYBIT_FRAME,
        rule=COUNTER,
        changes_at_any_price=False,
        window=50,
    )
    lines = (
        (shared_data / "tickvault-fixtures-2026-08-24" / "bybit_v5_spot_orderbook50.jsonl").read_bytes().splitlines()
    )
    outcomes = [book.frame(line, at) for at, line in enumerate(lines)]
    assert outcomes == [Outcome.REFUSED, Outcome.REPLACED, *[Outcome.APPLIED] * 8]
    assert book.level_counts == (50, 50)
    # the same frame again, one left out, and the stream goes on
    assert book.frame(lines[-1], 20) is Outcome.IGNORED
    assert book.frame(lines[-1].replace(b'"u":217107092', b'"u":217107094'), 21) is Outcome.GAP
    assert not book.readable
    assert book.frame(lines[1], 22) is Outcome.REPLACED


def test_tickvault_okx_updates(shared_data: Path) -> None:
    """The snapshot (seqId 80274874800) is not in the file: an own one with that id stands in for it."""
    lines = (
        (shared_data / "tickvault-fixtures-2026-08-24" / "okx_v5_books_updates_only.jsonl").read_bytes().splitlines()
    )
    market = orjson.loads(lines[0])["arg"]["instId"]
    book = LiveBook(
        scale=scale("0.01", "0.00000001"),
        market=market,
        grammar=OKX_FRAME,
        rule=LINKED,
        changes_at_any_price=False,
        window=400,
    )
    assert book.frame(lines[0], 0) is Outcome.IGNORED
    book.levels(*levels_of([(1, 1)], [(10**8, 1)], last=80274874800, previous=-1, kind=1), 1)
    assert [book.frame(line, 2) for line in lines] == [Outcome.APPLIED] * len(lines)
    assert book.counters["gaps"] == 0
    assert book.frame(lines[1], 3) is Outcome.GAP


DIGEST = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from test_book_captures import digest_of_head
print(digest_of_head(Path(sys.argv[2])))
"""


def digest_of_head(folder: Path) -> str:
    """Digest over the book after every frame of the capture's head, and over its bands and costs."""
    book = binance("BTCUSDT", scale("0.1", "0.001"), floor_settle_ns=0)
    hasher = hashlib.sha256()
    frames = 0
    for line in hftbacktest_lines(folder):
        if line.raw.startswith(b'{"lastUpdateId"'):
            short = orjson.loads(line.raw)
            short["bids"], short["asks"] = short["bids"][:150], short["asks"][:150]
            book.snapshot_body(orjson.dumps(short), line.at)
        elif b'"depthUpdate"' in line.raw[:80]:
            book.frame(line.raw, line.at)
            frames += 1
            if frames in (8, 20):
                book.snapshot_requested(line.at)
        if frames > 24:
            break
        hasher.update(bytes([int(book.readable)]))
    book.digest_into(hasher)
    hasher.update(repr(book.bands(BANDS, 10**19)).encode())
    hasher.update(repr(book.cost("sell", [1e3, 1e5, 1e9])).encode())
    hasher.update(repr(sorted(book.counters.items())).encode())
    assert book.readable
    return hasher.hexdigest()


def test_without_the_compiler_everything_is_the_same(shared_data: Path) -> None:
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONWARNINGS": "error"}
    here = str(Path(__file__).parent)
    plain = subprocess.run(
        [sys.executable, "-c", DIGEST, here, str(shared_data)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert plain.returncode == 0, plain.stderr
    assert plain.stdout.strip() == digest_of_head(shared_data)


@pytest.mark.parametrize("drop", [3, 100])
def test_a_frame_left_out_of_the_capture_is_a_gap_at_once(shared_data: Path, drop: int) -> None:
    book = binance("BTCUSDT", scale("0.1", "0.001"))
    frames = 0
    for line in hftbacktest_lines(shared_data):
        if line.raw.startswith(b'{"lastUpdateId"'):
            book.snapshot_body(line.raw, line.at)
        elif b'"depthUpdate"' in line.raw[:80]:
            frames += book.in_sync
            if frames == drop:
                frames += 1
                continue
            outcome = book.frame(line.raw, line.at)
            if frames == drop + 2:
                assert outcome is Outcome.GAP
                assert not book.readable
                return
