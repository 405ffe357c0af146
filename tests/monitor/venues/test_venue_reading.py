"""The parts every venue module is made of: exact reading, names of coins, packing, HTTP refusals."""

from __future__ import annotations

from decimal import Decimal

import orjson
import pytest
from hypothesis import given as given_that
from hypothesis import strategies as st

from engines.wire.grammar import MICROSECOND, MILLISECOND, NANOSECOND
from monitor.errors import FrameError, RetryLater
from monitor.facts import IndexPrice, Instrument, Unread
from monitor.venues.base import RestRequest
from monitor.venues.naming import coin_of
from monitor.venues.packing import ARGUMENT_OVERHEAD, pack, read_listing, read_rows
from monitor.venues.reading import Reader, Record, dumps, given, request_number, shown
from monitor.venues.registry import VENUES
from monitor.venues.replies import LONGEST_WAIT_SECONDS, check_status, retry_after

READER = Reader("venue", "ticker", "BTC")
REQUEST = RestRequest("snapshot", "https://x/y", 1, "BTC")


# -- numbers
@given_that(st.decimals(allow_nan=False, allow_infinity=False, places=12, min_value=-(10**12), max_value=10**12))
def test_quoted_decimals_are_exact(value: Decimal) -> None:
    text = f"{value:f}"
    assert READER.decimal({"p": text}, "p") == value
    assert READER.decimal({"p": text}, "p").as_tuple() == Decimal(text).as_tuple()


@given_that(st.integers(-(10**18), 10**18), st.integers(0, 18))
def test_bare_decimals_are_exact_when_read_exactly(digits: int, places: int) -> None:
    value = Decimal(digits).scaleb(-places)
    body = f'{{"p": {value:f}}}'.encode()
    record = READER.record(READER.load_exact(body))
    assert READER.decimal(record, "p") == value


def test_a_bare_decimal_is_not_read_through_a_float() -> None:
    record = READER.record(READER.load(b'{"p":0.1,"q":7,"r":true}'))
    with pytest.raises(FrameError, match="p is not a decimal"):
        READER.decimal(record, "p")
    assert READER.decimal(record, "q") == 7
    with pytest.raises(FrameError, match="r is not a decimal"):
        READER.decimal(record, "r")
    assert READER.decimal(READER.record(READER.load_exact(b'{"p":1.5e-07}')), "p") == Decimal("1.5E-7")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e400",
        "1e31",
        "1E-31",
        "3.1000000000000000000000000000E-8",
        "NaN",
        "Infinity",
        "-",
        "1_000",
        "0x1",
        "１",
        "1,5",
        "9" * 31,
        "1." + "0" * 31,
        "--1",
    ],
)
def test_texts_that_are_no_decimal(text: str) -> None:
    with pytest.raises(FrameError, match=r"^venue ticker BTC: p is not a decimal: '"):
        READER.decimal({"p": text}, "p")


@pytest.mark.parametrize("text", ["3.1E-8", "-9.8e-7", "0E-18", "3.1000000000E-8", "1E+3"])
def test_small_numbers_as_java_writes_them(text: str) -> None:
    assert READER.decimal({"p": text}, "p").as_tuple() == Decimal(text).as_tuple()


@pytest.mark.parametrize("value", [None, "", "0", "0.000", 0, "0E-18"])
def test_a_price_that_is_not_given(value: object) -> None:
    assert READER.positive_if_given({"p": value}, "p") is None
    assert READER.positive_if_given({}, "p") is None
    assert READER.positive_if_given({"p": "0.5"}, "p") == Decimal("0.5")
    for wrong in ("-1", "x"):
        with pytest.raises(FrameError):
            READER.positive_if_given({"p": wrong}, "p")


@pytest.mark.parametrize("value", [None, "", "0", 0])
def test_a_time_that_is_not_given(value: object) -> None:
    assert READER.time_if_given({"t": value}, "t") is None
    assert READER.time_if_given({}, "t") is None
    assert READER.time_if_given({"t": "5"}, "t") == 5 * MILLISECOND
    with pytest.raises(FrameError):
        READER.time_if_given({"t": "-5"}, "t")


def test_rows_that_cannot_be_read_are_said_and_cost_the_others_nothing() -> None:
    def read(row: Record) -> list[IndexPrice]:
        return [IndexPrice("BTC", READER.positive(row, "p"), 1)]

    fact = IndexPrice("BTC", Decimal(5), 1)
    assert read_rows([], read) == []
    assert read_rows([{"p": "5"}], read) == [fact]
    odd: list[Record] = [{"p": "x"}, {"p": "5"}, {}]
    assert read_rows(odd, read) == [fact, Unread("venue ticker BTC: p is not a decimal: 'x'", 2)]
    with pytest.raises(FrameError, match="p is missing"):
        read_rows([{}], read)


@pytest.mark.parametrize("body", [b'{"p":1e400}', b'{"p":1e-400}', b'{"p":1e31}'])
def test_bare_decimals_beyond_any_price_are_refused(body: bytes) -> None:
    with pytest.raises(FrameError):
        READER.decimal(READER.record(READER.load_exact(body)), "p")


@pytest.mark.parametrize("value", [None, [], {}, "", "x", 1.5, True, "1.0", "1" * 20])
def test_values_that_are_no_whole_number(value: object) -> None:
    with pytest.raises(FrameError):
        READER.integer({"n": value}, "n")


@pytest.mark.parametrize(
    ("value", "unit", "ns"),
    [
        (1789670094412, MILLISECOND, 1789670094412000000),
        ("1789670094412", MILLISECOND, 1789670094412000000),
        (1789670094412345, MICROSECOND, 1789670094412345000),
        (1789670094412345678, NANOSECOND, 1789670094412345678),
    ],
)
def test_times_become_nanoseconds(value: object, unit: int, ns: int) -> None:
    assert READER.time({"t": value}, "t", unit) == ns


@pytest.mark.parametrize("value", [0, -1, 10**13, "0", 2**63])
def test_times_that_int64_nanoseconds_do_not_hold(value: object) -> None:
    with pytest.raises(FrameError, match="t is not a time"):
        READER.time({"t": value}, "t")


# -- shapes and messages
def test_messages_name_venue_channel_market_and_reason() -> None:
    cases: dict[str, object] = {
        "venue ticker BTC: a is missing": lambda: READER.text({}, "a"),
        "venue ticker BTC: a is not a text: '5'": lambda: READER.text({"a": 5}, "a"),
        "venue ticker BTC: a is not an object": lambda: READER.child({"a": 5}, "a"),
        "venue ticker BTC: a is not an array": lambda: READER.rows({"a": 5}, "a"),
        "venue ticker BTC: an element of a is not an object": lambda: READER.rows({"a": [5]}, "a"),
        "venue ticker BTC: a is not positive: '0'": lambda: READER.positive({"a": "0"}, "a"),
        "venue ticker BTC: a is not one of x, y: 'z'": lambda: READER.choice({"a": "z"}, "a", {"x": 1, "y": 2}),
        "venue ticker BTC: a is not BTC: 'ETH'": lambda: READER.expect({"a": "ETH"}, "a", "BTC"),
        "venue ticker BTC: not JSON: '<html>\\\\n'": lambda: READER.load(b"<html>\n"),
        "venue ticker BTC: the frame is not an object": lambda: READER.record([]),
        "venue ticker BTC: \\x1f is not an object": lambda: READER.record(None, "\x1f"),  # a name out of the frame
    }
    for message, provoke in cases.items():
        with pytest.raises(FrameError) as caught:
            provoke()  # type: ignore[operator]
        assert str(caught.value) == message
    assert str(Reader("venue", "control").refused("why")) == "venue control: why"


@given_that(st.binary(max_size=500))
def test_what_is_shown_of_a_refused_text_is_short_printable_and_one_line(data: bytes) -> None:
    text = shown(data)
    assert text.isascii()
    assert text.isprintable()
    assert len(text) <= 80 * 10 + 3


def test_absent_fields_in_all_their_spellings() -> None:
    assert [given({"a": value}, "a") for value in ("", None, "0", 0, False)] == [False, False, True, True, True]
    assert not given({}, "a")


def test_deep_nesting_is_refused_and_not_a_crash() -> None:
    for body in (b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 50_000):
        for load in (READER.load, READER.load_exact):
            with pytest.raises(FrameError):
                load(body)


def test_our_request_ids_come_back_as_numbers() -> None:
    assert [request_number(value) for value in (7, "7", "", "x", "-1", True, None, 1.0, "9" * 30)] == [
        7, 7, None, None, None, None, None, None, None
    ]  # fmt: skip
    assert dumps({"a": "币"}) == '{"a":"币"}'


# -- names
@pytest.mark.parametrize(
    ("base", "coin", "multiplier"),
    [
        ("BTC", "BTC", 1),
        ("1000PEPE", "PEPE", 1000),
        ("10000SATS", "SATS", 10_000),
        ("1000000MOG", "MOG", 1_000_000),
        ("10000000AIDOGE", "AIDOGE", 10_000_000),
        ("1MBABYDOGE", "BABYDOGE", 1_000_000),
        ("1000X", "X", 1000),
        ("SHIB1000", "SHIB", 1000),
        ("1INCH", "1INCH", 1),
        ("0G", "0G", 1),
        ("2Z", "2Z", 1),
        ("4", "4", 1),
        ("100X", "100X", 1),
        ("1000", "1000", 1),
        ("US2000", "US2000", 1),
        ("C98", "C98", 1),
        ("", "", 1),
    ],
)
def test_multiples_of_a_coin(base: str, coin: str, multiplier: int) -> None:
    assert coin_of(base) == (coin, multiplier)


# -- packing
@given_that(st.integers(0, 60), st.integers(1, 20), st.one_of(st.none(), st.integers(40, 400)))
def test_packing_keeps_order_bounds_and_every_key(count: int, most: int, characters: int | None) -> None:
    venue = VENUES["bybit_linear"]
    keys = [f"tickers.{'A' * (number % 7 + 1)}{number}" for number in range(count)]
    plans = pack(venue, "cold", "wss://x", keys, most, characters)
    assert [topic.key for plan in plans for topic in plan.topics] == keys
    assert [plan.name for plan in plans] == [f"cold-{number}" for number in range(1, len(plans) + 1)]
    for plan in plans:
        assert 0 < len(plan.topics) <= most
        assert characters is None or sum(len(topic.key) + ARGUMENT_OVERHEAD for topic in plan.topics) <= characters


def test_a_venue_that_asks_for_an_unknown_topic_is_a_defect() -> None:
    with pytest.raises(ValueError, match="does not know: nonsense"):
        pack(VENUES["bybit_linear"], "x", "wss://x", ["nonsense"], 1)


def test_an_odd_row_is_left_out_and_a_listing_of_odd_rows_is_an_error() -> None:
    good = Instrument("v", "X", "X", "Y", "Y", "linear", Decimal(1), Decimal(1))

    def read(row: Record) -> Instrument:
        if row:
            return good
        raise READER.refused("odd")

    assert read_listing([{}, {"s": 1}, {}], read) == [good]
    assert read_listing([], read) == []
    assert read_listing([{}], read) == [], "a last page of one odd row"
    with pytest.raises(FrameError, match="odd"):
        read_listing([{}, {}], read)


# -- replies
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("17", 17),
        (" 17 ", 17),
        ("", 3),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 3),
        ("-5", 3),
        ("1e9", 3),
        ("nan", 3),
        ("٣", 3),
    ],
)
def test_retry_after(header: str, seconds: float) -> None:
    assert retry_after({"retry-after": header}, 3) == seconds


def test_retry_after_is_bounded() -> None:
    assert retry_after({"retry-after": "999999999999"}, 3) == LONGEST_WAIT_SECONDS
    assert retry_after({}, 3) == 3


def test_a_json_reply_passes_on_to_the_venues_own_codes() -> None:
    for status in (200, 400, 404):
        check_status("venue", REQUEST, status, {}, b' {"a":1}', window_seconds=1)
        check_status("venue", REQUEST, status, {}, b"[]", window_seconds=1)
    with pytest.raises(
        RetryLater, match=r"^venue snapshot BTC: over the request limit \(HTTP 429\), asking again in 2 s$"
    ):
        check_status("venue", REQUEST, 429, {}, orjson.dumps({}), window_seconds=2)
