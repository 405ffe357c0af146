"""One open connection as the hub sees it: its session, its lag, and what each of its topics feeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from monitor.events import Connected
from monitor.facts import Channel
from monitor.feed.lag import ClockOffset, LagGauge
from monitor.feed.session import ConnectionSession
from monitor.venues.base import Topic, Venue

# Takes a frame and its receive time; returns the venue's time of the frame (ns), 0 when it says none.
Handler = Callable[[bytes, int], int]


class Link:
    """A connection from `Connected` to `Disconnected`."""

    __slots__ = (
        "_by_symbol",
        "_hears_all",
        "fallbacks",
        "handlers",
        "index",
        "lag",
        "opened_at",
        "plan",
        "serial",
        "session",
        "succeeded_at",
        "venue",
    )

    def __init__(self, event: Connected, venue: Venue, offset: ClockOffset, lag_bound: int) -> None:
        self.venue = venue
        self.index = event.connection
        self.plan = event.plan
        self.opened_at = event.at
        self.serial = 0  # one connection's life from another's, in the order they were opened: indices are used again
        self.succeeded_at: int | None = None  # another connection carries its markets; its close was asked for
        # The seed places the planned move before the venue's cut: by connection, so that neighbours never move together.
        self.session = ConnectionSession(venue, event.connection, event.plan, event.at, seed=0)
        self.lag = LagGauge(offset, lag_bound)
        self.handlers: dict[str, Handler] = {}
        self.fallbacks: Counter[Channel] = Counter()
        self._by_symbol: dict[str, list[Topic]] = {}
        self._hears_all = any(t.channel is Channel.LIQUIDATIONS and not t.symbols for t in event.plan.topics)
        for topic in event.plan.topics:
            if len(topic.symbols) == 1 and topic.channel is not Channel.OTHER:
                self._by_symbol.setdefault(topic.symbols[0], []).append(topic)

    @property
    def topics(self) -> tuple[Topic, ...]:
        return self.plan.topics

    def hears_liquidations(self, symbol: str) -> bool:
        """Whether liquidations of a market come on this connection: it has a topic for them, or one for the whole venue."""
        return self._hears_all or any(t.channel is Channel.LIQUIDATIONS for t in self.topics_of(symbol))

    def topics_of(self, symbol: str) -> Sequence[Topic]:
        """The topics of one market alone."""
        return self._by_symbol.get(symbol, ())
