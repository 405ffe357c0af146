"""The traps of HTX's page: gzip words, pings that must be answered, silence for what is suspended, whole books where none was asked for."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from sim_rig import Rig

from monitor.simulator.protocols.base import Session, Treatment
from monitor.simulator.protocols.htx_linear import REST_REQUESTS, HtxFront
from monitor.simulator.protocols.htx_linear_frames import SUSPENDED

SECOND = 1_000_000_000
BOOK = "market.BTC-USDT.depth.size_150.high_freq"
TRADES = "market.BTC-USDT.trade.detail"


def opened(front: HtxFront, path: str = "/linear-swap-ws", now: int = 0) -> Session:
    session = front.open(path, {}, 1, now)
    assert session is not None
    return session


def said(front: HtxFront, session: Session, now: int = 1, **message: object) -> list[dict[str, Any]]:
    return [orjson.loads(text) for text in front.receive(session, orjson.dumps(message).decode(), now).texts]


def test_three_sockets_and_every_word_in_gzip() -> None:
    front = HtxFront(lambda _: True)
    for path in ("/linear-swap-ws", "/linear-swap-notification", "/ws_index"):
        assert front.encoding(opened(front, path)) == "gzip"
    assert front.open("/swap-ws", {}, 1, 0) is None
    with Rig("htx_linear", assets=("BTC",)) as rig:
        rig.start()
        assert rig.connects == 3
        rig.until(lambda: rig.view("BTC-USDT").mark_price is not None, 10)
        assert rig.true_at("BTC-USDT", 1.0)


@pytest.mark.parametrize(
    ("path", "topic"),
    [
        ("/linear-swap-ws", "market.BTC-USD.depth.size_5.high_freq"),
        ("/linear-swap-ws", "market.BTC-USDT.mark_price.1min"),
        ("/ws_index", TRADES),
    ],
)
def test_a_topic_of_another_socket_is_invalid_and_the_socket_stays(path: str, topic: str) -> None:
    front = HtxFront(lambda _: True)
    session = opened(front, path)
    (answer,) = said(front, session, sub=topic, id="e1")
    assert (answer["status"], answer["id"], answer["err-msg"]) == ("error", "e1", f"invalid topic {topic}")
    assert front.receive(session, "what", 1).close is None


def test_who_does_not_answer_four_pings_is_cut_and_ours_answers_in_kind() -> None:
    front = HtxFront(lambda _: True)
    for path, wants in (("/linear-swap-ws", "ping"), ("/linear-swap-notification", "op")):
        session = opened(front, path)
        assert front.tick(session, 4 * SECOND) is None
        for number in range(1, 5):
            answer = front.tick(session, 5 * number * SECOND)
            assert answer is not None
            assert wants in orjson.loads(answer.texts[0])
        cut = front.tick(session, 25 * SECOND)
        assert cut is not None
        assert cut.close == (1003, "ping check expired")
    assert said(front, opened(front), ping=1) == [], "a ping of the client's is not answered"
    with Rig("htx_linear", assets=("BTC",)) as rig:
        rig.start()
        rig.step(60_000)
        assert rig.ends() == []
        pongs = [orjson.loads(text) for text in rig.sent if "pong" in text]
        assert len(pongs) >= 3 * 11
        assert {type(pong.get("ts", pong.get("pong"))) for pong in pongs} == {str, int}, "as it was asked"


def test_a_book_asked_for_without_data_type_comes_whole_under_the_same_name() -> None:
    front = HtxFront(lambda _: True)
    session = opened(front)
    assert front.receive(session, orjson.dumps({"sub": BOOK, "id": "1"}).decode(), 1).subscribed == [f"{BOOK}#whole"]
    with Rig("htx_linear", assets=("BTC",)) as rig:
        rig.start()
        rig.order("restart", market="BTC-USDT")
        rig.step(3_000)
        rig.until(rig.all_verified, 20)
        asked = [orjson.loads(text) for text in rig.sent if '"sub"' in text and "high_freq" in text]
        assert len(asked) >= 2
        assert all(each["data_type"] == "incremental" for each in asked)
        (writer,) = rig.sim.scenario_source.writers.values()
        (frame,) = writer.opening(f"{BOOK}#whole")
        assert rig.module.slow_frame_key(frame) == BOOK


def test_a_suspended_contract_is_acknowledged_and_silent() -> None:
    with Rig("htx_linear", assets=("BTC",)) as rig:
        rig.start()
        (writer,) = rig.sim.scenario_source.writers.values()
        key = BOOK.replace("BTC-USDT", SUSPENDED)
        front = HtxFront(writer.knows)
        (ack,) = said(front, opened(front), sub=key, data_type="incremental", id="1")
        assert (ack["status"], ack["subbed"]) == ("ok", key)
        assert writer.opening(key) == []
        # A book of ours that is acknowledged and never comes is named within seconds.
        rig.order("silence", channel="book", market="BTC-USDT")
        rig.order("disconnect")
        rig.until(lambda: any("silent" in fault for fault in rig.venue_view().faults), 30)
        assert not rig.readable("BTC-USDT")
        rig.sim.faults.clear()
        rig.until(rig.all_verified, 120)


def test_asking_twice_brings_another_snapshot_of_a_book_and_a_refusal_of_a_notice() -> None:
    front = HtxFront(lambda _: True)
    market, notices = opened(front), opened(front, "/linear-swap-notification")
    text = orjson.dumps({"sub": BOOK, "data_type": "incremental", "id": "1"}).decode()
    assert front.receive(market, text, 1).subscribed == front.receive(market, text, 2).subscribed == [BOOK]
    every, one = "public.*.liquidation_orders", "public.BTC-USDT.liquidation_orders"
    assert said(front, notices, op="sub", cid="a", topic=every)[0]["err-code"] == 0
    for topic in (every, one):
        answer = said(front, notices, op="sub", cid="b", topic=topic)[0]
        assert (answer["err-code"], answer["err-msg"]) == (2014, "Repeated subscription")


def test_an_answer_names_the_contract_in_capitals() -> None:
    front = HtxFront(lambda key: key == TRADES)
    assert said(front, opened(front), sub=TRADES.replace("BTC-USDT", "btc-usdt"), id="1")[0]["subbed"] == TRADES


def test_a_refusal_names_the_request() -> None:
    front = HtxFront(lambda _: True, lambda _: Treatment(refuse=True))
    assert said(front, opened(front), sub=TRADES, id="4")[0]["id"] == "4"
    assert said(front, opened(front, "/linear-swap-notification"), op="sub", cid="5", topic="public.*.contract_info")[
        0
    ] == {"op": "sub", "cid": "5", "topic": "public.*.contract_info", "ts": 0, "err-code": 2011} | {
        "err-msg": "topic is invalid"
    }


def test_the_request_limit_is_told_with_http_200() -> None:
    front = HtxFront(lambda _: True)
    for _ in range(REST_REQUESTS):
        assert front.limit("/linear-swap-api/v1/swap_open_interest", {}, 0) is None
    refused = front.limit("/linear-swap-api/v1/swap_open_interest", {}, 0)
    assert refused is not None
    assert refused.status == 200
    assert orjson.loads(refused.body)["err_code"] == 1032


def test_the_old_trade_that_begins_a_subscription_is_not_counted_again() -> None:
    with Rig("htx_linear", assets=("BTC",)) as rig:
        rig.start()
        seen: list[tuple[int, bytes]] = []

        def look(connection: int, data: bytes) -> None:
            if rig.module.slow_frame_key(data) == TRADES:
                seen.append((connection, data))

        rig.after_frame = look
        rig.step(5_000)
        (writer,) = rig.sim.scenario_source.writers.values()
        connection, newest = seen[-1]
        assert writer.opening(TRADES) == [newest]
        counted = dict(rig.market("BTC-USDT").tally.count)
        assert sum(counted.values()) > 0
        for _, old in (seen[0], seen[-1]):  # the latest one, too: a quiet market's subscription begins with it
            rig.hub.on_frame("htx_linear", connection, old, rig.clock.now())
            assert rig.market("BTC-USDT").tally.count == counted
        before = len(seen)
        rig.step(2_000)
        fresh = sum(len(orjson.loads(data)["tick"]["data"]) for _, data in seen[before:])
        assert sum(rig.market("BTC-USDT").tally.count.values()) == sum(counted.values()) + fresh
