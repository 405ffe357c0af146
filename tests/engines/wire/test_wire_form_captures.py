"""Real frames in the newer forms: every one is scanned, and both paths read it alike. The facts are the venues' tests' business."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from wire_cases import BookPaths, TradePaths, cryptofeed_frames, lines, scale
from wire_forms import (
    BITFINEX,
    BITFINEX_TRADE,
    COINBASE,
    COINBASE_TRADE,
    HTX,
    HTX_TRADE,
    KRAKEN_SPOT,
)

from engines.wire.grammar import BookGrammar, TradeGrammar

# Fine enough for every market of a capture at once; the frames of all of them go through one grammar that asks for none.
GRID = scale("0.0000000001", "0.00000001")


def of_any_market(grammar: BookGrammar) -> list[BookPaths]:
    forms = (replace(grammar, market=(), alternates=()), *(replace(one, market=()) for one in grammar.alternates))
    return [BookPaths(one, GRID, "", capacity=3_000) for one in forms]


def read_books(grammar: BookGrammar, frames: list[bytes]) -> int:
    """How many rows the frames held."""
    forms = of_any_market(grammar)
    whole = BookPaths(
        replace(forms[0].compiled.grammar, alternates=tuple(one.compiled.grammar for one in forms[1:])), GRID, "", 3_000
    )
    rows = 0
    for frame in frames:
        readings = [facts for facts in (one.scan(frame) for one in forms) if not isinstance(facts, str)]
        assert len(readings) == 1, frame
        assert readings[0] == whole.plain(frame), frame
        rows += len(readings[0][1]) + len(readings[0][2])
    return rows


def read_trades(grammar: TradeGrammar, frames: list[bytes]) -> int:
    paths = TradePaths(replace(grammar, market=(), row_market=()), GRID, "")
    count = 0
    for frame in frames:
        rows = paths.scan(frame)
        assert not isinstance(rows, str), (rows, frame)
        assert rows == paths.plain(frame), frame
        count += len(rows)
    return count


def sample(folder: Path, name: str, wanted: Callable[[bytes], bool]) -> list[bytes]:
    path = folder / "cryptofeed-samples" / f"{name}.jsonl.gz"
    return [frame for kind, _, frame in cryptofeed_frames(path) if kind == "recv" and wanted(frame)]


def test_kraken_spot(shared_data: Path) -> None:
    path = shared_data / "kraken-v2-book-2026-09-12" / "kraken_v2_book_btcusd.jsonl"
    frames = [frame for frame in lines(path) if frame.startswith(b'{"channel":"book","type"')]
    assert len(frames) == 78
    assert read_books(KRAKEN_SPOT, frames) > 78


def test_bitfinex(shared_data: Path) -> None:
    # An array of ten numbers is a ticker's: no channel of the grammars under test.
    frames = sample(
        shared_data, "bitfinex_v2", lambda frame: frame[:1] == b"[" and (frame.count(b",") < 11 or b"[[" in frame)
    )
    assert len(frames) == 1_649
    assert read_books(BITFINEX, [frame for frame in frames if b'"t' not in frame]) > 1_500
    assert read_trades(BITFINEX_TRADE, frames) == sum(b',"te",' in frame for frame in frames)


def test_coinbase(shared_data: Path) -> None:
    books = sample(
        shared_data, "coinbase_pro", lambda frame: b'"type":"l2update"' in frame or b'"type":"snapshot"' in frame
    )
    assert len(books) == 9_729
    assert read_books(COINBASE, books) > 9_729
    matches = sample(shared_data, "coinbase_pro", lambda frame: b'match"' in frame)
    history = sum(b'"last_match"' in frame for frame in matches)
    assert len(matches) == 107
    assert read_trades(COINBASE_TRADE, matches) == 107 - history


@pytest.mark.parametrize(("mark", "count"), [(b".depth.", 1_588), (b".trade.detail", 13)])
def test_htx(shared_data: Path, mark: bytes, count: int) -> None:
    frames = sample(shared_data, "htx_swap_linear", lambda frame: mark in frame and b'"tick"' in frame)
    assert len(frames) == count
    if mark == b".depth.":
        assert read_books(replace(HTX, expects={}, kind=None, integers=()), frames) > count
    else:
        assert read_trades(replace(HTX_TRADE, expects={}), frames) >= count
