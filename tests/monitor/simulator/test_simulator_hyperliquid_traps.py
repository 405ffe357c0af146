"""The traps of Hyperliquid's page over real sockets: a wrong name kills the socket, old trades and fills come again, books all look alike."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from sim_rig import Rig

from monitor.facts import Channel
from monitor.simulator.protocols.base import SECOND, Answer, Session
from monitor.simulator.protocols.hyperliquid import HyperliquidFront
from monitor.simulator.protocols.hyperliquid_frames import STRATEGY, HyperliquidFrames
from monitor.simulator.source import RestReply
from monitor.tiers import from_venue
from monitor.venues.hyperliquid import VAULTS

PAST = 60.0


def faults(rig: Rig) -> str:
    return " | ".join(rig.venue_view().faults)


# -- a name the venue does not know
def test_a_wrong_name_ends_the_socket_and_is_found_out_among_its_neighbours() -> None:
    with Rig("hyperliquid", assets=("BTC", "ETH")) as rig:
        rig.order("refuse_subscription", channel="ticker", market="ETH", count=1_000)
        rig.start(PAST)
        rig.until(lambda: "activeAssetCtx:ETH refused: the venue closed the connection on it" in faults(rig), PAST)
        rig.until(rig.all_verified, PAST)
        assert "BTC" not in faults(rig)
        assert 2 <= len(rig.ends()) <= 12, "halves, not one by one"
        ends = len(rig.ends())
        rig.step(20_000)
        assert len(rig.ends()) == ends, "it is left alone"
        assert rig.view("BTC").mark_price is not None
        assert rig.view("ETH").mark_price is None


def front() -> tuple[HyperliquidFront, Session]:
    one = HyperliquidFront(lambda key: key.partition(":")[2] in ("BTC", "ETH") or "0x" in key)
    session = one.open("/ws", {}, 1, 0)
    assert isinstance(session, Session)
    return one, session


def ask(one: HyperliquidFront, session: Session, method: str = "subscribe", **subscription: Any) -> Answer:
    return one.receive(session, orjson.dumps({"method": method, "subscription": subscription}).decode(), SECOND)


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "trades", "coin": "btc"},
        {"type": "trades", "coin": "SP500"},
        {"type": "l2Book", "coin": "NOSUCH", "fast": True},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 6},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 4, "mantissa": 2},
    ],
)
def test_the_socket_dies_without_a_word(wrong: dict[str, Any]) -> None:
    one, session = front()
    answer = ask(one, session, **wrong)
    assert (answer.texts, answer.close) == ([], (1006, ""))


def test_errors_leave_the_socket_open() -> None:
    one, session = front()
    answer = ask(one, session, type="trades", coin=["BTC", "ETH"])
    assert answer.close is None
    assert "Error parsing JSON" in answer.texts[0]
    for text in ("not json", "{}", "[]"):
        assert "Error parsing JSON" in one.receive(session, text, SECOND).texts[0]
    assert ask(one, session, type="l2Book", coin="BTC").subscribed == ["l2Book.default:BTC"]
    assert '"Already subscribed: ' in ask(one, session, type="l2Book", coin="BTC").texts[0]
    assert '"Already unsubscribed: ' in ask(one, session, "unsubscribe", type="trades", coin="BTC").texts[0]
    for number in range(10):
        assert ask(one, session, type="userFills", user=f"0x{number:040x}").subscribed
    assert "more than 10" in ask(one, session, type="userFills", user=f"0x{10:040x}").texts[0]


def test_thirty_connections_a_minute() -> None:
    one, _ = front()
    opened = [one.open("/ws", {}, number, 0) for number in range(2, 33)]
    assert sum(isinstance(each, Session) for each in opened) == 29
    assert isinstance(opened[-1], RestReply)


# -- what comes twice
def test_trades_of_before_are_not_counted_again() -> None:
    with Rig("hyperliquid", assets=("BTC",)) as rig:
        rig.start()
        rig.step(5_000)
        truth, tally = rig.truth["BTC"], rig.market("BTC").tally
        missing = sum(truth.trades.values()) - sum(tally.count.values())
        for _ in range(3):
            rig.order("disconnect")
            rig.step(1_000)
            rig.until(rig.all_verified, PAST)
        rig.step(3_000)
        now = sum(truth.trades.values()) - sum(tally.count.values())
        assert now >= missing, "none was counted twice"
        assert sum(tally.count.values()) > 20


def test_fills_of_before_are_no_news() -> None:
    with Rig("hyperliquid", assets=("BTC",)) as rig:
        rig.start()
        rig.force("BTC", 1, 250_000)
        rig.step(6_000)
        prints = rig.market("BTC").prints
        heard = dict(prints.usd)
        assert heard["long"] > 0
        assert heard["short"] == 0
        happened = rig.truth["BTC"].liquidated_usd["long"]
        assert heard["long"] == pytest.approx(0.4 * happened, rel=0.02), "the share that met the vault"
        rig.order("disconnect")
        rig.step(2_000)
        rig.until(rig.all_verified, PAST)
        # The subscription began anew with the batch in which they stand.
        writer = rig.sim.scenario_source.writers["hyperliquid"]
        assert any(b'"liquidation"' in frame for frame in writer.opening(f"userFills:{STRATEGY}"))
        assert prints.usd == heard
        assert rig.view("BTC").liquidation_coverage == "inferred"


def test_every_known_vault_is_watched() -> None:
    with Rig("hyperliquid", assets=("BTC",)) as rig:
        rig.start()
        asked = [orjson.loads(text).get("subscription", {}) for text in rig.sent]
        assert [each["user"] for each in asked if each.get("type") == "userFills"] == list(VAULTS)
        assert rig.view("BTC").liquidations_heard


# -- books
def test_coarse_frames_are_never_taken_for_the_book() -> None:
    """Neither before the acknowledgement nor when it never comes: what they are is then unknown."""
    with Rig("hyperliquid", assets=("BTC",)) as rig:
        rig.order("no_ack", channel="book", market="BTC", count=5)
        rig.start(PAST)
        for _ in range(150):
            rig.step(100)
            for lane in rig.market("BTC").books.values():
                assert lane.topic.key == "l2Book.fast:BTC"
            assert not rig.view("BTC").verified or rig.true_at("BTC", 1.8)
        # Asked again, the venue says that it has them: as good as the acknowledgement.
        rig.until(lambda: [each.reason for each in rig.view("BTC").layers] == [""] * 4, PAST)


def test_layers_carry_the_depth_beyond_five_levels() -> None:
    with Rig("hyperliquid", assets=("BTC",)) as rig:
        rig.start()
        rig.step(6_000)
        view = rig.view("BTC")
        assert view.cadence_seconds == 0.54
        assert [layer.significant_figures for layer in view.layers] == [5, 4, 3, 2]
        reach = [layer.reach_ratio["bid"] for layer in view.layers]
        assert all(each is not None for each in reach)
        near = view.reach_ratio["bid"]
        assert near is not None
        assert near < 0.000_5, "five levels"
        assert max(each or 0 for each in reach) > 0.01
        assert {(figure.band, figure.basis) for figure in view.depth} == {("0.1%", "snapshot"), ("1%", "snapshot")}
        market = rig.simulated["BTC"]
        (bid,) = [figure.usd for figure in view.depth if (figure.band, figure.side) == ("1%", "bid")]
        assert bid == pytest.approx(rig.sim.world.depth(rig.venue, market.spec.symbol, "bid", 0.01)[1], rel=0.3)


def test_a_book_that_stops_is_stale_before_anybody_calls_it_silent() -> None:
    with Rig("hyperliquid", assets=("BTC", "ETH")) as rig:
        rig.start()
        fault = rig.order("silence", channel="book", market="BTC")
        rig.until(lambda: not rig.view("BTC").verified, 4)
        assert rig.view("BTC").reason == "stale"
        assert rig.view("ETH").verified
        rig.sim.faults.clear(fault.number)
        rig.until(rig.all_verified, PAST)


def test_pings_keep_a_quiet_socket_open() -> None:
    with Rig("hyperliquid", assets=("BTC",)) as rig:
        rig.start()
        rig.order("silence", channel="liquidations")
        pings = len([text for text in rig.sent if "ping" in text])
        rig.step(65_000)
        assert len([text for text in rig.sent if "ping" in text]) - pings >= 3 * 5 - 5
        assert rig.ends() == []
    one, session = front()
    assert one.idle_close_seconds == 60
    assert one.receive(session, '{"method":"ping"}', 50 * SECOND).texts == ['{"channel":"pong"}']
    assert session.last_active == 50 * SECOND, "the pong is something it sent"


# -- polls
def test_a_special_status_is_named_while_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    original = HyperliquidFrames.rest

    def rest(self: HyperliquidFrames, path: str, query: dict[str, str]) -> RestReply | None:
        if query.get("type") == "exchangeStatus":
            return RestReply(200, orjson.dumps({"specialStatuses": ["halted"], "time": self.stamp}))
        return original(self, path, query)

    with Rig("hyperliquid", assets=("BTC",)) as rig:
        monkeypatch.setattr(HyperliquidFrames, "rest", rest)
        rig.start()
        rig.until(lambda: "special status" in faults(rig), 30)
        monkeypatch.undo()
        rig.until(lambda: "special status" not in faults(rig), 120)


def test_margin_tables_reach_the_market() -> None:
    with Rig("hyperliquid", assets=("BTC", "ETH")) as rig:
        rig.start()
        rig.until(lambda: all(from_venue(rig.view(symbol).margin_tiers) for symbol in rig.symbols), 10)
        tiers, simple = rig.view("BTC").margin_tiers, rig.view("ETH").margin_tiers
        assert tiers is not None
        assert simple is not None
        assert (tiers.unit, tiers.whole) == ("quote", False)
        assert tiers.tiers[1].deduction == 1_875_000
        assert [tier.max_leverage for tier in simple.tiers] == [10]


def test_a_delisted_coin_is_listed_and_not_subscribed() -> None:
    with Rig("hyperliquid", assets=("BTC",)) as rig:
        rig.start()
        assert all("MATIC" not in text for text in rig.sent)
        plans = rig.module.connections([rig.market("BTC").instrument])
        assert {topic.channel for plan in plans for topic in plan.topics} == {
            Channel.BOOK, Channel.TRADES, Channel.TICKER, Channel.LIQUIDATIONS,
        }  # fmt: skip
