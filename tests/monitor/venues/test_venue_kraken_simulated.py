"""The simulated Krakens: their streams read by our venue modules, and the traps of their manners."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal

import orjson
import pytest
from kraken_frames import Lane

from engines.book.outcome import Outcome
from monitor.facts import Instrument, Liquidation, MarginTiers, VenueNotice
from monitor.money import notional_usd
from monitor.simulator.protocols.base import FAIR, SECOND, Answer, Session, Treatment
from monitor.simulator.protocols.kraken_futures import KrakenFuturesFront
from monitor.simulator.protocols.kraken_spot import KrakenSpotFront
from monitor.simulator.scenario_source import ScenarioSource
from monitor.simulator.scenarios import SCENARIOS
from monitor.simulator.source import OutFrame
from monitor.simulator.streams import standing
from monitor.venues.base import Acked, Refused, RestRequest, Venue
from monitor.venues.kraken_futures import KrakenFutures
from monitor.venues.kraken_spot import KrakenSpot

SPOT, FUTURES = KrakenSpot(), KrakenFutures()
FIAT = ("USDT", "USDC", "EUR")


def source(venue: Venue, scenario: str = "calm", assets: tuple[str, ...] = ("BTC",)) -> ScenarioSource:
    return ScenarioSource(
        SCENARIOS[scenario], seed=20261122, epoch_ns=1_790_000_000 * SECOND, assets=assets, venues=(venue.name,)
    )


def listed(venue: Venue, world: ScenarioSource) -> list[Instrument]:
    (request,) = venue.instrument_requests([])
    reply = world.rest(venue.name, "/" + request.url.split("/", 3)[3], {})
    assert reply is not None
    venue.check_reply(request, reply.status, {}, reply.body)
    return venue.parse_instruments(request, reply.body)[0]


def lane_of(venue: Venue, market: Instrument) -> Lane:
    return Lane(venue, f"book:{market.symbol}", str(market.tick_size), str(market.lot_size))


def turn(world: ScenarioSource) -> list[OutFrame]:
    return list(world.step())


# -- the streams
def test_every_spot_checksum_of_the_simulator_is_right_and_the_book_is_its_window() -> None:
    world = source(SPOT, assets=("BTC", *FIAT))
    lanes = {f"book:{market.symbol}": lane_of(SPOT, market) for market in listed(SPOT, world)}
    late = {}
    for key, lane in lanes.items():
        assert [lane.take(frame) for frame in world.opening(SPOT.name, key)] == [Outcome.REPLACED]
    for step in range(100):
        for frame in turn(world):
            assert SPOT.slow_frame_key(frame.data) == frame.key
            if frame.key in lanes:
                assert lanes[frame.key].take(frame.data) is Outcome.APPLIED
            if frame.key in late:
                assert late[frame.key].take(frame.data) is Outcome.APPLIED
        if step == 40:
            late = {f"book:{market.symbol}": lane_of(SPOT, market) for market in listed(SPOT, world)}
            for key, lane in late.items():
                assert [lane.take(frame) for frame in world.opening(SPOT.name, key)] == [Outcome.REPLACED]
    for key, lane in lanes.items():
        market = world.writers[SPOT.name].markets[key.removeprefix("book:")]
        bids, asks = standing(market.book, 1000).best_first
        assert lane.levels() == late[key].levels() == (bids, asks)
        assert lane.book.counters["checksums"] == 1 + lane.outcomes[Outcome.APPLIED]
        assert lane.outcomes[Outcome.APPLIED] > 5
    assert world.writers[SPOT.name].markets.keys() == {"BTC/USD", "USDT/USD", "USDC/USD", "EUR/USD"}


def test_a_lost_spot_frame_is_noticed_and_a_new_snapshot_heals() -> None:
    world = source(SPOT)
    lane = lane_of(SPOT, listed(SPOT, world)[0])
    lane.take(world.opening(SPOT.name, "book:BTC/USD")[0])
    frames = [frame.data for _ in range(40) for frame in turn(world) if frame.key == "book:BTC/USD"]
    for frame in frames[:3] + frames[4:6]:
        lane.take(frame)
    assert lane.book.reason in ("checksum", "crossed")
    lane.take(world.opening(SPOT.name, "book:BTC/USD")[0])
    assert lane.book.readable


def test_every_number_of_the_simulated_futures_is_there_and_the_book_is_whole() -> None:
    world = source(FUTURES, assets=("BTC", "ETH"))
    markets = listed(FUTURES, world)
    assert [(m.symbol, m.contract_type, str(m.lot_size)) for m in markets] == [
        ("PF_XBTUSD", "linear", "0.0001"), ("PF_ETHUSD", "linear", "0.001"), ("PI_XBTUSD", "inverse", "1"),
    ]  # fmt: skip
    lanes = {f"book:{market.symbol}": lane_of(FUTURES, market) for market in markets}
    for key, lane in lanes.items():
        assert lane.take(world.opening(FUTURES.name, key)[0]) is Outcome.REPLACED
    for _ in range(40):
        for frame in turn(world):
            assert FUTURES.slow_frame_key(frame.data) == frame.key
            assert FUTURES.frame_key(frame.data) == frame.key.encode(), "every head is told cheaply"
            if frame.key in lanes:
                assert lanes[frame.key].take(frame.data) is Outcome.APPLIED
    for key, lane in lanes.items():
        book = world.writers[FUTURES.name].markets[key.removeprefix("book:")].book
        assert lane.levels() == standing(book).best_first


def test_a_cascades_liquidations_come_out_of_the_trades() -> None:
    world = source(FUTURES, "cascade", ("BTC",))
    markets = {market.symbol: market for market in listed(FUTURES, world)}
    usd = {symbol: Counter[str]() for symbol in markets}
    kinds = Counter[str]()
    for _ in range(20 * 90):
        for frame in turn(world):
            topic = FUTURES.topic(frame.key)
            assert topic is not None
            if topic.facts_when and any(mark in frame.data for mark in topic.facts_when):
                for fact in FUTURES.parse(topic, frame.data):
                    assert isinstance(fact, Liquidation)
                    usd[fact.symbol][fact.position] += notional_usd(
                        markets[fact.symbol], fact.quantity, fact.price, 1.0
                    )
                    kinds[fact.kind] += 1
    assert kinds.keys() == {"liquidation"}
    for symbol, found in usd.items():
        truth = world.writers[FUTURES.name].markets[symbol].liquidated_usd
        assert found["long"] == pytest.approx(truth[1], rel=1e-6)
        assert found["short"] == pytest.approx(truth[-1], rel=1e-6)
    assert usd["PF_XBTUSD"]["long"] > 0
    assert usd["PI_XBTUSD"]["long"] > 0


def test_the_polls_of_the_simulator_are_read() -> None:
    world = source(FUTURES)
    for poll in FUTURES.venue_polls([]):
        reply = world.rest(FUTURES.name, "/" + poll.request.url.split("/", 3)[3], {})
        assert reply is not None
        found = FUTURES.parse_poll(poll.request, reply.body)
        assert [type(fact) for fact in found] == ([MarginTiers] * 2 if poll.request.key == "margin_tiers" else [])
    world = source(SPOT)
    (status,) = SPOT.venue_polls([])
    reply = world.rest(SPOT.name, "/0/public/SystemStatus", {})
    assert reply is not None
    (online,) = SPOT.parse_poll(status.request, reply.body)
    assert isinstance(online, VenueNotice)
    assert (online.text, online.halts) == ("Kraken spot is online", False)


# -- the manners of spot
def spot(treat: Callable[[str], Treatment] = lambda _: FAIR) -> tuple[KrakenSpotFront, Session]:
    known = {"book:BTC/USD", "trade:BTC/USD", "book:ETH/USD", "instrument"}
    front = KrakenSpotFront(known.__contains__, treat)
    session = front.open("/v2", {}, 1, 0)
    assert session is not None
    return front, session


def controls(venue: Venue, answer: Answer) -> list[object]:
    return [said for text in answer.texts for said in venue.control(text.encode())]


def asked(method: str, channel: str, *symbols: str, **params: object) -> str:
    return orjson.dumps(
        {"method": method, "params": {"channel": channel, "symbol": symbols, **params}, "req_id": 4}
    ).decode()


def test_the_status_comes_before_anything_is_asked() -> None:
    front, session = spot()
    (status,) = front.welcome(session)
    assert SPOT.slow_frame_key(status.encode()) == "status"


def test_one_unknown_pair_of_many_is_refused_without_its_channel_and_the_others_are_served() -> None:
    front, session = spot()
    answer = front.receive(session, asked("subscribe", "book", "BTC/USD", "BTC/XYZ", "ETH/USD", depth=1000), 0)
    assert answer.subscribed == ["book:BTC/USD", "book:ETH/USD"]
    first, refused, last = controls(SPOT, answer)
    assert (first, last) == (Acked(keys=("book:BTC/USD",)), Acked(keys=("book:ETH/USD",)))
    assert isinstance(refused, Refused)
    assert refused.keys == ("book:BTC/XYZ", "trade:BTC/XYZ")
    assert b"book" not in answer.texts[1].encode()


def test_a_subscription_twice_is_an_error_that_means_it_lives() -> None:
    front, session = spot()
    front.receive(session, asked("subscribe", "trade", "BTC/USD"), 0)
    answer = front.receive(session, asked("subscribe", "trade", "BTC/USD"), 1)
    assert answer.subscribed == []
    assert b'"success":false' in answer.texts[0].encode()
    assert controls(SPOT, answer) == [Acked(keys=("book:BTC/USD", "trade:BTC/USD"))]


def test_an_unsubscription_has_to_name_the_depth() -> None:
    front, session = spot()
    topic = SPOT.topic("book:BTC/USD")
    assert topic is not None
    front.receive(session, SPOT.subscribe([topic], 1), 0)
    assert front.receive(session, asked("unsubscribe", "book", "BTC/USD"), 1).unsubscribed == []
    answer = front.receive(session, SPOT.unsubscribe([topic], 2), 2)
    assert answer.unsubscribed == ["book:BTC/USD"]
    assert controls(SPOT, answer) == [Acked(keys=("book:BTC/USD",), unsubscribed=True)]


def test_too_many_messages_are_answered_with_an_error_that_blames_no_topic() -> None:
    front, session = spot()
    pace = int(SPOT.limits.frames_per_second)
    for number in range(2 * pace):  # two seconds at our own pace
        answer = front.receive(session, asked("subscribe", "book", "BTC/USD", depth=1000), number * SECOND // pace)
        assert "Exceeded" not in answer.texts[0]
    for _ in range(21):
        answer = front.receive(session, asked("subscribe", "book", "ETH/USD", depth=1000), 9 * SECOND)
    assert controls(SPOT, answer) == [Refused("Exceeded msg rate", 4, whole_batch=True)]


def test_heartbeats_come_once_something_is_subscribed() -> None:
    front, session = spot()
    assert front.tick(session, 5 * SECOND) is None
    front.receive(session, asked("subscribe", "trade", "BTC/USD"), 5 * SECOND)
    assert front.tick(session, 5 * SECOND + SECOND // 2) is None
    beat = front.tick(session, 6 * SECOND)
    assert beat is not None
    assert SPOT.control(beat.texts[0].encode()) == []
    assert front.tick(session, 6 * SECOND + 1) is None
    silence = SPOT.limits.silence_seconds
    assert silence is not None
    assert silence >= 5, "several heartbeats may be late"


def test_answers_can_be_kept_back() -> None:
    front, session = spot(lambda _: Treatment(no_ack=True))
    answer = front.receive(session, asked("subscribe", "trade", "BTC/USD"), 0)
    assert (answer.texts, answer.subscribed) == ([], ["trade:BTC/USD"])


def test_spots_refusals_over_rest() -> None:
    front, _ = spot()
    request = RestRequest("instruments", "https://api.kraken.com/0/public/AssetPairs", 1)
    for status in (429, 503):
        reply = front.rest_error(status, None)
        with pytest.raises(Exception, match="asking again"):
            SPOT.check_reply(request, reply.status, {}, reply.body)


# -- the manners of futures
def futures() -> tuple[KrakenFuturesFront, Session]:
    known = {"book:PF_XBTUSD", "trade:PF_XBTUSD"}
    front = KrakenFuturesFront(known.__contains__)
    session = front.open("/ws/v1", {}, 1, 0)
    assert session is not None
    assert front.open("/ws/v2", {}, 1, 0) is None
    return front, session


def wanted(event: str, feed: str, *products: str) -> str:
    return orjson.dumps({"event": event, "feed": feed, "product_ids": products}).decode()


def test_an_unknown_product_is_named_without_its_feed_and_the_others_are_served() -> None:
    front, session = futures()
    answer = front.receive(session, wanted("subscribe", "book", "PF_XBTUSD", "NOT_REAL"), 0)
    assert answer.subscribed == ["book:PF_XBTUSD"]
    refused, acked = controls(FUTURES, answer)
    assert isinstance(refused, Refused)
    assert "book:NOT_REAL" in refused.keys
    assert refused.request_id is None
    assert acked == Acked(keys=("book:PF_XBTUSD",))
    left = front.receive(session, wanted("unsubscribe", "book", "PF_XBTUSD"), 1)
    assert controls(FUTURES, left) == [Acked(keys=("book:PF_XBTUSD",), unsubscribed=True)]
    again = front.receive(session, wanted("unsubscribe", "book", "PF_XBTUSD"), 2)
    assert controls(FUTURES, again) == [Refused("unsubscribed_failed", None, ("book:PF_XBTUSD",))]


def test_history_comes_first_and_is_no_flow() -> None:
    world = source(FUTURES)
    for _ in range(40):
        turn(world)
    (history,) = world.opening(FUTURES.name, "trade:PF_XBTUSD")
    rows = orjson.loads(history)["trades"]
    assert len(rows) > 3
    assert [row["seq"] for row in rows] == sorted((row["seq"] for row in rows), reverse=True), "newest first"
    topic = FUTURES.topic("trade:PF_XBTUSD")
    assert topic is not None
    assert FUTURES.parse(topic, history) == []


def test_a_hundred_requests_a_second_and_no_more() -> None:
    front, session = futures()
    for _ in range(100):
        answer = front.receive(session, wanted("subscribe", "book", "PF_XBTUSD"), 0)
        assert b"subscribed" in answer.texts[0].encode()
    answer = front.receive(session, wanted("subscribe", "book", "PF_XBTUSD"), 1)
    assert answer.subscribed == []
    assert b"Too many" in answer.texts[0].encode()
    assert FUTURES.limits.frames_per_second < 100


def test_the_venues_ping_is_a_websocket_ping() -> None:
    """The venue cuts after 60 s without one; there is no ping in its own words."""
    ping = FUTURES.limits.ping
    assert ping.text is None
    assert ping.interval_seconds + ping.pong_timeout_seconds < 60


def test_prices_of_currencies_are_near_one() -> None:
    world = source(SPOT, assets=FIAT)
    for market in listed(SPOT, world):
        assert (market.contract_type, market.quote) == ("spot", "USD")
        lane = lane_of(SPOT, market)
        lane.take(world.opening(SPOT.name, f"book:{market.symbol}")[0])
        mid = (lane.levels()[0][0][0] + lane.levels()[1][0][0]) / 2 * float(market.tick_size)
        assert mid == pytest.approx(1.16 if market.asset == "EUR" else 1, rel=0.01)
        assert market.lot_size == Decimal("0.00000001")
