"""What one open connection hears: the phase of a topic decides, not the plan."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from core_rig import BYBIT, SECOND, Rig, at, bybit_liquidation
from made_up_venue import MadeUp, Numbered, frame, listed

from monitor.events import Connected
from monitor.facts import Channel
from monitor.feed.lag import ClockOffset
from monitor.feed.subscriber import ASK_AGAIN
from monitor.feed.subscription import Phase
from monitor.links import Link
from monitor.venues.base import ConnectionPlan, Topic, Venue

FORCED = "allLiquidation.BTCUSDT"
WHOLE_VENUE = Topic("forced", Channel.LIQUIDATIONS, (), silence_seconds=5)
LAG_BOUND = 5 * SECOND


def link_of(venue: Venue, *topics: Topic) -> Link:
    plan = ConnectionPlan("facts", "wss://made.up/ws", topics)
    return Link(Connected(at(0), venue.name, 0, plan), venue, ClockOffset(), LAG_BOUND)


def made_up(key: str) -> Topic:
    topic = MadeUp().topic(key)
    assert topic is not None
    return topic


def answer(request: int, operation: str, said: str = "", *, success: bool = True) -> bytes:
    return orjson.dumps({"success": success, "ret_msg": said, "op": operation, "req_id": str(request)})


def test_liquidations_are_heard_while_their_subscription_stands() -> None:
    rig = Rig()
    rig.list(0, BYBIT)
    rig.connect(0, BYBIT, 0, FORCED, name="facts")
    link = rig.hub.states[BYBIT].links[0]

    def heard(seconds: float, phase: Phase) -> bool:
        rig.tick(seconds)
        assert link.session.phase(FORCED) is phase
        told = rig.market_view(BYBIT).liquidations_heard
        assert bool(rig.asset_view().liquidated_60s_usd) == told  # unknown is no zero
        return told

    def reply(seconds: float, operation: str, said: str = "", *, success: bool = True) -> None:
        request = orjson.loads(rig.sends(BYBIT)[-1])["req_id"]
        rig.frame(seconds, BYBIT, answer(request, operation, said, success=success))

    assert not heard(1, Phase.ASKED)
    reply(1.5, "subscribe")
    assert heard(2, Phase.ACKED)
    rig.frame(2.5, BYBIT, bybit_liquidation("Buy", "60000", "0.5", time=at(2.5)))
    assert heard(3, Phase.LIVE)
    link.session.resubscribe(link.topics[0], at(3.1))
    assert link.session.phase(FORCED) is Phase.LEAVE_QUEUED
    assert link.hears_liquidations("BTCUSDT")  # the venue does not know yet
    assert not heard(4, Phase.LEAVING)
    reply(4.5, "unsubscribe")
    assert not heard(5, Phase.ASKED)
    reply(5.5, "subscribe", "no", success=False)
    assert not heard(6, Phase.REFUSED)
    assert link.session.is_silent(FORCED) is False  # what is not subscribed cannot be silent
    again = 6 + ASK_AGAIN // SECOND
    assert not heard(again, Phase.ASKED)
    reply(again + 0.5, "subscribe")
    assert heard(again + 1, Phase.ACKED)


@pytest.mark.parametrize("topic", [WHOLE_VENUE, replace(made_up("trade.X"), silence_seconds=5)], ids=["all", "trades"])
def test_a_silent_topic_is_not_heard(topic: Topic) -> None:
    link = link_of(MadeUp(), topic)
    link.session.start(at(0))
    assert not link.hears_liquidations("X")
    link.session.route(b'{"done":1}', at(1))
    assert link.hears_liquidations("X")
    assert link.hears_liquidations("Y") == (topic is WHOLE_VENUE)
    link.session.route(b'{"done":0}', at(6))  # the connection lives
    link.session.tick(at(7))
    for request in (2, 3):  # left and asked for anew
        link.session.route(b'{"done":%d}' % request, at(8))
        link.session.drain(at(8))
    assert (link.session.phase(topic.key), link.session.is_silent(topic.key)) == (Phase.ACKED, True)
    assert not link.hears_liquidations("X")
    link.session.route(frame(topic.key), at(9))
    assert link.hears_liquidations("X")


def test_one_topic_that_is_heard_is_enough_and_other_channels_are_none() -> None:
    link = link_of(MadeUp(), WHOLE_VENUE, made_up("trade.X"), made_up("book.Y"))
    link.session.start(at(0))
    for key in ("trade.X", "book.Y"):
        link.session.route(frame(key), at(1))
    assert link.hears_liquidations("X")
    assert not link.hears_liquidations("Y")


def test_a_connection_that_was_given_up_hears_nothing() -> None:
    venue = Numbered()
    rig = Rig(venues={venue.name: venue})
    rig.list(0, venue.name, listed(venue))
    plan = ConnectionPlan("all", "wss://made.up/ws", (made_up("trade.X"),))
    rig.event(Connected(at(0), venue.name, 0, plan))
    rig.frame(0.5, venue.name, frame("trade.X", rows=[], number=1))
    rig.tick(1)
    assert rig.market_view(venue.name, "X").liquidations_heard
    rig.frame(1.5, venue.name, frame("trade.X", rows=[], number=3))
    rig.tick(2)
    assert not rig.market_view(venue.name, "X").liquidations_heard
