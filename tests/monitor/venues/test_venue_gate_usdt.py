"""Gate USDT perpetuals by its page: signs, contracts, ids without levels; and every real frame there is."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from captured_books import CapturedBook
from hot_frames import read_book, read_trades
from venue_forms import FORMS, lines, poll_of, sample_instruments, tardis_messages

from engines.book.outcome import Outcome
from engines.wire import layout
from engines.wire.errors import WireError
from monitor.errors import FrameError
from monitor.events import Send
from monitor.facts import (
    Channel,
    Funding,
    IndexPrice,
    InstrumentChanged,
    Liquidation,
    MarginTier,
    MarginTiers,
    MarkPrice,
    OpenInterest,
    Unread,
)
from monitor.feed.faults import FaultKind
from monitor.feed.session import ConnectionSession
from monitor.feed.subscription import Phase
from monitor.venues.base import Acked, ConnectionPlan, Pong, Refused, ShutdownAnnounced, Topic
from monitor.venues.gate_usdt import GateUsdt

VENUE = GateUsdt()
GOOD = dict(FORMS["gate_usdt"].GOOD)
MS = 1_000_000
ALL = "futures.public_liquidates:!all"
BTC_BOOK = "futures.obu:ob.BTC_USDT.400"


def known(key: str) -> Topic:
    topic = VENUE.topic(key)
    assert topic is not None, key
    return topic


def book(**result: object) -> bytes:
    result = {"t": 1789455580280, "s": "ob.BTC_USDT.400", **result}
    head = {"time": 1789455580, "time_ms": 1789455580280, "channel": "futures.obu", "event": "update"}
    return orjson.dumps({**head, "result": result})


# -- book
def test_a_whole_frame_then_changes_without_a_hole_in_the_ids() -> None:
    live = CapturedBook(VENUE, BTC_BOOK, "0.1", "1")
    assert live.take(book(full=True, u=100, b=[["77222.9", "648"]], a=[["77235", "50"]])) is Outcome.REPLACED
    assert live.take(book(U=101, u=105, b=[["77222.8", "7"]])) is Outcome.APPLIED
    assert live.take(book(U=106, u=110)) is not Outcome.GAP, "ids alone, without levels"
    assert live.book.last_id == 110
    assert live.take(book(U=111, u=111, a=[["77235", "0"], ["77240", "3"]])) is Outcome.APPLIED
    assert live.take(book(U=113, u=113)) is Outcome.GAP


@pytest.mark.parametrize("first", [104, 107])
def test_ids_that_do_not_join_are_a_gap(first: int) -> None:
    live = CapturedBook(VENUE, BTC_BOOK, "0.1", "1")
    live.take(book(full=True, u=105, b=[["77222.9", "648"]], a=[["77235", "50"]]))
    assert live.take(book(U=first, u=first + 9)) is Outcome.GAP


def test_a_whole_frame_replaces_the_book_at_any_time() -> None:
    live = CapturedBook(VENUE, BTC_BOOK, "0.1", "1")
    live.take(book(full=True, u=105, b=[["77222.9", "648"]], a=[["77235", "50"]]))
    assert live.take(book(full=True, u=7, b=[["77000", "1"]], a=[["77001", "2"]])) is Outcome.REPLACED
    assert live.sides() == ({Decimal("77000.0"): Decimal(1)}, {Decimal("77001.0"): Decimal(2)})


# -- liquidations, trades, tickers
def test_above_zero_a_long_was_closed_and_a_push_holds_several_contracts() -> None:
    sol, btc = VENUE.parse(known(ALL), GOOD[ALL])
    assert sol == Liquidation(
        symbol="SOL_USDT",
        position="short",
        quantity=Decimal("124.5"),
        price=Decimal("215.1"),
        price_kind="order",
        venue_time=1_789_456_336_123 * MS,
        coverage="complete",
    )
    assert isinstance(btc, Liquidation)
    assert (btc.symbol, btc.position, btc.quantity) == ("BTC_USDT", "long", Decimal(10))


def test_an_odd_liquidation_costs_the_others_nothing() -> None:
    message = orjson.loads(GOOD[ALL])
    message["result"][0]["price"] = "0"
    btc, unread = VENUE.parse(known(ALL), orjson.dumps(message))
    assert isinstance(btc, Liquidation)
    assert btc.symbol == "BTC_USDT"
    assert unread == Unread("gate_usdt liquidations: price is not positive: '0'", 1)


def test_the_older_liquidation_times() -> None:
    row = {"price": "215", "size": -3, "time": 1541486601, "time_ms": 1541486601123, "contract": "BTC_USDT"}
    for changed, at in ((row, 1_541_486_601_123), ({**row, "time_ms": None}, 1_541_486_601_000)):
        (found,) = VENUE.parse(known(ALL), orjson.dumps({**orjson.loads(GOOD[ALL]), "result": [changed]}))
        assert found.venue_time == at * MS


def test_the_sign_of_a_trade_is_the_takers_side() -> None:
    grammar = known("futures.trades:BTC_USDT").trades
    assert grammar is not None
    frame = GOOD["futures.trades:BTC_USDT"]
    (sold,) = read_trades(grammar, frame, "BTC_USDT")
    assert (sold.side, sold.size, sold.price, sold.kept) == (layout.SELL, Decimal(108), Decimal(77230), True)
    (bought,) = read_trades(grammar, frame.replace(b'"-108"', b"2.5"), "BTC_USDT")
    assert (bought.side, bought.size) == (layout.BUY, Decimal("2.5"))
    (internal,) = read_trades(grammar, frame.replace(b"false", b"true"), "BTC_USDT")
    assert not internal.kept, "taken over by the fund: no flow"


def test_a_ticker_says_what_changed() -> None:
    at = 1_789_456_337_808 * MS
    frame = GOOD["futures.tickers:BTC_USDT"]
    assert VENUE.parse(known("futures.tickers:BTC_USDT"), frame) == [
        MarkPrice("BTC_USDT", Decimal("77183.5"), at),
        IndexPrice("BTC_USDT", Decimal("77221.8"), at),
        Funding("BTC_USDT", Decimal("0.000072"), 1_789_459_200 * 1_000 * MS, 28_800, at),
        OpenInterest("BTC_USDT", Decimal(123456), None, at),
    ]
    partial = {**orjson.loads(frame), "result": [{"contract": "BTC_USDT", "mark_price": "1.5"}]}
    assert VENUE.parse(known("futures.tickers:BTC_USDT"), orjson.dumps(partial)) == [
        MarkPrice("BTC_USDT", Decimal("1.5"), at)
    ]


def test_the_poll_of_all_tickers_reads_each_row_for_itself_and_noughts_are_not_given() -> None:
    poll = next(poll for poll in VENUE.venue_polls([]) if poll.request.key == "tickers")
    (good,) = orjson.loads(GOOD["futures.tickers:BTC_USDT"])["result"]
    nought = dict.fromkeys(("mark_price", "index_price", "funding_rate", "funding_next_apply", "total_size"), "0")
    rows = [
        {"contract": "NEW_USDT", **nought, "funding_interval": 0},
        {"contract": "ODD_USDT", "mark_price": "x"},
        good,
    ]
    found = VENUE.parse_poll(poll.request, orjson.dumps(rows))
    assert found[:2] == [Funding("NEW_USDT", Decimal(0), None, None, 0), OpenInterest("NEW_USDT", Decimal(0), None, 0)]
    assert found[2:4] == [MarkPrice("BTC_USDT", Decimal("77183.5"), 0), IndexPrice("BTC_USDT", Decimal("77221.8"), 0)]
    assert found[-1] == Unread("gate_usdt tickers: mark_price is not a decimal: 'x'", 1)


# -- listing, tiers, status
def test_the_listing_gives_coins_a_contract_and_parts_of_contracts_where_they_are_traded() -> None:
    (row,) = orjson.loads(GOOD["rest:instruments"])
    rows = [
        row,
        {**row, "name": "ETH_USDT", "quanto_multiplier": "0.01", "enable_decimal": True, "order_size_min": "0.1"},
        {**row, "name": "OLD_USDT", "in_delisting": True},
        {**row, "name": "BTC_USD", "type": "inverse", "quanto_multiplier": "0"},
    ]
    (request,) = VENUE.instrument_requests([])
    (btc, eth, old), following = VENUE.parse_instruments(request, orjson.dumps(rows))
    assert following is None
    assert (btc.contract_size, btc.lot_size, btc.tick_size) == (Decimal("0.0001"), Decimal(1), Decimal("0.1"))
    assert (btc.asset, btc.quote, btc.contract_type) == ("BTC", "USDT", "linear")
    assert (eth.contract_size, eth.lot_size) == (Decimal("0.01"), Decimal("0.1"))
    assert (old.trading, old.status) == (False, "delisting")


def test_tiers_have_deductions_and_a_halt_is_noticed() -> None:
    tiers = poll_of(VENUE, sample_instruments(VENUE, 1)[0], "margin_tiers")
    assert VENUE.parse_poll(tiers.request, GOOD["rest:poll"]) == [
        MarginTiers(
            "BTC_USDT",
            (MarginTier(Decimal(0), Decimal(1_000_000), Decimal("0.005"), Decimal(100), Decimal(0)),),
            "quote",
            whole=False,
            venue_time=0,
        )
    ]
    statuses = next(poll for poll in VENUE.venue_polls([]) if poll.request.key == "statuses")
    body = GOOD["rest:instruments"].replace(b'"trading"', b'"circuit_breaker"')
    assert VENUE.parse_poll(statuses.request, body) == [InstrumentChanged("BTC_USDT", False, "circuit_breaker", 0)]


# -- control
def test_each_frame_of_ours_says_when_it_was_sent_and_exact_sizes_are_asked_for() -> None:
    text = VENUE.subscribe([known(BTC_BOOK)], 9)
    at = 1_789_456_334_999 * MS
    assert orjson.loads(VENUE.dated(text, at)) == {
        "time": 1789456334,
        "id": 9,
        "channel": "futures.obu",
        "event": "subscribe",
        "payload": ["ob.BTC_USDT.400"],
    }
    assert VENUE.limits.ping.text is not None
    assert orjson.loads(VENUE.dated(VENUE.limits.ping.text, at)) == {"time": 1789456334, "channel": "futures.ping"}
    assert VENUE.headers == {"X-Gate-Size-Decimal": "1"}


def test_answers() -> None:
    assert VENUE.control(FORMS["gate_usdt"].PONGS[0]) == [Pong()]
    twice = orjson.loads(FORMS["gate_usdt"].REFUSAL)
    twice["error"]["message"] = "Alert sub NOPE_USDT"
    assert VENUE.control(orjson.dumps(twice)) == [Acked(keys=("futures.trades:NOPE_USDT",))]
    for repeated, said in (({"id": 4}, Acked(4)), ({}, Acked(in_order=True))):
        bare = {name: twice[name] for name in ("channel", "event", "error")}
        assert VENUE.control(orjson.dumps(bare | repeated)) == [said]
    two = orjson.loads(FORMS["gate_usdt"].REFUSAL)
    two["payload"] = ["BTC_USDT", "NOPE_USDT"]
    (refused,) = VENUE.control(orjson.dumps(two))
    assert isinstance(refused, Refused)
    assert refused.keys == ("futures.trades:NOPE_USDT",)
    assert refused.whole_batch, "the others must be asked again"
    upgrade = {"channel": "futures.system", "event": "update", "result": {"type": "upgrade", "msg": "soon"}}
    assert VENUE.control(orjson.dumps(upgrade)) == [ShutdownAnnounced("upgrade soon")]


def answer(text: str, **more: object) -> bytes:
    asked = orjson.loads(text)
    return orjson.dumps({"time": 1, "time_ms": 0, "channel": asked["channel"], "event": asked["event"], **more})


SUCCESS = {"result": {"status": "success"}}
UNKNOWN = {"error": {"code": 2, "message": "unknown currency pair NOPE_USDT"}, "result": {"status": "fail"}}


@pytest.mark.parametrize("repeats", ["nothing", "id"])
def test_answers_without_a_payload_are_to_the_oldest_frame_that_waits_for_one(repeats: str) -> None:
    """As every answer of the capture of 2023 and the page's example of an error are."""
    symbols = ["NOPE_USDT", *(f"C{number}_USDT" for number in range(60))]
    topics = tuple(known(f"futures.trades:{symbol}") for symbol in symbols)
    session = ConnectionSession(VENUE, 1, ConnectionPlan("trades-1", "wss://x", topics), 0, 0)
    asked: deque[str] = deque()
    for second in range(1, 15):
        sent = (
            session.start(0) if second == 1 else [a.text for a in session.tick(second * 10**9) if isinstance(a, Send)]
        )
        asked += [text for text in sent if '"subscribe"' in text]
        while asked:
            text = asked.popleft()
            said = UNKNOWN if "NOPE_USDT" in text else SUCCESS
            session.route(
                answer(text, **said, **({"id": orjson.loads(text)["id"]} if repeats == "id" else {})), second * 10**9
            )
    assert [(fault.kind, fault.key) for fault in session.faults()] == [(FaultKind.REFUSED, "futures.trades:NOPE_USDT")]
    assert {session.phase(topic.key) for topic in topics[1:]} == {Phase.ACKED}
    assert session.other.parse_errors == 0


# -- real frames
def test_every_answer_of_the_capture_of_2023_confirms_the_oldest_request(shared_data: Path) -> None:
    """Twenty-two frames were answered, none with a payload; those of our channels settle their topics."""
    rows = list(lines(shared_data / "cryptofeed-samples" / "gate_futures_v4.jsonl.gz"))
    answers = [str(row["raw"]).encode() for row in rows if row["k"] == "recv" and '"subscribe"' in str(row["raw"])]
    assert len(answers) == 22
    assert all(VENUE.slow_frame_key(frame) is None for frame in answers)
    assert [VENUE.control(frame) for frame in answers] == [[Acked(in_order=True)]] * 22
    topics = tuple(known(f"futures.order_book_update:C{number}_USDT") for number in range(100))
    session = ConnectionSession(VENUE, 1, ConnectionPlan("books-1", "wss://x", topics), 0, 0)
    first, second = session.start(0)
    session.route(book(s="C0_USDT", U=1, u=1).replace(b"futures.obu", b"futures.order_book_update"), 1)
    mine = iter(frame for frame in answers if b"order_book_update" in frame)
    session.route(next(mine), 2)
    assert {session.phase(f"futures.order_book_update:{name}") for name in orjson.loads(first)["payload"][1:]} == {
        Phase.ACKED
    }
    assert {session.phase(f"futures.order_book_update:{name}") for name in orjson.loads(second)["payload"]} == {
        Phase.ASKED
    }
    session.route(next(mine), 3)
    assert {session.phase(topic.key) for topic in topics[1:]} == {Phase.ACKED}
    assert session.duplicate_acks == 0


def test_the_capture_of_2023_joins_end_to_end(shared_data: Path) -> None:
    """`order_book_update`, seeded over REST: 352 changes of ten contracts, no gap, and the books join their snapshots."""
    path = shared_data / "cryptofeed-samples" / "gate_futures_v4.jsonl.gz"
    finest: dict[str, int] = defaultdict(int)
    rows = [row for row in lines(path) if row["k"] in ("recv", "http")]
    for row in rows:
        message = orjson.loads(str(row["raw"]))
        result = message if row["k"] == "http" else message.get("result")
        symbol = parse_qs(urlsplit(str(row.get("url", ""))).query).get("contract", [""])[0]
        if row["k"] == "recv":
            if message["channel"] != "futures.order_book_update" or message["event"] != "update":
                continue
            symbol = result["s"]
            result = {"bids": result["b"], "asks": result["a"]}
        for level in (*result["bids"], *result["asks"]):
            finest[symbol] = max(finest[symbol], len(level["p"].partition(".")[2]))
    books = {
        symbol: CapturedBook(VENUE, f"futures.order_book_update:{symbol}", str(Decimal(1).scaleb(-places)), "1")
        for symbol, places in finest.items()
    }
    said = Counter[str]()
    for row in rows:
        data = str(row["raw"]).encode()
        if row["k"] == "http":
            symbol = parse_qs(urlsplit(str(row["url"])).query)["contract"][0]
            outcome = books[symbol].book.snapshot_body(data, 0)
            assert outcome in (Outcome.REPLACED, Outcome.HELD), (symbol, outcome)
            said["snapshots"] += 1
            continue
        key = VENUE.slow_frame_key(data)
        assert VENUE.frame_key(data) in (None, key and key.encode())
        topic = None if key is None else VENUE.topic(key)
        if topic is None:
            said["no topic"] += 1
            continue
        said[str(topic.channel)] += 1
        if topic.channel is Channel.BOOK:
            books[topic.symbols[0]].take(data)
    assert said["book"] == 352
    assert said["snapshots"] == 10
    assert said["no topic"] == 12 + 10 + 75 + 1, "answers, the best prices (their contract stands in `s`), a candle"
    totals = Counter[str]()
    for live in books.values():
        totals.update(live.outcomes)
        assert live.book.counters["gaps"] == 0
    assert totals["GAP"] == 0
    assert totals["plainly"] == 0, "every row by the scanner"
    assert sum(live.book.in_sync for live in books.values()) >= 8, "those that changed after their snapshot"


def test_every_message_of_tardis_is_read_or_refused_for_a_reason(shared_data: Path) -> None:
    found = Counter[str]()
    for frame in tardis_messages(shared_data, "map gate-io-futures messages"):
        message = orjson.loads(frame)
        try:
            key = VENUE.slow_frame_key(frame)
            assert VENUE.frame_key(frame) in (None, key and key.encode())
            topic = None if key is None else VENUE.topic(key)
            if topic is None:
                VENUE.control(frame)
                found[f"{message['channel']} {message['event']} control"] += 1
            elif topic.trades is not None:
                found[f"trades {len(read_trades(topic.trades, frame, topic.symbols[0])) > 0}"] += 1
            elif topic.channel is Channel.TICKER:
                assert VENUE.parse(topic, frame)
                found["ticker"] += 1
            else:
                found[str(topic.channel)] += 1
        except (FrameError, WireError) as error:
            reason = (
                "time" if "time" in str(error) else "unknown frame" if "unknown frame" in str(error) else str(error)
            )
            found[f"{message['channel']} refused: {reason}"] += 1
    # Before 2022 frames had no time in ms, acknowledgements no payload, and the book another channel and form.
    assert sum(found.values()) == len(tardis_messages(shared_data, "map gate-io-futures messages"))
    assert found["ticker"] == 1, found
    assert found["trades True"] >= 1, found


def test_the_forms_of_the_obu_stream_of_spot_are_ours_with_the_channel_changed(shared_data: Path) -> None:
    """There the event stands at the frame's end, and the delta's rows are not sorted."""
    read = 0
    for frame in tardis_messages(shared_data, "map gate-io messages"):
        if b'"spot.obu"' not in frame or b'"subscribe"' in frame:
            continue
        ours = frame.replace(b'"spot.obu"', b'"futures.obu"')
        assert VENUE.frame_key(ours) == BTC_BOOK.encode()
        grammar = known(BTC_BOOK).book
        assert grammar is not None
        taken = read_book(grammar, ours, "BTC_USDT")
        result = orjson.loads(ours)["result"]
        assert taken.header[layout.LAST_ID] == result["u"]
        assert taken.kind == (layout.KIND_SNAPSHOT if result.get("full") else layout.KIND_DELTA)
        assert taken.bids == [(Decimal(p), Decimal(s)) for p, s in result["b"]]
        read += 1
    assert read == 2
