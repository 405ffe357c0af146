"""Books that are subscribed anew in turns because their stream cannot show that nothing is missing."""

from __future__ import annotations

import orjson
from core_rig import Rig
from made_up_venue import BOOK_LEVELS, Refreshing, book, connect, listed, load

from monitor.clock import SECOND
from monitor.events import Send
from monitor.feed.subscriber import ASK_AGAIN
from monitor.refresh import RENEWAL_TIMEOUT
from monitor.venues import base


class Refusing(Refreshing):
    def control(self, frame: bytes) -> list[base.Control]:
        message = load(frame)
        return [base.Refused("not now", message["no"])] if "no" in message else super().control(frame)


VENUE = Refusing()
NAME = VENUE.name
INTERVAL = int(VENUE.book.refresh_seconds or 0)
BIDS = [(f"{99.9 - i / 10:.1f}", "1") for i in range(BOOK_LEVELS)]
ASKS = [(f"{100.1 + i / 10:.1f}", "1") for i in range(BOOK_LEVELS)]
SYMBOLS = "XYZ"


class World:
    """Answers subscriptions `delay` seconds after they were asked for: acks, and with a subscribe each book whole."""

    def __init__(self, symbols: str = SYMBOLS, delay: float = 0.1) -> None:
        self.rig = Rig(venues={NAME: VENUE})
        self.rig.list(0, NAME, *(listed(VENUE, s, f"COIN{s}") for s in symbols))
        self.delay = delay
        self.deaf: set[str] = set()  # keys whose new subscriptions bring nothing
        self.refused: set[str] = set()
        self.left: list[tuple[float, str]] = []
        self.number = 10
        connect(self.rig, 0, VENUE, 0, *(f"book.{s}" for s in symbols))
        self.answer(0)

    def answer(self, seconds: float) -> None:
        """Everything asked for up to now."""
        asked = [orjson.loads(c.text) for c in self.rig.take() if isinstance(c, Send)]
        for request in asked:
            if request["do"] == "out":
                self.left += [(seconds, key) for key in request["keys"]]
        for request in asked:
            seconds += self.delay
            refused = request["do"] == "in" and not self.refused.isdisjoint(request["keys"])
            self.rig.frame(seconds, NAME, orjson.dumps({"no" if refused else "done": request["id"]}))
            if refused:
                continue
            for key in request["keys"] if request["do"] == "in" else ():
                if key not in self.deaf:
                    self.rig.frame(seconds, NAME, book(key, self.number, BIDS, ASKS, full=True))
            self.answer(seconds)

    def second(self, at: int) -> None:
        self.rig.tick(at)
        self.answer(at)


def test_every_book_in_turn_and_evenly() -> None:
    world = World()
    unreadable = set()
    for second in range(1, 3 * INTERVAL):
        world.second(second)
        unreadable |= {(second, m.market) for m in world.rig.hub.view.markets if not m.verified}
    step = INTERVAL // len(SYMBOLS)
    assert [second for second, _ in world.left] == list(range(1 + step, 3 * INTERVAL, step))
    assert [key for _, key in world.left] == [f"book.{s}" for s in SYMBOLS] * 2 + ["book.X", "book.Y"]
    assert unreadable == set()  # two ways of 0.1 s, between two looks
    for market in world.rig.hub.view.markets:
        assert market.resyncs == {}  # nothing was lost


def test_unreadable_only_from_the_end_of_the_old_subscription_to_the_new_book() -> None:
    world = World("X")
    rig = world.rig
    for second in range(1, INTERVAL + 1):
        world.second(second)
    rig.tick(INTERVAL + 1)
    (leave,) = [orjson.loads(c.text) for c in rig.take() if isinstance(c, Send)]
    assert leave["do"] == "out"
    lane = rig.market(NAME, "X").books[0]
    assert lane.readable
    rig.frame(INTERVAL + 1.2, NAME, book("book.X", world.number + 1, [("99.9", "2")]))  # still comes
    assert lane.readable
    rig.frame(INTERVAL + 1.5, NAME, orjson.dumps({"done": leave["id"]}))
    assert not lane.readable
    rig.tick(INTERVAL + 2)
    assert rig.market_view(NAME, "X").reason == "refresh"
    assert rig.market_view(NAME, "X").depth == ()
    (again,) = [orjson.loads(c.text) for c in rig.take() if isinstance(c, Send)]
    assert again["do"] == "in"
    rig.frame(INTERVAL + 2.5, NAME, book("book.X", 1, BIDS, ASKS, full=True))
    assert lane.readable
    assert lane.recovery.need == ""
    rig.tick(INTERVAL + 3)
    assert rig.market_view(NAME, "X").verified


def test_a_new_subscription_that_brings_nothing_keeps_its_book_unreadable_and_holds_the_others_up_for_a_minute() -> (
    None
):
    world = World()
    world.deaf.add("book.X")
    begin = 1 + INTERVAL // len(SYMBOLS)
    patience = RENEWAL_TIMEOUT // SECOND
    for second in range(1, begin + patience):
        world.second(second)
    assert {key for _, key in world.left} == {"book.X"}  # one at a time, and again while it brings nothing
    assert {m.market: m.reason for m in world.rig.hub.view.markets} == {"X": "refresh", "Y": "", "Z": ""}
    for second in range(begin + patience, begin + patience + INTERVAL):
        world.second(second)
    turns = [(second, key) for second, key in world.left if key != "book.X"]
    assert turns == [
        (begin + patience + i * INTERVAL // len(SYMBOLS), key) for i, key in enumerate(("book.Y", "book.Z", "book.Y"))
    ]
    now = begin + patience + INTERVAL
    world.rig.drop(now, NAME)
    connect(world.rig, now + 1, VENUE, 0, *(f"book.{s}" for s in SYMBOLS))
    world.deaf.clear()
    world.answer(now + 1)
    world.second(now + 2)
    assert [m.verified for m in world.rig.hub.view.markets] == [True] * 3


def test_a_refused_one_keeps_its_book_unreadable_and_the_others_have_their_turns() -> None:
    world = World()
    world.refused.add("book.X")
    step = INTERVAL // len(SYMBOLS)
    for second in range(1, 3 * INTERVAL):
        world.second(second)
    # Every second one of the two that are left: nobody waits for the one that is refused.
    assert world.left == [
        (1 + (i + 1) * step, f"book.{symbol}")
        for i, symbol in enumerate(("X", *"YZ" * 4))
        if 1 + (i + 1) * step < 3 * INTERVAL
    ]
    assert {m.market: m.reason for m in world.rig.hub.view.markets} == {"X": "refresh", "Y": "", "Z": ""}
    world.refused.clear()
    for second in range(3 * INTERVAL, 1 + step + ASK_AGAIN // SECOND + 3):
        world.second(second)
    assert [m.verified for m in world.rig.hub.view.markets] == [True] * 3


def test_a_gap_while_it_is_asked_for_heals_with_it() -> None:
    world = World("X")
    rig = world.rig
    for second in range(1, INTERVAL + 1):
        world.second(second)
    rig.tick(INTERVAL + 1)
    rig.frame(INTERVAL + 1.1, NAME, book("book.X", world.number + 9, [("99.9", "2")]))
    assert rig.market(NAME, "X").books[0].book.reason == "gap"
    world.answer(INTERVAL + 1.2)
    rig.tick(INTERVAL + 2)
    assert rig.market_view(NAME, "X").verified
    assert rig.market_view(NAME, "X").resyncs == {"gap": 1}
    assert [c for c in rig.take() if isinstance(c, Send)] == []


def test_a_whole_book_of_the_subscription_that_is_being_left_heals_nothing() -> None:
    """It may come between the gap and the end of the old subscription: after it no change would follow, and the book stand still."""
    world = World("X")
    rig = world.rig
    world.second(1)
    lane = rig.market(NAME, "X").books[0]
    lane.connection_gap(rig.hub.view.at)
    rig.frame(1.1, NAME, book("book.X", world.number, [("99.9", "2")]))  # a change without a book: asked for again
    rig.tick(2)
    (leave,) = [orjson.loads(c.text) for c in rig.take() if isinstance(c, Send)]
    assert leave["do"] == "out"
    rig.frame(2.1, NAME, book("book.X", world.number + 1, BIDS, ASKS, full=True))
    assert not lane.readable
    rig.frame(2.2, NAME, orjson.dumps({"done": leave["id"]}))
    world.answer(2.2)
    assert lane.readable
    assert lane.recovery.need == ""
