"""The traps of Deribit's page over real sockets: channels that fall out of the answer, heartbeats, credits, prints that are no flow."""

from __future__ import annotations

from collections.abc import Callable

import orjson
import pytest
from sim_rig import SECOND, Rig

from monitor.simulator.protocols.base import FAIR, Answer, Session, Treatment
from monitor.simulator.protocols.deribit import DeribitFront
from monitor.simulator.protocols.deribit_frames import DeribitFrames, _number
from monitor.venues.base import Acked, PingAsked, Refused
from monitor.venues.deribit import Deribit

VENUE = Deribit()
BTC, ETH = "BTC-PERPETUAL", "ETH-PERPETUAL"


def faults(rig: Rig) -> str:
    return " | ".join(rig.venue_view().faults)


def writer(rig: Rig) -> DeribitFrames:
    found = rig.sim.scenario_source.writers["deribit"]
    assert isinstance(found, DeribitFrames)
    return found


def socket(treat: Callable[[str], Treatment] = lambda _: FAIR) -> tuple[DeribitFront, Session]:
    known = {f"book.{BTC}.100ms", f"trades.{BTC}.100ms", f"book.{ETH}.100ms"}
    front = DeribitFront(known.__contains__, treat)
    session = front.open("/ws/api/v2", {}, 1, 0)
    assert session is not None
    return front, session


def call(method: str, *channels: str, number: int = 4, **params: object) -> str:
    members = {"channels": channels, **params} if channels else params
    return orjson.dumps({"jsonrpc": "2.0", "id": number, "method": f"public/{method}", "params": members}).decode()


def heard(answer: Answer) -> list[object]:
    return [said for text in answer.texts for said in VENUE.control(text.encode())]


# -- manners
def test_a_bad_channel_is_left_out_of_an_answer_in_another_order() -> None:
    front, session = socket()
    answer = front.receive(session, call("subscribe", f"book.{BTC}.100ms", "book.NOPE.100ms", f"trades.{BTC}.100ms"), 0)
    assert answer.subscribed == [f"book.{BTC}.100ms", f"trades.{BTC}.100ms"]
    assert heard(answer) == [Acked(4, (f"trades.{BTC}.100ms", f"book.{BTC}.100ms"), only=True)]
    assert heard(front.receive(session, call("subscribe", "book.NOPE.100ms"), 1)) == [Acked(4, (), only=True)]


def test_asking_twice_brings_no_second_snapshot() -> None:
    front, session = socket()
    ask, leave = call("subscribe", f"book.{BTC}.100ms"), call("unsubscribe", f"book.{BTC}.100ms")
    assert front.receive(session, ask, 0).subscribed == [f"book.{BTC}.100ms"]
    again = front.receive(session, ask, 1)
    assert again.subscribed == []
    assert heard(again) == [Acked(4, (f"book.{BTC}.100ms",), only=True)], "confirmed all the same"
    assert front.receive(session, leave, 2).unsubscribed == [f"book.{BTC}.100ms"]
    assert front.receive(session, ask, 3).subscribed == [f"book.{BTC}.100ms"]


def test_raw_needs_a_login() -> None:
    front, session = socket()
    answer = front.receive(session, call("subscribe", f"book.{BTC}.raw", f"book.{BTC}.100ms"), 0)
    assert answer.subscribed == []
    (refused,) = heard(answer)
    assert isinstance(refused, Refused)
    assert (refused.request_id, refused.keys, refused.whole_batch) == (4, (), False)


def test_a_test_request_wants_its_answer_within_ten_seconds() -> None:
    front, session = socket()
    assert heard(front.receive(session, call("set_heartbeat", number=0, interval=10), 0)) == []
    too_often = front.receive(session, call("set_heartbeat", number=0, interval=9), 0)
    assert b"-32602" in too_often.texts[0].encode()
    assert front.tick(session, 9 * SECOND) is None
    beat = front.tick(session, 10 * SECOND)
    assert beat is not None
    (asked,) = heard(beat)
    assert isinstance(asked, PingAsked)
    assert heard(front.receive(session, asked.reply, 12 * SECOND)) == []
    assert front.tick(session, 19 * SECOND) is None
    assert front.tick(session, 20 * SECOND) is not None
    closed = front.tick(session, 31 * SECOND)
    assert closed is not None
    assert closed.close == (4000, "heartbeat close")


def test_a_socket_that_says_nothing_is_closed_and_one_that_subscribed_is_not() -> None:
    front, session = socket()
    assert front.tick(session, 60 * SECOND) is None
    closed = front.tick(session, 61 * SECOND)
    assert closed is not None
    assert closed.close is not None
    front.receive(session, call("subscribe", f"book.{BTC}.100ms"), 61 * SECOND)
    assert front.tick(session, 600 * SECOND) is None


def test_too_many_subscriptions_end_the_session_and_our_pace_does_not() -> None:
    front, session = socket()
    pace = int(VENUE.limits.frames_per_second)
    for number in range(60 * pace):
        answer = front.receive(session, call("subscribe", f"book.{BTC}.100ms"), number * SECOND // pace)
        assert answer.close is None
    front, session = socket()
    answers = [front.receive(session, call("subscribe", f"book.{BTC}.100ms"), 0) for _ in range(11)]
    assert [answer.close is None for answer in answers] == [True] * 10 + [False]
    assert heard(answers[-1]) == [Refused("10028 too_many_requests", 4, whole_batch=True)]


def test_what_is_no_json_is_answered_without_a_number_and_the_socket_stays() -> None:
    front, session = socket()
    answer = front.receive(session, "ping", 0)
    assert answer.close is None
    assert b'"id"' not in answer.texts[0].encode()


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2200", "2.2e3"),
        ("500", "500.0"),
        ("73000", "7.3e4"),
        ("73000.5", "73000.5"),
        ("0", "0.0"),
        ("12345", "12345.0"),
    ],
)
def test_numbers_take_the_shorter_form(text: str, written: str) -> None:
    assert _number(text) == written
    assert float(written) == float(text)


# -- over sockets
def test_a_channel_that_falls_out_of_the_answer_is_named_and_its_neighbours_are_carried() -> None:
    with Rig("deribit", assets=("BTC", "ETH")) as rig:
        fault = rig.order("refuse_subscription", channel="book", market=ETH, count=100)
        with pytest.raises(AssertionError):
            rig.start(seconds=5)
        assert f"book.{ETH}.100ms refused: the venue left it out" in faults(rig)
        assert all(rig.readable(symbol) for symbol in rig.symbols if symbol != ETH)
        assert rig.ends() == []
        rig.sim.faults.clear(fault.number)
        rig.order("disconnect")  # alone it would be asked for again after five minutes
        rig.until(lambda: rig.all_verified() and faults(rig) == "", 60)
        assert rig.true_at(ETH, 1.0)


def test_what_is_confirmed_and_begins_with_no_snapshot_is_named_and_asked_for_again() -> None:
    with Rig("deribit", assets=("BTC",)) as rig:
        fault = rig.order("silence", channel="book", market=BTC)
        with pytest.raises(AssertionError):
            rig.start(seconds=3)
        rig.until(lambda: f"book.{BTC}.100ms silent" in faults(rig), 20)
        rig.sim.faults.clear(fault.number)
        rig.until(rig.all_verified, 120)
        assert rig.true_at(BTC, 1.0)


def test_a_gap_is_answered_by_leaving_before_asking_anew() -> None:
    with Rig("deribit", assets=("BTC",)) as rig:
        rig.start()
        sent = len(rig.sent)
        rig.order("gap", channel="book", market=BTC)
        rig.until(lambda: sum(rig.view(BTC).resyncs.values()) == 1, 30)
        rig.until(rig.all_verified, 30)
        methods = [orjson.loads(text) for text in rig.sent[sent:] if "subscribe" in text]
        assert [(each["method"], each["params"]["channels"]) for each in methods] == [
            ("public/unsubscribe", [f"book.{BTC}.100ms"]),
            ("public/subscribe", [f"book.{BTC}.100ms"]),
        ]
        assert dict(rig.view(BTC).resyncs) == {"gap": 1}


def test_heartbeats_are_asked_for_first_and_answered_for_as_long_as_it_takes() -> None:
    with Rig("deribit", assets=("BTC",)) as rig:
        rig.start()
        first = [orjson.loads(text)["method"] for text in rig.sent][:2]
        assert first[0] == "public/set_heartbeat"
        rig.step(45_000)
        answers = [text for text in rig.sent if '"public/test"' in text]
        assert len(answers) >= 3 * len(rig.venue_view().connections)
        assert rig.ends() == []


def test_a_client_that_does_not_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    with Rig("deribit", assets=("BTC",)) as rig:
        rig.start()
        held = rig.connects
        monkeypatch.setattr(Deribit, "control", lambda *_: [])
        rig.step(25_000)
        assert len(rig.ends()) == held, (
            "ten seconds after the first test request, which came ten seconds after the greeting"
        )
        monkeypatch.undo()
        rig.until(rig.all_verified, 60)


def test_a_socket_without_heartbeats_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    with Rig("deribit", assets=("BTC",)) as rig:
        rig.start()
        monkeypatch.setattr(DeribitFront, "tick", lambda *_: None)
        rig.order("silence")
        rig.until(lambda: "silent" in rig.ends(), 45)
        rig.sim.faults.clear()
        monkeypatch.undo()
        rig.until(rig.all_verified, 60)


def test_prints_agreed_off_the_book_are_told_and_are_no_flow() -> None:
    """The suite for all venues counts the flow; here it is shown that such prints were there at all."""
    with Rig("deribit", assets=("BTC",)) as rig:
        seen: list[bytes] = []
        rig.after_frame = lambda connection, data: seen.append(data)
        rig.start()
        rig.step(30_000)
        assert any(b'"combo_trade_id"' in data for data in seen)
        assert any(b'"block_trade_id"' in data for data in seen)
        for symbol in rig.symbols:
            tally, truth = rig.market(symbol).tally, rig.truth[symbol]
            assert sum(tally.volume_usd.values()) <= sum(truth.traded_usd.values()) * (1 + 1e-9)


def test_the_flood_of_locks_after_subscribing_says_nothing_and_a_real_one_is_named() -> None:
    with Rig("deribit", assets=("BTC",)) as rig:
        seen: list[bytes] = []
        rig.after_frame = lambda connection, data: seen.append(data)
        rig.start()
        assert sum(b'"channel":"platform_state"' in data for data in seen) > 100
        assert faults(rig) == ""
        frames = writer(rig)
        lock = {"locked": True, "price_index": "btc_usd", "reasons": []}
        frames.states += [("platform_state", lock), ("platform_state", {**lock, "price_index": "sim5_usdc"})]
        rig.until(lambda: faults(rig) == "price index btc_usd is locked", 5)
        frames.states.append(("platform_state", {**lock, "locked": False}))
        rig.until(lambda: faults(rig) == "", 5)


def test_maintenance_is_named_until_the_venue_answers_again() -> None:
    with Rig("deribit", assets=("BTC",)) as rig:
        rig.start()
        rig.order("shutdown_notice")
        rig.until(lambda: faults(rig) == "Deribit is in maintenance", 5)
        rig.until(lambda: faults(rig) == "", 90, every_ms=500)


def test_a_halted_market_says_so() -> None:
    with Rig("deribit", assets=("BTC",)) as rig:
        rig.start()
        row = {"timestamp": 1790133840900, "state": "halted", "instrument_name": BTC}
        writer(rig).states.append(("instrument.state.future.any", row))
        rig.until(lambda: rig.view(BTC).reason == "halted", 5)
        assert not rig.view(BTC).verified
        rig.until(rig.all_verified, 5)  # the ticker says open


def test_documented_margin_stands_with_its_date() -> None:
    with Rig("deribit", assets=("BTC",)) as rig:
        rig.start()
        tiers = rig.view(BTC).margin_tiers
        assert tiers is not None
        assert (tiers.unit, str(tiers.documented)) == ("base", "2022-01-11")
        assert all(rig.view(symbol).liquidations_heard for symbol in rig.symbols), "they come with the trades"
