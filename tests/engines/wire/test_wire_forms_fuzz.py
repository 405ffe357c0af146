"""Broken frames of every form: what a scanner reads, the plain path reads the same way, also where it chooses among alternates."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_cases import BookPaths, Facts, TradePaths, mutations
from wire_forms import BOOKS, TRADES, BookForm, TradeForm

from engines.wire.book_scan import scan_book
from engines.wire.layout import OK
from engines.wire.trade_scan import scan_trades

each_book = pytest.mark.parametrize("form", BOOKS, ids=lambda form: form.name)
each_trade = pytest.mark.parametrize("form", TRADES, ids=lambda form: form.name)


class AnyForm:
    """One topic's forms, as a live book tries them: the first scanner that reads a frame wins."""

    def __init__(self, form: BookForm) -> None:
        self.whole = BookPaths(form.grammar, form.scale, form.market, capacity=8)
        self.forms = [
            BookPaths(one, form.scale, form.market, capacity=8) for one in (form.grammar, *form.grammar.alternates)
        ]

    def scan(self, frame: bytes) -> Facts | None:
        for paths in self.forms:
            facts = paths.scan(frame)
            if not isinstance(facts, str):
                return facts
        return None

    def check(self, frame: bytes) -> bool:
        """Whether a scanner reads the frame; the plain path then reads it too."""
        facts = self.scan(frame)
        if facts is None:
            return False
        assert facts == self.whole.plain(frame), frame
        return True


def check_trades(paths: TradePaths, frame: bytes) -> bool:
    rows = paths.scan(frame)
    if isinstance(rows, str):
        return False
    assert rows == paths.plain(frame), frame
    return True


def broken(frame: bytes) -> Iterator[bytes]:
    """Bytes changed, left out, doubled, and moved to the front."""
    yield from mutations(frame, 23)
    for position in range(len(frame)):
        yield frame[:position] + frame[position + 1 :]
        yield frame[: position + 1] + frame[position:]
        yield frame[position:] + frame[:position]
    for byte in range(256):
        yield frame + bytes([byte])


@each_book
def test_broken_books(form: BookForm) -> None:
    every = AnyForm(form)
    assert every.check(form.frame)
    assert sum(every.check(frame) for frame in broken(form.frame)) > 20, (
        "digits can change: some of these are good frames"
    )


@each_trade
def test_broken_trades(form: TradeForm) -> None:
    paths = TradePaths(form.grammar, form.scale, form.market)
    assert check_trades(paths, form.frame)
    assert sum(check_trades(paths, frame) for frame in broken(form.frame)) > 10


@each_book
def test_every_cut_of_a_book(form: BookForm) -> None:
    """The rest of the frame stands right behind the cut in memory: reading on would find it."""
    whole = np.frombuffer(form.frame, np.uint8)
    every = AnyForm(form)
    for end in range(len(form.frame)):
        for paths in every.forms:
            assert scan_book(whole[:end], paths.compiled.table, paths.header, paths.levels) != OK, form.frame[:end]
        assert every.whole.plain(form.frame[:end]) == "syntax"


@each_trade
def test_every_cut_of_a_trade(form: TradeForm) -> None:
    whole = np.frombuffer(form.frame, np.uint8)
    paths = TradePaths(form.grammar, form.scale, form.market)
    for end in range(len(form.frame)):
        assert scan_trades(whole[:end], paths.compiled.table, paths.trades) < 0, form.frame[:end]
        assert paths.plain(form.frame[:end]) == "syntax"


BYTES = [bytes([byte]) for byte in b'"\\{}[],:09-.eTZ \xff\x00']
SCALARS = [
    b"null",
    b"true",
    b"false",
    b'""',
    b"1e-7",
    b"-1",
    b'"hb"',
    b'"te"',
    b'"tu"',
    b"\xc3\xa9",
    b'"2026-04-07T14:30:00Z"',
]
MEMBERS = [b'"price":5,', b'"type":"x",', b'"side":"buy",', b',"qty":0', b'"result":{"full":true},']
ROWS = [b"[]", b"{}", b'["1","1"],', b"[5,1],", b"[5,0,-1],", b'{"price":5,"qty":1},', b'{"px":"5","sz":"1"},']
pieces = st.sampled_from(BYTES + SCALARS + MEMBERS + ROWS)
edits = st.lists(
    st.tuples(st.integers(0, 420), st.integers(0, 30), pieces | st.binary(max_size=4)), min_size=1, max_size=3
)


def spliced(frame: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    for position, length, piece in changes:
        at = position % (len(frame) + 1)
        frame = frame[:at] + piece + frame[at + length :]
    return frame


@given(st.sampled_from(BOOKS), edits)
@settings(max_examples=1500)
def test_spliced_books(form: BookForm, changes: list[tuple[int, int, bytes]]) -> None:
    AnyForm(form).check(spliced(form.frame, changes))


@given(st.sampled_from(TRADES), edits)
@settings(max_examples=1500)
def test_spliced_trades(form: TradeForm, changes: list[tuple[int, int, bytes]]) -> None:
    check_trades(TradePaths(form.grammar, form.scale, form.market), spliced(form.frame, changes))


@given(st.sampled_from(BOOKS), st.sampled_from(BOOKS), st.integers(0, 400), st.integers(0, 400))
@settings(max_examples=300)
def test_the_head_of_one_form_and_the_tail_of_another(one: BookForm, other: BookForm, head: int, tail: int) -> None:
    AnyForm(one).check(one.frame[:head] + other.frame[-tail:])


@given(st.sampled_from(BOOKS), st.sampled_from(BOOKS))
def test_frames_of_other_forms_are_refused(one: BookForm, other: BookForm) -> None:
    every = AnyForm(one)
    if every.scan(other.frame) is not None:
        assert every.check(other.frame)
        assert one.name.split()[0] == other.name.split()[0]


@given(st.sampled_from(BOOKS), st.sampled_from(TRADES), st.binary(max_size=80))
def test_noise(book: BookForm, trade: TradeForm, noise: bytes) -> None:
    assert AnyForm(book).scan(noise) is None
    assert isinstance(TradePaths(trade.grammar, trade.scale, trade.market).scan(noise), str)
