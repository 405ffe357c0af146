"""The session over the three real venue modules, with answers as the venues' pages give them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import orjson
import pytest

from monitor.events import OpenSuccessor, Send
from monitor.facts import Instrument
from monitor.feed.session import ConnectionSession
from monitor.feed.subscription import Phase
from monitor.venues.base import ConnectionPlan
from monitor.venues.registry import VENUES

SECOND = 1_000_000_000
MARKETS = {
    "binance_usdm": ("BTCUSDT", "ETHUSDT"),
    "bybit_linear": ("BTCUSDT", "ETHUSDT"),
    "okx_swap": ("BTC-USDT-SWAP", "ETH-USDT-SWAP"),
}


def sessions(name: str) -> list[ConnectionSession]:
    venue = VENUES[name]
    instruments = [
        Instrument(name, symbol, symbol[:3], "USDT", "USDT", "linear", Decimal("0.1"), Decimal("0.001"))
        for symbol in MARKETS[name]
    ]
    plans = venue.connections(instruments)
    return [ConnectionSession(venue, index, plan, 0, 1) for index, plan in enumerate(plans)]


def answer(name: str, text: str) -> list[bytes]:
    said = orjson.loads(text)
    if name == "binance_usdm":
        return [orjson.dumps({"result": None, "id": said["id"]})]
    if name == "bybit_linear":
        return [
            orjson.dumps({"success": True, "ret_msg": "", "conn_id": "c", "req_id": said["req_id"], "op": said["op"]})
        ]
    return [
        orjson.dumps({"id": said["id"], "event": said["op"], "arg": arg, "connId": "a4d3ae55"}) for arg in said["args"]
    ]


@pytest.mark.parametrize("name", sorted(MARKETS))
def test_every_planned_topic_is_asked_for_and_its_ack_is_understood(name: str) -> None:
    for session in sessions(name):
        texts = session.start(0)
        for second in range(1, 5):
            for text in texts:
                for frame in answer(name, text):
                    assert session.route(frame, second * SECOND) is None
            texts = [action.text for action in session.tick(second * SECOND) if isinstance(action, Send)]
        assert {session.phase(topic.key) for topic in session.plan.topics} == {Phase.ACKED}
        assert session.faults() == ()
        assert session.other.parse_errors == 0


@pytest.mark.parametrize("name", sorted(MARKETS))
def test_a_gapped_book_is_left_and_asked_for_again(name: str) -> None:
    session = next(s for s in sessions(name) if any(topic.book for topic in s.plan.topics))
    topic = next(topic for topic in session.plan.topics if topic.book)
    for text in session.start(0):
        for frame in answer(name, text):
            session.route(frame, 1)
    session.resubscribe(topic, 5 * SECOND)
    (left,) = session.drain(5 * SECOND)
    assert isinstance(left, Send)
    assert "unsubscribe" in left.text.lower()
    for frame in answer(name, left.text):
        assert session.route(frame, 6 * SECOND) is None
    (again,) = session.drain(6 * SECOND)
    assert isinstance(again, Send)
    for frame in answer(name, again.text):
        session.route(frame, 7 * SECOND)
    assert session.phase(topic.key) is Phase.ACKED


def test_bybit_one_unknown_topic_does_not_take_the_batch_with_it() -> None:
    session = sessions("bybit_linear")[0]
    first = session.start(0)[0]
    said = orjson.loads(first)
    bad = said["args"][0]
    session.route(
        orjson.dumps(
            {
                "success": False,
                "ret_msg": f"error:handler not found,topic:{bad}",
                "conn_id": "c",
                "req_id": said["req_id"],
                "op": "subscribe",
            }
        ),
        SECOND,
    )
    again = [orjson.loads(action.text) for action in session.tick(2 * SECOND) if isinstance(action, Send)]
    assert set(said["args"][1:]) <= {key for message in again for key in message["args"]}
    assert all(bad not in message["args"] for message in again)
    assert [(fault.kind.value, fault.key) for fault in session.faults()] == [("refused", bad)]


def test_okx_announces_its_upgrade_and_its_pong_is_plain_text() -> None:
    session = sessions("okx_swap")[0]
    session.start(0)
    pings = [action for action in session.tick(20 * SECOND) if isinstance(action, Send) and action.text == "ping"]
    assert len(pings) == 1
    session.route(b"pong", 21 * SECOND)
    session.tick(36 * SECOND)
    assert not any(fault.kind.value == "ping_lost" for fault in session.faults())
    session.route(b'{"event":"notice","code":"64008","msg":"upgrade","connId":"c"}', 37 * SECOND)
    assert OpenSuccessor("okx_swap", 0, "shutdown_announced") in session.drain(37 * SECOND)


def test_binance_moves_before_its_day_is_over() -> None:
    day = 24 * 3600
    session = sessions("binance_usdm")[0]
    plan = ConnectionPlan(
        "quiet", session.plan.url, tuple(replace(t, silence_seconds=None) for t in session.plan.topics)
    )
    session = ConnectionSession(session.venue, 0, plan, 0, 1)
    for text in session.start(0):
        session.route(answer("binance_usdm", text)[0], 1)
    assert session.tick(20 * 3600 * SECOND) == []
    assert session.tick(day * 98 // 100 * SECOND) == [OpenSuccessor("binance_usdm", 0, "lifetime")]
