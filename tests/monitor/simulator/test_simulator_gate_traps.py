"""The traps of Gate's page over real sockets: success for what does not exist, floored sizes without the header, ids without levels."""

from __future__ import annotations

import orjson
import pytest
from sim_rig import Rig

from monitor.simulator.protocols.base import Session
from monitor.simulator.protocols.gate_usdt import GateFront

SECOND = 1_000_000_000
NOW = 1_789_456_334 * SECOND


def opened(front: GateFront, **query: str) -> Session:
    session = front.open("/v4/ws/usdt", query, 1, NOW)
    assert session is not None
    return session


def asked(channel: str, *payload: str, at: int = NOW) -> str:
    said = {"time": at // SECOND, "channel": channel, "event": "subscribe", "payload": payload}
    return orjson.dumps(said).decode()


def test_an_unknown_book_is_a_success_and_stays_silent() -> None:
    front = GateFront(lambda key: "BTC" in key)
    session = opened(front)
    answer = front.receive(session, asked("futures.obu", "ob.NOPE_USDT.400"), NOW)
    assert answer.subscribed == []
    assert orjson.loads(answer.texts[0])["result"] == {"status": "success"}
    answer = front.receive(session, asked("futures.trades", "NOPE_USDT"), NOW)
    assert orjson.loads(answer.texts[0])["error"]["message"] == "unknown currency pair NOPE_USDT"


def test_answers_that_repeat_nothing_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GateFront, "repeats_payload", False)
    with Rig("gate_usdt", assets=("BTC", "ETH")) as rig:
        rig.start()
        rig.step(15_000)  # beyond the time in which an answer is due
        assert rig.venue_view().faults == ()
        assert len([text for text in rig.sent if "public_liquidates" in text]) == 1
        assert rig.venue_view().channels["other"]["parse_errors"] == 0


def test_a_silent_book_is_named_and_asked_for_again() -> None:
    with Rig("gate_usdt", assets=("BTC", "ETH")) as rig:
        rig.order("silence", channel="book", market="ETH_USDT", seconds=25)
        with pytest.raises(AssertionError):
            rig.start(seconds=5)
        rig.until(lambda: any("ETH_USDT" in said for said in rig.venue_view().faults), 20)
        assert rig.readable("BTC_USDT")
        rig.until(rig.all_verified, 60)


def test_without_the_header_sizes_are_rounded_down_and_ours_has_it() -> None:
    front = GateFront(lambda _: True)
    row = {"contract": "ETH_USDT", "size": "-0.7", "price": "2000"}
    data = orjson.dumps({"channel": "futures.trades", "event": "update", "result": [row]})
    floored, exact = opened(front), opened(front, **{"x-gate-size-decimal": "1"})
    assert orjson.loads(front.envelope(floored, "futures.trades:ETH_USDT", data))["result"][0]["size"] == 0
    assert front.envelope(exact, "futures.trades:ETH_USDT", data) == data
    with Rig("gate_usdt", assets=("ETH",)) as rig:
        rig.start()
        server = rig.host.servers["gate_usdt"]
        assert {connection.session.mode for connection in server.connections.values()} == {"exact"}


def test_a_frame_from_another_time_is_refused_and_ours_are_not() -> None:
    front = GateFront(lambda _: True)
    answer = front.receive(opened(front), asked("futures.trades", "BTC_USDT", at=0), NOW)
    assert orjson.loads(answer.texts[0])["error"] == {"code": 1, "message": "invalid time"}


def test_ids_move_without_levels_and_nothing_is_missed() -> None:
    with Rig("gate_usdt", assets=("BTC",)) as rig:
        rig.start()
        empty = []
        rig.after_frame = lambda _, data: empty.append(data) if b'"U"' in data and b'"b"' not in data else None
        rig.step(3000)
        assert rig.view("BTC_USDT").resyncs == {}
        assert rig.true_at("BTC_USDT", 1.0)


def test_an_announced_upgrade_opens_a_successor() -> None:
    with Rig("gate_usdt", assets=("BTC",)) as rig:
        rig.start()
        before = rig.connects
        rig.order("shutdown_notice")
        rig.until(lambda: rig.connects > before, 60)
        for _ in range(20):
            rig.step(100)
            assert rig.readable("BTC_USDT")
