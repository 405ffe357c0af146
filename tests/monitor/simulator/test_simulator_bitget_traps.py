"""The traps of Bitget's page over real sockets: few books a frame, a ping that nothing replaces, a budget of subscribes an hour."""

from __future__ import annotations

import orjson
from sim_rig import Rig

from monitor.simulator.protocols.base import Session
from monitor.simulator.protocols.bitget_usdt import OPERATIONS_PER_HOUR, BitgetFront

SECOND = 1_000_000_000


def opened(front: BitgetFront, now: int = 0) -> Session:
    session = front.open("/v3/ws/public", {}, 1, now)
    assert session is not None
    return session


def asked(op: str, *args: dict[str, str]) -> str:
    return orjson.dumps({"op": op, "args": args}).decode()


def test_a_frame_with_many_books_closes_the_connection_without_a_word() -> None:
    front = BitgetFront(lambda _: True)
    args = [{"instType": "usdt-futures", "topic": "books", "symbol": f"C{n}USDT"} for n in range(25)]
    assert front.receive(opened(front), asked("subscribe", *args), 1).close == (1006, "")


def test_another_family_is_acknowledged_and_stays_silent() -> None:
    front = BitgetFront(lambda key: key == "books:BTCUSDT")
    answer = front.receive(
        opened(front), asked("subscribe", {"instType": "usdc-futures", "topic": "books", "symbol": "BTCUSDT"}), 1
    )
    assert answer.subscribed == []
    assert orjson.loads(answer.texts[0])["event"] == "subscribe"


def test_the_hours_budget_of_subscribes_ends() -> None:
    front = BitgetFront(lambda _: True)
    session = opened(front)
    one = asked("subscribe", {"instType": "usdt-futures", "topic": "ticker", "symbol": "BTCUSDT"})
    answers = [front.receive(session, one, n * SECOND).texts[0] for n in range(OPERATIONS_PER_HOUR + 1)]
    assert '"code":30006' in answers[-1]
    assert '"code"' not in answers[-2]


def test_a_client_that_does_not_ping_is_cut_and_ours_is_not() -> None:
    front = BitgetFront(lambda _: True)
    session = opened(front)
    assert front.tick(session, 119 * SECOND) is None
    cut = front.tick(session, 121 * SECOND)
    assert cut is not None
    assert cut.close is not None
    with Rig("bitget_usdt", assets=("BTC",)) as rig:
        rig.start()
        rig.step(150_000)
        assert rig.ends() == []
        assert rig.true_at("BTCUSDT", 1.0)


def test_a_reset_by_the_server_is_a_gap_in_the_same_frame_and_costs_two_operations() -> None:
    with Rig("bitget_usdt", assets=("BTC",)) as rig:
        rig.start()
        rig.step(1000)
        seen: list[bool] = []

        def look(connection: int, data: bytes) -> None:
            if b'"topic":"books"' in data and b'"pseq":0' in data and b'"action":"update"' in data:
                seen.append(rig.readable("BTCUSDT"))

        rig.after_frame = look
        before = len(rig.sent)
        rig.order("restart", market="BTCUSDT")
        rig.until(lambda: seen and rig.all_verified(), 20)
        assert seen == [False], "unreadable at once"
        asked_again = [text for text in rig.sent[before:] if '"books"' in text]
        assert [orjson.loads(text)["op"] for text in asked_again] == ["unsubscribe", "subscribe"]
        assert rig.true_at("BTCUSDT", 1.0)


def test_a_symbol_that_does_not_exist_is_named() -> None:
    with Rig("bitget_usdt", assets=("BTC",)) as rig:
        rig.order("refuse_subscription", channel="ticker", count=1)
        rig.start()
        rig.until(lambda: any("30001" in said for said in rig.venue_view().faults), 10)
