"""The book scanner, fact by fact and refusal by refusal, and against the plain path on generated frames."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_cases import BARE, BINANCE, BYBIT, OKX, OKX_FULL, BookPaths, scale

from engines.wire.errors import WireError
from engines.wire.layout import (
    ASK_COUNT,
    BID_COUNT,
    CHECKSUM,
    CROSS_ID,
    ENGINE_TIME,
    EVENT_TIME,
    FIRST_ID,
    KIND,
    KIND_DELTA,
    KIND_SNAPSHOT,
    LAST_ID,
    PRESENT,
    PREVIOUS_ID,
)
from engines.wire.plain import plain_book, plain_text_levels

GRID = scale("0.1", "0.001")
HEAD = '"e":"depthUpdate","E":1,"T":2,"s":"BTCUSDT","U":3,"u":4,"pu":5'


@pytest.fixture(scope="module")
def binance() -> BookPaths:
    return BookPaths(BINANCE, GRID, "BTCUSDT", capacity=16)


def frame(bids: str = "[]", asks: str = "[]", head: str = HEAD, more: str = "") -> bytes:
    return ('{"stream":"x","data":{' + head + ',"b":' + bids + ',"a":' + asks + more + "}}").encode()


def test_header_and_levels(binance: BookPaths) -> None:
    facts = binance.scan(frame('[["61800.20","2.909"],["1","0.000"]]', '[["61800.3","3.33"]]'))
    assert not isinstance(facts, str)
    header, bids, asks = facts
    assert bids == [[618002, 2909], [10, 0]]
    assert asks == [[618003, 3330]]
    assert (header[FIRST_ID], header[LAST_ID], header[PREVIOUS_ID]) == (3, 4, 5)
    assert (header[EVENT_TIME], header[ENGINE_TIME], header[KIND]) == (1_000_000, 2_000_000, KIND_DELTA)
    assert (header[BID_COUNT], header[ASK_COUNT]) == (2, 1)
    slots = (FIRST_ID, LAST_ID, PREVIOUS_ID, EVENT_TIME, ENGINE_TIME, BID_COUNT, ASK_COUNT)
    assert header[PRESENT] == sum(1 << slot for slot in slots)


def test_bybit_and_okx() -> None:
    bybit = BookPaths(BYBIT, GRID, "BTCUSDT")
    text = b'{"data":{"seq":7,"u":1,"a":[],"b":[["5","1"]],"s":"BTCUSDT"},"ts":3,"type":"snapshot","topic":"orderbook.50.BTCUSDT"}'
    facts = bybit.scan(text)
    assert not isinstance(facts, str)
    header = facts[0]
    assert (header[LAST_ID], header[CROSS_ID], header[KIND], header[EVENT_TIME]) == (1, 7, KIND_SNAPSHOT, 3_000_000)
    assert (header[PRESENT] >> ENGINE_TIME) & 1 == 0
    assert facts == bybit.plain(text)

    okx = BookPaths(OKX, scale("0.1", "0.01"), "BTC-USDT")
    text = (
        b'{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"asks":[],"bids":[],'
        b'"ts":"5","checksum":-855196043,"prevSeqId":-1,"seqId":9}]}'
    )
    facts = okx.scan(text)
    assert not isinstance(facts, str)
    header = facts[0]
    assert (header[LAST_ID], header[PREVIOUS_ID], header[CHECKSUM]) == (9, -1, -855196043)
    assert facts == okx.plain(text)


def test_okx_full_book() -> None:
    """A REST reply: rows of three, a code before the data."""
    okx = BookPaths(OKX_FULL, scale("0.1", "0.01"), "")
    text = b'{"code":"0","msg":"","data":[{"asks":[["41006.8","0.60","1"]],"bids":[["41006.3","0.30","2"]],"ts":"1629966436396"}]}'
    facts = okx.scan(text)
    assert not isinstance(facts, str)
    assert facts[0][KIND] == KIND_SNAPSHOT
    assert facts[1:] == ([[410063, 30]], [[410068, 60]])
    assert facts == okx.plain(text)
    assert okx.scan(text.replace(b'"code":"0"', b'"code":"50011"')) == "market"


def test_bare_rows_and_missing_sides() -> None:
    bare = BookPaths(BARE, scale("0.5", "0.25"), "")
    text = b' { "at" : 5 , "book" : { "sell" : [ [ null , 0.25 , 1.50 , "x" ] , [ "y" , 0 , 10 ] ] } } '
    facts = bare.scan(text)
    assert not isinstance(facts, str)
    assert facts[1:] == ([], [[3, 1], [20, 0]])
    assert (facts[0][EVENT_TIME], facts[0][LAST_ID]) == (5_000_000, 5)
    assert (facts[0][PRESENT] >> BID_COUNT) & 1 == 0
    assert facts == bare.plain(text)
    assert bare.scan(b'{"at":5}') == bare.plain(b'{"at":5}') != "missing"
    assert bare.scan(b'{"at":5,"book":{}}') == bare.plain(b'{"at":5,"book":{}}') != "missing"


@pytest.mark.parametrize(
    ("text", "scanned", "plain"),
    [
        (b"{}", "missing", "missing"),
        (b"[]", "shape", "shape"),
        (b"", "syntax", "syntax"),
        (b"   ", "syntax", "syntax"),
        (b"<html>", "shape", "syntax"),
        (frame() + b"x", "syntax", "syntax"),
        (frame() + b"{}", "syntax", "syntax"),
        (frame() + frame(), "syntax", "syntax"),
        (b"\xef\xbb\xbf" + frame(), "shape", "syntax"),
        (frame()[:-1] + b",}", "syntax", "syntax"),
        (frame('[["1","1"],]'), "shape", "syntax"),
        (frame('[["1","1",]]'), "syntax", "syntax"),
        (frame('[["1" "1"]]'), "syntax", "syntax"),
        (frame('[["1","1"]["1","1"]]'), "syntax", "syntax"),
        (frame('["1","1"]'), "shape", "shape"),
        (frame("[[]]"), "shape", "shape"),
        (frame('[["1"]]'), "shape", "shape"),
        (frame('[["1",null]]'), "shape", "shape"),
        (frame('[["1",["1"]]]'), "shape", "shape"),
        (frame("{}"), "shape", "shape"),
        (frame("null"), "shape", "shape"),
        (frame('[["-1","1"]]'), "number", "number"),
        (frame('[["1","-1"]]'), "number", "number"),
        (frame('[["","1"]]'), "number", "number"),
        (frame('[["1.05","1"]]'), "off_grid", "off_grid"),
        (frame('[["1","0.0001"]]'), "off_grid", "off_grid"),
        (frame('[["1000000000000000000000","1"]]'), "digits", "digits"),
        (frame(head=HEAD.replace("BTCUSDT", "ETHUSDT")), "market", "market"),
        (frame(head=HEAD.replace("BTCUSDT", "BTCUSD")), "market", "market"),
        (frame(head=HEAD.replace("BTCUSDT", "BTCUSDTX")), "market", "market"),
        (frame(head=HEAD.replace("depthUpdate", "trade")), "market", "market"),
        (frame(head=HEAD.replace('"BTCUSDT"', "7")), "shape", "shape"),
        (frame(head=HEAD.replace('"u":4,', "")), "missing", "missing"),
        (frame(head=HEAD.replace('"s":"BTCUSDT",', "")), "missing", "missing"),
        (frame(head=HEAD.replace('"u":4', '"u":null')), "shape", "shape"),
        (frame(head=HEAD.replace('"u":4', '"u":4.0')), "number", "number"),
        (frame(head=HEAD.replace('"u":4', '"u":04')), "syntax", "syntax"),
        (frame(head=HEAD.replace('"u":4', '"u":9223372036854775808')), "digits", "digits"),
        (frame(head=HEAD.replace('"E":1', '"E":9223372036854775')), "digits", "digits"),
        (frame(head=HEAD + ',"u":4'), "duplicate", "duplicate"),
        (frame(head=HEAD + ',"s":"BTCUSDT"'), "duplicate", "duplicate"),
        (frame(more=',"b":[]'), "duplicate", "duplicate"),
        (frame()[:-1] + b',"data":{}}', "duplicate", "duplicate"),
        (frame(more=',"x":tru'), "syntax", "syntax"),
        (frame(more=',"x":-'), "syntax", "syntax"),
        (frame(more=',"x":01'), "syntax", "syntax"),
        (frame(more=',"x":NaN'), "syntax", "syntax"),
        (frame(more=',"x":"a\tb"'), "syntax", "syntax"),
        (frame(more=',"x\n":1'), "syntax", "syntax"),
        (frame(more=",x:1"), "syntax", "syntax"),
        (frame(more=',"x"'), "syntax", "syntax"),
        (frame(more=',"x":"').replace(b'"}}', b'\xff"}}'), "syntax", "syntax"),
        (frame(more=',"x":"y"').replace(b'"y"', b'"\xed\xa0\x80"'), "syntax", "syntax"),
        (frame('[["1","1"]' + ',["1","1"]' * 16 + "]"), "capacity", "capacity"),
    ],
)
def test_refusals(binance: BookPaths, text: bytes, scanned: str, plain: str) -> None:
    assert binance.scan(text) == scanned
    assert binance.plain(text) == plain


DEEP = "[" * 61 + "]" * 61


@pytest.mark.parametrize(
    ("text", "scanned", "bids"),
    [
        (frame('[["1\\u0030","1"]]'), "escape", [[100, 1000]]),
        (frame(more=',"x":"\\n"'), "escape", []),
        (frame(more=',"\\u0078":1'), "escape", []),
        (frame(more=',"x":{"\\u0078":1}'), "escape", []),
        (frame(more=f',"x":{DEEP}'), "shape", []),
        (frame(more=',"x":' + "1" * 65), "number", []),
        (frame('[["10","1",[]]]'), "shape", [[100, 1000]]),
        (frame('[["10","1.00000000000000000000e0"]]'), "digits", [[100, 1000]]),
    ],
)
def test_what_only_the_plain_path_reads(binance: BookPaths, text: bytes, scanned: str, bids: list[list[int]]) -> None:
    assert binance.scan(text) == scanned
    facts = binance.plain(text)
    assert not isinstance(facts, str)
    assert facts[1] == bids


@pytest.mark.parametrize(
    ("text", "bids"),
    [
        (frame('[["1e1","1"]]'), [[100, 1000]]),
        (frame("[[10,1.0]]"), [[100, 1000]]),
        (frame('[[10,"1.0"],["10",1e0]]'), [[100, 1000], [100, 1000]]),
        (frame(more=',"x":1e5'), []),
        (frame(more=',"x":-1.5E+300'), []),
        (frame(more=',"x":{"b":[["1","1"]]}'), []),
        (frame(more=',"x":[ 1 , { "u" : 4 , "b" : [ ] , "e" : { } } , [ ] , "[" , null ]'), []),
        (frame(more=f',"x":{DEEP[1:-1]}'), []),
    ],
)
def test_what_both_paths_read(binance: BookPaths, text: bytes, bids: list[list[int]]) -> None:
    facts = binance.scan(text)
    assert not isinstance(facts, str), facts
    assert facts[1] == bids
    assert facts == binance.plain(text)


@pytest.mark.parametrize(
    "value",
    [
        "[",
        "{",
        "[1",
        "[1,",
        "[1,]",
        "[,]",
        "[1;2]",
        "[1}",
        "{]",
        "{1:2}",
        "[[]",
        "1e",
        "1e+",
        "[tru]",
        "[-]",
        "[1.]",
        "[01]",
        "]",
        "}",
        '{"a"}',
        '{"a":}',
        '{"a":1,}',
        '{"a";1}',
        '{"a":[1}]',
        '{"a":{"b":1]}',
        '["a]',
        '["\x01"]',
    ],
)
def test_nested_values_must_be_json_too(binance: BookPaths, value: str) -> None:
    text = frame(more=f',"x":{value}')
    assert binance.scan(text) == "syntax" == binance.plain(text)


def test_full_capacity(binance: BookPaths) -> None:
    rows = '[["1","1"]' + ',["2","1"]' * 15 + "]"
    facts = binance.scan(frame(rows, rows))
    assert not isinstance(facts, str)
    assert (len(facts[1]), len(facts[2])) == (16, 16)


def test_errors_name_path_and_reason() -> None:
    paths = BookPaths(OKX, scale("0.1", "0.01"), "BTC-USDT")
    one = paths.compiled
    text = b'{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"asks":[["1.05","1"]],"bids":[],"ts":"5","prevSeqId":1,"seqId":9}]}'
    with pytest.raises(WireError, match=r"data\[0\]\.asks: off_grid: '1\.05' is not a multiple of 0\.1") as caught:
        plain_book(one.grammar, one.scale, one.market, text, paths.header, paths.levels)
    assert (caught.value.reason, caught.value.path) == ("off_grid", "data[0].asks")
    with pytest.raises(WireError, match="frame: syntax"):
        plain_book(one.grammar, one.scale, one.market, b"[" * 100_000, paths.header, paths.levels)
    with pytest.raises(WireError, match=r"data: shape: an array of one element"):
        plain_book(one.grammar, one.scale, one.market, text.replace(b"}]}", b"},{}]}"), paths.header, paths.levels)
    assert paths.scan(text.replace(b"}]}", b"},{}]}").replace(b"1.05", b"1.0")) == "shape"
    assert paths.scan(text.replace(b"1.05", b"1.0").replace(b'"data":[{', b'"data":[[{')) == "shape"


def test_text_levels_keep_their_spelling() -> None:
    bids, asks = plain_text_levels(BINANCE, frame('[["61800.20","2.9090"]]', '[["1e3","0"]]'))
    assert (bids, asks) == ([("61800.20", "2.9090")], [("1e3", "0")])
    bids, asks = plain_text_levels(BARE, b'{"book":{"buy":[[0,1.2500,3.10],[0,12345678901234567890.10,0.0]]}}')
    assert (bids, asks) == ([("3.10", "1.2500"), ("0.0", "12345678901234567890.10")], [])


# Generated frames: any order, any white space, unknown keys, all within what the scanner promises to read.
space = st.sampled_from(["", "", "", " ", "\n", "\t\r\n  "])
names = st.text("abeusTUEdpx_-é€😀", min_size=1, max_size=9)
scalars = st.one_of(
    st.integers(-(10**12), 10**12).map(str),
    st.sampled_from(["true", "false", "null", "0", "-0", "0.5", "-12.3400", "123456789012345678901234567890.5"]),
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters='"\\', min_codepoint=32), max_size=12).map(
        lambda text: json.dumps(text, ensure_ascii=False)
    ),
).filter(lambda text: "\\" not in text)


def decimal_text(units: int, decimals: int, style: int) -> str:
    whole, part = divmod(units, 10**decimals)
    text = f"{whole}.{part:0{decimals}d}"
    if style == 1:
        text = text.rstrip("0").rstrip(".")
    return ("00" + text if style == 2 else text + "0" * style) if style else text


levels = st.lists(
    st.tuples(st.integers(0, 10**12), st.integers(0, 10**15), st.integers(0, 4), st.integers(0, 4)), max_size=8
)


@st.composite
def objects(draw: st.DrawFn, members: list[tuple[str, str]], extra: int = 3) -> str:
    """A JSON object of these members and some unknown ones, in any order."""
    known = {key for key, _ in members}
    unknown = draw(st.lists(st.tuples(names.filter(lambda name: name not in known), scalars), max_size=extra))
    shuffled = draw(st.permutations(members + unknown))
    parts = [
        f"{draw(space)}{json.dumps(key, ensure_ascii=False)}{draw(space)}:{draw(space)}{value}{draw(space)}"
        for key, value in shuffled
    ]
    return "{" + (",".join(parts) or draw(space)) + "}"


@st.composite
def rows_text(draw: st.DrawFn) -> str:
    rows = []
    for ticks, lots, first, second in draw(levels):
        more = draw(st.sampled_from(["", "", ',"0","12"', ",7,null", ',"a long text that is skipped"']))
        gap = draw(space)
        rows.append(f'{gap}["{decimal_text(ticks, 1, first)}"{gap},"{decimal_text(lots, 3, second)}"{more}]')
    return "[" + ",".join(rows) + draw(space) + "]"


@st.composite
def binance_frames(draw: st.DrawFn) -> bytes:
    numbers = {key: str(draw(st.integers(-10, 9 * 10**12))) for key in ("U", "u", "pu", "E", "T")}
    numbers = {key: f'"{text}"' if draw(st.booleans()) else text for key, text in numbers.items()}
    data: list[tuple[str, str]] = [("e", '"depthUpdate"'), ("s", '"BTCUSDT"'), *numbers.items()]
    data += [("b", draw(rows_text())), ("a", draw(rows_text()))]
    text = draw(objects([("data", draw(objects(data)))]))
    return (draw(space) + text + draw(space)).encode()


@given(binance_frames())
@settings(max_examples=300)
def test_scanner_equals_plain(text: bytes) -> None:
    paths = BookPaths(BINANCE, GRID, "BTCUSDT", capacity=8)
    facts = paths.scan(text)
    assert not isinstance(facts, str), facts
    assert facts == paths.plain(text)


@st.composite
def okx_frames(draw: st.DrawFn) -> bytes:
    data = [
        ("seqId", "5"),
        ("prevSeqId", "4"),
        ("ts", '"77"'),
        ("bids", draw(rows_text())),
        ("asks", draw(rows_text())),
    ]
    one = f"[{draw(space)}{draw(objects(data))}{draw(space)}]"
    argument = draw(objects([("channel", '"books"'), ("instId", '"BTC-USDT"')]))
    kind = draw(st.sampled_from(['"snapshot"', '"update"']))
    return draw(objects([("arg", argument), ("action", kind), ("data", one)])).encode()


@given(okx_frames())
@settings(max_examples=150)
def test_scanner_equals_plain_below_an_array(text: bytes) -> None:
    paths = BookPaths(OKX, GRID, "BTC-USDT", capacity=8)
    facts = paths.scan(text)
    assert not isinstance(facts, str), facts
    assert facts == paths.plain(text)


anything: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from(["1", "1.5", "BTCUSDT", "depthUpdate", "1e1", "-1", "0.05", "", "é", "\n"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(st.lists(st.sampled_from(["1", "2.5", "0.000", "7.77", 3]), min_size=1, max_size=3), max_size=3),
        st.dictionaries(
            st.sampled_from(["e", "E", "T", "s", "U", "u", "pu", "b", "a", "data", "x"]), inner, max_size=9
        ),
    ),
    max_leaves=20,
)


@given(anything, st.dictionaries(st.sampled_from(["e", "E", "s", "u", "b", "a", "x"]), anything, max_size=2))
@settings(max_examples=300)
def test_any_json_is_refused_or_read_alike(value: Any, overlay: dict[str, Any]) -> None:
    paths = BookPaths(BINANCE, GRID, "BTCUSDT", capacity=4)
    good = {"e": "depthUpdate", "E": 1, "T": 2, "s": "BTCUSDT", "U": 3, "u": 4, "pu": 5, "b": [["1", "1"]], "a": []}
    for root in (value, {"data": value}, {"data": good | overlay}):
        for ascii_only in (True, False):
            text = json.dumps(root, ensure_ascii=ascii_only).encode()
            facts = paths.scan(text)
            if not isinstance(facts, str):
                assert facts == paths.plain(text)
