"""Every venue against its simulated self: real sockets, the real feed, a real hub, and every fault there is to order.

A venue that is registered is in here. The clock moves only when told (see `sim_rig`), one world a venue is lived through by all tests, and after
each the books have to be verified again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from itertools import product
from typing import Literal

import pytest
from sim_rig import SECOND, Rig

from monitor.facts import Channel
from monitor.money import notional_usd
from monitor.simulator.protocols.registry import PROTOCOLS
from monitor.simulator.recording_source import RecordingSource, listed_instruments, recorded
from monitor.venues.base import BookPolicy, Topic
from monitor.venues.candles import HOUR, HOURS

SETTLED = 0.7  # seconds: more than the slowest push interval of a book that is kept change by change
CHECKSUM_LEVELS = {"digits": 10, "tokens": 25}
NAMED_WITHIN = 60.0
LONG_SILENCE = 90.0
REFUSED_WITHIN = 300.0  # a venue that hangs up on what it does not know has to be asked again and again
BACK_WITHIN = 120.0
TRIES = 8  # a fault may hit a coarse stream, or a frame in which nothing that can be checked changes
EDGES = (0.8, 1.2)
BANDS = {"0.1%": 0.001, "1%": 0.01}
NEAR = {
    "live": 0.1,
    "floor": 0.1,
    "snapshot": 0.35,
}  # what a deep snapshot or a coarse stream says is older, and rounded
FORCED_SHARE = 0.05  # of the depth within 1%: a position the engine closes in a few seconds


def assets_of(venue: str) -> tuple[str, ...]:
    """BTC and ETH, and one asset more for each other kind of market the venue has."""
    chosen = {"BTC": None, "ETH": None}
    kinds = {(spec.kind, spec.multiplier > 1) for spec in PROTOCOLS[venue].markets if spec.asset in chosen}
    for spec in PROTOCOLS[venue].markets:
        if (spec.kind, spec.multiplier > 1) not in kinds:
            kinds.add((spec.kind, spec.multiplier > 1))
            chosen[spec.asset] = None
    return tuple(chosen)


@pytest.fixture(scope="module", params=list(PROTOCOLS))
def world(request: pytest.FixtureRequest) -> Iterator[Rig]:
    with Rig(request.param, assets=assets_of(request.param)) as rig:
        rig.start(BACK_WITHIN)
        yield rig


@pytest.fixture
def rig(world: Rig) -> Iterator[Rig]:
    world.until(lambda: world.all_verified() and world.all_connected(), BACK_WITHIN)
    yield world
    world.sim.faults.clear()
    world.after_frame = lambda connection, data: None


# -- what a venue is, by the shape of it
def book_topics(rig: Rig, symbol: str) -> list[Topic]:
    """The streams of a market's book, without the coarse ones."""
    instruments = [rig.market(each).instrument for each in rig.symbols]
    topics = [topic for plan in rig.module.connections(instruments) for topic in plan.topics]
    return [t for t in topics if t.channel is Channel.BOOK and t.symbols == (symbol,) and t.significant_figures is None]


def policy_of(rig: Rig, symbol: str) -> BookPolicy:
    topic = book_topics(rig, symbol)[0]
    return topic.policy or rig.module.book


def lateness(rig: Rig, symbol: str) -> float:
    """How old the newest thing the venue has published may be, in seconds."""
    cadence = book_topics(rig, symbol)[0].cadence_seconds
    return SETTLED if cadence is None else cadence * 2 + SETTLED


def provable(rig: Rig, symbol: str) -> int:
    """How many levels a side the venue lets us prove after something went wrong on the way."""
    policy = policy_of(rig, symbol)
    alone = policy.sequence.mechanism == "unsequenced" and not rig.module.sequenced
    return CHECKSUM_LEVELS[policy.checksum] if alone else 50


def true_now(rig: Rig, symbol: str, within: float | None = None) -> bool:
    return rig.true_at(symbol, within or lateness(rig, symbol), provable(rig, symbol))


def watch(rig: Rig, symbol: str, seconds: float, within: float | None = None) -> None:
    """Live on; what can be read is true all the while."""
    for _ in range(int(seconds * 10)):
        rig.step(100)
        assert not rig.readable(symbol) or true_now(rig, symbol, within), rig.state()


def back(rig: Rig, symbol: str) -> None:
    """The book comes back by itself, and is true."""
    rig.until(lambda: rig.all_verified() and true_now(rig, symbol), BACK_WITHIN)


class Eye:
    """Sees each change of one market's book in the call in which it happens."""

    def __init__(self, rig: Rig, symbol: str) -> None:
        self.rig, self.symbol = rig, symbol
        self.lost_at: list[int] = []  # number of the change, counted from when `armed` became true
        self.changes = 0
        self.armed = lambda: True
        self._seen = self._state()
        rig.after_frame = self._look

    def _state(self) -> tuple[object, ...]:
        market = self.rig.market(self.symbol)
        return tuple(
            (index, lane.book.epoch, lane.book.last_update, lane.book.last_id, lane.book.counters["updates"])
            for index, lane in market.books.items()
        )

    def _look(self, connection: int, data: bytes) -> None:
        state = self._state()
        if state == self._seen:
            return
        self._seen = state
        if self.armed():
            self.changes += 1
            if not self.rig.readable(self.symbol):
                self.lost_at.append(self.changes)


# -- nothing is wrong
def test_every_book_is_verified_and_true(rig: Rig) -> None:
    for _ in range(8):
        rig.step(500)
        for symbol in rig.symbols:
            assert rig.readable(symbol)
            assert rig.true_at(symbol, lateness(rig, symbol)), symbol
    assert rig.ends() == []
    assert rig.venue_view().faults == ()
    for symbol in rig.symbols:
        view = rig.view(symbol)
        assert view.counters["book_gaps_total"] == 0
        assert dict(view.resyncs) == {}
        assert view.mid_price == pytest.approx(rig.simulated[symbol].mid, rel=0.002)
    channels = rig.venue_view().channels
    assert sum(counts["parse_errors"] for counts in channels.values()) == 0


def test_trades_have_the_taker_s_side_and_the_right_worth(rig: Rig) -> None:
    """What is counted lags by what is under way: the least difference of each half is the same."""
    differences: dict[str, list[dict[str, float]]] = {symbol: [] for symbol in rig.symbols}
    before = {symbol: dict(rig.truth[symbol].trades) for symbol in rig.symbols}
    for _ in range(80):
        rig.step(100)
        for symbol in rig.symbols:
            tally, truth = rig.market(symbol).tally, rig.truth[symbol]
            differences[symbol].append(
                {side: truth.trades[side] - tally.count[side] for side in ("buy", "sell")}
                | {side + " USD": truth.traded_usd[side] - tally.volume_usd[side] for side in ("buy", "sell")}
            )
    for symbol, seen in differences.items():
        happened = rig.truth[symbol].trades
        assert sum(happened.values()) > sum(before[symbol].values())
        for name in seen[0]:
            first, second = (min(each[name] for each in half) for half in (seen[:40], seen[40:]))
            assert second == pytest.approx(first, abs=1.0 if name.endswith("USD") else 0), (symbol, name)


def test_figures_are_near_the_truth_in_usd(rig: Rig) -> None:
    rig.step(3_000)
    rig.until(
        lambda: all(rig.view(s).open_interest_usd is not None for s in rig.symbols if rig.simulated[s].spec.leveraged),
        90,
    )
    for symbol, market in rig.simulated.items():
        view = rig.view(symbol)
        if not market.spec.leveraged:
            assert view.mark_price is view.funding_rate_8h_ratio is view.open_interest_usd is None
            continue
        assert view.mark_price == pytest.approx(market.mark, rel=0.002)
        assert view.index_price is None or view.index_price == pytest.approx(market.index, rel=0.002)
        assert view.funding_rate_8h_ratio == pytest.approx(market.funding_rate, abs=5e-5)
        assert view.open_interest_usd == pytest.approx(rig.sim.world.open_interest_usd(rig.venue, symbol), rel=0.01)


def test_the_past_week_and_who_is_long_are_known_where_the_venue_tells(rig: Rig) -> None:
    for symbol, simulated in rig.simulated.items():
        market = rig.market(symbol)
        keys = {poll.request.key for poll in rig.module.polls(market.instrument)}
        if "candles" not in keys:
            assert market.candles is None
            continue
        rig.until(lambda market=market: market.candles, 60)
        candles = market.candles
        assert candles is not None
        instrument, hour = market.instrument, candles.venue_time // HOUR
        assert [row.open_time // HOUR for row in candles.rows] == list(range(hour - HOURS + 1, hour + 1))
        truth = {each.number: each for each in simulated.hours(hour, hour)}
        for row in candles.rows[:-1]:
            was = truth[row.open_time // HOUR]
            tick = float(simulated.spec.tick_size)
            assert (row.low, row.high, row.close) == pytest.approx((was.low * tick, was.high * tick, was.close * tick))
            usd = notional_usd(instrument, Decimal(str(row.volume)), Decimal(str(row.close)), 1.0)
            assert usd == pytest.approx(was.lots * simulated.spec.worth(was.close * simulated.spec.tick_usd), rel=1e-4)
        if "long_short_ratio" in keys:
            rig.until(lambda market=market: market.figures.long_short_ratio, 60)
            longs, shorts = (simulated.ledger.holders(sign) for sign in (1, -1))
            assert market.figures.long_short_ratio == pytest.approx(longs / shorts, rel=0.1)


def test_depth_is_near_the_truth_and_says_what_it_rests_on(rig: Rig) -> None:
    def happened(symbol: str, side: Literal["bid", "ask"], band: str) -> tuple[float, float]:
        """USD in the band; its edges move with the mid, and one wall at a round price weighs as much as its neighbourhood."""
        less, more = (rig.sim.world.depth(rig.venue, symbol, side, BANDS[band] * share)[1] for share in EDGES)
        return less, more

    rig.until(lambda: rig.host.elapsed_ns % SECOND == 0)
    seen = set()
    for _ in range(3):
        truth: dict[tuple[str, Literal["bid", "ask"], str], list[tuple[float, float]]] = defaultdict(list)
        for _ in range(10):
            rig.step(100)
            for key in product(rig.symbols, ("bid", "ask"), BANDS):
                truth[key].append(happened(*key))
        for symbol in rig.symbols:
            for figure in rig.view(symbol).depth:
                seen.add(figure.basis)
                true = truth[symbol, figure.side, figure.band]
                allowed = NEAR[figure.basis]
                assert figure.usd < max(more for _, more in true) * (1 + allowed), (symbol, figure, true)
                known = figure.basis != "floor"
                assert not known or figure.usd > min(less for less, _ in true) * (1 - allowed), (symbol, figure, true)
    if policy_of(rig, rig.symbols[0]).sequence.mechanism == "snapshots":
        assert seen == {"snapshot"}
    else:
        assert "live" in seen


@pytest.mark.parametrize("sign", [1, -1])
def test_liquidations_have_the_position_s_side_and_the_right_worth(rig: Rig, sign: int) -> None:
    coverage = rig.module.liquidation_coverage
    leveraged = [symbol for symbol in rig.symbols if rig.simulated[symbol].spec.leveraged]

    def liquidated() -> dict[tuple[str, str], tuple[float, float]]:
        """(really, as heard) in USD by market and position."""
        return {
            (symbol, position): (rig.truth[symbol].liquidated_usd[position], rig.market(symbol).prints.usd[position])
            for symbol in rig.symbols
            for position in ("long", "short")
        }

    before = liquidated()
    for symbol in leveraged:
        rig.force(symbol, sign, FORCED_SHARE * rig.simulated[symbol].spec.depth_1pct_usd)
    rig.step(10_000)
    assert coverage == "none" or all(rig.view(symbol).liquidations_heard for symbol in rig.symbols)
    for (symbol, position), after in liquidated().items():
        happened, heard = (now - then for now, then in zip(after, before[symbol, position], strict=True))
        forced = symbol in leveraged and position == ("long" if sign > 0 else "short")
        if symbol not in leveraged or coverage == "none":
            assert heard == 0
        elif coverage == "complete":
            assert heard == pytest.approx(happened, rel=0.02), (symbol, position)
        else:
            assert heard <= happened * 1.02, (symbol, position)
            assert heard > 0 or not forced, (symbol, position)
        if forced:
            assert happened > 0.5 * FORCED_SHARE * rig.simulated[symbol].spec.depth_1pct_usd


# -- what goes wrong on the way
def test_a_gap_is_noticed_with_the_next_frame_and_mended_once(rig: Rig) -> None:
    symbol = rig.symbols[0]
    if policy_of(rig, symbol).sequence.mechanism == "snapshots":  # each frame stands for itself
        resyncs = dict(rig.view(symbol).resyncs)
        rig.order("gap", channel="book", market=symbol, count=3)
        cadence = book_topics(rig, symbol)[0].cadence_seconds or SETTLED
        watch(rig, symbol, 5, within=3 * cadence + lateness(rig, symbol))  # older than that it may not be read
        back(rig, symbol)
        assert dict(rig.view(symbol).resyncs) == resyncs
        return
    for _ in range(TRIES):
        place, ends = len(rig.log), len(rig.ends())
        others = {s: dict(rig.view(s).resyncs) for s in rig.symbols[1:]}
        before = sum(rig.view(symbol).resyncs.values())
        eye = Eye(rig, symbol)
        fault = rig.order("gap", channel="book", market=symbol)
        eye.armed = lambda fault=fault: fault.used > 0
        rig.until(lambda fault=fault: fault.used, 30)
        watch(rig, symbol, 2)
        if eye.lost_at:
            break
    # In the very frame that comes next: nothing is read between the loss and its notice.
    assert eye.lost_at[0] == 1
    back(rig, symbol)
    assert rig.recoveries(symbol, place) <= 1
    assert sum(rig.view(symbol).resyncs.values()) == before + 1
    if rig.module.sequenced:
        assert rig.ends()[ends:] == ["connection_gap"]
    else:
        assert rig.ends()[ends:] == []
        assert {s: dict(rig.view(s).resyncs) for s in rig.symbols[1:]} == others


@pytest.mark.parametrize("kind", ["duplicate", "reorder"])
def test_what_comes_twice_or_late_is_never_read_wrong(rig: Rig, kind: str) -> None:
    symbol = rig.symbols[0]
    fault = rig.order(kind, channel="book", market=symbol, count=3)
    rig.until(lambda: fault.used == 3 or not rig.readable(symbol), 30)
    watch(rig, symbol, 3)
    rig.sim.faults.clear()
    back(rig, symbol)


@pytest.mark.parametrize("kind", ["truncate", "garbage_frame"])
def test_damaged_frames_are_counted_and_survived(rig: Rig, kind: str) -> None:
    symbol = rig.symbols[0]
    before = sum(counts["parse_errors"] for counts in rig.venue_view().channels.values())
    fault = rig.order(kind, channel="book", market=symbol)
    rig.until(lambda: fault.used, 30)
    watch(rig, symbol, 3)
    back(rig, symbol)
    assert sum(counts["parse_errors"] for counts in rig.venue_view().channels.values()) > before


def test_a_crossed_book_cannot_be_read(rig: Rig) -> None:
    symbol = rig.symbols[0]

    def uncrossed() -> int:
        return sum(lane.book.counters["uncrossed"] for lane in rig.market(symbol).books.values())

    eye, before = Eye(rig, symbol), uncrossed()
    rig.order("crossed_book", market=symbol)
    rig.until(lambda: eye.lost_at or uncrossed() > before, 30)
    assert bool(eye.lost_at) != (policy_of(rig, symbol).crossing == "uncross")
    watch(rig, symbol, 2)
    back(rig, symbol)


def test_a_stale_snapshot_does_not_stay(rig: Rig) -> None:
    symbol = rig.symbols[0]
    fault = rig.order("stale_snapshot", channel="book", market=symbol)
    rig.step(3_000)
    rig.order("disconnect")
    rig.until(lambda: fault.used, BACK_WITHIN)
    policy = policy_of(rig, symbol)
    if policy.sequence.mechanism == "unsequenced" and not policy.checksum:
        # Nothing in the venue's protocol tells this snapshot from a true one: a new subscription brings the truth.
        rig.until(rig.all_connected, BACK_WITHIN)
        rig.order("disconnect")
    else:
        # For as long as nothing newer came nobody can tell an old snapshot from a quiet market.
        watch(rig, symbol, 2, within=8)
    back(rig, symbol)


def test_a_restarted_book_service_is_survived(rig: Rig) -> None:
    symbol = rig.symbols[0]
    rig.order("restart", market=symbol)
    watch(rig, symbol, 3)
    back(rig, symbol)


# -- subscriptions
def named(rig: Rig) -> str:
    return " ".join(rig.venue_view().faults)


def test_a_silent_book_is_named_not_read_and_asked_for_again(rig: Rig) -> None:
    symbol = rig.symbols[0]
    topic = book_topics(rig, symbol)[0]
    normal = topic.silence_seconds
    fault = rig.order("silence", channel="book", market=symbol)
    if topic.first_seconds is not None and (normal is None or normal > LONG_SILENCE):
        # A quiet market may be silent for minutes, but not a new subscription.
        rig.order("disconnect")
        rig.until(rig.all_connected, BACK_WITHIN)
        normal = topic.first_seconds
    if normal is None:  # any silence is normal
        rig.step(20_000)
    else:
        place = len(rig.sent)
        rig.until(lambda: not rig.view(symbol).verified, normal + NAMED_WITHIN, every_ms=500)
        rig.until(lambda: "silent" in named(rig) or "silent" in rig.ends(), normal + NAMED_WITHIN)
        rig.until(lambda: len(rig.sent) > place, NAMED_WITHIN)
        rig.until(lambda: rig.readable(rig.symbols[1]), NAMED_WITHIN)
    rig.sim.faults.clear(fault.number)
    back(rig, symbol)


def test_a_subscription_that_is_never_confirmed_is_carried_all_the_same(rig: Rig) -> None:
    symbol = rig.symbols[0]
    fault = rig.order("no_ack", channel="book", market=symbol)
    rig.order("disconnect")
    rig.until(lambda: fault.used, BACK_WITHIN)
    back(rig, symbol)


def test_lost_connections_come_back(rig: Rig) -> None:
    connects, ends = rig.connects, len(rig.ends())
    held = rig.connects - ends
    rig.order("disconnect")
    rig.until(lambda: len(rig.ends()) == ends + held, 5)
    assert not any(rig.readable(symbol) for symbol in rig.symbols)
    rig.until(rig.all_connected, BACK_WITHIN)
    for symbol in rig.symbols:
        back(rig, symbol)
    assert rig.connects >= connects + held


def test_an_announced_end_is_lived_through(rig: Rig) -> None:
    rig.order("shutdown_notice")
    rig.step(5_000)
    for symbol in rig.symbols:
        back(rig, symbol)


def test_a_refused_book_is_named(rig: Rig) -> None:
    """The last test on its world: a venue may leave it without that book for minutes."""
    symbol = rig.symbols[0]
    rig.order("refuse_subscription", channel="book", market=symbol, count=1_000)
    rig.order("disconnect")
    # By a refusal, or, of a venue that confirms what it will not serve, by silence.
    rig.until(lambda: any(kind in named(rig) for kind in ("refused", "silent", "never_acked")), REFUSED_WITHIN)
    assert not rig.readable(symbol)
    rig.until(lambda: all(rig.readable(other) for other in rig.symbols[1:]), REFUSED_WITHIN)
    rig.sim.faults.clear()
    if rig.module.limits.fatal_subscribe_seconds is None:  # else it is asked again, alone, minutes later
        rig.order("disconnect")
        rig.step(1_000)
        back(rig, symbol)


@pytest.mark.parametrize("venue", list(PROTOCOLS))
def test_a_recording_of_it_is_served_in_its_own_protocol(venue: str) -> None:
    with Rig(venue, assets=("BTC",)) as first:
        first.start(BACK_WITHIN)
        first.step(3_000)
        before = {symbol: first.prices(symbol) for symbol in first.symbols}
    events = list(first.events)
    source = RecordingSource(
        lambda: recorded(events, {venue: first.module}), listed_instruments(events), venues={venue: first.module}
    )
    with Rig(venue, served=source) as again:
        again.start(BACK_WITHIN)
        again.until(lambda: source.finished, BACK_WITHIN)
        assert {symbol: again.prices(symbol) for symbol in again.symbols} == before
        assert all(again.readable(symbol) for symbol in again.symbols)


def test_the_hub_took_part(world: Rig) -> None:
    """A world in which no time passes and nothing is said proves nothing."""
    assert world.sim.elapsed_ns > 60 * SECOND
    assert world.frames > 500
