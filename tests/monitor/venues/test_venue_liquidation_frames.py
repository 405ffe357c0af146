"""Every real liquidation frame of 2026 of these three venues, each asserted by hand: get a sign wrong here and every alert is wrong."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from venue_forms import lines

from monitor.errors import FrameError
from monitor.facts import Channel, Coverage, Instrument, Liquidation, Position, PriceKind
from monitor.venues.registry import VENUES

# venue, key, then one row for each print: symbol, position, quantity, price, price kind, venue time in ms, coverage.
Row = tuple[str, Position, str, str, PriceKind, int, Coverage]
GOLDEN: dict[int, tuple[str, str, list[Row]]] = {
    0: (
        "bybit_linear",
        "allLiquidation.ICPUSDT",
        [("ICPUSDT", "long", "19.7", "2.585", "bankruptcy", 1789670094099, "complete")],
    ),
    1: (
        "bybit_linear",
        "allLiquidation.MARSCOINUSDT",
        [("MARSCOINUSDT", "short", "2380", "0.12734", "bankruptcy", 1789670278053, "complete")],
    ),
    2: (
        "binance_usdm",
        "raw:cotiusdt@forceOrder",
        [("COTIUSDT", "short", "288183", "0.0219120", "average", 1789672235690, "sampled")],
    ),
    4: (
        "okx_swap",
        "liquidation-orders:SWAP",
        [("CNPY-USDT-SWAP", "short", "2137", "0.4162", "bankruptcy", 1789669898955, "sampled")],
    ),
    7: (
        "binance_usdm",
        "!forceOrder@arr",
        [("BTCUSDT", "long", "0.190", "82651.90", "average", 1791565602120, "sampled")],
    ),
    8: (
        "bybit_linear",
        "allLiquidation.BTCUSDT",
        [
            ("BTCUSDT", "long", "0.006", "82396.90", "bankruptcy", 1791565600992, "complete"),
            ("BTCUSDT", "long", "0.038", "82394.30", "bankruptcy", 1791565601058, "complete"),
        ],
    ),
    9: (
        "okx_swap",
        "liquidation-orders:SWAP",
        [("BTC-USDT-SWAP", "long", "8.55", "82655.7", "bankruptcy", 1791565600771, "sampled")],
    ),
    11: (
        "binance_usdm",
        "!forceOrder@arr",
        [("ILVUSDT", "long", "116.5", "3.85642", "average", 1791391082119, "sampled")],
    ),
    12: (
        "bybit_linear",
        "allLiquidation.STRKUSDT",
        [("STRKUSDT", "long", "2084.9", "0.05165", "bankruptcy", 1791091285156, "complete")],
    ),
    13: (
        "binance_usdm",
        "xrpusdt@forceOrder",
        [("XRPUSDT", "short", "127.2", "1.4912", "average", 1791091174219, "sampled")],
    ),
    14: (
        "bybit_linear",
        "allLiquidation.ADAUSDT",
        [("ADAUSDT", "short", "13248", "0.1915", "bankruptcy", 1786014946933, "complete")],
    ),
}
# Line 10 is a trade (test_venue_captures), 3 is Aster's (no venue of ours), 5 and 6 are HTX's (test_venue_htx_linear).
OTHERS = {3, 5, 6, 10}


def frames(shared_data: Path) -> dict[int, bytes]:
    rows = lines(shared_data / "liquidation-frames-2026" / "frames.jsonl")
    return {number: str(row["raw"]).encode() for number, row in enumerate(rows)}


def test_every_frame_of_the_capture_has_a_place(shared_data: Path) -> None:
    assert set(frames(shared_data)) == set(GOLDEN) | OTHERS


@pytest.mark.parametrize("number", GOLDEN)
def test_a_real_liquidation_frame(shared_data: Path, number: int) -> None:
    name, key, rows = GOLDEN[number]
    venue = VENUES[name]
    frame = frames(shared_data)[number]
    assert venue.slow_frame_key(frame) == key
    assert venue.frame_key(frame) == (None if key.startswith("raw:") else key.encode())
    topic = venue.topic(key)
    assert topic is not None
    assert topic.channel is Channel.LIQUIDATIONS
    assert topic.symbols in ((), (rows[0][0],))
    assert venue.parse(topic, frame) == [
        Liquidation(symbol, position, Decimal(quantity), Decimal(price), kind, milliseconds * 1_000_000, coverage)
        for symbol, position, quantity, price, kind, milliseconds, coverage in rows
    ]


def test_the_btc_move_of_2026_10_09_in_usd_on_three_venues(shared_data: Path) -> None:
    """0.190 BTC on Binance, 0.044 on Bybit, 8.55 contracts of 0.01 BTC on OKX: all of them longs."""
    contract = {"binance_usdm": Decimal(1), "bybit_linear": Decimal(1), "okx_swap": Decimal("0.01")}
    usd = {}
    for number in (7, 8, 9):
        name, key, _ = GOLDEN[number]
        topic = VENUES[name].topic(key)
        assert topic is not None
        prints = VENUES[name].parse(topic, frames(shared_data)[number])
        assert all(isinstance(fact, Liquidation) and fact.position == "long" for fact in prints)
        usd[name] = sum(f.quantity * contract[name] * f.price for f in prints if isinstance(f, Liquidation))
    assert usd == {
        "binance_usdm": Decimal("15703.8610"),
        "bybit_linear": Decimal("3625.36480"),
        "okx_swap": Decimal("7067.062350"),
    }


def force_order(**changes: object) -> bytes:
    order = {
        "s": "BTCUSDT", "S": "SELL", "o": "LIMIT", "f": "IOC", "q": "0.014", "p": "9910", "ap": "9900.5", "X": "FILLED",
        "l": "0.002", "z": "0.010", "T": 1568014460893,
    }  # fmt: skip
    return orjson.dumps({"stream": "x", "data": {"e": "forceOrder", "E": 1568014460893, "o": order | changes}})


def binance(key: str, frame: bytes) -> list[object]:
    venue = VENUES["binance_usdm"]
    topic = venue.topic(key)
    assert topic is not None
    return list(venue.parse(topic, frame))


def test_binance_counts_what_was_filled_and_falls_back_to_the_order_price() -> None:
    (fact,) = binance("btcusdt@forceOrder", force_order(ap="0"))
    assert isinstance(fact, Liquidation)
    assert (fact.price, fact.price_kind, fact.quantity) == (Decimal(9910), "order", Decimal("0.010"))


@pytest.mark.parametrize("state", ["NEW", "PARTIALLY_FILLED", "EXPIRED", "CANCELED"])
def test_binance_prints_that_are_not_filled_give_no_liquidation(state: str) -> None:
    assert binance("btcusdt@forceOrder", force_order(X=state)) == []


@pytest.mark.parametrize(
    "changes",
    [{"s": "BTCUSD_PERP"}, {"s": "BTCUSD_PERP", "st": 1}, {"s": "BTCUSD_200925"}, {"s": "ANYTHING", "st": 2}],
)
def test_binance_ignores_the_coin_margined_universe_on_the_merged_stream(changes: dict[str, object]) -> None:
    assert binance("!forceOrder@arr", force_order(**changes)) == []


@pytest.mark.parametrize("symbol", ["BTCUSDT", "BTCUSDT_261225", "BTCBUSD_210129", "BTCUSDC", "1000PEPEUSDT"])
def test_binance_splits_the_merged_stream_by_symbol(symbol: str) -> None:
    (fact,) = binance("!forceOrder@arr", force_order(s=symbol, st=1))
    assert isinstance(fact, Liquidation)
    assert fact.symbol == symbol


def test_okx_net_mode_takes_the_side_of_the_order_and_a_contradiction_is_refused() -> None:
    venue = VENUES["okx_swap"]
    topic = venue.topic("liquidation-orders:SWAP")
    assert topic is not None

    def frame(side: str, position: str) -> bytes:
        detail = (
            f'{{"bkLoss":"0","bkPx":"2","ccy":"","posSide":"{position}","side":"{side}","sz":"3","ts":"1692266434010"}}'
        )
        return (
            '{"arg":{"channel":"liquidation-orders","instType":"SWAP"},"data":[{"details":['
            + detail
            + '],"instFamily":"BTC-USD","instId":"BTC-USD-SWAP","instType":"SWAP","uly":"BTC-USD"}]}'
        ).encode()

    for side, position in (("sell", "long"), ("buy", "short")):
        for posside in ("net", position):
            (fact,) = venue.parse(topic, frame(side, posside))
            assert isinstance(fact, Liquidation)
            assert fact.position == position
    with pytest.raises(FrameError, match="posSide"):
        venue.parse(topic, frame("sell", "short"))


def test_a_contract_is_never_taken_for_a_coin(shared_data: Path) -> None:
    """OKX sizes are contracts: the instrument, not the frame, says what they are worth."""
    venue = VENUES["okx_swap"]
    body = (
        b'{"code":"0","data":[{"instId":"BTC-USDT-SWAP","instFamily":"BTC-USDT","ctType":"linear","ctVal":"0.01","ctValCcy":"BTC",'
        b'"ctMult":"1","settleCcy":"USDT","tickSz":"0.1","lotSz":"0.01","state":"live"}]}'
    )
    (instrument,), _ = venue.parse_instruments(venue.instrument_requests([])[0], body)
    assert isinstance(instrument, Instrument)
    assert instrument.contract_size * Decimal("8.55") == Decimal("0.0855")
