"""The trade scanner: sides, flags, the print that is no trade, and agreement with the plain path."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_cases import BINANCE_AGGREGATE, BINANCE_TRADE, BYBIT_TRADE, OKX_TRADE, TradePaths, scale

from engines.wire.grammar import MICROSECOND, TradeGrammar
from engines.wire.layout import BUY, SELL

GRID = scale("0.1", "0.001")
ONE = {"e": "trade", "E": 1, "T": 2, "s": "BTCUSDT", "t": 3, "p": "10.50", "q": "0.25", "X": "MARKET", "m": False}
ROW = {"T": 2, "s": "BTCUSDT", "S": "Buy", "v": "0.25", "p": "10.5", "L": "PlusTick", "i": "20f4-x", "BT": False}


def dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.fixture(scope="module")
def single() -> TradePaths:
    return TradePaths(BINANCE_TRADE, GRID, "BTCUSDT")


@pytest.fixture(scope="module")
def many() -> TradePaths:
    return TradePaths(BYBIT_TRADE, GRID, "BTCUSDT", capacity=4)


def test_a_single_trade(single: TradePaths) -> None:
    for maker, side in ((False, BUY), (True, SELL)):
        frame = dump({"stream": "x", "data": ONE | {"m": maker}})
        assert single.scan(frame) == [[105, 250, side, 2_000_000, 3, 1, 0, 0]] == single.plain(frame)


@pytest.mark.parametrize("flag", ["MARKET", "RPI", "INSURANCE_FUND", "ADL", "NA", ""])
def test_flags_that_are_not_flow(single: TradePaths, flag: str) -> None:
    frame = dump({"data": ONE | {"X": flag}})
    rows = single.scan(frame)
    assert rows == single.plain(frame)
    assert not isinstance(rows, str)
    assert rows[0][5] == int(flag in ("MARKET", "RPI"))


def test_a_missing_flag_is_flow(single: TradePaths) -> None:
    frame = dump({"data": {key: value for key, value in ONE.items() if key != "X"}})
    assert single.scan(frame) == [[105, 250, BUY, 2_000_000, 3, 1, 0, 0]] == single.plain(frame)


@pytest.mark.parametrize("flag", ["NA", "", "MARKET", None])
def test_the_last_print_is_no_trade(single: TradePaths, flag: str | None) -> None:
    """Binance's last print: price 0, quantity 0, X "NA" (or nothing at all)."""
    print_ = ONE | {"p": "0", "q": "0", "X": flag}
    if flag is None:
        del print_["X"]
    frame = dump({"data": print_})
    assert single.scan(frame) == [[0, 0, BUY, 2_000_000, 3, 0, 0, 0]] == single.plain(frame)


def test_many_trades(many: TradePaths) -> None:
    rows = [ROW, ROW | {"S": "Sell", "v": "1"}, ROW | {"BT": True}, {k: v for k, v in ROW.items() if k != "BT"}]
    frame = dump({"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": 9, "data": rows})
    assert many.scan(frame) == many.plain(frame) == [
        [105, 250, BUY, 2_000_000, 0, 1, 0, 0],
        [105, 1000, SELL, 2_000_000, 0, 1, 0, 0],
        [105, 250, BUY, 2_000_000, 0, 0, 0, 0],
        [105, 250, BUY, 2_000_000, 0, 1, 0, 0],
    ]  # fmt: skip


def test_no_trades(many: TradePaths) -> None:
    assert many.scan(b'{"data": [ ] , "ts":1}') == [] == many.plain(b'{"data": [ ] , "ts":1}')


def test_okx_trades() -> None:
    okx = TradePaths(OKX_TRADE, scale("0.1", "0.01"), "BTC-USDT")
    row = {"instId": "BTC-USDT", "tradeId": "130", "px": "9.9", "sz": "12", "side": "sell", "ts": "16", "count": "3"}
    frame = dump({"arg": {"channel": "trades", "instId": "BTC-USDT"}, "data": [row]})
    assert okx.scan(frame) == okx.plain(frame) == [[99, 1200, SELL, 16_000_000, 130, 1, 0, 0]]


def test_paths_inside_rows_and_a_single_root() -> None:
    nested = TradeGrammar(
        rows=("list",),
        single=False,
        price=("at", "price"),
        size=("at", "amount", 0),
        side=("taker",),
        taker_buy="B",
        taker_sell="S",
        time=("us",),
        time_unit=MICROSECOND,
        quoted=False,
    )
    paths = TradePaths(nested, GRID, "")
    frame = b'{"list":[{"at":{"amount":[0.5],"price":7},"taker":"S","us":1},{"us":2,"taker":"B","at":{"price":0.1,"amount":[1]}}]}'
    assert paths.scan(frame) == paths.plain(frame) == [
        [70, 500, SELL, 1_000, 0, 1, 0, 0],
        [1, 1000, BUY, 2_000, 0, 1, 0, 0],
    ]  # fmt: skip
    root = TradeGrammar(
        rows=(), single=True, price=("p",), size=("q",), side=("m",), taker_buy=False, taker_sell=True, time=("T",)
    )
    paths = TradePaths(root, GRID, "")
    frame = dump(ONE)
    assert paths.scan(frame) == paths.plain(frame) == [[105, 250, BUY, 2_000_000, 0, 1, 0, 0]]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"p": "10.55"}, "off_grid"),
        ({"p": "-1"}, "number"),
        ({"p": True}, "shape"),
        ({"q": None}, "shape"),
        ({"q": ["1"]}, "shape"),
        ({"m": "false"}, "market"),
        ({"m": 1}, "shape"),
        ({"m": None}, "shape"),
        ({"s": "ETHUSDT"}, "market"),
        ({"e": "aggTrade"}, "market"),
        ({"X": 5}, "shape"),
        ({"T": "x"}, "number"),
        ({"t": 2**63}, "digits"),
        ({"z": "\\"}, "escape"),
    ],
)
def test_single_refusals(single: TradePaths, change: dict[str, Any], reason: str) -> None:
    frame = dump({"data": ONE | change})
    assert single.scan(frame) == reason
    plain = single.plain(frame)
    if change.keys() <= {"z"}:
        assert not isinstance(plain, str)
    else:
        assert plain == reason


@pytest.mark.parametrize(
    "change", [{"p": 10.5}, {"q": 0.25}, {"T": "2"}, {"z": {}}, {"z": [{"p": "9"}, ["0x1", "0x2"]]}, {"t": "3"}]
)
def test_other_spellings_of_the_same_trade(single: TradePaths, change: dict[str, Any]) -> None:
    frame = dump({"data": ONE | change})
    assert single.scan(frame) == [[105, 250, BUY, 2_000_000, 3, 1, 0, 0]] == single.plain(frame)


@pytest.mark.parametrize("key", ["p", "q", "m", "T", "t", "s", "e"])
def test_missing_fields(single: TradePaths, key: str) -> None:
    frame = dump({"data": {name: value for name, value in ONE.items() if name != key}})
    assert single.scan(frame) == "missing" == single.plain(frame)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (dump({"data": [ROW, {key: value for key, value in ROW.items() if key != "p"}]}), "missing"),
        (dump({"data": [ROW, ROW | {"s": "ETHUSDT"}]}), "market"),
        (dump({"data": [ROW] * 5}), "capacity"),
        (dump({"data": [ROW, 5]}), "shape"),
        (dump({"data": [[ROW]]}), "shape"),
        (dump({"data": ROW}), "shape"),
        (dump({"data": None}), "shape"),
        (dump({}), "missing"),
        (dump({"data": [ROW]})[:-2] + b",]}", "shape"),
        (dump({"data": [ROW]})[:-2] + b" 1]}", "syntax"),
        (dump({"data": [ROW]}).replace(b'"T":2', b'"T":2,"T":2'), "duplicate"),
        (dump({"data": [ROW]})[:-1] + b',"data":[]}', "duplicate"),
        (dump({"data": [ROW]}) + b"}", "syntax"),
    ],
)
def test_list_refusals(many: TradePaths, frame: bytes, reason: str) -> None:
    assert many.scan(frame) == reason
    assert many.plain(frame) == ("syntax" if frame.endswith(b",]}") else reason)


def test_a_full_list(many: TradePaths) -> None:
    rows = many.scan(dump({"data": [ROW] * 4}))
    assert not isinstance(rows, str)
    assert len(rows) == 4


texts = st.sampled_from(
    ["10.5", "0", "0.000", "10.55", "1e1", "-1", "", "Buy", "Sell", "MARKET", "NA", "BTCUSDT", "\n", "é"]
)
values = texts | st.sampled_from([True, False, None, 0, 1, -5, 2**63, 1.5, [], [1], {}, {"p": "1"}])


@given(st.data())
@settings(max_examples=250)
def test_refused_or_read_alike(data: st.DataObject) -> None:
    cases: list[tuple[TradeGrammar, dict[str, Any]]] = [
        (BINANCE_TRADE, {"data": ONE}),
        (BINANCE_AGGREGATE, {"data": ONE | {"e": "aggTrade", "a": 5}}),
        (BYBIT_TRADE, {"data": [ROW, ROW]}),
    ]
    grammar, message = data.draw(st.sampled_from(cases))
    paths = TradePaths(grammar, GRID, "BTCUSDT", capacity=3)
    good = message["data"] if isinstance(message["data"], dict) else message["data"][0]
    changed = good | data.draw(st.dictionaries(st.sampled_from([*good, "new"]), values, max_size=2))
    changed = dict(data.draw(st.permutations(list(changed.items()))))
    body = changed if isinstance(message["data"], dict) else [good, changed][data.draw(st.integers(0, 1)) :]
    frame = json.dumps(
        message | {"data": body}, ensure_ascii=False, indent=data.draw(st.sampled_from([None, 1]))
    ).encode()
    rows = paths.scan(frame)
    if not isinstance(rows, str):
        assert rows == paths.plain(frame)
    if sorted(map(repr, changed.items())) == sorted(map(repr, good.items())):  # 0 == False would not do
        assert not isinstance(rows, str)
