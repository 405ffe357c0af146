"""One open connection as the hub sees it: its session, its lag, and what each of its topics feeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from monitor.book_lane import BookLane
from monitor.events import Connected
from monitor.facts import Channel
from monitor.feed.lag import ClockOffset, LagGauge
from monitor.feed.session import ConnectionSession
from monitor.feed.subscription import Phase
from monitor.feed.suspicion import Suspicion
from monitor.venues.base import Topic, Venue

# Takes a frame and its receive time; returns the venue's time of the frame (ns), 0 when it says none.
Handler = Callable[[bytes, int], int]

# The venue sends what it has: also while we have not yet said that we leave, not any more once we have.
SUBSCRIBED: Final = (Phase.ACKED, Phase.LIVE, Phase.LEAVE_QUEUED)


class Link:
    """A connection from `Connected` to `Disconnected`."""

    __slots__ = (
        "_by_symbol",
        "_for_all",
        "fallbacks",
        "handlers",
        "index",
        "lag",
        "lanes",
        "lost",
        "opened_at",
        "plan",
        "serial",
        "session",
        "splits",
        "succeeded_at",
        "venue",
    )

    def __init__(
        self, event: Connected, venue: Venue, offset: ClockOffset, lag_bound: int, suspicion: Suspicion | None = None
    ) -> None:
        self.venue = venue
        self.index = event.connection
        self.plan = event.plan
        self.splits = venue.splits
        self.opened_at = event.at
        self.serial = 0  # one connection's life from another's, in the order they were opened: indices are used again
        self.succeeded_at: int | None = None  # another connection carries its markets; its close was asked for
        self.lost = False  # its numbers showed a hole, and everything it brought was given up
        # The seed places the planned move before the venue's cut: by connection, so that neighbours never move together.
        self.session = ConnectionSession(venue, event.connection, event.plan, event.at, seed=0, suspicion=suspicion)
        self.lag = LagGauge(offset, lag_bound)
        self.handlers: dict[str, Handler] = {}
        self.lanes: dict[str, BookLane] = {}  # books and coarse layers that are read here, by key
        self.fallbacks: Counter[Channel] = Counter()
        self._by_symbol: dict[str, list[Topic]] = {}
        self._for_all = tuple(t for t in event.plan.topics if _brings_liquidations(t) and not t.symbols)
        for topic in event.plan.topics:
            if len(topic.symbols) == 1 and topic.channel is not Channel.OTHER:
                self._by_symbol.setdefault(topic.symbols[0], []).append(topic)

    @property
    def topics(self) -> tuple[Topic, ...]:
        return self.plan.topics

    def follow(self, at: int) -> None:
        """Tell every book where its subscription stands: after each control frame and each second, before anything else moves it."""
        for key, lane in self.lanes.items():
            lane.follow(self.session.phase(key), at)

    def hears_liquidations(self, symbol: str) -> bool:
        """Whether liquidations of a market would come on this connection: a topic for them, or one for the whole venue, is
        subscribed and not silent.
        """
        if self.lost:
            return False
        topics = (*self._for_all, *self.topics_of(symbol))
        return any(_brings_liquidations(topic) and self._hears(topic.key) for topic in topics)

    def _hears(self, key: str) -> bool:
        return self.session.phase(key) in SUBSCRIBED and not self.session.is_silent(key)

    def topics_of(self, symbol: str) -> Sequence[Topic]:
        """The topics of one market alone."""
        return self._by_symbol.get(symbol, ())


def _brings_liquidations(topic: Topic) -> bool:
    """A channel of their own, or trades of which some are."""
    return topic.channel is Channel.LIQUIDATIONS or (topic.channel is Channel.TRADES and bool(topic.facts_when))
