"""Decimal text to integers, against exact arithmetic."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engines.wire.decimal_text import (
    SHORT_NUMBER,
    read_decimal,
    read_integer,
    read_scaled_integer,
    read_short_units,
    read_units,
)
from engines.wire.errors import WireError
from engines.wire.json_text import parse
from engines.wire.layout import (
    REFUSED_DIGITS,
    REFUSED_ESCAPE,
    REFUSED_NUMBER,
    REFUSED_OFF_GRID,
    REFUSED_SHAPE,
    REFUSED_SYNTAX,
)
from engines.wire.plain_values import to_integer, to_signed_units, to_time, to_units
from engines.wire.scale import Grid
from engines.wire.time_text import read_time

INT64_MAX = 2**63 - 1
DIGITS = "0123456789"

grids = st.builds(
    Grid, decimals=st.integers(0, 18), multiple=st.sampled_from([1, 1, 1, 2, 5, 10, 25, 50, 100, 125, 1000])
)
wholes = st.one_of(st.text(DIGITS, min_size=1, max_size=9), st.text(DIGITS, min_size=1, max_size=30))
fractions = st.one_of(
    st.none(),
    st.text(DIGITS, min_size=1, max_size=8),
    st.text(DIGITS, min_size=1, max_size=30),
    st.builds(lambda head, zeros: head + "0" * zeros, st.text(DIGITS, max_size=6), st.integers(1, 25)),
)
texts = st.builds(lambda whole, part: whole if part is None else f"{whole}.{part}", wholes, fractions)
on_grid = st.builds(
    lambda grid, units, zeros: (grid, f"{grid.to_decimal(units):f}" + ("" if grid.decimals == 0 else "0" * zeros)),
    grids,
    st.integers(0, 10**6),
    st.integers(0, 10),
)


def raw(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


def check(grid: Grid, text: str) -> None:
    frame = raw(text + '"' + " " * SHORT_NUMBER)
    at, units = read_units(frame, 0, grid.decimals, grid.multiple)
    scaled = Fraction(Decimal(text)) * 10**grid.decimals
    exact = scaled / grid.multiple
    if scaled > INT64_MAX:
        assert at in (-REFUSED_DIGITS, -REFUSED_OFF_GRID)
    elif exact.denominator != 1:
        assert at == -REFUSED_OFF_GRID
    else:
        assert (at, units) == (len(text), exact)
    short_at, short_units = read_short_units(frame, 0, grid.decimals, grid.multiple)
    if short_units >= 0 and short_at == len(text):
        assert short_units == exact
    if exact.denominator == 1 and exact <= INT64_MAX:
        assert to_units(text, grid, "here") == exact
    else:
        with pytest.raises(WireError) as caught:
            to_units(text, grid, "here")
        assert caught.value.reason == ("off_grid" if exact.denominator != 1 else "digits")


@given(grids, texts)
@example(Grid(1, 1), "61800.20")
@example(Grid(0, 1), "9223372036854775807")
@example(Grid(0, 1), "9223372036854775808")
@example(Grid(18, 1), "9.223372036854775807")
@example(Grid(18, 1), "9.223372036854775808")
@example(Grid(3, 1), "0.000")
@example(Grid(0, 10), "00000000000000000000000000000000030.0000000000000000000000000000")
@settings(max_examples=600)
def test_any_text(grid: Grid, text: str) -> None:
    check(grid, text)


@given(on_grid)
@settings(max_examples=400)
def test_text_on_the_grid(pair: tuple[Grid, str]) -> None:
    check(*pair)


@given(st.integers(0, 10**17 - 1), st.integers(0, 8), st.integers(0, 4))
def test_short_numbers_take_the_short_way(units: int, decimals: int, zeros: int) -> None:
    text = f"{Decimal(units).scaleb(-decimals):f}"
    text += "0" * zeros if decimals else ""
    if len(text) <= SHORT_NUMBER:
        frame = raw(text + '"' + " " * SHORT_NUMBER)
        assert read_short_units(frame, 0, decimals, 1) == (len(text), units)


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ('"', REFUSED_SYNTAX),
        ('""', REFUSED_NUMBER),
        ('"1e"', REFUSED_NUMBER),
        ('"1e+"', REFUSED_NUMBER),
        ('"1E-x"', REFUSED_NUMBER),
        ('"1e5.0"', REFUSED_NUMBER),
        ('"1e00005"', REFUSED_NUMBER),
        ('"1e-2"', REFUSED_OFF_GRID),
        ('"1.234e1"', REFUSED_OFF_GRID),
        ('"1e-9999"', REFUSED_OFF_GRID),
        ('"1e18"', REFUSED_DIGITS),
        ('"1e9999"', REFUSED_DIGITS),
        ('"1.0000000000000000000e1"', REFUSED_DIGITS),
        ('"1e5', REFUSED_SYNTAX),
        ('"1e', REFUSED_SYNTAX),
        ('"-1"', REFUSED_NUMBER),
        ('"+1"', REFUSED_NUMBER),
        ('"1."', REFUSED_NUMBER),
        ('".5"', REFUSED_NUMBER),
        ('"."', REFUSED_NUMBER),
        ('"1.2.3"', REFUSED_NUMBER),
        ('" 1"', REFUSED_NUMBER),
        ('"1 "', REFUSED_NUMBER),
        ('"1_0"', REFUSED_NUMBER),
        ('"1,0"', REFUSED_NUMBER),
        ('"0x1"', REFUSED_NUMBER),
        ('"NaN"', REFUSED_NUMBER),
        ('"Infinity"', REFUSED_NUMBER),
        ('"\\u0031"', REFUSED_ESCAPE),
        ('"1\\u002e0"', REFUSED_ESCAPE),
        ('"١"', REFUSED_NUMBER),
        ('"1.01"', REFUSED_OFF_GRID),
        ('"99999999999999999999"', REFUSED_DIGITS),
        ('"1', REFUSED_SYNTAX),
        ('"1.', REFUSED_SYNTAX),
        ("null", REFUSED_SHAPE),
        ("", REFUSED_SYNTAX),
    ],
)
def test_quoted_refusals(text: str, refusal: int) -> None:
    assert read_decimal(raw(text), 0, 1, 1, 0)[0] == -refusal


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("-1", REFUSED_NUMBER),
        ("01", REFUSED_SYNTAX),
        ("01e3", REFUSED_SYNTAX),
        ("1e", REFUSED_SYNTAX),
        ("1ex", REFUSED_NUMBER),
        ("1.", REFUSED_SYNTAX),
        ("1.x", REFUSED_NUMBER),
        ("[1]", REFUSED_SHAPE),
        ("true", REFUSED_SHAPE),
        ("NaN", REFUSED_SHAPE),
    ],
)
def test_bare_refusals(text: str, refusal: int) -> None:
    assert read_decimal(raw(text), 0, 1, 1, 0)[0] == -refusal


def test_bare_numbers() -> None:
    assert read_decimal(raw("1750.5,"), 0, 1, 5, 0) == (6, 3501)
    assert read_decimal(raw("0,"), 0, 1, 5, 0) == (1, 0)
    assert read_decimal(raw("0.0]"), 0, 1, 5, 0) == (3, 0)


@pytest.mark.parametrize(
    "text", ["1e3", "1.5E2", "15e-1", "1500e-3", "0e9999", "0.0e-50", "150.0e-1", "2.25e+3", "1e-1"]
)
@pytest.mark.parametrize("quoted", [False, True])
def test_exponents(text: str, quoted: bool) -> None:
    spelt = f'"{text}"' if quoted else f"{text},"
    units = to_units(text, Grid(1, 1), "here")
    assert read_decimal(raw(spelt), 0, 1, 1, 0) == (len(text) + 2 * quoted, units)


@given(
    st.integers(0, 10**9 - 1), st.integers(0, 9), st.integers(-25, 25), st.integers(0, 9), st.sampled_from([1, 5, 100])
)
@settings(max_examples=400)
def test_exponents_are_exact(digits: int, places: int, exponent: int, decimals: int, multiple: int) -> None:
    text = f"{Decimal(digits).scaleb(-places):f}e{exponent}"
    at, units = read_decimal(raw(f'"{text}"'), 0, decimals, multiple, 0)
    exact = Fraction(Decimal(digits).scaleb(exponent - places)) * 10**decimals / multiple
    if at >= 0:
        assert (at, units) == (len(text) + 2, exact)
        assert to_units(text, Grid(decimals, multiple), "here") == units
    elif at == -REFUSED_OFF_GRID:
        assert exact.denominator != 1
    else:
        assert at == -REFUSED_DIGITS
        assert exact * multiple > INT64_MAX


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"-108"', (6, -1080)),
        ("-108,", (4, -1080)),
        ("-0.5]", (4, -5)),
        ("-0]", (2, 0)),
        ('"7"', (3, 70)),
        ("-1e-1,", (5, -1)),
        ("--1,", (-REFUSED_NUMBER, 0)),
        ("-,", (-REFUSED_NUMBER, 0)),
        ("-", (-REFUSED_SYNTAX, 0)),
        ("-01,", (-REFUSED_SYNTAX, 0)),
        ('"-"', (-REFUSED_NUMBER, 0)),
        ('"+1"', (-REFUSED_NUMBER, 0)),
        ("-0.55,", (-REFUSED_OFF_GRID, 0)),
    ],
)
def test_signed_numbers(text: str, expected: tuple[int, int]) -> None:
    assert read_decimal(raw(text), 0, 1, 1, 1) == expected
    body = text.strip('",]')
    if expected[0] >= 0:
        assert to_signed_units(body, Grid(1, 1), "here") == expected[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("2026-04-07T14:30:00.123456Z", 1_775_572_200_123_456_000),
        ("2024-02-29T23:59:59.9Z", 1_709_251_199_900_000_000),
        ("2000-02-29T00:00:00Z", 951_782_400_000_000_000),
        ("2261-12-31T23:59:59.999999999Z", 9_214_646_399_999_999_999),
    ],
)
def test_times(text: str, expected: int) -> None:
    assert read_time(raw(f'"{text}"'), 0) == (len(text) + 2, expected)
    assert to_time(text, "here") == expected


@given(st.datetimes(datetime(1970, 1, 1), datetime(2261, 12, 31)), st.integers(0, 9))
def test_times_are_exact(when: datetime, places: int) -> None:
    digits = f"{when.microsecond:06d}000"[:places]
    text = f"{when:%Y-%m-%dT%H:%M:%S}{'.' if digits else ''}{digits}Z"
    whole = (when.replace(microsecond=0) - datetime(1970, 1, 1)) // timedelta(seconds=1)
    expected = whole * 10**9 + int(digits.ljust(9, "0"))
    assert read_time(raw(f'"{text}"'), 0) == (len(text) + 2, expected)
    assert to_time(text, "here") == expected


@pytest.mark.parametrize(
    ("text", "refusal", "reason"),
    [
        ('"2026-02-29T00:00:00Z"', REFUSED_NUMBER, "number"),
        ('"2026-04-31T00:00:00Z"', REFUSED_NUMBER, "number"),
        ('"2026-00-01T00:00:00Z"', REFUSED_NUMBER, "number"),
        ('"2026-13-01T00:00:00Z"', REFUSED_NUMBER, "number"),
        ('"2026-01-00T00:00:00Z"', REFUSED_NUMBER, "number"),
        ('"2100-02-29T00:00:00Z"', REFUSED_NUMBER, "number"),
        ('"2026-04-07T24:00:00Z"', REFUSED_NUMBER, "number"),
        ('"2026-04-07T14:60:00Z"', REFUSED_NUMBER, "number"),
        ('"2026-04-07T14:30:61Z"', REFUSED_NUMBER, "number"),
        ('"2026-04-07T14:30:00"', REFUSED_NUMBER, "number"),
        ('"2026-04-07T14:30:00.Z"', REFUSED_NUMBER, "number"),
        ('"2026-04-07T14:30:0xZ"', REFUSED_NUMBER, "number"),
        ('"2026-04-07T14:30:00Zx"', REFUSED_NUMBER, "number"),
        ('"x026-04-07T14:30:00Z"', REFUSED_NUMBER, "number"),
        ('"1969-12-31T23:59:59Z"', REFUSED_DIGITS, "digits"),
        ('"2263-01-01T00:00:00Z"', REFUSED_DIGITS, "digits"),
        ('"2026-04-07"', REFUSED_SYNTAX, "number"),
        ('""', REFUSED_SYNTAX, "number"),
        ("1775572200123", REFUSED_SHAPE, "shape"),
        ("null", REFUSED_SHAPE, "shape"),
    ],
)
def test_time_refusals(text: str, refusal: int, reason: str) -> None:
    assert read_time(raw(text), 0)[0] == -refusal
    with pytest.raises(WireError) as caught:
        to_time(parse(text.encode()), "here")
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-04-07T16:30:00.123456+02:00", 1_775_572_200_123_456_000),
        ("2026-04-07t09:00:00.123456-05:30", 1_775_572_200_123_456_000),
        ("2026-04-07 14:30:00.123456000999z", 1_775_572_200_123_456_000),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000_000_000),
    ],
)
def test_times_that_only_the_plain_path_reads(text: str, expected: int) -> None:
    assert read_time(raw(f'"{text}"'), 0)[0] < 0
    assert to_time(text, "here") == expected


@given(st.integers(-(2**70), 2**70), st.booleans(), st.sampled_from([1, 1_000, 1_000_000]))
@example(INT64_MAX, False, 1)
@example(-INT64_MAX, True, 1)
@example(INT64_MAX + 1, False, 1)
@example(INT64_MAX // 1000, False, 1000)
@example(INT64_MAX // 1000 + 1, False, 1000)
def test_integers(value: int, quoted: bool, unit: int) -> None:
    text = f'"{value}"' if quoted else f"{value} "
    at, read = read_scaled_integer(raw(text), 0, unit, INT64_MAX // unit)
    if abs(value) * unit > INT64_MAX:
        assert at == -REFUSED_DIGITS
        with pytest.raises(WireError, match="digits"):
            to_integer(str(value), unit, "here")
    else:
        assert (at, read) == (len(text) - (not quoted), value * unit)
        assert to_integer(str(value), unit, "here") == read


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("", REFUSED_SYNTAX),
        ("-", REFUSED_SYNTAX),
        ("-x", REFUSED_NUMBER),
        ("01", REFUSED_SYNTAX),
        ("1.0", REFUSED_NUMBER),
        ("1e3", REFUSED_NUMBER),
        ("null", REFUSED_SHAPE),
        ('""', REFUSED_NUMBER),
        ('"1.0"', REFUSED_NUMBER),
        ('"12', REFUSED_SYNTAX),
        ('"1\\u0030"', REFUSED_ESCAPE),
        ("[1]", REFUSED_SHAPE),
    ],
)
def test_integer_refusals(text: str, refusal: int) -> None:
    assert read_integer(raw(text), 0)[0] == -refusal


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("1e3", 10_000),
        ("1.5E2", 1_500),
        ("15e-1", 15),
        ("1500e-3", 15),
        ("0e9999", 0),
        ("0.0e-50", 0),
        ("150.0e-1", 150),
    ],
)
def test_plain_exponents(text: str, units: int) -> None:
    assert to_units(text, Grid(1, 1), "here") == units


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1e-2", "off_grid"),
        ("1e-9999", "off_grid"),
        ("1e9999", "digits"),
        ("1e99999", "number"),
        ("1" * 5000, "digits"),
        ("-1", "number"),
        ("1_0", "number"),
        ("١", "number"),
        ("1\n", "number"),
        ("", "number"),
    ],
)
def test_plain_refusals(text: str, reason: str) -> None:
    with pytest.raises(WireError) as caught:
        to_units(text, Grid(1, 1), "data.b")
    assert (caught.value.reason, caught.value.path) == (reason, "data.b")
    assert len(str(caught.value)) < 200
