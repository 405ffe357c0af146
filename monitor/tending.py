"""What books, polls and connections need by the passing of time, and when an answer comes: recoveries, hand-overs, refreshes."""

from __future__ import annotations

from typing import Final

from monitor.book_lane import BookLane
from monitor.clock import SECOND
from monitor.events import CloseConnection, Command, Fetch, RestReplied
from monitor.feed.reasons import Reason
from monitor.holdings import Holdings
from monitor.links import Link
from monitor.market import Market
from monitor.polls import Polls
from monitor.venue_state import VenueState

CLOSE_SPACING: Final = 10 * SECOND  # a close that is not carried out is asked for again this much later


class Tending:
    """Called by the hub alone. What is to be done goes into `commands`, which are the hub's."""

    def __init__(self, holdings: Holdings, commands: list[Command]) -> None:
        self._holdings = holdings
        self._commands = commands

    def second(self, at: int) -> None:
        """A whole second of event time has come."""
        for state in self._holdings.states.values():
            state.expire(at)
            for link in list(state.links.values()):
                actions = link.session.tick(at)
                link.follow(at)
                self._commands.extend(actions)
            self._hand_over(state, at)
            self._refresh(state, at)
            if state.links:
                self._ask(state, state.polls, at)
        for (venue, _), market in self._holdings.markets.items():
            self._tend(self._holdings.states[venue], market, at)

    def recover(self, link: Link, lane: BookLane, at: int) -> None:
        """Ask for what the lane's book needs, once."""
        lane.settle()
        if not lane.recovery.due(at):
            return
        lane.recovery.asked(at)
        if lane.recovery.need == "resubscribe":
            link.session.resubscribe(lane.topic, at)
            self._commands.extend(link.session.drain(at))
        else:
            request = lane.seed_request(at)
            if request is not None:
                self._commands.append(Fetch(link.venue.name, request))

    def replied(self, state: VenueState, event: RestReplied) -> None:
        """An answer that is about a market's book; any other is of no concern here."""
        market = self._holdings.markets.get((event.venue, event.request.symbol or ""))
        if market is None or event.request.purpose not in {"snapshot", "deep"}:
            return
        for index, lane in market.books.items():
            errors = lane.body_errors
            lane.replied(event)
            if (link := state.links.get(index)) is None:
                continue
            if lane.body_errors > errors:
                link.session.parse_error(lane.topic)
            lane.follow(link.session.phase(lane.topic.key), event.at)  # what was left is not brought back by a snapshot
            if lane.recovery.need:
                self.recover(link, lane, event.at)

    def _hand_over(self, state: VenueState, at: int) -> None:
        """Close a connection whose successor (same plan) carries everything it carried."""
        by_plan: dict[str, Link] = {}
        for link in state.links.values():
            if link.succeeded_at is not None:
                if at - link.succeeded_at >= CLOSE_SPACING:
                    self._close(link, at)
                continue
            older = by_plan.setdefault(link.plan.name, link)
            if older is link or not link.session.carrying:
                continue
            markets = [m for m in self._holdings.markets_of(state.venue.name) if older.index in m.books]
            # A market that neither can read (one-sided, being delisted) must not keep the others on the old connection.
            if all(m.ready(link.index) or not m.ready(older.index) for m in markets):
                for market in markets:
                    market.promote(link.index, at)
                self._close(older, at)
                by_plan[link.plan.name] = link

    def _close(self, link: Link, at: int) -> None:
        link.succeeded_at = at
        self._commands.append(CloseConnection(link.venue.name, link.index, Reason.SUCCEEDED))

    def _refresh(self, state: VenueState, at: int) -> None:
        """Subscribe one of the venue's books anew when its turn has come."""
        if state.refresh is None:
            return
        books = [
            (link, market.books[link.index])
            for market in self._holdings.markets_of(state.venue.name)
            if market.active is not None and (link := state.links.get(market.active)) is not None
        ]
        turn = state.refresh.step(books, at)
        if turn is not None:
            link, lane = turn
            link.session.resubscribe(lane.topic, at)
            self._commands.extend(link.session.drain(at))

    def _tend(self, state: VenueState, market: Market, at: int) -> None:
        """What a market's books and polls need by the passing of time."""
        market.end_second()
        for index, lane in market.books.items():
            link = state.links.get(index)
            if link is None:
                continue
            if lane.recovery.need:
                self.recover(link, lane, at)
            elif index == market.active and (request := lane.extension_request(at)) is not None:
                self._commands.append(Fetch(state.venue.name, request))
        for (index, _), layer in market.layers.lanes.items():
            if layer.recovery.need and (link := state.links.get(index)) is not None:
                self.recover(link, layer, at)
        if state.links:
            self._ask(state, market.polls, at)

    def _ask(self, state: VenueState, polls: Polls, at: int) -> None:
        venue = state.venue
        self._commands.extend(Fetch(venue.name, venue.dated_request(request, at)) for request in polls.due(at))
