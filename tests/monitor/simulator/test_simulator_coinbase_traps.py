"""The traps of Coinbase's page over real sockets: one count for all a connection says, silent answers, two feeds, makers' sides."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from sim_rig import Rig

from monitor.simulator.protocols.base import SECOND, Answer, Session
from monitor.simulator.protocols.coinbase import CoinbaseFront, advanced
from monitor.simulator.protocols.coinbase_frames import CoinbaseFrames


def faults(rig: Rig) -> str:
    return " | ".join(rig.venue_view().faults)


def test_a_frame_of_another_product_lost_makes_every_book_unreadable_and_the_socket_is_left() -> None:
    with Rig("coinbase", assets=("BTC", "ETH")) as rig:
        rig.start()
        last = [-1]
        lost: list[list[bool]] = []

        def look(connection: int, data: bytes) -> None:
            number = rig.module.connection_sequence(data)
            if number is not None:
                if last[0] >= 0 and number > last[0] + 1:
                    lost.append([rig.readable(symbol) for symbol in rig.symbols])
                last[0] = number

        rig.after_frame = look
        rig.order("gap", channel="book", market="ETH-USD")
        rig.until(lambda: rig.ends() == ["connection_gap"], 5)
        assert lost[0] == [False, False], "in the very frame that shows it"
        rig.step(1_000)
        rig.until(rig.all_verified, 30)
        assert [dict(rig.view(symbol).resyncs) for symbol in rig.symbols] == [{"gap": 1}, {"gap": 1}]
        assert all(rig.true_at(symbol, 1.0) for symbol in rig.symbols)
        asked = [orjson.loads(text) for text in rig.sent if "level2" in text]
        assert asked == [{"type": "subscribe", "product_ids": ["BTC-USD", "ETH-USD"], "channel": "level2"}] * 2


def test_a_lost_heartbeat_is_a_lost_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers and heartbeats are in the same count."""
    with Rig("coinbase", assets=("BTC",)) as rig:
        rig.start()
        rig.step(3_000)
        assert rig.ends() == []
        beats = CoinbaseFront.tick

        def swallowed(self: CoinbaseFront, session: Session, now: int) -> Answer | None:
            answer = beats(self, session, now)
            if answer is not None and answer.texts:
                session.numbered += 1
                return None
            return answer

        monkeypatch.setattr(CoinbaseFront, "tick", swallowed)
        rig.until(lambda: rig.ends() == ["connection_gap"], 5)
        monkeypatch.undo()
        rig.until(rig.all_verified, 30)


def test_a_product_confirmed_with_nothing_in_it_is_no_book_and_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Rig("coinbase", assets=("BTC", "ETH")) as rig:
        whole = CoinbaseFrames.opening

        def paused(self: CoinbaseFrames, key: str) -> list[bytes]:
            if key != "level2:ETH-USD":
                return whole(self, key)
            nothing = {"type": "snapshot", "product_id": "ETH-USD", "updates": []}
            return [advanced("l2_data", "2026-11-22T00:00:00Z", nothing).encode()]

        monkeypatch.setattr(CoinbaseFrames, "opening", paused)
        with pytest.raises(AssertionError):
            rig.start(seconds=20)
        assert rig.readable("BTC-USD")
        assert not rig.readable("ETH-USD"), "changes go on, on top of nothing"
        assert rig.ends() == []
        assert len([text for text in rig.sent if '"unsubscribe","product_ids":["ETH-USD"]' in text]) >= 2
        monkeypatch.undo()
        rig.until(rig.all_verified, 60)
        assert rig.true_at("ETH-USD", 1.0)


def test_a_product_left_out_of_the_answer_is_named() -> None:
    with Rig("coinbase", assets=("BTC", "ETH")) as rig:
        rig.order("refuse_subscription", channel="book", market="ETH-USD", count=100)
        with pytest.raises(AssertionError):
            rig.start(seconds=5)
        assert "level2:ETH-USD refused: the venue left it out" in faults(rig)
        assert "matches:ETH-USD" not in faults(rig)
        assert rig.readable("BTC-USD")


@pytest.mark.parametrize(("key", "channel"), [("level2:BTC-USD", "book"), ("matches:BTC-USD", "trades")])
def test_what_is_confirmed_and_never_comes_is_named_soon(key: str, channel: str) -> None:
    """Heartbeats go on: only the missing first frame shows it."""
    with Rig("coinbase", assets=("BTC",)) as rig:
        fault = rig.order("silence", channel=channel, market="BTC-USD")
        if channel == "book":
            with pytest.raises(AssertionError):
                rig.start(seconds=3)
        else:
            rig.start()
        rig.until(lambda: f"{key} silent" in faults(rig), 20)
        rig.sim.faults.clear(fault.number)
        rig.until(lambda: key not in faults(rig) and rig.all_verified(), 120)
        assert rig.true_at("BTC-USD", 1.0)


def test_one_bad_product_fails_the_message_and_its_neighbours_are_asked_again() -> None:
    with Rig("coinbase", assets=("BTC", "ETH", "SOL")) as rig:
        rig.order("refuse_subscription", channel="trades", market="ETH-USD", count=100)
        rig.start()
        rig.until(
            lambda: "matches:ETH-USD refused: Failed to subscribe: ETH-USD is not a valid product" in faults(rig), 5
        )
        rig.step(3_000)
        assert all(symbol not in faults(rig) for symbol in ("BTC-USD", "SOL-USD"))
        assert rig.market("BTC-USD").tally.count["buy"] > 0
        assert rig.market("SOL-USD").tally.count["buy"] > 0
        assert rig.market("ETH-USD").tally.count == {"buy": 0, "sell": 0}


def test_a_socket_without_heartbeats_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    with Rig("coinbase", assets=("BTC",)) as rig:
        rig.start()
        monkeypatch.setattr(CoinbaseFront, "tick", lambda *_: None)
        rig.order("silence")
        rig.until(lambda: rig.ends().count("silent") == 2, 30)
        rig.sim.faults.clear()
        monkeypatch.undo()
        rig.until(rig.all_verified, 60)


def test_a_halt_comes_with_the_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    original = CoinbaseFrames.rest

    def halted(self: CoinbaseFrames, path: str, query: dict[str, str]) -> Any:
        reply = original(self, path, query)
        assert reply is not None
        rows = orjson.loads(reply.body)
        rows["products"][0]["cancel_only"] = True
        return type(reply)(200, orjson.dumps(rows))

    with Rig("coinbase", assets=("BTC",)) as rig:
        rig.start()
        assert rig.view("BTC-USD").verified
        monkeypatch.setattr(CoinbaseFrames, "rest", halted)
        rig.until(lambda: rig.view("BTC-USD").reason == "cancel_only", 90)
        monkeypatch.undo()
        rig.until(rig.all_verified, 90)


def test_a_fiat_venue_gives_the_rate_of_tether() -> None:
    with Rig("coinbase", assets=("BTC", "USDT")) as rig:
        rig.start(seconds=30)
        view = rig.view("USDT-USD")
        assert (view.verified, view.quote, view.contract_type) == (True, "USD", "spot")
        assert view.mid_price == pytest.approx(0.9995, rel=0.01)


# -- manners alone
def front() -> CoinbaseFront:
    return CoinbaseFront(lambda key: key.endswith(":BTC-USD"))


def said(answer: Answer) -> list[dict[str, Any]]:
    return [orjson.loads(text) for text in answer.texts]


def test_what_a_client_says_first_tells_the_feeds_apart() -> None:
    venue = front()
    session = venue.open("", {}, 1, 0)
    assert session is not None
    answer = venue.receive(session, '{"type":"subscribe","channels":["matches"],"product_ids":["BTC-USD"]}', SECOND)
    assert said(answer) == [{"type": "subscriptions", "channels": [{"name": "matches", "product_ids": ["BTC-USD"]}]}]
    assert answer.subscribed == ["matches:BTC-USD"]
    assert said(venue.receive(session, '{"type":"subscribe","channel":"heartbeats"}', SECOND))[0]["type"] == "error"
    locked = '{"type":"subscribe","channels":["level2"],"product_ids":["BTC-USD"]}'
    assert "require authentication" in said(venue.receive(session, locked, SECOND))[0]["reason"]


def test_who_says_nothing_for_five_seconds_is_cut_off() -> None:
    venue = front()
    session = venue.open("/", {}, 1, 0)
    assert session is not None
    assert venue.tick(session, 5 * SECOND) is None
    answer = venue.tick(session, 5 * SECOND + 1)
    assert answer is not None
    assert answer.close is not None


def test_an_unknown_product_is_confirmed_and_gets_an_empty_snapshot() -> None:
    venue = front()
    session = venue.open("", {}, 1, 0)
    assert session is not None
    asked = '{"type":"subscribe","product_ids":["BTC-USD","NO-USD"],"channel":"level2"}'
    answer = venue.receive(session, asked, SECOND)
    ack, empty = said(answer)
    assert ack["events"] == [{"subscriptions": {"level2": ["BTC-USD", "NO-USD"]}}]
    assert empty["events"] == [{"type": "snapshot", "product_id": "NO-USD", "updates": []}]
    assert answer.subscribed == ["level2:BTC-USD"]
    for _ in range(7):
        assert said(venue.receive(session, asked, SECOND))[0]["channel"] == "subscriptions"
    assert said(venue.receive(session, asked, SECOND))[0]["message"] == "rate limit exceeded"
