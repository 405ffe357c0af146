"""The traps of KuCoin's page over real sockets: acknowledged and silent, a token that must be fetched, binary frames, a whole book that
comes late and only once."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from sim_rig import Rig

from monitor.simulator.protocols.base import Session
from monitor.simulator.protocols.kucoin_futures import KucoinFuturesFront
from monitor.simulator.protocols.kucoin_futures_frames import TOKEN
from monitor.simulator.source import RestReply

SECOND = 1_000_000_000
NOW = 1_790_113_097 * SECOND
HOUR = 3600 * SECOND
TOKEN_PATH = "/api/v1/bullet-public"
BTC = "obu:XBTUSDTM"


def newer(front: KucoinFuturesFront) -> Session:
    session = front.open("/", {}, 1, NOW)
    assert isinstance(session, Session)
    return session


def older(front: KucoinFuturesFront, at: int = NOW) -> Session:
    assert front.limit(TOKEN_PATH, {}, at) is None
    session = front.open("/", {"token": TOKEN, "connectId": "a"}, 2, at)
    assert isinstance(session, Session)
    return session


def asked(**changed: Any) -> str:
    said = {"id": "7", "action": "SUBSCRIBE", "channel": "obu", "tradeType": "FUTURES", "symbol": "XBTUSDTM"}
    return orjson.dumps({**said, "depth": "increment@10ms", **changed}).decode()


def test_what_does_not_exist_is_acknowledged_on_both_sockets_and_stays_silent() -> None:
    front = KucoinFuturesFront(lambda key: "XBT" in key)
    session = newer(front)
    for channel in ("obu", "trade"):
        answer = front.receive(session, asked(channel=channel, symbol="NOPEUSDTM"), NOW)
        assert (answer.texts, answer.subscribed) == (['{"id":"7","result":true}'], [])
    assert front.tick(session, NOW + SECOND) is None
    said = {"id": "8", "type": "subscribe", "topic": "/contract/instrument:NOPEUSDTM", "response": True}
    answer = front.receive(older(front), orjson.dumps(said).decode(), NOW)
    assert (answer.texts, answer.subscribed) == (['{"id":"8","type":"ack"}'], [])


def test_a_silent_book_is_named_and_asked_for_again() -> None:
    with Rig("kucoin_futures", assets=("ETH", "DOGE")) as rig:
        rig.order("silence", channel="book", market="DOGEUSDTM", seconds=30)
        with pytest.raises(AssertionError):
            rig.start(seconds=5)
        rig.until(lambda: any("DOGEUSDTM" in said for said in rig.venue_view().faults), 20)
        assert rig.readable("ETHUSDTM")
        assert not rig.readable("DOGEUSDTM")
        rig.until(rig.all_verified, 60)


def test_a_list_of_symbols_and_another_kind_of_trade_are_refused_and_what_is_no_json_ignored() -> None:
    front = KucoinFuturesFront(lambda _: True)
    session = newer(front)
    for wrong in (asked(symbols=["XBTUSDTM"], symbol=None), asked(depth="all"), asked(channel="liquidation")):
        assert orjson.loads(front.receive(session, wrong, NOW).texts[0])["message"] == "invalid request data"
    assert "not allowed" in front.receive(session, asked(tradeType="SPOT"), NOW).texts[0]
    assert front.receive(session, "what", NOW).texts == []
    assert session.topics == {}


def test_the_older_socket_wants_a_token_that_was_handed_out_within_a_day() -> None:
    front = KucoinFuturesFront(lambda _: True)
    assert isinstance(front.open("/", {"token": TOKEN}, 1, NOW), RestReply), "none was asked for"
    older(front)
    assert isinstance(front.open("/", {"token": "other"}, 2, NOW), RestReply)
    assert isinstance(front.open("/", {"token": TOKEN}, 3, NOW + 23 * HOUR), Session)
    assert isinstance(front.open("/", {"token": TOKEN}, 4, NOW + 25 * HOUR), RestReply)


def test_each_older_socket_asks_for_a_token_of_its_own_and_again_after_an_end() -> None:
    with Rig("kucoin_futures", assets=("BTC",)) as rig:
        rig.start()
        server = rig.host.servers["kucoin_futures"]
        asked_for: list[str] = []
        limit = server.front.limit

        def counted(path: str, query: Any, now: int) -> RestReply | None:
            if path == TOKEN_PATH:
                asked_for.append(path)
            return limit(path, query, now)

        server.front.limit = counted  # type: ignore[method-assign]
        modes = sorted(connection.session.mode for connection in server.connections.values())
        assert modes == ["classic", "uta", "uta"]
        rig.order("disconnect")
        rig.until(lambda: not rig.all_connected(), 5)
        rig.until(rig.all_connected, 60)
        assert len(asked_for) >= 1
        assert TOKEN not in " ".join(map(repr, rig.log)), "an address with a token is a secret"


def test_the_newer_socket_speaks_in_binary_frames() -> None:
    front = KucoinFuturesFront(lambda _: True)
    assert front.encoding(newer(front)) == "binary"
    assert front.encoding(older(front)) == "text"


def test_the_whole_book_comes_after_the_acknowledgement_and_once() -> None:
    front = KucoinFuturesFront(lambda _: True)
    session = newer(front)
    answer = front.receive(session, asked(), NOW)
    assert (len(answer.texts), answer.subscribed) == (1, [])
    assert front.tick(session, NOW + SECOND // 4) is None
    due = front.tick(session, NOW + SECOND)
    assert due is not None
    assert due.subscribed == [BTC]
    again = front.receive(session, asked(), NOW + 2 * SECOND)
    assert (len(again.texts), again.subscribed) == (1, [])
    assert front.tick(session, NOW + 9 * SECOND) is None, "acknowledged, and nothing comes of it"
    front.receive(session, asked(action="UNSUBSCRIBE"), NOW + 10 * SECOND)
    front.receive(session, asked(), NOW + 11 * SECOND)
    due = front.tick(session, NOW + 12 * SECOND)
    assert due is not None
    assert due.subscribed == [BTC]


def test_changes_before_the_whole_book_are_no_reason_to_ask_again() -> None:
    with Rig("kucoin_futures", assets=("BTC",)) as rig:
        heard: list[str] = []

        def listen(_: int, data: bytes) -> None:
            message = orjson.loads(data)
            if message.get("T") == "obu.FUTURES" and message["d"]["s"] == "XBTUSDTM":
                heard.append(message["t"])

        rig.after_frame = listen
        rig.start()
        assert heard[:2] == ["delta", "snapshot"]
        rig.step(3000)
        assert not any("UNSUBSCRIBE" in text for text in rig.sent)
        assert rig.true_at("XBTUSDTM", 0.7)


def test_a_gap_is_mended_by_leaving_first() -> None:
    with Rig("kucoin_futures", assets=("BTC",)) as rig:
        rig.start()
        place = len(rig.sent)
        fault = rig.order("gap", channel="book", market="XBTUSDTM")
        rig.until(lambda: fault.used and not rig.readable("XBTUSDTM"), 10)
        rig.until(rig.all_verified, 30)
        actions = [orjson.loads(text).get("action") for text in rig.sent[place:]]
        assert [action for action in actions if action] == ["UNSUBSCRIBE", "SUBSCRIBE"]


def test_who_does_not_ping_is_cut_where_the_venue_says_so() -> None:
    front = KucoinFuturesFront(lambda _: True)
    quiet, classic = newer(front), older(front)
    for session in (quiet, classic):
        assert front.tick(session, NOW + 59 * SECOND) is None
        ended = front.tick(session, NOW + 61 * SECOND)
        assert ended is not None
        assert ended.close == (1000, "Bye")
    front.receive(quiet, asked(channel="trade"), NOW)
    assert front.tick(quiet, NOW + 90 * SECOND) is None, "with a subscription it stays"
    with Rig("kucoin_futures", assets=("BTC",)) as rig:
        rig.start()
        rig.step(70_000)
        assert rig.ends() == []


def test_too_many_messages_end_the_connection_and_ours_are_fewer() -> None:
    front = KucoinFuturesFront(lambda _: True)
    session = older(front)
    answers = [front.receive(session, '{"id":"0","type":"ping"}', NOW) for _ in range(101)]
    assert [answer.close for answer in answers[99:]] == [None, (1006, "")]


def test_a_contract_before_its_market_is_listed_by_the_venue_and_not_by_us() -> None:
    with Rig("kucoin_futures", assets=("BTC", "PEPE")) as rig:
        rig.start()
        (symbol,) = [symbol for symbol in rig.symbols if "PEPE" in symbol]
        instrument = rig.market(symbol).instrument
        assert (instrument.asset, instrument.unit_multiplier) == ("PEPE", 1000)
        assert rig.market("XBTUSDTM").instrument.asset == "BTC"
        assert rig.market("XBTUSDM").instrument.contract_type == "inverse"
        rig.step(3000)
        assert all(not rig.market(each).prints.usd["long"] for each in rig.symbols), "no liquidations are made up"
        assert {figure.basis for figure in rig.view("XBTUSDTM").depth} >= {"live"}
