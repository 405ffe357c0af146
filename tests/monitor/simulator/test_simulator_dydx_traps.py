"""The traps of dYdX's page and source over real sockets: numbers that overtake each other, paces that end the socket, crossed books."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import orjson
import pytest
from sim_rig import Rig

from monitor.facts import Instrument
from monitor.simulator.market import Trade
from monitor.simulator.protocols import dydx_frames
from monitor.simulator.protocols.base import SECOND, Answer, Session
from monitor.simulator.protocols.dydx import POLICY, DydxFront
from monitor.simulator.protocols.dydx_frames import DydxFrames
from monitor.tiers import from_venue
from monitor.venues.base import ConnectionPlan
from monitor.venues.dydx import SOCKET, Dydx
from monitor.venues.packing import pack


def faults(rig: Rig) -> str:
    return " | ".join(rig.venue_view().faults)


def front() -> tuple[DydxFront, Session]:
    served = DydxFront(lambda key: "NOSUCH" not in key)
    session = served.open("/v4/ws", {}, 1, 0)
    assert session is not None
    return served, session


def asked(served: DydxFront, session: Session, at: float, channel: str, name: str, kind: str = "subscribe") -> Answer:
    text = orjson.dumps({"type": kind, "channel": channel, "id": name, "batched": False}).decode()
    return served.receive(session, text, int(at * SECOND))


def said(answer: Answer) -> str:
    (text,) = answer.texts
    return str(orjson.loads(text)["message"])


# -- numbers
def test_a_confirmation_has_a_number_from_before_what_overtook_it() -> None:
    served, session = front()
    frame = b'{"type":"%b","channel":"v4_orderbook","id":"%b","contents":{}}'

    def number(data: bytes) -> int:
        return int(orjson.loads(served.number(session, data))["message_id"])

    asked(served, session, 0, "v4_orderbook", "BTC-USD")
    answer = served.tick(session, SECOND // 10)
    assert answer is not None
    assert answer.subscribed == ["v4_orderbook:BTC-USD"]
    assert number(frame % (b"subscribed", b"BTC-USD")) == 1
    asked(served, session, 1, "v4_orderbook", "ETH-USD")
    assert number(frame % (b"channel_data", b"BTC-USD")) == 3, "2 is taken"
    assert number(frame % (b"subscribed", b"ETH-USD")) == 2
    assert number(frame % (b"channel_data", b"ETH-USD")) == 4


@pytest.mark.parametrize(("together", "ends"), [(False, []), (True, ["connection_gap"])])
def test_two_books_on_one_socket_would_look_like_a_loss(
    together: bool, ends: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_one(self: Dydx, instruments: Sequence[Instrument]) -> list[ConnectionPlan]:
        return pack(self, "all", SOCKET, [f"v4_orderbook:{each.symbol}" for each in instruments], 32)

    if together:
        monkeypatch.setattr(Dydx, "connections", on_one)
    with Rig("dydx", assets=("BTC", "ETH", "SOL")) as rig:
        if together:
            with pytest.raises(AssertionError):
                rig.start(seconds=5)
        else:
            rig.start(seconds=5)
        assert rig.ends()[:1] == ends


def test_only_the_book_whose_message_is_lost_is_subscribed_anew() -> None:
    with Rig("dydx", assets=("BTC", "ETH")) as rig:
        rig.start()
        rig.order("gap", channel="trades", market="BTC-USD")
        rig.step(3_000)
        assert rig.ends() == []
        rig.order("gap", channel="book", market="BTC-USD")
        rig.until(rig.ends, 10)
        assert rig.ends() == ["connection_gap"]
        assert not rig.readable("BTC-USD")
        assert rig.readable("ETH-USD")
        rig.until(rig.all_verified, 30)


# -- the book
def test_crossed_books_are_read_in_every_frame_without_the_older_levels() -> None:
    with Rig("dydx", assets=("BTC",)) as rig:
        rig.start()
        book = rig.market("BTC-USD").book
        assert book is not None
        seen = []

        def look(connection: int, data: bytes) -> None:
            seen.append(rig.readable("BTC-USD"))
            bids, asks = rig.levels("BTC-USD", 1)
            assert bids < asks

        rig.after_frame = look
        for count in range(1, 6):
            rig.order("crossed_book", market="BTC-USD")
            rig.until(lambda count=count: book.counters["uncrossed"] >= count, 10)  # type: ignore[misc]
            rig.until(lambda: rig.true_at("BTC-USD", 0.1), 2)
        assert len(seen) > 10
        assert all(seen)
        assert rig.ends() == []
        assert dict(rig.view("BTC-USD").resyncs) == {}


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> float:
    """Ten minutes are half a minute."""
    monkeypatch.setattr(Dydx, "book", replace(Dydx.book, refresh_seconds=30))
    return 30


def test_books_are_subscribed_anew_and_nothing_is_lost(often: float) -> None:
    with Rig("dydx", assets=("BTC",)) as rig:
        rig.start()
        place = len(rig.sent)
        rig.until(lambda: len(rig.sent) >= place + 2, often * 2)
        assert [orjson.loads(text)["type"] for text in rig.sent[place:]] == ["unsubscribe", "subscribe"]
        rig.until(rig.all_verified, 5)
        assert rig.true_at("BTC-USD", 1.0)
        assert rig.ends() == []


def test_an_old_snapshot_which_nothing_can_show_lasts_until_the_next_subscription(often: float) -> None:
    with Rig("dydx", assets=("BTC",)) as rig:
        rig.start()
        fault = rig.order("stale_snapshot", channel="book", market="BTC-USD")
        rig.step(5_000)
        rig.order("disconnect")
        rig.until(lambda: fault.used, 30)
        rig.until(lambda: rig.all_verified() and rig.true_at("BTC-USD", 1.0), often * 2)
        rig.step(2_000)
        assert rig.true_at("BTC-USD", 1.0)


# -- subscriptions
def test_a_market_that_is_not_known_is_named_and_its_neighbours_are_carried() -> None:
    with Rig("dydx", assets=("BTC", "ETH")) as rig:
        rig.order("refuse_subscription", channel="book", market="ETH-USD", count=100)
        with pytest.raises(AssertionError):
            rig.start(seconds=10)
        assert "v4_orderbook:ETH-USD refused: Invalid subscription id for channel: (v4_orderbook-ETH-USD)" in faults(
            rig
        )
        assert rig.readable("BTC-USD")


def test_data_that_could_not_be_fetched_is_soon_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    original = DydxFront._join

    def failing(self: DydxFront, session: Session, key: str, now: int) -> Answer:
        said = "Internal error, could not fetch data for subscription: v4_orderbook."
        return (
            Answer([self._error(session, said, session.numbered)])
            if "orderbook" in key
            else original(self, session, key, now)
        )

    monkeypatch.setattr(DydxFront, "_join", failing)
    with Rig("dydx", assets=("BTC",)) as rig:
        with pytest.raises(AssertionError):
            rig.start(seconds=2)
        monkeypatch.undo()
        rig.until(rig.all_verified, 5)
        assert len([text for text in rig.sent if "v4_orderbook" in text]) in (2, 3)


def test_paces_and_limits_are_kept_by_closing() -> None:
    served, session = front()
    assert [asked(served, session, 0, "v4_trades", f"C{n}-USD").texts for n in range(32)] == [[]] * 32
    assert (
        said(asked(served, session, 0, "v4_trades", "C32-USD"))
        == "Per-connection subscription limit reached for v4_trades (limit=32)."
    )
    assert asked(served, session, 0, "v4_orderbook", "C32-USD").texts == []
    assert said(asked(served, session, 0.5, "v4_trades", "C1-USD")).endswith("already subscribed (v4_trades-C1-USD)")
    third = asked(served, session, 0.6, "v4_trades", "C1-USD")
    assert said(third).startswith("Too many subscribe attempts for channel v4_trades-C1-USD.")
    assert third.close == (POLICY, '{"message":"Rate limited"}')
    assert (
        said(asked(served, session, 2, "v4_trades", "NOSUCH-USD"))
        == "Invalid subscription id for channel: (v4_trades-NOSUCH-USD)"
    )
    assert asked(served, session, 3, "v4_trades", "C1-USD", "unsubscribe").unsubscribed == ["v4_trades:C1-USD"]
    assert said(served.receive(session, "{", 4 * SECOND)) == "Invalid message: could not parse"
    assert said(served.receive(session, '{"type":"x"}', 4 * SECOND)) == "Invalid message type: x"
    assert served.receive(session, "{}", 4 * SECOND).close is not None


def test_the_pace_of_many_markets_is_legal() -> None:
    with Rig("dydx", assets=("BTC", "ETH", "SOL")) as rig:
        rig.start()
        for _ in range(3):
            rig.order("disconnect")
            rig.step(500)
            rig.until(rig.all_verified, 60)
        assert set(rig.ends()) == {"connection_lost"}, "none was closed by the venue"
        assert faults(rig) == ""


# -- facts
def test_the_books_of_a_chain_that_stands_are_no_market(monkeypatch: pytest.MonkeyPatch) -> None:
    with Rig("dydx", assets=("BTC",)) as rig:
        rig.start()
        rig.step(3_000)
        assert (faults(rig), rig.venue_view().notices) == ("", ())
        monkeypatch.setattr(DydxFrames, "_block", lambda self: iter(()))
        rig.until(lambda: not rig.view("BTC-USD").verified, 13)
        assert rig.view("BTC-USD").reason.startswith("halted: dYdX Chain: no block after 63000")
        assert rig.market("BTC-USD").book is not None
        assert "no block after" in faults(rig)
        rig.until(lambda: "v4_block_height silent" in faults(rig), 30)
        rig.step(10_000)
        assert not rig.view("BTC-USD").verified, "the height of a new subscription is the old one"
        monkeypatch.undo()
        rig.until(lambda: faults(rig) == "" and rig.view("BTC-USD").verified, 120)


def test_a_quiet_book_keeps_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    with Rig("dydx", assets=("BTC",)) as rig:
        rig.start()
        rig.order("silence", channel="book", market="BTC-USD")
        rig.step(130_000)
        assert rig.ends() == []
        assert rig.view("BTC-USD").verified


def test_a_deleveraging_is_counted_apart_and_is_no_flow() -> None:
    with Rig("dydx", assets=("BTC",)) as rig:
        rig.start()
        rig.until(lambda: rig.host.elapsed_ns % SECOND == 0)
        writer = rig.sim.scenario_source.writers["dydx"]
        assert isinstance(writer, DydxFrames)
        rig.step(1_000)
        before = rig.market("BTC-USD").tally.volume_usd["sell"]
        writer._fresh["BTC-USD"].append((Trade(1, -1, 73_000, 1_000_000, 0), "DELEVERAGED"))  # 100 coins
        rig.step(2_000)
        (closed,) = rig.market("BTC-USD").prints.closings()
        assert (closed.kind, closed.position, closed.prints) == ("deleveraging", "long", 1)
        assert rig.market("BTC-USD").prints.count == {"long": 0, "short": 0}
        assert rig.market("BTC-USD").tally.volume_usd["sell"] - before < 5e6


def test_a_paused_market_is_not_read_until_it_trades_again(monkeypatch: pytest.MonkeyPatch) -> None:
    original = dydx_frames._figures
    with Rig("dydx", assets=("BTC", "ETH")) as rig:
        rig.start()
        monkeypatch.setattr(
            dydx_frames,
            "_figures",
            lambda market: original(market) | ({"status": "PAUSED"} if market.spec.asset == "BTC" else {}),
        )
        rig.until(lambda: not rig.view("BTC-USD").verified, 10)
        assert "PAUSED" in rig.view("BTC-USD").reason
        assert rig.view("ETH-USD").verified
        monkeypatch.setattr(dydx_frames, "_figures", lambda market: original(market) | {"status": "ACTIVE"})
        rig.until(rig.all_verified, 10)


def test_margin_and_figures_reach_the_market() -> None:
    with Rig("dydx", assets=("BTC",)) as rig:
        rig.start()
        rig.until(lambda: from_venue(rig.view("BTC-USD").margin_tiers), 10)
        view = rig.view("BTC-USD")
        assert view.margin_tiers is not None
        assert [str(tier.maintenance_ratio) for tier in view.margin_tiers.tiers] == ["0.012"]
        assert view.liquidations_heard, "they come with the trades"
        assert view.mark_price == view.index_price
