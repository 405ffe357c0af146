"""Grammars as the three venues' pages give them, and readers for the captures the book tests use."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engines.wire.grammar import MILLISECOND, BookGrammar, IntegerField, Row, SequenceRule
from engines.wire.layout import (
    ASK_COUNT,
    BID_COUNT,
    CROSS_ID,
    ENGINE_TIME,
    EVENT_TIME,
    FIRST_ID,
    HEADER_SIZE,
    KIND,
    LAST_ID,
    PREVIOUS_ID,
)
from engines.wire.scale import Grid, Scale

RANGE = SequenceRule("range_with_previous")
COUNTER = SequenceRule("counter", restart_id=1)
LINKED = SequenceRule("linked")

BINANCE_FRAME = BookGrammar(
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
BINANCE_SNAPSHOT = BookGrammar(
    bids=("bids",), asks=("asks",), integers=(IntegerField(("lastUpdateId",), LAST_ID),), default_kind=1
)
BYBIT_FRAME = BookGrammar(
    bids=("data", "b"),
    asks=("data", "a"),
    integers=(
        IntegerField(("data", "u"), LAST_ID),
        IntegerField(("data", "seq"), CROSS_ID),
        IntegerField(("ts",), EVENT_TIME, MILLISECOND),
    ),
    market=(("data", "s"),),
    kind=(("type",), "snapshot", "delta"),
)
OKX_FRAME = BookGrammar(
    bids=("data", 0, "bids"),
    asks=("data", 0, "asks"),
    row=Row(0, 1),
    integers=(IntegerField(("data", 0, "seqId"), LAST_ID), IntegerField(("data", 0, "prevSeqId"), PREVIOUS_ID)),
    market=(("arg", "instId"),),
    kind=(("action",), "snapshot", "update"),
)


def scale(tick: str, lot: str) -> Scale:
    return Scale(Grid.from_step(tick), Grid.from_step(lot))


def levels_of(
    bids: list[tuple[int, int]],
    asks: list[tuple[int, int]],
    *,
    first: int = 0,
    last: int = 0,
    previous: int = 0,
    kind: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """A header and levels as the scanner would write them."""
    header = np.zeros(HEADER_SIZE, np.int64)
    header[FIRST_ID], header[LAST_ID], header[PREVIOUS_ID], header[KIND] = first, last, previous, kind
    header[BID_COUNT], header[ASK_COUNT] = len(bids), len(asks)
    levels = np.zeros((2, max(len(bids), len(asks), 1), 2), np.int64)
    for side, rows in enumerate((bids, asks)):
        for index, row in enumerate(rows):
            levels[side, index] = row
    return header, levels


@dataclass(frozen=True)
class Line:
    at: int
    raw: bytes


def hftbacktest_lines(folder: Path, name: str = "usdm_btcusdt_20240808.gz") -> Iterator[Line]:
    with gzip.open(folder / "hftbacktest-binance-2024-08-08" / name, "rb") as file:
        for line in file:
            at, raw = line.rstrip().split(b" ", 1)
            yield Line(int(at), raw)


@dataclass(frozen=True)
class Record:
    at: int
    kind: str  # open, send, recv, http
    raw: str
    url: str


def cryptofeed_records(folder: Path, name: str) -> Iterator[Record]:
    with gzip.open(folder / "cryptofeed-samples" / f"{name}.jsonl.gz", "rt") as file:
        for line in file:
            record = json.loads(line)
            yield Record(int(record["t"] * 1e9), record["k"], record["raw"], record.get("url", ""))
