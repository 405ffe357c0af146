"""The simulated Binance markets against the venue modules, without sockets: books, faults, facts, and the traps of the venue's page."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import orjson
import pytest
from binance_books import Driven
from hot_frames import read_trades
from venue_forms import poll_of

from engines.book.outcome import Outcome
from monitor.facts import (
    Channel,
    IndexPrice,
    Instrument,
    InstrumentChanged,
    Liquidation,
    MarginTiers,
    MarkPrice,
    OpenInterest,
)
from monitor.simulator.protocols.base import SECOND, Answer, Session
from monitor.simulator.protocols.binance import BinanceFront
from monitor.simulator.protocols.binance_coinm import BinanceCoinmFront
from monitor.simulator.protocols.binance_spot import BinanceSpotFront
from monitor.simulator.protocols.registry import PROTOCOLS
from monitor.simulator.scenario_source import ScenarioSource
from monitor.simulator.scenarios import scenario
from monitor.venues.base import Acked, Refused, RestRequest, ShutdownAnnounced, Venue
from monitor.venues.registry import VENUES

EPOCH = 1_770_285_600_000_000_000
BOTH = pytest.mark.parametrize("name", ["binance_spot", "binance_coinm"])
ASSETS = ("BTC", "ETH", "USDT")
MAIN = {"binance_spot": "BTCUSDT", "binance_coinm": "BTCUSD_PERP"}


class Simulated:
    """One venue's writer and front, a client's socket on it, and the client's venue module."""

    def __init__(self, name: str, story: str = "cascade") -> None:
        self.name = name
        self.venue: Venue = VENUES[name]
        self.source = ScenarioSource(scenario(story), seed=9, epoch_ns=EPOCH, venues=(name,), assets=ASSETS)
        front = PROTOCOLS[name].front(lambda key: self.source.knows(name, key))
        assert isinstance(front, BinanceFront)
        self.front = front
        session = front.open("/stream", {}, 1, 0)
        assert isinstance(session, Session)
        self.session = session
        self.now = EPOCH
        self.markets = self._listed()

    def _listed(self) -> dict[str, Instrument]:
        (request,) = self.venue.instrument_requests([])
        found: list[Instrument] = []
        following: RestRequest | None = request
        while following is not None:
            page, following = self.venue.parse_instruments(following, self.ask(following))
            found += page
        return {instrument.symbol: instrument for instrument in found}

    def ask(self, request: RestRequest) -> bytes:
        path, _, query = request.url.split("/", 3)[3].partition("?")
        pairs = dict(part.partition("=")[::2] for part in query.split("&") if part)
        reply = self.source.rest(self.name, "/" + path, pairs)
        assert reply is not None
        self.venue.check_reply(request, reply.status, {}, reply.body)
        return reply.body

    def subscribe(self, *keys: str) -> None:
        topics = [topic for key in keys if (topic := self.venue.topic(key)) is not None]
        assert len(topics) == len(keys)
        answer = self.front.receive(self.session, self.venue.subscribe(topics, 1), self.now)
        assert self.venue.control(answer.texts[0].encode()) == [Acked(1)]
        for key in answer.subscribed:
            assert self.source.opening(self.name, key) == [], "Binance sends no snapshot on the stream"

    def frames(self, seconds: float) -> Iterator[tuple[str, bytes]]:
        """What the socket gets: the topic's key as the venue module reads it, and the frame."""
        for _ in range(int(seconds * 20)):
            for frame in self.source.step():
                if frame.key in self.session.topics and self.front.served(self.session, frame.key):
                    self.now += 1
                    data = self.front.envelope(self.session, frame.key, frame.data)
                    key = self.venue.frame_key(data)
                    assert key is not None
                    assert key.decode() == frame.key == self.venue.slow_frame_key(data)
                    yield frame.key, data

    def book(self, symbol: str) -> Driven:
        key = f"{symbol.lower()}@depth@100ms"
        instrument = self.markets[symbol]
        driven = Driven(self.venue, key, f"{instrument.tick_size:f}", f"{instrument.lot_size:f}")
        self.subscribe(key)
        return driven

    def seed(self, driven: Driven) -> Outcome:
        request = self.venue.snapshot_request(self.markets[driven.symbol])
        assert request is not None
        return driven.seed(self.ask(request), self.now)

    def run(self, driven: Driven, seconds: float) -> list[Outcome]:
        return [driven.frame(data, self.now) for key, data in self.frames(seconds) if "@depth" in key]

    def synced(self) -> Driven:
        driven = self.book(MAIN[self.name])
        assert set(self.run(driven, 0.7)) <= {Outcome.NEED_SNAPSHOT, Outcome.BUFFERED}
        assert self.seed(driven) in (Outcome.REPLACED, Outcome.HELD)
        outcomes = self.run(driven, 1)
        assert Outcome.APPLIED in outcomes
        assert driven.book.readable
        return driven

    def assert_true(self, driven: Driven) -> None:
        """Every level within the snapshot's reach is the simulator's own."""
        market = self.source.world.markets[self.name, driven.symbol]
        held = driven.levels()
        spec = market.spec
        low, high = min(held[0]), max(held[1])
        for side, sign in zip(held, (1, -1), strict=True):
            truth = {
                spec.tick_size * (market.book.low + int(i)): spec.lot_size * abs(int(market.book.lots[i]))
                for i in market.book.top(sign, market.book.size)
            }
            edge = 1 - sign * Decimal("0.001")  # well inside what a snapshot reaches
            mid = Decimal(str(market.mid))
            near = {p: q for p, q in truth.items() if (p >= mid * edge if sign > 0 else p <= mid * edge)}
            assert near
            assert all(low <= price <= high for price in near)
            assert {p: q for p, q in side.items() if (p >= mid * edge if sign > 0 else p <= mid * edge)} == near


@BOTH
def test_a_book_equals_the_truth_through_a_cascade(name: str) -> None:
    simulated = Simulated(name)
    driven = simulated.synced()
    for _ in range(10):
        assert set(simulated.run(driven, 2)) == {Outcome.APPLIED}
        # The stream is flushed with this step: what it said is what there is.
        simulated.assert_true(driven)
    assert driven.book.counters["gaps"] == 0
    assert driven.tally.plainly == 0


@BOTH
def test_a_lost_frame_is_found_in_the_next_one(name: str) -> None:
    simulated = Simulated(name)
    driven = simulated.synced()
    changes = [data for key, data in simulated.frames(2) if "@depth" in key]
    assert driven.frame(changes[0], simulated.now) is Outcome.APPLIED
    assert driven.frame(changes[2], simulated.now) is Outcome.GAP  # changes[1] is lost
    assert not driven.book.readable
    assert all(driven.frame(data, simulated.now) is Outcome.BUFFERED for data in changes[3:])
    assert simulated.seed(driven) in (Outcome.REPLACED, Outcome.HELD)
    simulated.run(driven, 1)
    assert driven.book.readable
    simulated.assert_true(driven)
    assert driven.book.counters["gaps"] == 1


@BOTH
def test_a_frame_twice_is_harmless_and_two_in_the_wrong_order_are_a_gap(name: str) -> None:
    simulated = Simulated(name)
    driven = simulated.synced()
    changes = [data for key, data in simulated.frames(2) if "@depth" in key]
    assert driven.frame(changes[0], simulated.now) is Outcome.APPLIED
    assert driven.frame(changes[0], simulated.now) is Outcome.IGNORED
    assert driven.frame(changes[1], simulated.now) is Outcome.APPLIED
    assert driven.frame(changes[3], simulated.now) is Outcome.GAP
    assert driven.frame(changes[2], simulated.now) is not Outcome.APPLIED
    assert not driven.book.readable


@BOTH
def test_a_snapshot_older_than_the_frames_kept_is_asked_for_again(name: str) -> None:
    simulated = Simulated(name)
    driven = simulated.book(MAIN[name])
    simulated.run(driven, 0.1)
    request = simulated.venue.snapshot_request(simulated.markets[MAIN[name]])
    assert request is not None
    old = simulated.ask(request)
    driven.book.disconnected(simulated.now)
    list(simulated.frames(1))  # not received: the socket was away
    simulated.run(driven, 0.3)
    assert driven.seed(old, simulated.now) is Outcome.NEED_SNAPSHOT
    assert driven.book.counters["stale_snapshots"] == 1
    assert simulated.seed(driven) in (Outcome.REPLACED, Outcome.HELD)
    simulated.run(driven, 0.5)
    simulated.assert_true(driven)


@BOTH
def test_a_restart_breaks_the_chain_and_a_crossed_book_is_unreadable(name: str) -> None:
    simulated = Simulated(name)
    driven = simulated.synced()
    assert simulated.source.writers[name].restart(MAIN[name]) == []
    assert simulated.run(driven, 0.2)[0] is Outcome.GAP
    assert simulated.seed(driven) in (Outcome.REPLACED, Outcome.HELD)
    simulated.run(driven, 0.5)
    assert driven.book.readable
    simulated.source.writers[name].cross(MAIN[name])
    assert Outcome.CROSSED in simulated.run(driven, 0.3)
    assert not driven.book.readable


# -- facts
def test_coinm_facts_equal_the_truth_and_the_other_universe_is_left_out() -> None:
    simulated = Simulated("binance_coinm")
    keys = ["!forceOrder@arr", "!contractInfo"]
    keys += [f"btcusd_perp@{stream}" for stream in ("markPrice@1s", "forceOrder")] + ["btcusd@indexPrice@1s"]
    simulated.subscribe(*keys)
    facts: dict[str, list[Any]] = {key: [] for key in keys}
    truth: list[Any] = []
    market = simulated.source.world.markets["binance_coinm", "BTCUSD_PERP"]
    foreign = 0
    seen: set[int] = set()
    for key, data in simulated.frames(56):
        topic = simulated.venue.topic(key)
        assert topic is not None
        foreign += b'"BTCUSDT"' in data
        facts[key] += simulated.venue.parse(topic, data)
        truth += [each for each in market.liquidations if id(each) not in seen]
        seen.update(map(id, market.liquidations))
    assert foreign > 10
    merged = facts["!forceOrder@arr"]
    assert merged
    assert {each.symbol for each in merged} <= {"BTCUSD_PERP", "ETHUSD_PERP"}
    own = facts["btcusd_perp@forceOrder"]
    assert own == [each for each in merged if each.symbol == "BTCUSD_PERP"]
    assert all(isinstance(each, Liquidation) and each.coverage == "sampled" for each in own)
    assert {each.position for each in own} == {"long"}, "the price falls"
    filled = {(print_.filled, "long" if print_.sign > 0 else "short") for print_ in truth}
    assert {(int(each.quantity), each.position) for each in own} <= filled
    tiers = {each.symbol: each for each in facts["!contractInfo"] if isinstance(each, MarginTiers)}
    assert set(tiers) == {"BTCUSD_PERP", "ETHUSD_PERP"}
    assert [tier.maintenance_ratio for tier in tiers["BTCUSD_PERP"].tiers] == [Decimal("0.004"), Decimal("0.005")]
    assert all(each.symbol != "BTCUSDT" for each in facts["!contractInfo"])
    assert any(isinstance(each, InstrumentChanged) and each.trading for each in facts["!contractInfo"])
    mark = [each for each in facts["btcusd_perp@markPrice@1s"] if isinstance(each, MarkPrice)]
    index = [each for each in facts["btcusd@indexPrice@1s"] if isinstance(each, IndexPrice)]
    assert len(mark) == len(index) == 56
    assert not any(isinstance(each, IndexPrice) for each in facts["btcusd_perp@markPrice@1s"])
    assert float(mark[-1].price) == pytest.approx(market.mark, rel=1e-3)
    assert index[-1].symbol == "BTCUSD_PERP"
    poll = poll_of(simulated.venue, simulated.markets["BTCUSD_PERP"], "open_interest")
    (interest,) = simulated.venue.parse_poll(poll.request, simulated.ask(poll.request))
    assert isinstance(interest, OpenInterest)
    assert interest.quantity == market.ledger.open_interest  # contracts: one lot is one contract


@BOTH
def test_trades_carry_the_takers_side_in_the_venues_units(name: str) -> None:
    simulated = Simulated(name)
    symbol = MAIN[name]
    key = f"{symbol.lower()}@aggTrade"
    simulated.subscribe(key)
    topic = simulated.venue.topic(key)
    assert topic is not None
    assert topic.trades is not None
    market = simulated.source.world.markets[name, symbol]
    read, truth = [], []
    for _ in range(40):
        for _, data in simulated.frames(0.05):
            read += read_trades(topic.trades, data, symbol)
        truth += list(market.trades)
    assert len(read) == len(truth) > 3
    spec = market.spec
    assert [(t.side, t.size, t.price) for t in read] == [
        (t.side, spec.lot_size * t.lots, spec.tick_size * t.tick) for t in truth
    ]


def test_spots_status_is_read_from_the_simulated_listing() -> None:
    simulated = Simulated("binance_spot")
    assert {symbol: each.status for symbol, each in simulated.markets.items() if not each.trading} == {
        "OLDUSDT": "BREAK",
        "ETHBTC": "CANCEL_ONLY",
    }
    assert simulated.markets["1000SATSUSDT"].unit_multiplier == 1000
    assert (simulated.markets["USDTUSD"].asset, simulated.markets["USDTUSD"].quote) == ("USDT", "USD")


# -- traps
@BOTH
def test_a_stream_that_does_not_exist_is_acknowledged_and_stays_silent(name: str) -> None:
    simulated = Simulated(name)
    text = orjson.dumps({"method": "SUBSCRIBE", "params": ["nosuch@depth@100ms"], "id": 3}).decode()
    answer = simulated.front.receive(simulated.session, text, EPOCH)
    assert simulated.venue.control(answer.texts[0].encode()) == [Acked(3)]
    assert not simulated.front.served(simulated.session, "nosuch@depth@100ms")
    assert list(simulated.frames(1)) == []
    # What finds it out is the longest silence of the topic.
    topic = simulated.venue.topic("nosuch@depth@100ms")
    assert topic is not None
    assert topic.channel is Channel.BOOK
    assert topic.silence_seconds is not None


@pytest.mark.parametrize(("name", "allowed"), [("binance_spot", 5), ("binance_coinm", 10)])
def test_a_client_above_the_pace_is_cut(name: str, allowed: int) -> None:
    simulated = Simulated(name)
    assert simulated.venue.limits.frames_per_second == allowed
    text = '{"method":"LIST_SUBSCRIPTIONS","id":1}'
    answers = [simulated.front.receive(simulated.session, text, EPOCH) for _ in range(allowed + 1)]
    assert [answer.close is None for answer in answers] == [True] * allowed + [False]
    assert simulated.front.receive(simulated.session, text, EPOCH + SECOND + 1).close is None


@BOTH
def test_what_the_venue_refuses_in_its_own_form_is_a_refusal_of_that_request(name: str) -> None:
    simulated = Simulated(name)
    answer: Answer = simulated.front.receive(simulated.session, '{"method":"NONSENSE","id":4}', EPOCH)
    (said,) = simulated.venue.control(answer.texts[0].encode())
    assert isinstance(said, Refused)
    assert said.request_id == 4
    wrapped = "error" in orjson.loads(answer.texts[0])
    assert wrapped is (name == "binance_spot")  # both forms are met in the wild


def test_spot_announces_its_shutdown_in_both_modes() -> None:
    front = BinanceSpotFront(lambda _: True)
    for path in ("/stream", "/ws"):
        session = front.open(path, {}, 1, EPOCH)
        assert session is not None
        notice = front.shutdown_notice(session)
        assert notice is not None
        assert VENUES["binance_spot"].control(notice.encode()) == [ShutdownAnnounced("serverShutdown")]
    assert front.open("/public/stream", {}, 1, EPOCH) is None  # routes are of USD-M alone
    assert BinanceCoinmFront(lambda _: True).open("/market/stream", {}, 1, EPOCH) is None


@pytest.mark.parametrize(
    ("name", "path", "weights"),
    [
        ("binance_spot", "/api/v3/depth", {100: 5, 101: 25, 500: 25, 1000: 50, 5000: 250}),
        ("binance_coinm", "/dapi/v1/depth", {50: 2, 100: 5, 500: 10, 1000: 20}),
    ],
)
def test_weights_of_the_page_and_what_the_module_reckons_with(name: str, path: str, weights: dict[int, int]) -> None:
    simulated = Simulated(name)
    for limit, weight in weights.items():
        assert simulated.front.weight_of(path, {"symbol": "X", "limit": str(limit)}) == weight
    requests = [*simulated.venue.instrument_requests([]), *(p.request for p in simulated.venue.venue_polls([]))]
    for market in list(simulated.markets.values())[:1]:
        seed = simulated.venue.snapshot_request(market)
        assert seed is not None
        requests += [seed, *(poll.request for poll in simulated.venue.polls(market))]
        requests += [poll.request for poll in simulated.venue.venue_polls([market])]
    for request in requests:
        where, _, query = request.url.split("/", 3)[3].partition("?")
        pairs = dict(part.partition("=")[::2] for part in query.split("&") if part)
        charged = simulated.front.weight_of("/" + where, pairs)
        assert charged <= request.weight, "a request must not cost more than it says"


def test_an_address_that_goes_on_after_429_is_banned() -> None:
    front = BinanceSpotFront(lambda _: True)
    query = {"symbol": "BTCUSDT", "limit": "5000"}
    replies = [front.limit("/api/v3/depth", query, EPOCH) for _ in range(24 + 21)]
    assert [reply.status for reply in replies if reply is not None] == [429] * 20 + [418]
    assert front.limit("/api/v3/time", {}, EPOCH + SECOND) is not None
    assert front.limit("/api/v3/time", {}, EPOCH + 130 * SECOND) is None


def test_a_fresh_listing_without_orders_takes_any_first_change() -> None:
    """Its snapshot may say id -1."""
    driven = Driven(VENUES["binance_spot"], "newusdt@depth@100ms", "0.01", "0.1")
    frames = [
        orjson.dumps(
            {"stream": "newusdt@depth@100ms", "data": {"e": "depthUpdate", "E": at, "s": "NEWUSDT", **ids, "a": []}}
        )
        for at, ids in ((1, {"U": 5, "u": 7, "b": [["1.5", "3"]]}), (2, {"U": 8, "u": 8, "b": [["1.4", "2"]]}))
    ]
    assert driven.frame(frames[0], 1) is Outcome.NEED_SNAPSHOT
    assert driven.seed(b'{"lastUpdateId":-1,"bids":[],"asks":[]}', 2) is Outcome.REPLACED
    assert driven.frame(frames[1], 3) is Outcome.APPLIED
    assert driven.levels()[0] == {Decimal("1.5"): 3, Decimal("1.4"): 2}
    assert driven.book.counters["gaps"] == 0
