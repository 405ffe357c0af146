"""A book whose subscription has ended, because it was silent, stands still: it can not be read until the next one brings it back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest
from core_rig import BINANCE, Rig, at, binance_change, binance_mark, binance_snapshot, figures, ladder
from made_up_venue import MadeUp, book, connect, frame, listed, load

from monitor.events import Send
from monitor.facts import Channel
from monitor.feed.subscription import Phase
from monitor.venues import base
from monitor.venues.base import Topic

SILENCE = 30
ASKED_AGAIN = 300  # s after a refusal
BIDS = [(f"{99_990 - 10 * i}.0", "1") for i in range(20)]
ASKS = [(f"{100_010 + 10 * i}.0", "1") for i in range(20)]
COARSE_BIDS = [(f"{99_000 - 1_000 * i}.0", "50") for i in range(7)]
COARSE_ASKS = [(f"{101_000 + 1_000 * i}.0", "50") for i in range(7)]
WHOLE: dict[str, tuple[Sequence[tuple[str, str]], Sequence[tuple[str, str]]]] = {
    "book.X": (BIDS, ASKS),
    "coarse3.X": (COARSE_BIDS, COARSE_ASKS),
}


class Quiet(MadeUp):
    """Its books may be silent for half a minute, and it can refuse."""

    def topic(self, key: str) -> Topic | None:
        topic = super().topic(key)
        return replace(topic, silence_seconds=SILENCE) if topic and topic.channel is Channel.BOOK else topic

    def control(self, frame: bytes) -> list[base.Control]:
        message = load(frame)
        return [base.Refused("too many", message["no"])] if "no" in message else super().control(frame)


VENUE = Quiet()


class World:
    """One market, its book and a coarse layer on one connection. Everything but `key` speaks once a second."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.rig = rig = Rig(venues={VENUE.name: VENUE}, bands=("0.1%", "5%"))
        rig.list(0, VENUE.name, listed(VENUE))
        connect(rig, 0, VENUE, 0, *WHOLE, "mark.X")
        rig.answer(0, VENUE.name)
        self.number = dict.fromkeys(WHOLE, 10)
        for each in WHOLE:
            self.whole(0, each)
        rig.take()

    def whole(self, seconds: float, key: str) -> None:
        self.rig.frame(seconds, VENUE.name, book(key, self.number[key], *WHOLE[key], full=True))

    def change(self, seconds: float, key: str) -> None:
        self.number[key] += 1
        self.rig.frame(seconds, VENUE.name, book(key, self.number[key], [WHOLE[key][0][3]]))

    def say(self, seconds: float, **said: Any) -> None:
        self.rig.frame(seconds, VENUE.name, orjson.dumps(said))

    def second(self, seconds: int) -> None:
        self.rig.tick(seconds)
        for key in WHOLE:
            if key != self.key:
                self.change(seconds, key)
        self.rig.frame(seconds, VENUE.name, frame("mark.X", marks={}, t=0))

    def requests(self) -> list[dict[str, Any]]:
        return [orjson.loads(command.text) for command in self.rig.take() if isinstance(command, Send)]

    def left(self) -> dict[str, Any]:
        """The silent topic has been left; the subscribe that follows."""
        for second in range(1, SILENCE + 2):
            self.second(second)
        (leave,) = self.requests()
        assert (leave["do"], leave["keys"]) == ("out", [self.key])
        self.change(SILENCE + 1.1, self.key)  # the last one, on its way before the venue read the request
        self.say(SILENCE + 1.2, done=leave["id"])
        (again,) = self.requests()
        assert (again["do"], again["keys"]) == ("in", [self.key])
        return again

    @property
    def counts(self) -> bool:
        """Whether the book, or what the layer alone knows, is shown."""
        bands = figures(self.rig.market_view(VENUE.name, "X"))
        return ("bid", "0.1%") in bands if self.key == "book.X" else ("bid", "5%") in bands

    @property
    def reason(self) -> str:
        view = self.rig.market_view(VENUE.name, "X")
        return view.reason if self.key == "book.X" else view.layers[0].reason


@pytest.mark.parametrize("answer", ["no", "done", ""])
@pytest.mark.parametrize("key", list(WHOLE))
def test_what_was_left_for_its_silence_does_not_count_until_it_comes_whole(key: str, answer: str) -> None:
    world = World(key)
    world.second(1)
    assert world.counts
    again = world.left()
    if answer:
        world.say(SILENCE + 1.3, **{answer: again["id"]})
    for second in range(SILENCE + 2, SILENCE + 25):
        world.second(second)
        assert (world.counts, world.reason) == (False, "refresh"), second
    phases = {"no": Phase.REFUSED, "done": Phase.ACKED, "": Phase.ASKED}
    assert world.rig.hub.states[VENUE.name].links[0].session.phase(key) is phases[answer]
    seconds = SILENCE + 25.0
    world.change(seconds, key)  # of the new subscription, which has not brought the book yet
    world.second(int(seconds) + 1)
    assert (world.counts, world.reason) == (False, "refresh")
    world.whole(seconds + 1.1, key)
    world.second(int(seconds) + 2)
    assert (world.counts, world.reason) == (True, "")
    assert world.rig.market_view(VENUE.name, "X").verified


@pytest.mark.parametrize("key", list(WHOLE))
def test_a_refused_one_comes_back_when_it_is_taken_after_all(key: str) -> None:
    world = World(key)
    refused_at = SILENCE + 1
    world.say(refused_at + 0.3, no=world.left()["id"])
    for second in range(refused_at + 1, refused_at + ASKED_AGAIN + 1):
        world.second(second)
        assert not world.counts
    assert world.requests() == []
    world.second(refused_at + ASKED_AGAIN + 1)
    (again,) = world.requests()
    assert again["do"] == "in"
    world.say(refused_at + ASKED_AGAIN + 1.1, done=again["id"])
    world.second(refused_at + ASKED_AGAIN + 2)
    assert not world.counts
    world.whole(refused_at + ASKED_AGAIN + 2.1, key)
    world.second(refused_at + ASKED_AGAIN + 3)
    assert world.counts


# -- books seeded over REST: the first frame of the new subscription shows by its numbers whether anything is missing
@pytest.mark.parametrize("missed", [False, True])
def test_a_book_seeded_over_rest_goes_on_where_its_numbers_link(missed: bool) -> None:
    rig = Rig()
    rig.list(0, BINANCE)
    rig.connect(0, BINANCE, 0, "btcusdt@depth@100ms", "btcusdt@markPrice@1s")
    rig.answer(0, BINANCE)
    rig.seed(BINANCE)
    rig.take()
    second = 0
    leave: list[str] = []
    while not leave:
        second += 1
        assert second < 600
        rig.tick(second)
        rig.frame(second, BINANCE, binance_mark("60000", time=at(second)))
        leave = rig.sends(BINANCE)
    rig.frame(second + 0.1, BINANCE, binance_change(101, 102, 100, time=at(second)))  # the last one
    rig.frame(second + 0.2, BINANCE, orjson.dumps({"result": None, "id": orjson.loads(leave[0])["id"]}))
    (again,) = rig.sends(BINANCE)
    rig.tick(second + 1)
    assert (rig.market_view().verified, rig.market_view().reason) == (False, "refresh")
    rig.frame(second + 1.1, BINANCE, orjson.dumps({"result": None, "id": orjson.loads(again)["id"]}))
    for later in range(2, 10):
        rig.tick(second + later)
        assert (rig.market_view().verified, rig.market_view().reason) == (False, "refresh")
    assert rig.fetches(BINANCE) == []  # a snapshot would be as old as the last frame in no time
    second += 10
    if missed:
        rig.frame(second, BINANCE, binance_change(120, 121, 119, time=at(second)))
        (request,) = rig.fetches(BINANCE)
        rig.tick(second + 1)
        assert rig.market_view().reason == "gap"
        rig.reply(second + 1.1, BINANCE, request, binance_snapshot(121, *ladder(60_000, 50)))
        rig.frame(second + 1.2, BINANCE, binance_change(122, 123, 121, time=at(second + 1)))
    else:
        rig.frame(second, BINANCE, binance_change(103, 104, 102, time=at(second)))
    rig.tick(second + 2)
    assert rig.market_view().verified
    assert rig.market_view().resyncs == ({"gap": 1} if missed else {})


@pytest.mark.parametrize("left", [False, True])
def test_a_successor_takes_nothing_over_from_a_book_that_stands_still(left: bool) -> None:
    rig = Rig()
    rig.begin(BINANCE)
    rig.frame(0.5, BINANCE, binance_change(101, 102, 100, [("50000.0", "7")]))  # far out: known from the stream alone
    rig.connect(1, BINANCE, 1)
    rig.seed(BINANCE, levels=1000, seconds=1, connection=1, number=200)  # as many as were asked for: there are more
    market = rig.market()
    market.books[0].left = left
    before = sum(market.books[1].book.level_counts)
    market.promote(1, at(2))
    assert sum(market.books[1].book.level_counts) - before == (0 if left else 1)
