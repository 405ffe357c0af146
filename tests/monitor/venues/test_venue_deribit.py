"""Deribit: every captured frame, and what each must come to."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from captured_books import CapturedBook, DictBook
from hot_frames import read_book, read_trades
from venue_forms import lines, tardis_messages

from engines.book.outcome import Outcome
from engines.wire import layout
from engines.wire.errors import WireError
from monitor.config import load_settings
from monitor.errors import FrameError, RetryLater, SettingsError, VenueError
from monitor.facts import (
    Channel,
    Fact,
    Funding,
    IndexPrice,
    Instrument,
    InstrumentChanged,
    Liquidation,
    MarginTiers,
    MarkPrice,
    OpenInterest,
    VenueNotice,
)
from monitor.money import coins, notional_usd
from monitor.venues.base import Acked, ErrorSaid, PingAsked, Refused, RestRequest, Topic
from monitor.venues.deribit import BOOK, SNAPSHOT, TRADES, Deribit

VENUE = Deribit()
MS = 1_000_000
LISTING = VENUE.instrument_requests([])[0]
(STATUS,) = (poll.request for poll in VENUE.venue_polls([]))


def topic(key: str) -> Topic:
    found = VENUE.topic(key)
    assert found is not None, key
    return found


def frame(channel: str, data: object) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}})


def facts_of(data: bytes) -> list[Fact]:
    key = VENUE.slow_frame_key(data)
    assert key is not None
    assert VENUE.frame_key(data) == key.encode()
    return VENUE.parse(topic(key), data)


def nautilus(shared_data: Path) -> dict[str, bytes]:
    """By file name; whitespace outside texts goes, numbers stay as they were written."""
    found = {}
    for row in lines(shared_data / "nautilus-adapter-messages" / "messages.jsonl.gz"):
        if row["venue"] == "deribit":
            text = re.sub(r'("(?:[^"\\]|\\.)*")|\s+', lambda match: match[1] or "", str(row["raw"]))
            found[str(row["file"]).rpartition("/")[2]] = text.encode()
    return found


def rows_of(data: bytes) -> tuple[list[list[str]], list[list[str]]]:
    """[price, amount] of bids and asks, as texts."""
    book = orjson.loads(data)["params"]["data"]
    bids, asks = ([[repr(row[1]), repr(row[2])] for row in book[side]] for side in ("bids", "asks"))
    return bids, asks


# -- a capture of ten options: the wire is that of futures
def test_every_book_of_the_capture_is_linked_and_equals_the_plainest_one(shared_data: Path) -> None:
    kinds, books, plain, others = Counter[str](), {}, {}, Counter[str]()
    for line in lines(shared_data / "cryptofeed-samples" / "deribit_options.jsonl.gz"):
        if line["k"] != "recv":
            continue
        data = str(line["raw"]).encode()
        key = VENUE.slow_frame_key(data)
        if key is None:
            (said,) = VENUE.control(data)
            assert isinstance(said, Acked)
            assert (said.request_id, said.only, len(said.keys)) == (0, True, 30)
            kinds["answers"] += 1
            continue
        assert VENUE.frame_key(data) == key.encode()
        known = topic(key)
        kinds[key.partition(".")[0]] += 1
        if known.channel is Channel.OTHER:
            assert VENUE.parse(known, data) == [], "figures of options come later"
        elif known.channel is Channel.BOOK:
            if key not in books:
                books[key], plain[key] = CapturedBook(VENUE, key, "0.0001", "0.1"), DictBook()
            others[books[key].take(data).name] += 1
            plain[key].take(*rows_of(data))
            assert books[key].sides() == plain[key].sides
            assert books[key].book.readable == all(plain[key].sides), "three options have a side without orders"
        else:
            assert read_trades(TRADES, data, known.symbols[0])
    assert others == {"REPLACED": 10, "APPLIED": 36}
    assert kinds == {"book": 46, "ticker": 89, "answers": 1}
    assert sum(book.outcomes["plainly"] for book in books.values()) == 0


def test_a_change_left_out_of_the_capture_is_a_gap_in_the_next_frame(shared_data: Path) -> None:
    frames: dict[str, list[bytes]] = {}
    for line in lines(shared_data / "cryptofeed-samples" / "deribit_options.jsonl.gz"):
        data = str(line["raw"]).encode()
        if line["k"] == "recv" and b'"channel":"book.' in data:
            frames.setdefault(VENUE.slow_frame_key(data) or "", []).append(data)
    tried = 0
    for key, found in frames.items():
        for lost in range(1, len(found) - 1):
            book = CapturedBook(VENUE, key, "0.0001", "0.1")
            for data in found[:lost]:
                assert book.take(data) in (Outcome.REPLACED, Outcome.APPLIED)
            assert book.take(found[lost + 1]) is Outcome.GAP
            assert not book.book.readable
            assert book.take(found[0]) is Outcome.REPLACED
            assert book.book.readable
            tried += 1
    assert tried == 31


# -- single messages
def test_nautilus_frames(shared_data: Path) -> None:
    frames = {name: data for name, data in nautilus(shared_data).items() if name.startswith("ws_")}
    assert len(frames) == 11
    whole = read_book(SNAPSHOT, frames["ws_book_snapshot.json"], "BTC-PERPETUAL")
    assert (whole.kind, len(whole.bids), len(whole.asks)) == (layout.KIND_SNAPSHOT, 5, 5)
    assert whole.header == {layout.LAST_ID: 123456789, layout.ENGINE_TIME: 1699999999000 * MS}, (
        "its previous id is null"
    )
    delta = read_book(BOOK, frames["ws_book_delta.json"], "BTC-PERPETUAL")
    assert delta.kind == layout.KIND_DELTA
    assert delta.header == {
        layout.LAST_ID: 123456790, layout.PREVIOUS_ID: 123456789, layout.EVENT_TIME: 1699999999500 * MS,
    }  # fmt: skip
    assert delta.asks == [(Decimal(42501), Decimal(0)), (Decimal("42501.5"), Decimal(700))]
    book = CapturedBook(VENUE, "book.BTC-PERPETUAL.100ms", "0.5", "10", inverse=True)
    assert book.take(frames["ws_book_snapshot.json"]) is Outcome.REPLACED
    assert book.take(frames["ws_book_delta.json"]) is Outcome.APPLIED
    bids, asks = book.sides()
    assert (bids[Decimal(42500)], asks[Decimal("42501.5")]) == (Decimal(950), Decimal(700))
    assert Decimal(42501) not in asks
    assert book.outcomes["plainly"] == 0

    leg, print_ = read_trades(TRADES, frames["ws_trades.json"], "BTC-PERPETUAL")
    assert (leg.kept, print_.kept) == (False, True), "a combination's leg is no flow"
    assert (print_.side, print_.price, print_.size, print_.identifier, print_.time) == (
        layout.SELL, Decimal("92288.5"), Decimal(750), 271252855, 1765531356452 * MS,
    )  # fmt: skip
    assert facts_of(frames["ws_trades.json"]) == []

    at = 1765541474086 * MS
    assert facts_of(frames["ws_ticker.json"]) == [
        MarkPrice("BTC-PERPETUAL", Decimal("92281.78"), at),
        IndexPrice("BTC-PERPETUAL", Decimal("92263.55"), at),
        Funding("BTC-PERPETUAL", Decimal("0.0"), None, 28800, at),
        OpenInterest("BTC-PERPETUAL", Decimal("1132329370.0"), None, at),
        InstrumentChanged("BTC-PERPETUAL", True, "open", at),
    ]
    assert VENUE.control(frames["ws_subscribe_response.json"]) == [
        Acked(1, ("trades.BTC-PERPETUAL.100ms", "book.BTC-PERPETUAL.100ms"), only=True)
    ]
    (asked,) = VENUE.control(frames["ws_test_request.json"])
    assert isinstance(asked, PingAsked)
    assert orjson.loads(asked.reply) == {"jsonrpc": "2.0", "id": 0, "method": "public/test", "params": {}}
    unused = {name for name, data in frames.items() if _channel_of(data) is Channel.OTHER}
    assert unused == {
        "ws_book_grouped_snapshot.json",  # the best ten, and no actions
        "ws_chart.json",
        "ws_quote.json",
        "ws_trades_option_combo.json",
        "ws_volatility_index.json",
    }
    assert all(facts_of(frames[name]) == [] for name in unused)


def _channel_of(data: bytes) -> Channel | None:
    key = VENUE.slow_frame_key(data)
    return None if key is None else topic(key).channel


def test_tardis_frames(shared_data: Path) -> None:
    frames = tardis_messages(shared_data, "map deribit messages")
    channels, refused = Counter[str](), []
    for data in frames:
        key = VENUE.slow_frame_key(data)
        assert key is not None
        known = topic(key)
        channels[known.channel.value] += 1
        if known.channel is Channel.BOOK:
            try:
                read_book(BOOK if b'"change"' in data else SNAPSHOT, data, known.symbols[0])
            except WireError:
                refused.append(key)
                assert b'"type"' not in data, "frames of 2019 did not say whether they are the book or a change"
                assert CapturedBook(VENUE, key, "0.05", "1").book.frame(data, 0) is Outcome.REFUSED
        elif known.channel is Channel.TRADES:
            assert read_trades(TRADES, data, known.symbols[0])
        else:
            found = VENUE.parse(known, data)
            assert len(found) == (5 if known.channel is Channel.TICKER else 0)
    assert refused == ["book.ETH-PERPETUAL.raw"] * 2
    assert channels == {"trades": 3, "book": 4, "ticker": 2, "other": 9}

    first_of_all = next(data for data in frames if b'"prev_change_id":0' in data)
    assert read_book(BOOK, first_of_all, "ETH-10SEP21-3350-P").header[layout.PREVIOUS_ID] == 0
    named = next(data for data in frames if b'"prev_change_id":20' in data)
    book = CapturedBook(VENUE, "book.LINK_USDC-PERPETUAL.raw", "0.001", "1")
    assert book.take(named) is Outcome.REPLACED, "a snapshot is the book whatever it says came before"
    assert book.sides()[1] == {}
    negative = next(data for data in frames if b"84844461" in data)
    (open_interest,) = [fact for fact in facts_of(negative) if isinstance(fact, OpenInterest)]
    assert open_interest == OpenInterest("BTC-PERPETUAL", Decimal(84844461), None, 1569888003897 * MS)


def test_tardis_liquidations_of_march_2020(shared_data: Path) -> None:
    frames = [data for data in tardis_messages(shared_data, "map deribit messages") if b'"liquidation"' in data]
    assert all(any(mark in data for mark in topic("trades.BTC-PERPETUAL.raw").facts_when) for data in frames)
    assert [facts_of(data) for data in frames] == [
        [
            Liquidation(
                "BTC-PERPETUAL", "long", Decimal(1120), Decimal("4469.5"), "fill", 1584058044032 * MS, "complete"
            )
        ],
        # The taker bought from a maker who was liquidated: a long.
        [
            Liquidation(
                "BTC-PERPETUAL", "long", Decimal(2500), Decimal("4458.5"), "fill", 1584058067675 * MS, "complete"
            )
        ],
    ]


def test_nautilus_replies(shared_data: Path) -> None:
    replies = {name: data for name, data in nautilus(shared_data).items() if name.startswith("http_")}
    assert len(replies) == 17
    for body in replies.values():
        VENUE.check_reply(LISTING, 200, {}, body)
    read = {
        name: [market.symbol for market in VENUE.parse_instruments(LISTING, body)[0]]
        for name, body in replies.items()
        if "instruments" in name
    }
    assert read == {
        "http_get_instruments.json": ["BTC-PERPETUAL", "BTC-27DEC24"],
        "http_get_instruments_future_combo.json": [],
        "http_get_instruments_option_combo.json": [],
    }
    perpetual, dated = VENUE.parse_instruments(LISTING, replies["http_get_instruments.json"])[0]
    assert perpetual == Instrument(
        "deribit", "BTC-PERPETUAL", "BTC", "USD", "BTC", "inverse", Decimal("0.5"), Decimal(10),
        status="open", funding_interval_seconds=28800,
    )  # fmt: skip
    assert (dated.symbol, dated.funding_interval_seconds) == ("BTC-27DEC24", None)
    for name in set(replies) - set(read):  # endpoints we do not ask for
        if b'"result":[' not in replies[name]:
            with pytest.raises(FrameError, match="result is not an array"):
                VENUE.parse_instruments(LISTING, replies[name])


# -- units
def listed(**members: object) -> Instrument:
    row = {
        "kind": "future", "instrument_name": "BTC_USDC-PERPETUAL", "instrument_type": "linear", "tick_size": 0.5,
        "contract_size": 0.0001, "min_trade_amount": 0.001, "settlement_currency": "USDC", "base_currency": "BTC",
        "quote_currency": "USDC", "state": "open",
    }  # fmt: skip
    body = orjson.dumps({"jsonrpc": "2.0", "result": [{**row, **members}]})
    (found,), following = VENUE.parse_instruments(LISTING, body)
    assert following is None
    return found


def test_an_amount_is_never_multiplied_by_the_contract_size() -> None:
    linear = listed()
    assert (linear.contract_size, linear.lot_size) == (Decimal(1), Decimal("0.0001"))
    assert notional_usd(linear, Decimal("0.5"), Decimal(60000), 1.0) == 30000
    inverse = listed(
        instrument_name="BTC-PERPETUAL", instrument_type="reversed", contract_size=10.0, min_trade_amount=10.0,
        settlement_currency="BTC", quote_currency="USD",
    )  # fmt: skip
    assert (inverse.contract_size, inverse.lot_size, inverse.settle) == (Decimal(1), Decimal(10), "BTC")
    assert notional_usd(inverse, Decimal(125000), Decimal(61000), 1.0) == 125000
    assert coins(inverse, Decimal(122000), Decimal(61000)) == 2


def test_names_ticks_and_states_of_a_listing() -> None:
    thousand = listed(instrument_name="1000PEPE_USDC-PERPETUAL", base_currency="1000PEPE")
    assert (thousand.asset, thousand.unit_multiplier) == ("PEPE", 1000)
    steps = [{"above_price": 0.005, "tick_size": 0.0005}, {"above_price": 1, "tick_size": 0.01}]
    assert listed(tick_size=0.001, tick_size_steps=steps).tick_size == Decimal("0.0005")
    assert [listed(state=state).trading for state in ("open", "settlement", "halted")] == [True, False, False]
    assert listed(state=None, is_active=True).trading
    assert not listed(state=None, is_active=False).trading


@pytest.mark.parametrize(
    "symbol", ["BTC-25DEC26-100000-C", "XRP_USDC-30JUN23-0d625-C", "BTC-FS-25DEC26_PERP", "BTC_USDC"]
)
def test_options_combinations_and_spot_are_refused_before_anything_is_asked(symbol: str) -> None:
    said = f"'{symbol}' is not a symbol of Deribit perpetuals and dated futures .they look like BTC-PERPETUAL"
    with pytest.raises(SettingsError, match=said):
        load_settings([], {"UNDERTOW__VENUES__DERIBIT__SYMBOLS": f'["{symbol}"]'})


@pytest.mark.parametrize("symbol", ["BTC-PERPETUAL", "SOL_USDC-PERPETUAL", "BTC-5JUN26", "ETH_USDC-25DEC26"])
def test_perpetuals_and_dated_futures_are(symbol: str) -> None:
    assert re.fullmatch(VENUE.symbol_pattern, symbol)
    for key in (f"book.{symbol}.100ms", f"trades.{symbol}.100ms", f"ticker.{symbol}.agg2"):
        assert topic(key).symbols == (symbol,)


def test_figures_of_options_are_not_taken_for_those_of_futures() -> None:
    assert topic("ticker.BTC-2APR20-7125-P.100ms").channel is Channel.OTHER
    assert topic("book.BTC-2APR20-7125-P.100ms").channel is Channel.BOOK
    assert topic("trades.future.any.100ms").channel is Channel.OTHER


# -- prints
def print_of(**members: object) -> bytes:
    row = {
        "timestamp": 1790133840700, "price": 61000.5, "amount": 2.2e3, "direction": "sell", "index_price": "",
        "instrument_name": "BTC-PERPETUAL", "trade_seq": 7, "trade_id": "1",
    }  # fmt: skip
    return frame("trades.BTC-PERPETUAL.100ms", [{**row, **members}])


@pytest.mark.parametrize(
    ("mark", "direction", "positions"),
    [
        ("T", "sell", ["long"]),
        ("T", "buy", ["short"]),
        ("M", "sell", ["short"]),
        ("M", "buy", ["long"]),
        ("MT", "sell", ["short", "long"]),
        ("MT", "buy", ["long", "short"]),
    ],
)
def test_whose_position_a_liquidation_closed(mark: str, direction: str, positions: list[str]) -> None:
    data = print_of(liquidation=mark, direction=direction)
    found = facts_of(data)
    assert [fact.position for fact in found if isinstance(fact, Liquidation)] == positions
    assert {fact.quantity for fact in found if isinstance(fact, Liquidation)} == {2200}
    (print_,) = read_trades(TRADES, data, "BTC-PERPETUAL")
    assert print_.kept, "it took from the book: it is flow"


def test_a_liquidation_of_an_unknown_side_or_market_is_refused() -> None:
    for wrong in ({"liquidation": "X"}, {"liquidation": "T", "instrument_name": "ETH-PERPETUAL"}):
        with pytest.raises(FrameError, match="deribit trades BTC-PERPETUAL"):
            facts_of(print_of(**wrong))


@pytest.mark.parametrize("key", ["block_trade_id", "combo_id", "combo_trade_id"])
def test_what_was_agreed_off_the_book_is_no_flow(key: str) -> None:
    (print_,) = read_trades(TRADES, print_of(**{key: "BLOCK-1"}), "BTC-PERPETUAL")
    assert not print_.kept
    (plain,) = read_trades(TRADES, print_of(), "BTC-PERPETUAL")
    assert plain.kept


# -- the book
def test_numbers_with_an_exponent_are_scanned() -> None:
    data = (
        b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.BTC-PERPETUAL.100ms","data":{"timestamp":1,"type":"snapshot",'
        b'"change_id":5,"instrument_name":"BTC-PERPETUAL","bids":[["new",7.3e4,2.2e3]],"asks":[["new",7.30005e4,1.0e1]]}}}'
    )
    book = CapturedBook(VENUE, "book.BTC-PERPETUAL.100ms", "0.5", "10", inverse=True)
    assert book.take(data) is Outcome.REPLACED
    assert book.outcomes["plainly"] == 0
    assert book.sides() == ({Decimal(73000): Decimal(2200)}, {Decimal("73000.5"): Decimal(10)})


def test_a_snapshots_time_is_no_time_of_sending() -> None:
    """It is when the book last changed: fifty quiet books would look like fifty late frames."""
    assert layout.EVENT_TIME not in {field.slot for field in SNAPSHOT.integers}
    assert layout.EVENT_TIME in {field.slot for field in BOOK.integers}


# -- what we say and hear
def test_calls() -> None:
    topics = [topic("book.BTC-PERPETUAL.100ms"), topic("platform_state")]
    assert orjson.loads(VENUE.subscribe(topics, 7)) == {
        "jsonrpc": "2.0", "id": 7, "method": "public/subscribe",
        "params": {"channels": ["book.BTC-PERPETUAL.100ms", "platform_state"]},
    }  # fmt: skip
    assert orjson.loads(VENUE.unsubscribe(topics, 8))["method"] == "public/unsubscribe"
    market = listed(instrument_name="BTC-PERPETUAL")
    plans = VENUE.connections([market])
    assert [plan.name for plan in plans] == ["books-1", "others-1"]
    for plan in plans:
        (first,) = VENUE.greeting(plan)
        assert orjson.loads(first) == {
            "jsonrpc": "2.0", "id": 0, "method": "public/set_heartbeat", "params": {"interval": 10},
        }  # fmt: skip
    silence = VENUE.limits.silence_seconds
    assert silence is not None
    assert silence > 2 * 10.6, "a test_request is due every 10.6 s"


def test_answers() -> None:
    assert VENUE.control(b'{"jsonrpc":"2.0","id":0,"result":"ok","usIn":1,"usOut":2}') == []
    assert VENUE.control(b'{"jsonrpc":"2.0","id":0,"result":{"version":"1.2.26"}}') == []
    assert VENUE.control(b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"heartbeat"}}') == []
    assert VENUE.control(b'{"jsonrpc":"2.0","id":3,"result":[]}') == [Acked(3, (), only=True)], "all were dropped"
    assert VENUE.control(b'{"jsonrpc":"2.0","id":0,"error":{"code":-32602,"message":"Invalid params"}}') == [
        ErrorSaid("-32602 Invalid params")
    ]
    assert VENUE.control(b'{"jsonrpc":"2.0","error":{"code":11050,"message":"bad_request"}}') == [
        ErrorSaid("11050 bad_request")
    ]
    raw = (
        b'{"jsonrpc":"2.0","id":4,"error":{"code":13778,"message":"raw_subscriptions_not_available_for_unauthorized"}}'
    )
    assert VENUE.control(raw) == [Refused("13778 raw_subscriptions_not_available_for_unauthorized", 4)]
    busy = b'{"jsonrpc":"2.0","id":4,"error":{"code":10028,"message":"too_many_requests","data":null}}'
    assert VENUE.control(busy) == [Refused("10028 too_many_requests", 4, whole_batch=True)], "no topic is at fault"
    with pytest.raises(FrameError, match="unknown answer"):
        VENUE.control(b'{"jsonrpc":"2.0","id":3,"result":"ok"}')


# -- states
def notices(channel: str, data: object) -> list[Fact]:
    return facts_of(frame(channel, data))


def test_a_locked_index_is_told_of_the_market_it_prices() -> None:
    (locked,) = notices("platform_state", {"locked": True, "price_index": "sol_usdc", "reasons": []})
    assert locked == VenueNotice(
        "price index sol_usdc is locked", True, None, None, 0, "lock sol_usdc", halts=True, family="SOL_USDC-"
    )
    assert [locked.concerns(f"{name}") for name in ("SOL_USDC-PERPETUAL", "SOL_USDC-25DEC26")] == [True, True]
    assert not locked.concerns("SOL-PERPETUAL")
    (free,) = notices("platform_state", {"price_index": "btc_usd", "locked": False})
    assert isinstance(free, VenueNotice)
    assert (free.disruptive, free.ends, free.halts, free.key) == (False, 0, False, "lock btc_usd")
    names = ("BTC-PERPETUAL", "BTC-25DEC26", "BTC_USDC-PERPETUAL", "BTCX-PERPETUAL")
    assert [free.concerns(name) for name in names] == [True, True, False, False]


def test_states_of_the_platform_and_its_listings() -> None:
    (begun,) = notices("platform_state", {"maintenance": True})
    assert begun == VenueNotice("Deribit is in maintenance", True, None, None, 0, "maintenance", halts=True)
    (closed,) = notices("platform_state.public_methods_state", {"allow_unauthenticated_public_requests": False})
    assert isinstance(closed, VenueNotice)
    assert (closed.disruptive, closed.halts) == (True, False), "what is traded comes to those who are logged in"
    at = 1553080940000
    for state, trading in (("open", True), ("halted", False), ("created", None)):
        row = {"timestamp": at, "state": state, "instrument_name": "BTC-25DEC26"}
        assert notices("instrument.state.future.any", row) == [
            InstrumentChanged("BTC-25DEC26", trading, state, at * MS)
        ]
    with pytest.raises(FrameError, match="deribit status: locked is neither true nor false"):
        notices("platform_state", {"price_index": "btc_usd", "locked": "yes"})


def status_of(**result: object) -> list[Fact]:
    return VENUE.parse_poll(STATUS, orjson.dumps({"jsonrpc": "2.0", "result": result, "usOut": 1790133840000100}))


def test_the_status_that_is_polled() -> None:
    over = VenueNotice("Deribit is in maintenance", False, None, 0, 0, "maintenance")
    at = 1790133840000100_000
    free = VenueNotice("Deribit is locked", False, at, 0, at, "lock")
    kept = at + 180_000 * MS
    assert status_of(locked="false") == [over, free]
    locked = VenueNotice("Deribit is locked", True, at, kept, at, "lock", halts=True)
    assert status_of(locked="true") == [over, locked]
    text = "price index eth_usd is locked"
    assert status_of(locked="partial", locked_indices=["eth_usd"]) == [
        over,
        free,
        VenueNotice(text, True, at, kept, at, "lock eth_usd", halts=True, family="ETH-"),
    ]
    with pytest.raises(FrameError, match="none of true, partial, false"):
        status_of(locked="maybe")


def test_errors_over_rest() -> None:
    poll = RestRequest("poll", "https://www.deribit.com/api/v2/public/status", 500, key="status")
    for code in (10028, 11051, 10047):
        with pytest.raises(RetryLater, match=str(code)):
            VENUE.check_reply(poll, 400, {}, b'{"jsonrpc":"2.0","error":{"code":%d,"message":"x"}}' % code)
    with pytest.raises(VenueError, match="-32602 Invalid params"):
        VENUE.check_reply(LISTING, 400, {}, b'{"jsonrpc":"2.0","error":{"code":-32602,"message":"Invalid params"}}')


# -- margin
def test_documented_margin_rises_with_the_position_and_is_dated() -> None:
    tiers = VENUE.documented_tiers(listed(instrument_name="BTC-PERPETUAL"))
    assert isinstance(tiers, MarginTiers)
    assert (tiers.unit, tiers.whole, tiers.documented) == ("base", True, date(2022, 1, 11))
    by_cap = {tier.cap: tier for tier in tiers.tiers}
    assert by_cap[Decimal(100)].maintenance_ratio == Decimal("0.015"), "1% and 0.005% for each coin"
    assert by_cap[Decimal(100)].max_leverage == 40
    assert by_cap[None].floor == 1000
    assert [tier.floor for tier in tiers.tiers][1:] == [tier.cap for tier in tiers.tiers][:-1]
    ether = VENUE.documented_tiers(listed(instrument_name="ETH-PERPETUAL"))
    assert ether is not None
    assert ether.tiers[-1].maintenance_ratio == Decimal("0.05"), "1% and 0.0004% for each of 10000"
    assert VENUE.documented_tiers(listed(instrument_name="XRP_USDC-PERPETUAL")) is None, "unknown stays unknown"
