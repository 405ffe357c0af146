"""The hub: seconds of event time, connections that come and go, listings, and input that makes no sense."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest
from core_rig import (
    BINANCE,
    BYBIT,
    OKX,
    SECOND,
    START,
    Rig,
    Rows,
    at,
    binance_change,
    binance_force_order,
    binance_mark,
    binance_snapshot,
    binance_trade,
    bybit_book,
    bybit_liquidation,
    instrument,
    ladder,
    okx_book,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.digest import ReplayDigest
from monitor.events import Connected, Disconnected, Event, Fetch, FrameReceived, InstrumentsListed, RestReplied
from monitor.hub import MAX_CATCH_UP
from monitor.venue_state import MAX_NOTICES
from monitor.venues.base import ConnectionPlan, RestRequest
from monitor.venues.registry import VENUES


# -- time
def test_every_whole_second_runs_once_and_before_what_comes_in_it() -> None:
    rig = Rig()
    rig.begin(BYBIT, seconds=0.5)
    rig.frame(3.2, BYBIT, bybit_book(101, [("59999.9", "7")], time=at(3.2)))
    assert [view.at for view in rig.outlet.seconds] == [at(s) for s in (0, 1, 2, 3)]
    assert rig.outlet.seconds[-1].markets[0].last_update == at(0.5)  # the frame at 3.2 belongs to the second after
    rig.tick(4)
    rig.tick(4.9)
    rig.tick(4.1)  # time never goes back
    assert [view.at for view in rig.outlet.seconds][-1] == at(4)
    assert rig.outlet.seconds[-1].markets[0].last_update == at(3.2)
    rig.tick(5)
    assert [view.at for view in rig.outlet.seconds][-2:] == [at(4), at(5)]


def test_an_event_on_the_second_comes_after_the_second() -> None:
    rig = Rig()
    rig.begin(BYBIT, seconds=0.5)
    rig.frame(2.0, BYBIT, bybit_book(101, time=at(2)))
    assert rig.outlet.seconds[-1].at == at(2)
    assert rig.outlet.seconds[-1].markets[0].last_update == at(0.5)


def test_a_long_hole_is_jumped_over_a_short_one_is_not() -> None:
    rig = Rig()
    rig.begin(BYBIT)
    rig.tick(1)
    rig.tick(1 + MAX_CATCH_UP // SECOND)
    assert len(rig.outlet.seconds) == 2 + MAX_CATCH_UP // SECOND
    far = 1 + 3 * MAX_CATCH_UP // SECOND
    rig.tick(far)
    assert len(rig.outlet.seconds) == 3 + MAX_CATCH_UP // SECOND
    assert rig.hub.view.at == at(far)
    rig.tick(far + 1)
    assert rig.hub.view.at == at(far + 1)


def test_ticks_between_the_events_change_nothing() -> None:
    """Live, a timer ticks; in a replay only the events' times are there."""

    def run(ticks: bool) -> str:
        rig, digest = Rig(), ReplayDigest()
        rng = random.Random(5)
        inner = rig.outlet.second
        rig.outlet.second = lambda view: (inner(view), digest.add_second(rig.hub, view.at))[0]  # type: ignore[method-assign]
        rig.begin(BYBIT)
        now = 0.0
        for number in range(101, 160):
            step = rng.choice([0.1, 0.7, 3.3])
            if ticks:
                for part in range(5):
                    rig.tick(now + step * part / 5)
            now += step
            rig.frame(now, BYBIT, bybit_book(number, [(f"{59_990 + rng.randrange(90) / 10:.1f}", "2")], time=at(now)))
        rig.tick(now + 1)
        assert digest.seconds > 50
        return digest.hexdigest()

    assert run(ticks=False) == run(ticks=True)


# -- frames of nobody
def test_frames_for_what_is_not_there_are_left_alone() -> None:
    rig = Rig()
    rig.frame(0, BYBIT, b"{}", 3)  # a venue never heard of
    rig.begin(BYBIT)
    rig.frame(1, BYBIT, bybit_book(101), 7)  # a connection never opened
    rig.drop(2, BYBIT, 7)
    rig.drop(2, BYBIT)
    rig.frame(2.1, BYBIT, bybit_book(101))  # after its end
    rig.tick(3)
    assert rig.market_view(BYBIT).reason == "not connected"
    assert rig.venue_view(BYBIT).reconnects == {"connection_lost": 1}
    book = rig.market(BYBIT).book
    assert book is not None
    assert book.last_id == 100
    for request in (
        RestRequest("snapshot", "u", 1, "NOPE"),
        RestRequest("snapshot", "u", 1),
        RestRequest("instruments", "u", 1),
    ):
        rig.reply(3, BYBIT, request, b"{}")


def test_the_same_connection_twice_without_an_end_in_between() -> None:
    """A recording may lack the end of a connection."""
    rig = Rig()
    rig.begin(BYBIT)
    rig.tick(1)
    rig.connect(2, BYBIT)
    rig.tick(3)
    assert not rig.market_view(BYBIT).verified
    rig.seed(BYBIT, seconds=4)
    rig.tick(5)
    view = rig.market_view(BYBIT)
    assert view.verified
    assert view.counters["book_updates_total"] == 2
    assert rig.venue_view(BYBIT).reconnects == {"connection_lost": 1}
    assert len(rig.venue_view(BYBIT).connections) == 1


def test_connections_come_and_go_and_nothing_stays_behind() -> None:
    rig = Rig()
    rig.list(0, BYBIT)
    for turn in range(200):
        rig.connect(turn, BYBIT, turn % 3)
        rig.seed(BYBIT, 60_000 + turn, seconds=turn + 0.1, connection=turn % 3)
        rig.frame(turn + 0.2, BYBIT, bybit_book(101, time=at(turn)), turn % 3)
        rig.drop(turn + 0.5, BYBIT, turn % 3)
    rig.tick(201)
    market = rig.market(BYBIT)
    assert (market.books, market.trades, market.active) == ({}, {}, None)
    assert rig.market_view(BYBIT).counters["book_updates_total"] == 400
    assert rig.market_view(BYBIT).resyncs == {"disconnected": 200}
    assert rig.venue_view(BYBIT).channels["book"]["messages"] == 400
    assert [(c.connected, c.name) for c in rig.venue_view(BYBIT).connections] == [(False, "books")]
    assert rig.hub.states[BYBIT].links == {}


# -- listings
def test_a_market_no_longer_listed_is_gone_everywhere() -> None:
    rig = Rig()
    eth = instrument(BYBIT, "ETHUSDT", "ETH")
    rig.list(0, BYBIT, instrument(BYBIT), eth, refused=[("NOPEUSDT", "not listed")])
    rig.connect(0, BYBIT, 0, "orderbook.1000.BTCUSDT", "orderbook.1000.ETHUSDT")
    rig.seed(BYBIT)
    rig.frame(0.1, BYBIT, bybit_book(5, *ladder(3_000, 5), snapshot=True, symbol="ETHUSDT"))
    rig.tick(1)
    assert {a.asset for a in rig.hub.view.assets} == {"BTC", "ETH"}
    assert rig.venue_view(BYBIT).refused == (("NOPEUSDT", "not listed"),)
    rig.list(2, BYBIT, eth)
    rig.take()
    rig.frame(2.1, BYBIT, bybit_book(777))  # its topic is still subscribed: a gap of nobody's book
    assert rig.take() == []
    rig.tick(3)
    assert [m.market for m in rig.hub.view.markets] == ["ETHUSDT"]
    assert [a.asset for a in rig.hub.view.assets] == ["ETH"]
    assert rig.venue_view(BYBIT).refused == ()
    # Listed again while its topic is still carried: frames reach it, and its book is asked for.
    rig.list(4, BYBIT, instrument(BYBIT), eth)
    rig.take()
    rig.frame(4.1, BYBIT, bybit_book(778, time=at(4.1)))
    assert len(rig.sends(BYBIT)) == 1
    rig.answer(4.5, BYBIT)
    rig.seed(BYBIT, seconds=5)
    rig.tick(6)
    assert rig.market_view(BYBIT).verified
    assert rig.market_view(BYBIT).counters["book_updates_total"] == 1  # a market of its own, that counts from zero


def test_an_asset_lives_as_long_as_one_of_its_markets() -> None:
    rig = Rig()
    rig.begin(BYBIT)
    rig.begin(OKX)
    rig.tick(1)
    assert rig.asset_view().quality.books_configured == 2
    rig.event(InstrumentsListed(at(2), OKX, ()))
    rig.tick(3)
    assert rig.asset_view().quality.books_configured == 1
    rig.event(InstrumentsListed(at(4), BYBIT, ()))
    rig.tick(5)
    assert (rig.hub.view.assets, rig.hub.view.markets) == ((), ())
    assert rig.hub.view.venues != ()


def test_a_regime_of_before_the_restart_goes_on() -> None:
    rig = Rig()
    rig.hub.regimes_before = {"BTC": ("watch", START - 5), "ETH": ("normal", 1)}
    rig.begin(BYBIT)
    rig.tick(1)
    assert (rig.asset_view().regime, rig.asset_view().regime_since) == ("watch", START - 5)
    assert rig.hub.regimes_before == {"ETH": ("normal", 1)}


def test_liquidations_of_an_asset_reach_the_minute_and_the_outlet() -> None:
    rig = Rig()
    rig.list(0, BYBIT)
    rig.connect(0, BYBIT, 0, "allLiquidation.BTCUSDT")
    rig.frame(1, BYBIT, bybit_liquidation("Buy", "60000", "0.5", time=at(1)))
    rig.frame(1.5, BYBIT, bybit_liquidation("Sell", "60000", "0.25", time=at(1.5)))
    rig.tick(2)
    assert rig.asset_view().liquidated_60s_usd == {"long": 30_000.0, "short": 15_000.0}
    rig.tick(61.4)
    assert rig.asset_view().liquidated_60s_usd == {"long": 0.0, "short": 15_000.0}
    assert [(p.position, p.coverage, p.notional_usd) for p in rig.outlet.prints] == [
        ("long", "complete", 30_000.0),
        ("short", "complete", 15_000.0),
    ]


def test_announcements_are_bounded_and_end() -> None:
    rig = Rig()
    rig.list(0, OKX)
    rig.connect(0, OKX, 0, "status")

    def status(number: int, end: int, state: str = "ongoing") -> bytes:
        row = {"title": f"maintenance {number}", "state": state, "serviceType": "0", "env": "1",
               "begin": str(START // 10**6), "end": str(end), "ts": str(START // 10**6)}  # fmt: skip
        return json.dumps({"arg": {"channel": "status"}, "data": [row]}).encode()

    for number in range(3 * MAX_NOTICES):
        rig.frame(1, OKX, status(number, at(20) // 10**6))
    rig.tick(2)
    assert len(rig.hub.states[OKX].notices) == MAX_NOTICES
    assert len(rig.venue_view(OKX).faults) == MAX_NOTICES
    rig.tick(21)
    assert rig.venue_view(OKX).faults == ()


def test_faults_of_a_venue_are_named() -> None:
    rig = Rig()
    rig.list(0, BYBIT)
    rig.connect(0, BYBIT)
    sent = rig.sends(BYBIT)
    request = json.loads(sent[0])["req_id"]
    refused = {"success": False, "ret_msg": "error:handler not found,topic:orderbook.1000.BTCUSDT", "conn_id": "x",
               "req_id": request, "op": "subscribe"}  # fmt: skip
    rig.frame(1, BYBIT, json.dumps(refused).encode())
    rig.tick(2)
    (fault,) = rig.venue_view(BYBIT).faults
    assert fault.startswith("orderbook.1000.BTCUSDT refused: error:handler not found")


# -- the same events, the same bytes
def book_frame(venue: str, last: int, price: str, now: int, whole: tuple[Rows, Rows] | None = None) -> bytes:
    """The change after `last`, or (`whole`) a snapshot on the stream; where there is none, a change that does not link."""
    if venue == BINANCE:
        return binance_change(last + 1, last + 1, last - 1 if whole else last, [(price, "1")], time=now)
    bids, asks = whole or ([(price, "1")], [])
    if venue == BYBIT:
        return bybit_book(last + 1, bids, asks, snapshot=whole is not None, time=now)
    return okx_book(last + 1, -1 if whole else last, bids, asks, snapshot=whole is not None, time=now)


def history(seed: int) -> list[Event]:
    """Three venues, seeded: gaps, lost sockets, duplicates, garbage, liquidations, listings read again."""
    rng = random.Random(seed)
    events: list[Event] = []
    now = START
    numbers = {BINANCE: 100, BYBIT: 100, OKX: 100}
    open_: dict[str, bool] = dict.fromkeys(numbers, False)
    keys = {
        BINANCE: ("btcusdt@depth@100ms", "btcusdt@aggTrade", "btcusdt@forceOrder", "btcusdt@markPrice@1s"),
        BYBIT: ("orderbook.1000.BTCUSDT", "allLiquidation.BTCUSDT"),
        OKX: ("books:BTC-USDT-SWAP",),
    }
    for venue in numbers:
        events.append(InstrumentsListed(now, venue, (instrument(venue),)))
    for _ in range(400):
        now += rng.choice([1, 50, 300, 2_000]) * 1_000_000
        venue = rng.choice(list(numbers))
        if not open_[venue]:
            topics = tuple(t for key in keys[venue] if (t := VENUES[venue].topic(key)))
            events.append(Connected(now, venue, 0, ConnectionPlan("all", "wss://x/y", topics)))
            open_[venue] = True
        chance = rng.random()
        last = numbers[venue]
        bids, asks = ladder(60_000 + rng.randrange(20) / 10, 5, str(rng.randint(1, 9)))
        price = f"{59_990 + rng.randrange(99) / 10:.1f}"
        data = b""
        if chance < 0.02:
            open_[venue] = False
            events.append(Disconnected(now, venue, 0, "connection_lost"))
            continue
        if chance < 0.05:
            data = rng.choice(
                [b"<html>", b"", b'{"topic":"orderbook.1000.BTCUSDT","data":[]}', bytes(rng.randbytes(30))]
            )
        elif chance < 0.08 and venue == BINANCE:
            data = binance_trade(last, price, "1", sold=rng.random() < 0.5, time=now)
        elif chance < 0.1 and venue == BINANCE:
            data = binance_force_order("BTCUSDT", rng.choice(["BUY", "SELL"]), price, "0.1", time=now)
        elif chance < 0.12 and venue == BINANCE:
            data = binance_mark(price, time=now)
        elif chance < 0.12 and venue == BYBIT:
            data = bybit_liquidation(rng.choice(["Buy", "Sell"]), price, "0.1", time=now)
        elif chance < 0.2 or (venue != BINANCE and chance < 0.3):
            numbers[venue] = last + 1
            data = book_frame(venue, last, price, now, (bids, asks))
        else:
            numbers[venue] = last + 1
            data = book_frame(venue, last, price, now)
        events.append(FrameReceived(now, venue, 0, data))
        if rng.random() < 0.05:
            request = RestRequest("snapshot", "u", 20, "BTCUSDT")
            events.append(RestReplied(now, BINANCE, request, binance_snapshot(numbers[BINANCE], bids, asks)))
        if rng.random() < 0.01:
            finer = replace(
                instrument(venue), tick_size=rng.choice([instrument(venue).tick_size, instrument(venue).tick_size / 10])
            )
            events.append(InstrumentsListed(now, venue, (finer,)))
    return events


def digest_of(events: list[Event]) -> tuple[str, list[object]]:
    rig, digest = Rig(), ReplayDigest()
    inner = rig.outlet.second
    rig.outlet.second = lambda view: (inner(view), digest.add_second(rig.hub, view.at))[0]  # type: ignore[method-assign]
    transitions = rig.outlet.transitions
    rig.outlet.transitions = lambda found: (transitions(found), digest.add_transitions(found))[0]  # type: ignore[method-assign]
    for event in events:
        rig.event(event)
    rig.asked.extend(rig.hub.on_tick(events[-1].at + SECOND))
    return digest.hexdigest(), list(rig.asked)


@pytest.mark.parametrize("seed", range(4))
def test_the_same_events_give_the_same_digest_and_the_same_commands(seed: int) -> None:
    events = history(seed)
    first, second = digest_of(events), digest_of(events)
    assert first == second
    assert digest_of(history(seed + 100))[0] != first[0]


def test_views_are_values_nothing_changes_them_later() -> None:
    rig = Rig()
    seen: list[tuple[object, str]] = []
    inner = rig.outlet.second
    rig.outlet.second = lambda view: (inner(view), seen.append((view, repr(view))))[0]  # type: ignore[method-assign]
    for event in history(3):
        rig.event(event)
    assert len(seen) > 50
    assert all(repr(view) == text for view, text in seen)


# -- whatever comes
SAMPLES = [
    (BINANCE, binance_change(101, 102, 100, [("59999.9", "2")])),
    (BINANCE, binance_trade(5, "60000.0", "1", sold=True)),
    (BINANCE, binance_force_order("BTCUSDT", "SELL", "60000.0", "0.5")),
    (BINANCE, binance_mark("60000.0")),
    (BYBIT, bybit_book(101, [("59999.9", "2")])),
    (BYBIT, bybit_liquidation("Buy", "60000", "2")),
    (OKX, okx_book(101, 100, [("59999.9", "2")])),
]
PIECES = [
    b"1e99",
    b'"1e-30"',
    b"-1",
    b"null",
    b"{}",
    b"[]",
    b'"\\u0030"',
    b"9" * 40,
    b'"NaN"',
    b'"0.00000000000000001"',
    b"true",
    b'"',
]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_no_frame_however_damaged_stops_the_hub(seed: int) -> None:
    """Bytes cut, swapped and replaced in frames of every channel: errors are counted, the hub goes on, and time goes on."""
    rng = random.Random(seed)
    rig = Rig()
    rig.begin(BINANCE)
    rig.connect(0, BINANCE, 1, "btcusdt@aggTrade", "btcusdt@forceOrder", "btcusdt@markPrice@1s", name="market")
    rig.begin(BYBIT)
    rig.connect(0, BYBIT, 1, "allLiquidation.BTCUSDT", name="facts")
    rig.begin(OKX)
    for step in range(30):
        venue, frame = rng.choice(SAMPLES)
        data = bytearray(frame)
        for _ in range(rng.randint(1, 3)):
            where = rng.randrange(len(data) + 1)
            match rng.randrange(4):
                case 0:
                    del data[where : where + rng.randint(1, 30)]
                case 1:
                    data[where : where + rng.randint(0, 12)] = rng.choice(PIECES)
                case 2:
                    data[where:where] = bytes([rng.randrange(256)])
                case _:
                    data[:] = data[:where] if rng.random() < 0.3 else data
        rig.frame(1 + step / 5, venue, bytes(data), rng.randrange(2))
    bodies = [b"<html>", b"", binance_snapshot(104, [("59999.9", "1")], [("60000.1", "1")])[: rng.randrange(90)], b"{}"]
    for purpose in ("snapshot", "deep", "poll"):
        for venue in (BINANCE, OKX):
            if purpose == "poll" and venue == OKX:
                continue
            symbol = "BTCUSDT" if venue == BINANCE else "BTC-USDT-SWAP"
            rig.reply(8, venue, RestRequest(purpose, "u", 1, symbol, "open_interest"), rng.choice(bodies))  # type: ignore[arg-type]
    rig.tick(9)
    assert rig.hub.view.at == at(9)
    for market in rig.hub.view.markets:
        if market.verified:
            assert market.best_bid is not None
            assert market.best_ask is not None
            assert 0 < market.best_bid < market.best_ask
    # And whatever happened, a new socket heals it.
    for connection in (0, 1):
        rig.drop(10, BYBIT, connection)
    rig.connect(11, BYBIT)
    rig.seed(BYBIT, seconds=11)
    rig.tick(12)
    assert rig.market_view(BYBIT).verified


def test_commands_are_handed_out_once() -> None:
    rig = Rig()
    rig.begin(BINANCE)
    rig.frame(0.5, BINANCE, binance_change(101, 102, 100))
    rig.tick(1)
    asked = [c.request.key for c in rig.take() if isinstance(c, Fetch)]
    assert asked == ["open_interest", "candles", "long_short_ratio"]
    assert list(rig.hub.on_tick(at(1.5))) == []
