"""Checksums against zlib over text kept as the venue wrote it: made-up books, the venues' vectors, and every frame of the captures."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import orjson
import pytest
from book_captures import BINANCE_FRAME, cryptofeed_records, levels_of, scale
from book_twins import PlainBook
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.book.bands import BandSet
from engines.book.checksum import CRC_TABLE, TEXT_SIZE, BookChecksum, crc32, write_integer, write_number
from engines.book.live_book import LiveBook
from engines.book.outcome import Outcome
from engines.wire.grammar import BookGrammar, Checksum, IntegerField, Row, SequenceRule
from engines.wire.layout import CHECKSUM, PRESENT
from engines.wire.scale import Grid, Scale

UNSEQUENCED = SequenceRule("unsequenced")
KRAKEN_FRAME = BookGrammar(
    bids=("data", 0, "bids"),
    asks=("data", 0, "asks"),
    row=Row("price", "qty", quoted=False),
    integers=(IntegerField(("data", 0, "checksum"), CHECKSUM),),
    expects={("channel",): "book"},
    market=(("data", 0, "symbol"),),
    kind=(("type",), "snapshot", "update"),
)


def javascript(value: int, decimals: int) -> str:
    """Number.prototype.toString of a double, from the shortest digits Python finds for it."""
    _, digits, exponent = Decimal(repr(value / 10**decimals)).normalize().as_tuple()
    assert isinstance(exponent, int)
    text, point = "".join(map(str, digits)), len(digits) + exponent
    if exponent >= 0:
        return text + "0" * exponent
    if point > 0:
        return f"{text[:point]}.{text[point:]}"
    if point > -6:
        return "0." + "0" * -point + text
    return text[0] + ("." + text[1:] if len(text) > 1 else "") + f"e-{1 - point}"


def wire_digits(value: int, decimals: int) -> str:
    """Fixed decimals as the wire has them, then without the point and the zeros in front, as the venue's guide says."""
    fixed = f"{Decimal(value).scaleb(-decimals):.{decimals}f}"
    return fixed.replace(".", "").lstrip("0")


def twin(kind: Checksum, grid: Scale, book: PlainBook) -> int:
    bids = sorted(book.bids.items(), reverse=True)
    asks = sorted(book.asks.items())
    price, size = grid.price, grid.size
    if kind == "digits":
        parts = [
            wire_digits(tick * price.multiple, price.decimals) + wire_digits(lots * size.multiple, size.decimals)
            for tick, lots in asks[:10] + bids[:10]
        ]
        return zlib.crc32("".join(parts).encode())
    parts = []
    for place in range(25):
        for side, sign in ((bids, ""), (asks, "-")):
            if place < len(side):
                tick, lots = side[place]
                parts.append(javascript(tick * price.multiple, price.decimals))
                parts.append(sign + javascript(lots * size.multiple, size.decimals))
    crc = zlib.crc32(":".join(parts).encode())
    return crc - 2**32 if crc >= 2**31 else crc


def book_with(
    kind: Checksum, grid: Scale, bids: list[tuple[int, int]], asks: list[tuple[int, int]], **changed: int
) -> LiveBook:
    book = LiveBook(
        scale=grid,
        market="X",
        grammar=BINANCE_FRAME,
        rule=UNSEQUENCED,
        changes_at_any_price=False,
        checksum=kind,
        **changed,  # type: ignore[arg-type]
    )
    assert book.levels(*levels_of(bids, asks, kind=1), 1) is Outcome.REPLACED
    return book


def checked(header: np.ndarray, said: int) -> np.ndarray:
    header[CHECKSUM] = said
    header[PRESENT] |= 1 << CHECKSUM
    return header


@given(st.binary(max_size=TEXT_SIZE))
def test_crc32_is_zlibs(data: bytes) -> None:
    text = np.zeros(TEXT_SIZE, np.uint8)
    text[: len(data)] = np.frombuffer(data, np.uint8)
    assert crc32(text, len(data), CRC_TABLE) == zlib.crc32(data)


@settings(max_examples=300)
@given(st.one_of(st.integers(1, 10**15), st.integers(1, 10**4)), st.integers(0, 18), st.integers(0, 9))
def test_numbers_are_written_as_javascript_prints_them(value: int, decimals: int, at: int) -> None:
    text = np.full(64, 35, np.uint8)
    end = write_number(text, at, value, decimals)
    assert bytes(text[at:end]).decode() == javascript(value, decimals)
    assert set(bytes(text[:at])) <= {35}
    assert set(bytes(text[end:])) <= {35}
    end = write_integer(text, at, value)
    assert bytes(text[at:end]).decode() == str(value)


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (1, 7, "1e-7"),
        (15, 8, "1.5e-7"),
        (1, 6, "0.000001"),
        (100, 8, "0.000001"),
        (12345, 4, "1.2345"),
        (86704, 0, "86704"),
        (8670400, 2, "86704"),
        (100, 0, "100"),
        (2**63 - 1, 18, "9.223372036854775807"),
        (2**63 - 1, 0, "9223372036854775807"),
        (1, 18, "1e-18"),
    ],
)
def test_numbers_at_the_ends(value: int, decimals: int, text: str) -> None:
    room = np.zeros(64, np.uint8)
    assert bytes(room[: write_number(room, 0, value, decimals)]).decode() == text


GRIDS = st.builds(
    Scale,
    st.builds(Grid, st.integers(0, 9), st.sampled_from([1, 5, 10, 25])),
    st.builds(Grid, st.integers(0, 9), st.just(1)),
)
LOTS = st.one_of(st.integers(1, 20), st.integers(1, 10**9))


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["digits", "tokens"]),
    GRIDS,
    st.dictionaries(st.integers(1, 500), LOTS, max_size=40),
    st.dictionaries(st.integers(501, 1000), LOTS, max_size=40),
)
def test_made_up_books(kind: Checksum, grid: Scale, bids: dict[int, int], asks: dict[int, int]) -> None:
    book = book_with(kind, grid, list(bids.items()), list(asks.items()))
    assert BookChecksum(kind, grid).of(book.block) == twin(kind, grid, PlainBook(bids, asks))


def test_krakens_own_vector() -> None:
    asks = (
        "45285.2/0.00100000 45286.4/1.54571953 45286.6/1.54571109 45289.6/1.54560911 45290.2/0.15890660 "
        "45291.8/1.54553491 45294.7/0.04454749 45296.1/0.35380000 45297.5/0.09945542 45299.5/0.18772827"
    )
    bids = (
        "45283.5/0.10000000 45283.4/1.54582015 45282.1/0.10000000 45281.0/0.10000000 45280.3/1.54592586 "
        "45279.0/0.07990000 45277.6/0.03310103 45277.5/0.30000000 45277.3/1.54602737 45276.6/0.15445238"
    )
    rows = [
        [
            (int(price.replace(".", "")), int(size.replace(".", "")))
            for price, size in (p.split("/") for p in side.split())
        ]
        for side in (bids, asks)
    ]
    grid = scale("0.1", "0.00000001")
    book = book_with("digits", grid, rows[0], rows[1])
    assert BookChecksum("digits", grid).of(book.block) == 3310070434


def test_bitfinexs_vector() -> None:
    grid = scale("1", "0.00000001")
    unit = 10**8
    book = book_with("tokens", grid, [(6000, unit), (5900, 2 * unit)], [(6100, 3 * unit), (6200, 4 * unit)])
    assert BookChecksum("tokens", grid).of(book.block) == 1756193398
    header, levels = levels_of([], [])
    assert book.levels(checked(header, 1756193398), levels, 2) is Outcome.KEEPALIVE
    assert book.counters["checksums"] == 1
    assert book.levels(checked(header, 1756193398 - 2**32), levels, 3) is Outcome.CHECKSUM


def test_a_wrong_checksum_loses_the_book_until_the_next_snapshot() -> None:
    grid = scale("0.1", "0.001")
    bids, asks = [(999, 5), (990, 7)], [(1001, 5)]
    book = book_with("digits", grid, bids, asks)
    right = twin("digits", grid, PlainBook({999: 6, 990: 7}, dict(asks)))
    header, levels = levels_of([(999, 6)], [])
    assert book.levels(checked(header, right), levels, 2) is Outcome.APPLIED
    assert book.readable
    epoch = book.epoch
    header, levels = levels_of([(999, 7)], [])
    outcome = book.levels(checked(header, right), levels, 3)
    assert outcome is Outcome.CHECKSUM
    assert outcome.needs_recovery
    assert (book.reason, book.epoch, book.resyncs) == ("checksum", epoch + 1, {"checksum": 1})
    assert (book.counters["checksums"], book.counters["checksum_mismatch"]) == (1, 1)
    assert book.levels(*levels_of([(999, 7)], []), 4) is Outcome.IGNORED
    header, levels = levels_of(bids, asks, kind=1)
    wrong = checked(header.copy(), right)
    assert book.levels(wrong, levels, 5) is Outcome.CHECKSUM  # a snapshot has to agree too
    assert not book.readable
    said = twin("digits", grid, PlainBook(dict(bids), dict(asks)))
    assert book.levels(checked(header, said), levels, 6) is Outcome.REPLACED
    assert book.readable


def test_the_checksum_is_of_the_window() -> None:
    grid = scale("1", "1")
    book = book_with("digits", grid, [(9, 1), (8, 1)], [(11, 1), (12, 1)], window=2)
    header, levels = levels_of([(10, 1)], [])
    said = twin("digits", grid, PlainBook({10: 1, 9: 1}, {11: 1, 12: 1}))
    assert book.levels(checked(header, said), levels, 2) is Outcome.APPLIED
    assert book.levels_of("bid").tolist() == [[9, 1], [10, 1]]


def test_what_no_integer_holds_agrees_with_nothing() -> None:
    grid = Scale(Grid(0, 1), Grid(0, 10**17))
    book = book_with("digits", grid, [(9, 10**6)], [(11, 1)])
    header, levels = levels_of([], [])
    assert book.levels(checked(header, 2**32), levels, 2) is Outcome.CHECKSUM


# -- captures


def test_kraken_v2_capture(shared_data: Path) -> None:
    folder = shared_data / "kraken-v2-book-2026-09-12"
    book = LiveBook(
        scale=scale("0.1", "0.00000001"),
        market="BTC/USD",
        grammar=KRAKEN_FRAME,
        rule=UNSEQUENCED,
        changes_at_any_price=False,
        window=10,
        checksum="digits",
    )
    frames = 0
    for line in (folder / "kraken_v2_book_btcusd.jsonl").read_bytes().splitlines():
        frame = orjson.loads(line)
        if frame.get("channel") != "book":
            continue
        frames += 1
        outcome = book.frame(line, frames)
        if outcome is Outcome.REFUSED:
            outcome = book.levels(*kraken_rows(line), frames)
        assert outcome is (Outcome.REPLACED if frame["type"] == "snapshot" else Outcome.APPLIED)
        assert book.readable
    assert (frames, book.counters["checksums"], book.counters["checksum_mismatch"]) == (78, 78, 0)
    assert book.level_counts == (10, 10)


def kraken_rows(line: bytes) -> tuple[np.ndarray, np.ndarray]:
    frame = json.loads(line, parse_float=Decimal)
    data = frame["data"][0]
    bids, asks = (
        [(int(Decimal(row["price"]) * 10), int(Decimal(row["qty"]) * 10**8)) for row in data[side]]
        for side in ("bids", "asks")
    )
    header, levels = levels_of(bids, asks, kind=int(frame["type"] == "snapshot"))
    return checked(header, data["checksum"]), levels


def test_kraken_v1_capture_has_the_same_checksum(shared_data: Path) -> None:
    """A retired frame form (text rows) with the same checksum: ten markets of many decimals, a thousand levels a side."""
    frames = list(kraken_v1_frames(shared_data))
    texts: dict[str, tuple[list[str], list[str]]] = {}
    for market, _, sides, _ in frames:
        for row in sides[0] + sides[1]:
            for kept, text in zip(texts.setdefault(market, ([], [])), row, strict=False):
                kept.append(text)
    books = {
        market: LiveBook(
            scale=Scale(*(wire_grid(column) for column in columns)),
            market=market,
            grammar=BINANCE_FRAME,
            rule=UNSEQUENCED,
            changes_at_any_price=False,
            window=1000,
            checksum="digits",
        )
        for market, columns in texts.items()
    }
    for number, (market, kind, sides, said) in enumerate(frames):
        book = books[market]
        price, size = book.scale.price, book.scale.size
        bids, asks = ([(wire_units(row[0], price), wire_units(row[1], size)) for row in side] for side in sides)
        header, levels = levels_of(bids, asks, kind=kind)
        if said is not None:
            checked(header, said)
        assert book.levels(header, levels, number + 1).changed
        assert book.depth(BandSet(["1%"]), number + 1, 1.0) is not None
    assert len(books) == 10
    assert sum(book.counters["checksum_mismatch"] for book in books.values()) == 0
    assert sum(book.counters["checksums"] for book in books.values()) == sum(frame[3] is not None for frame in frames)
    assert len(frames) > 4_200


def wire_grid(texts: list[str]) -> Grid:
    """The wire's own number of decimals, and the coarsest step that all the texts share."""
    return Grid(len(texts[0].partition(".")[2]), math.gcd(*(int(text.replace(".", "")) for text in texts)))


def wire_units(text: str, grid: Grid) -> int:
    return int(text.replace(".", "")) // grid.multiple


def kraken_v1_frames(shared_data: Path) -> Iterator[tuple[str, int, list[list[list[str]]], int | None]]:
    """(market, 1 = snapshot, [bids, asks], checksum)."""
    for record in cryptofeed_records(shared_data, "kraken_v1"):
        if record.kind != "recv" or not record.raw.startswith("[") or '"book-1000"' not in record.raw:
            continue
        _, *parts, _, market = json.loads(record.raw)
        if "as" in parts[0]:
            yield market, 1, [parts[0]["bs"], parts[0]["as"]], None
            continue
        said = next((int(part["c"]) for part in parts if "c" in part), None)
        yield market, 0, [[row for part in parts for row in part.get(side, [])] for side in "ba"], said


def test_bitfinex_capture_prints_what_the_wire_says(shared_data: Path) -> None:
    """The capture was taken without checksums: one is made of the raw tokens after every frame, and must be the book's."""
    frames = list(bitfinex_frames(shared_data))
    grids: dict[int, Scale] = {}
    for market in {market for market, _ in frames}:
        rows = [row for channel, each in frames if channel == market for row in each]
        grids[market] = Scale(bare_grid(row[0] for row in rows), bare_grid(row[2] for row in rows))
    books: dict[int, LiveBook] = {}
    tokens: dict[int, tuple[dict[Decimal, list[str]], dict[Decimal, list[str]]]] = {}
    for number, (market, rows) in enumerate(frames):
        grid = grids[market]
        sides: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
        held = tokens.setdefault(market, ({}, {}))
        for price, count, amount in rows:
            side = Decimal(amount) < 0
            held[side].pop(Decimal(price), None)
            if count != "0":
                held[side][Decimal(price)] = [price, amount]
            lots = 0 if count == "0" else int(abs(Decimal(amount)) / grid.size.step)
            sides[side].append((int(Decimal(price) / grid.price.step), lots))
        first = market not in books
        if first:
            books[market] = LiveBook(
                scale=grid,
                market=str(market),
                grammar=BINANCE_FRAME,
                rule=UNSEQUENCED,
                changes_at_any_price=False,
                window=100,
                checksum="tokens",
            )
        bids, asks = ([held[side][price] for price in sorted(held[side], reverse=not side)] for side in (0, 1))
        parts = [
            part for place in range(25) for side in (bids, asks) for part in (side[place] if place < len(side) else ())
        ]
        crc = zlib.crc32(":".join(parts).encode())
        header, levels = levels_of(*sides, kind=int(first))
        checked(header, crc - 2**32 if crc >= 2**31 else crc)
        assert books[market].levels(header, levels, number + 1).changed
    assert (len(books), len(frames)) == (7, sum(book.counters["checksums"] for book in books.values()))
    assert len(frames) > 500


def bare_grid(texts: Iterable[str]) -> Grid:
    """The coarsest decimal step that every number is a multiple of."""
    return Grid.from_step(Decimal(1).scaleb(min(int(Decimal(text).normalize().as_tuple().exponent) for text in texts)))


def bitfinex_frames(shared_data: Path) -> Iterator[tuple[int, list[list[str]]]]:
    """(channel, rows of raw tokens) of every book frame."""
    channels: set[int] = set()
    for record in cryptofeed_records(shared_data, "bitfinex_v2"):
        if record.kind != "recv":
            continue
        frame = json.loads(record.raw, parse_float=str, parse_int=str)
        if isinstance(frame, dict):
            if frame.get("channel") == "book" and frame["event"] == "subscribed":
                channels.add(int(frame["chanId"]))
        elif int(frame[0]) in channels and isinstance(frame[1], list) and frame[1]:
            yield int(frame[0]), frame[1] if isinstance(frame[1][0], list) else [frame[1]]
