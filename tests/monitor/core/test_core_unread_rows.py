"""A row that could not be read: its frame's other facts are taken, and the frame is counted as refused."""

from __future__ import annotations

from core_rig import START, Rig
from made_up_venue import MadeUp, Polled, connect, frame, listed

from monitor.facts import Fact, Unread
from monitor.venues.base import RestRequest, Topic


class OneOdd(Polled, MadeUp):
    def parse(self, topic: Topic, frame: bytes) -> list[Fact]:
        return [*super().parse(topic, frame), Unread("odd", 2)]

    def parse_poll(self, request: RestRequest, body: bytes) -> list[Fact]:
        return [*super().parse_poll(request, body), Unread("odd", 2)]


VENUE = OneOdd()
NAME = VENUE.name


def test_a_frame_read_in_part_is_taken_and_counted() -> None:
    rig = Rig(venues={NAME: VENUE})
    rig.list(0, NAME, listed(VENUE))
    connect(rig, 0, VENUE, 0, "mark.X")
    rig.frame(0.5, NAME, frame("mark.X", t=START, marks={"X": "100.5"}))
    rig.tick(1)
    assert rig.market_view(NAME, "X").mark_price == 100.5
    assert rig.venue_view(NAME).channels["ticker"]["parse_errors"] == 1


def test_a_reply_read_in_part_is_taken_and_counted() -> None:
    rig = Rig(venues={NAME: VENUE})
    rig.list(0, NAME, listed(VENUE))
    connect(rig, 0, VENUE, 0, "mark.X")
    request = VENUE.polls(listed(VENUE))[0].request
    rig.frame(0.4, NAME, frame("mark.X", t=START, marks={"X": "100.5"}))
    rig.reply(0.5, NAME, request, b'{"interest":{"X":"7"}}')
    rig.tick(1)
    assert rig.market_view(NAME, "X").open_interest_usd is not None
    assert rig.hub.states[NAME].poll_errors == {"interest": 1}
