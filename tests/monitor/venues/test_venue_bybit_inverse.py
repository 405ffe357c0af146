"""Bybit inverse by its page: sizes and open interest in dollars, tiers in coins and percent; and every real frame of it there is."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from captured_books import CapturedBook
from hot_frames import read_trades
from venue_forms import nautilus_messages, poll_of, sample_instruments, tardis_messages

from engines.book.outcome import Outcome
from engines.wire import layout
from monitor.errors import FrameError, VenueError
from monitor.facts import (
    Channel,
    Funding,
    IndexPrice,
    Instrument,
    Liquidation,
    MarginTier,
    MarginTiers,
    MarkPrice,
    OpenInterest,
)
from monitor.money import notional_usd
from monitor.venues.base import Topic
from monitor.venues.bybit_inverse import BybitInverse

VENUE = BybitInverse()
NS = 1_000_000
BTCUSD = Instrument(
    "bybit_inverse", "BTCUSD", "BTC", "USD", "BTC", "inverse", tick_size=Decimal("0.5"), lot_size=Decimal(1)
)


def known(key: str) -> Topic:
    topic = VENUE.topic(key)
    assert topic is not None, key
    return topic


# -- sockets
def test_topics_of_a_market() -> None:
    books, cold = VENUE.connections(sample_instruments(VENUE, 1))
    assert books.url == cold.url == "wss://stream.bybit.com/v5/public/inverse"
    assert [topic.key for topic in books.topics] == ["orderbook.1000.BTCUSD"]
    assert [topic.key for topic in cold.topics] == ["publicTrade.BTCUSD", "tickers.BTCUSD", "allLiquidation.BTCUSD"]


@pytest.mark.parametrize("symbol", ["BTCUSD", "XRPUSD", "BTCUSDH27", "BTCUSDU23", "1000PEPEUSD"])
def test_symbols_of_perpetuals_and_futures(symbol: str) -> None:
    assert re.fullmatch(VENUE.symbol_pattern, symbol)
    assert known(f"orderbook.1000.{symbol}").symbols == (symbol,)


@pytest.mark.parametrize("symbol", ["BTCUSDT", "BTCPERP", "USD", "BTCUSD-27MAR26"])
def test_symbols_of_other_categories(symbol: str) -> None:
    assert not re.fullmatch(VENUE.symbol_pattern, symbol)


def test_the_full_book_is_not_served_here() -> None:
    assert known("orderbook.full.BTCUSD").channel is Channel.OTHER


# -- a book in dollars
def test_a_level_is_dollars_at_any_price() -> None:
    book = CapturedBook(VENUE, "orderbook.1000.BTCUSD", "0.5", "1", inverse=True)
    frame = (
        b'{"topic":"orderbook.1000.BTCUSD","type":"snapshot","ts":1672304484978,"data":{"s":"BTCUSD","b":[["50000.0","12000"],'
        b'["25000.0","3000"]],"a":[["50000.5","500"]],"u":177,"seq":7961638724},"cts":1672304484976}'
    )
    assert book.take(frame) is Outcome.REPLACED
    bids, _ = book.sides()
    assert bids == {Decimal(50000): Decimal(12000), Decimal(25000): Decimal(3000)}
    assert notional_usd(BTCUSD, bids[Decimal(50000)], Decimal(50000), 1.0) == 12000


# -- facts
def ticker(kind: str, **data: object) -> bytes:
    return orjson.dumps(
        {"topic": "tickers.BTCUSD", "type": kind, "data": {"symbol": "BTCUSD"} | data, "cs": 1, "ts": 1790134712383}
    )


def test_open_interest_is_one_sided_and_in_dollars() -> None:
    at = 1790134712383 * NS
    found = VENUE.parse(
        known("tickers.BTCUSD"),
        ticker("delta", openInterest="449736676", openInterestValue="15747.08", singleOpenInterest="224868338"),
    )
    assert found == [OpenInterest("BTCUSD", Decimal(224868338), None, at)]
    assert notional_usd(BTCUSD, Decimal(224868338), Decimal(28560), 1.0) == 224868338


@pytest.mark.parametrize(("side", "position"), [("Buy", "long"), ("Sell", "short")])
def test_a_liquidation_is_in_dollars_and_its_side_is_the_positions(side: str, position: str) -> None:
    row = {"T": 1739502302929, "s": "BTCUSD", "S": side, "v": "20000", "p": "60449.5"}
    topic = known("allLiquidation.BTCUSD")
    (fact,) = VENUE.parse(topic, orjson.dumps({"topic": topic.key, "type": "snapshot", "ts": 1, "data": [row]}))
    assert isinstance(fact, Liquidation)
    assert (fact.position, fact.price_kind, fact.coverage) == (position, "bankruptcy", "complete")
    assert notional_usd(BTCUSD, fact.quantity, fact.price, 1.0) == 20000


# -- listing
def row(symbol: str, base: str, **changes: object) -> dict[str, object]:
    return {
        "symbol": symbol, "contractType": "InversePerpetual", "status": "Trading", "baseCoin": base, "quoteCoin": "USD",
        "settleCoin": base, "priceFilter": {"tickSize": "0.10"}, "fundingInterval": 480, "lotSizeFilter": {"qtyStep": "1"},
    } | changes  # fmt: skip


def listing(*rows: object) -> bytes:
    return orjson.dumps({"retCode": 0, "retMsg": "OK", "result": {"category": "inverse", "list": rows}, "time": 1})


def test_the_listing_settles_in_coins() -> None:
    (request,) = VENUE.instrument_requests([])
    assert request.url.endswith("/v5/market/instruments-info?category=inverse&limit=1000")
    found, _ = VENUE.parse_instruments(
        request,
        listing(
            row("BTCUSD", "BTC"),
            row("BTCUSDH27", "BTC", contractType="InverseFutures", fundingInterval=0, status="Closed"),
            row("ODDEUR", "ODD", quoteCoin="EUR"),  # a contract of another currency: left out
        ),
    )
    assert [(i.symbol, i.settle, i.quote, i.contract_type, i.contract_size, i.trading) for i in found] == [
        ("BTCUSD", "BTC", "USD", "inverse", Decimal(1), True),
        ("BTCUSDH27", "BTC", "USD", "inverse", Decimal(1), False),
    ]
    assert [i.funding_interval_seconds for i in found] == [8 * 3600, None]


# -- margin tiers
def tiers_body(*rows: dict[str, object]) -> bytes:
    result = {"category": "inverse", "list": [{"symbol": "BTCUSD", "isLowestRisk": 0} | row for row in rows]}
    return orjson.dumps({"retCode": 0, "retMsg": "OK", "result": result, "time": 1672054488010})


PAGE = {"id": 1, "riskLimitValue": "150", "maintenanceMargin": "0.5", "initialMargin": "1", "maxLeverage": "100.00"}
SECOND = {"id": 2, "riskLimitValue": "300", "maintenanceMargin": 1, "initialMargin": 2, "maxLeverage": "50"}


def test_tiers_of_the_page_count_coins_and_percent() -> None:
    poll = poll_of(VENUE, BTCUSD, "margin_tiers")
    assert poll.request.url == "https://api.bybit.com/v5/market/risk-limit?category=inverse&symbol=BTCUSD"
    assert VENUE.parse_poll(poll.request, tiers_body(SECOND, PAGE | {"mmDeduction": ""})) == [
        MarginTiers(
            "BTCUSD",
            (
                MarginTier(Decimal(0), Decimal(150), Decimal("0.005"), Decimal(100)),
                MarginTier(Decimal(150), Decimal(300), Decimal("0.01"), Decimal(50)),
            ),
            unit="base",
            whole=True,
            venue_time=1672054488010 * NS,
        )
    ]


def test_tiers_with_a_deduction_are_taken_slice_by_slice() -> None:
    poll = poll_of(VENUE, BTCUSD, "margin_tiers")
    (tiers,) = VENUE.parse_poll(
        poll.request,
        tiers_body(PAGE | {"mmDeduction": ""}, SECOND | {"mmDeduction": "0.75"}),
    )
    assert isinstance(tiers, MarginTiers)
    assert not tiers.whole
    first, second = tiers.tiers
    assert second.deduction == Decimal("0.75")
    # Continuous where the tiers meet: 150 coins need the same margin by either.
    assert 150 * first.maintenance_ratio == 150 * second.maintenance_ratio - second.deduction


def test_fractions_are_told_from_percent_by_the_leverage() -> None:
    """The last tier of a linear market, as seen in 2026-09: a ratio of 0.6 at a leverage of 1 is no percent."""
    poll = poll_of(VENUE, BTCUSD, "margin_tiers")
    deepest = {
        "id": 35,
        "riskLimitValue": "1200000000",
        "maintenanceMargin": "0.6",
        "initialMargin": "1",
        "maxLeverage": "1.00",
    }
    (tiers,) = VENUE.parse_poll(poll.request, tiers_body(deepest))
    assert isinstance(tiers, MarginTiers)
    assert tiers.tiers[0].maintenance_ratio == Decimal("0.6")


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [PAGE, PAGE],
        [PAGE | {"symbol": "ETHUSD"}],
        [PAGE | {"riskLimitValue": "0"}],
        [{key: PAGE[key] for key in PAGE if key != "maintenanceMargin"}],
    ],
)
def test_tiers_that_are_none(rows: list[dict[str, object]]) -> None:
    poll = poll_of(VENUE, BTCUSD, "margin_tiers")
    with pytest.raises(FrameError, match=r"^bybit_inverse margin_tiers BTCUSD: "):
        VENUE.parse_poll(poll.request, tiers_body(*rows))


def test_an_unknown_symbol_of_a_poll() -> None:
    poll = poll_of(VENUE, BTCUSD, "margin_tiers")
    with pytest.raises(VenueError, match=r"BTCUSD.*10001"):
        VENUE.check_reply(
            poll.request, 200, {}, b'{"retCode":10001,"retMsg":"params error: symbol invalid","result":{}}'
        )


# -- every real frame
def test_tardis_inverse_messages_of_2023(shared_data: Path) -> None:
    messages = [
        message
        for message in tardis_messages(shared_data, "map bybit messages")
        if (key := VENUE.slow_frame_key(message)) and VENUE.topic(key) and re.search(r"\.BTCUSD(U23)?$", key)
    ]
    assert [VENUE.slow_frame_key(message) for message in messages] == [
        "publicTrade.BTCUSD",
        "tickers.BTCUSD",
        "tickers.BTCUSD",
        "tickers.BTCUSDU23",
        "tickers.BTCUSDU23",
    ]
    trades, full, change, future, nothing = messages
    grammar = known("publicTrade.BTCUSD").trades
    assert grammar is not None
    first, second, *_ = read_trades(grammar, trades, "BTCUSD")
    assert (first.side, first.size, first.price) == (layout.BUY, Decimal(5823), Decimal("28560.50"))
    assert (second.side, second.size) == (layout.BUY, Decimal(3))
    at = orjson.loads(full)["ts"] * NS
    mark, index, funding = VENUE.parse(known("tickers.BTCUSD"), full)
    assert mark == MarkPrice("BTCUSD", Decimal("28560.00"), at)
    assert index == IndexPrice("BTCUSD", Decimal("28566.94"), at)
    assert isinstance(funding, Funding)  # open interest of both sides only, in 2023: no fact
    at = 1680673822776 * NS
    assert VENUE.parse(known("tickers.BTCUSD"), change) == [Funding("BTCUSD", Decimal("0.0001"), None, None, at)]
    at = orjson.loads(future)["ts"] * NS
    facts = VENUE.parse(known("tickers.BTCUSDU23"), future)
    assert facts[:2] == [
        MarkPrice("BTCUSDU23", Decimal("29023.60"), at),
        IndexPrice("BTCUSDU23", Decimal("28566.94"), at),
    ]
    assert VENUE.parse(known("tickers.BTCUSDU23"), nothing) == []


def test_tardis_liquidations_before_2025_are_of_a_retired_channel(shared_data: Path) -> None:
    keys = {
        VENUE.slow_frame_key(m) for m in tardis_messages(shared_data, "map bybit messages") if b'"liquidation.' in m
    }
    assert "liquidation.XRPUSD" in keys
    assert all(VENUE.topic(key) is None for key in keys if key)


def test_nautilus_listings_of_inverse(shared_data: Path) -> None:
    bybit = nautilus_messages(shared_data, "bybit")
    (request,) = VENUE.instrument_requests([])
    (btc,), _ = VENUE.parse_instruments(request, bybit["http_get_instruments_inverse.json"])
    assert (btc.symbol, btc.settle, btc.tick_size, btc.lot_size) == ("BTCUSD", "BTC", Decimal("0.5"), Decimal(1))
    (oil,), _ = VENUE.parse_instruments(request, bybit["http_get_instruments_inverse_symbol_type.json"])
    assert (oil.symbol, oil.asset, oil.funding_interval_seconds) == ("BRENTUSD", "BRENT", 8 * 3600)
