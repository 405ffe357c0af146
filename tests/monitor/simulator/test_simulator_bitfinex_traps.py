"""The traps of Bitfinex's page over real sockets: names that are told once, numbers over all channels, keys that are met with silence."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pytest
from sim_rig import Rig

from monitor.simulator.protocols.base import Answer, Session
from monitor.simulator.protocols.bitfinex import CHANNELS_PER_CONNECTION, CONNECTS, BitfinexFront
from monitor.simulator.protocols.bitfinex_frames import BitfinexFrames, printed
from monitor.simulator.source import RestReply
from monitor.venues.base import Acked, Refused, ShutdownAnnounced
from monitor.venues.bitfinex import Bitfinex

PERPETUAL, PAIR = "tBTCF0:USTF0", "tBTCUSD"
MODULE = Bitfinex()


def faults(rig: Rig) -> str:
    return " | ".join(rig.venue_view().faults)


# -- over sockets
def test_a_subscription_whose_number_was_missed_is_only_had_on_another_connection() -> None:
    with Rig("bitfinex", assets=("BTC",)) as rig:
        fault = rig.order("no_ack", channel="book", market=PERPETUAL)
        with pytest.raises(AssertionError):
            rig.start(seconds=5)
        rig.until(lambda: fault.used and rig.all_verified(), 90)
        asked = [text for text in rig.sent if f'"symbol":"{PERPETUAL}"' in text and '"P0"' in text]
        assert len(asked) == 3, "asked, asked again and told that it is there, asked on a new connection"
        assert rig.connects == 2
        rig.step(2_000)
        assert rig.true_at(PERPETUAL, 1.0)


def test_a_lost_frame_of_any_channel_makes_every_book_of_the_connection_unreadable_at_once() -> None:
    with Rig("bitfinex", assets=("BTC",)) as rig:
        rig.start()
        rig.order("gap", channel="trades", market=PAIR)
        rig.until(lambda: rig.ends() == ["connection_gap"], 30)
        assert not rig.readable(PERPETUAL)
        assert not rig.readable(PAIR)
        rig.until(rig.all_verified, 60)
        rig.step(2_000)
        assert dict(rig.view(PERPETUAL).resyncs) == {"gap": 1}
        assert rig.true_at(PERPETUAL, 1.0)


def test_a_status_key_that_is_met_with_silence_is_named_and_its_neighbours_are_carried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    knows = BitfinexFrames.knows
    lost = "status:deriv:tETHF0:USTF0"
    monkeypatch.setattr(BitfinexFrames, "knows", lambda self, key: key != lost and knows(self, key))
    with Rig("bitfinex", assets=("ETH",)) as rig:
        rig.start()
        rig.until(lambda: f"{lost} never acked" in faults(rig), 120, every_ms=500)
        assert rig.all_verified()
        assert (rig.view("tETHF0:USTF0").mark_price, faults(rig).count("never acked")) == (None, 1)


def test_checksums_come_and_hold() -> None:
    with Rig("bitfinex", assets=("BTC",)) as rig:
        rig.start()
        rig.step(20_000)
        book = rig.market(PERPETUAL).book
        assert book is not None
        assert book.counters["checksums"] >= 6
        assert book.counters["checksum_mismatch"] == 0


def test_a_wrong_checksum_is_answered_by_a_new_subscription(monkeypatch: pytest.MonkeyPatch) -> None:
    checksum = BitfinexFrames._checksum
    with Rig("bitfinex", assets=("BTC",)) as rig:
        rig.start()
        monkeypatch.setattr(
            BitfinexFrames, "_checksum", lambda self, symbol: checksum(self, symbol) ^ (symbol == PERPETUAL)
        )
        rig.until(lambda: rig.view(PERPETUAL).resyncs.get("checksum") == 1, 10)
        monkeypatch.undo()
        rig.until(rig.all_verified, 30)
        assert rig.ends() == []
        (left,) = [orjson.loads(text) for text in rig.sent if "unsubscribe" in text]
        assert left["chanId"] > 0


def test_without_the_flags_no_book_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        BitfinexFront, "_configured", lambda self, session, flags: Answer(['{"event":"conf","status":"FAILED"}'])
    )
    with Rig("bitfinex", assets=("BTC",)) as rig:
        with pytest.raises(AssertionError):
            rig.start(seconds=20)
        assert rig.frames > 1000
        assert not rig.readable(PERPETUAL)


def test_the_coarse_streams_say_what_lies_beyond_the_fine_one() -> None:
    with Rig("bitfinex", assets=("BTC",)) as rig:
        rig.start()
        rig.step(3_000)
        layers = rig.market(PERPETUAL).layers.views(rig.clock.now())
        assert [(layer.significant_figures, layer.reason) for layer in layers] == [(4, ""), (3, "")]
        book = rig.market(PERPETUAL).book
        assert book is not None
        reached = [book.reach("bid"), *(layer.reach_ratio["bid"] for layer in layers)]
        assert all(reach is not None for reach in reached)
        assert [reach for reach in reached if reach is not None] == sorted(set(reached), key=lambda reach: reach or 0)


def test_a_position_is_counted_once_and_without_a_price_at_the_mark() -> None:
    with Rig("bitfinex", assets=("BTC",)) as rig:
        rig.start()
        for _ in range(4):
            rig.force(PERPETUAL, 1, 200_000)
            rig.step(3_000)
        truth, prints = rig.truth[PERPETUAL], rig.market(PERPETUAL).prints
        assert prints.count["long"] == truth.liquidations["long"] > 1
        assert prints.usd["long"] == pytest.approx(truth.liquidated_usd["long"], rel=0.01)
        kinds = {each.price_kind for each in rig.outlet.prints}
        assert kinds == {"order", "mark"}
        assert all(each.price == pytest.approx(73_000, rel=0.02) for each in rig.outlet.prints), (
            "no entry price among them"
        )


def test_a_position_without_a_price_while_the_mark_is_not_known_has_no_worth() -> None:
    with Rig("bitfinex", assets=("BTC",)) as rig:
        rig.order("silence", channel="ticker", market=PERPETUAL)
        rig.start()
        for _ in range(4):
            rig.force(PERPETUAL, 1, 200_000)
            rig.step(3_000)
        worth = {each.price_kind: each.notional_usd for each in rig.outlet.prints}
        assert worth["mark"] is None
        assert worth["order"] is not None


def test_maintenance_is_named_while_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    rest = BitfinexFrames.rest

    def resting(self: BitfinexFrames, path: str, query: dict[str, str]) -> RestReply | None:
        return RestReply(200, b"[0]") if path.endswith("/platform/status") else rest(self, path, query)

    with Rig("bitfinex", assets=("BTC",)) as rig:
        monkeypatch.setattr(BitfinexFrames, "rest", resting)
        rig.start()
        rig.until(lambda: "Bitfinex is in maintenance" in faults(rig), 30)
        rig.step(1_000)
        assert rig.view(PERPETUAL).reason == "halted: Bitfinex is in maintenance"
        assert not rig.view(PAIR).verified
        monkeypatch.undo()
        rig.until(lambda: "maintenance" not in faults(rig) and rig.all_verified(), 60)


def test_maintenance_is_also_told_first_on_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    rest = BitfinexFrames.rest
    with Rig("bitfinex", assets=("BTC",)) as rig:
        resting = '{"event":"info","version":2,"serverId":"fb5877a3","platform":{"status":0}}'
        monkeypatch.setattr(BitfinexFront, "welcome", lambda self, session: [resting])
        monkeypatch.setattr(
            BitfinexFrames, "rest", lambda self, path, query: None if "status" in path else rest(self, path, query)
        )
        with pytest.raises(AssertionError):
            rig.start(seconds=3)
        assert rig.view(PERPETUAL).reason == "halted: Bitfinex is in maintenance"
        monkeypatch.undo()
        rig.until(rig.all_verified, 90)


def test_nothing_is_liquidated_on_a_spot_market() -> None:
    with Rig("bitfinex", assets=("BTC",)) as rig:
        rig.start()
        rig.step(1_000)
        assert (rig.view(PERPETUAL).liquidation_coverage, rig.view(PAIR).liquidation_coverage) == ("complete", "none")
        assert "liquidations_total|long" in rig.view(PERPETUAL).counters
        assert "liquidations_total|long" not in rig.view(PAIR).counters


def test_its_currencies_give_rates() -> None:
    with Rig("bitfinex", assets=("USDT", "USDC")) as rig:
        rig.start()
        assert {rig.market(symbol).instrument.asset for symbol in rig.symbols} == {"USDT", "USDC"}
        assert all(rig.view(symbol).mid_price == pytest.approx(1, rel=0.01) for symbol in rig.symbols)


# -- its manners
def front() -> tuple[BitfinexFront, Session]:
    made = BitfinexFront(lambda key: "NOPE" not in key)
    session = made.open("/ws/2", {}, 1, 0)
    assert isinstance(session, Session)
    return made, session


def said(answer: Answer) -> list[object]:
    return [control for text in answer.texts for control in MODULE.control(text.encode())]


def asked(channel: str, **members: Any) -> str:
    return orjson.dumps({"event": "subscribe", "channel": channel, **members}).decode()


def test_only_arrays_are_numbered_and_only_once_asked_for() -> None:
    made, session = front()
    assert made.number(session, b'[7,"hb"]') == b'[7,"hb"]'
    made.receive(session, '{"event":"conf","flags":196608}', 0)
    assert made.number(session, b'{"event":"pong"}') == b'{"event":"pong"}'
    assert [made.number(session, b'[7,"hb"]') for _ in range(2)] == [b'[7,"hb",1]', b'[7,"hb",2]']


def test_a_channel_more_than_allowed_is_refused_by_name() -> None:
    made, session = front()
    for number in range(CHANNELS_PER_CONNECTION):
        assert isinstance(said(made.receive(session, asked("trades", symbol=f"tC{number}USD"), 0))[0], Acked)
    assert said(made.receive(session, asked("trades", symbol=PAIR), 0)) == [
        Refused("10305 subscribe: limit", None, (f"trades:{PAIR}",))
    ]
    assert MODULE.limits.topics_per_connection <= CHANNELS_PER_CONNECTION


def test_what_is_subscribed_is_not_told_its_number_again() -> None:
    made, session = front()
    made.receive(session, asked("book", symbol=PAIR, prec="P0", freq="F0", len="250"), 0)
    again = made.receive(session, asked("book", symbol=PAIR, prec="P0", freq="F0", len="250"), 0)
    assert said(again) == [ShutdownAnnounced("10301 subscribe: dup")]


def test_unknown_symbols_are_refused_and_unknown_keys_are_not_answered() -> None:
    made, session = front()
    assert said(made.receive(session, asked("trades", symbol="tNOPE"), 0)) == [
        Refused("10300 symbol: invalid", None, ("trades:tNOPE",))
    ]
    assert made.receive(session, asked("status", key="deriv:tNOPEF0:USTF0"), 0) == Answer()
    assert made.receive(session, "not json", 0) == Answer()


def test_an_address_that_connects_too_often_is_turned_away() -> None:
    made, _ = front()
    opened = [made.open("/ws/2", {}, number, 1) for number in range(2, CONNECTS + 2)]
    assert [isinstance(each, Session) for each in opened] == [True] * (CONNECTS - 1) + [False]
    assert isinstance(opened[-1], RestReply)
    assert opened[-1].body == b'{"error":"ERR_RATE_LIMIT"}'


def test_who_did_not_ask_for_checksums_gets_none() -> None:
    made, session = front()
    session.memory["channels"]["book:P0:250:tBTCUSD"] = 7
    assert made.envelope(session, "book:P0:250:tBTCUSD", b'"cs",-5') == b'[7,"hb"]'
    made.receive(session, '{"event":"conf","flags":131072}', 0)
    assert made.envelope(session, "book:P0:250:tBTCUSD", b'"cs",-5') == b'[7,"cs",-5]'


@pytest.mark.parametrize(
    ("text", "javascript"),
    [
        ("0.00000001", "1e-8"),
        ("0.00000012", "1.2e-7"),
        ("0.000001", "0.000001"),
        ("2.50", "2.5"),
        ("73000", "73000"),
        ("100", "100"),
    ],
)
def test_numbers_are_printed_as_javascript_does(text: str, javascript: str) -> None:
    assert printed(text) == javascript
    assert Decimal(javascript) == Decimal(text)
