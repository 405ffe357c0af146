"""One venue as the hub sees it: its open connections, clock, refusals and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from monitor.clock import SECOND
from monitor.facts import VenueNotice
from monitor.feed.lag import ClockOffset
from monitor.feed.reasons import Reason
from monitor.feed.suspicion import Suspicion
from monitor.links import Link
from monitor.polls import Polls
from monitor.refresh import RefreshTurn
from monitor.venues.base import Venue
from monitor.views import ConnectionView, NoticeView, VenueView

MAX_NOTICES: Final = 64  # announcements kept of one venue, the oldest leave first
MAX_FAULT_LINES: Final = 64  # in one view; a venue of hundreds of markets may be out


class VenueState:
    """Mutable; the hub alone writes it."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.links: dict[int, Link] = {}
        self.offset = ClockOffset()
        self.refused: tuple[tuple[str, str], ...] = ()
        self.halted = ""
        self.halted_until: int | None = None
        self.reconnects: Counter[str] = Counter()
        self.notices: dict[str, VenueNotice] = {}
        self._second = 0  # the last one that `expire` saw
        self.polls = Polls()  # of the venue as a whole; those of a market are the market's
        self._suspicions: dict[str, Suspicion] = {}  # by plan: what a lost connection leaves to the next one
        self.poll_errors: Counter[str] = Counter()
        refresh = venue.book.refresh_seconds
        self.refresh = None if refresh is None else RefreshTurn(refresh)
        self.rest_weight_ratio: float | None = None  # written by the feed's edge; no rule reads it
        self._closed: dict[int, ConnectionView] = {}
        self._counts: dict[str, Counter[str]] = {}

    def opened(self, link: Link) -> None:
        self.links[link.index] = link
        # A connection is known by its plan: the new one takes the place of the lost one.
        self._closed = {i: v for i, v in self._closed.items() if v.name != link.plan.name}
        self.halted, self.halted_until = "", None

    def closed(self, index: int, reason: str) -> Link | None:
        link = self.links.pop(index, None)
        if link is None:
            return None
        self._fold(link)
        if not any(other.plan.name == link.plan.name for other in self.links.values()):
            self._closed[index] = _connection_view(link, connected=False)
        self.reconnects[reason] += 1
        return link

    def suspect(self, link: Link, at: int, reason: str) -> None:
        """Keep what `link`, which is closed, leaves to the next connection of its plan; not if that one lives already."""
        suspicion = link.session.suspects(at, reason)
        if suspicion is not None and not any(other.plan.name == link.plan.name for other in self.links.values()):
            self._suspicions[link.plan.name] = suspicion

    def suspicion(self, plan: str, at: int) -> Suspicion | None:
        """What a new connection of `plan` has to know, from the one it succeeds or from the last one that ended."""
        for link in self.links.values():
            if link.plan.name == plan:
                return link.session.suspects(at, Reason.SUCCEEDED)
        return self._suspicions.pop(plan, None)

    def notice(self, notice: VenueNotice) -> None:
        name = notice.key or notice.text
        self.notices.pop(name, None)
        if notice.ends is not None and notice.ends <= notice.venue_time and not notice.disruptive:
            return  # all is over: a flood of these must not push out what stands
        self.notices[name] = notice
        if len(self.notices) > MAX_NOTICES:
            # One that takes books out goes last: without it they would count again.
            del self.notices[next((key for key, n in self.notices.items() if not n.halts), next(iter(self.notices)))]

    def expire(self, at: int) -> None:
        """A second begins: what is over goes, what was announced for now stands."""
        self._second = at
        if self.halted_until is not None and at >= self.halted_until:
            self.halted, self.halted_until = "", None
        over = [key for key, n in self.notices.items() if n.ends is not None and n.ends < at]
        for key in over:
            del self.notices[key]

    def stopped(self, symbol: str, at: int) -> str:
        """Why the venue matches no orders of a market, in its own words; "" when it said nothing of the kind."""
        for n in self.notices.values():
            if n.halts and self._begun(n, at) and (n.ends is None or at <= n.ends) and n.concerns(symbol):
                return n.text
        return ""

    def _begun(self, notice: VenueNotice, at: int) -> bool:
        """By the venue's clock, which is the one it has in mind."""
        return notice.begins is None or notice.begins <= at - (self.offset.value or 0)

    def faults(self) -> tuple[str, ...]:
        found = [
            f"{fault.key or link.plan.name} {fault.kind.value.replace('_', ' ')}{': ' + fault.detail if fault.detail else ''}"
            for link in self.links.values()
            for fault in link.session.faults()
        ]
        found += [n.text for n in self.notices.values() if n.disruptive and self._begun(n, self._second)]
        if len(found) > MAX_FAULT_LINES:
            found = [*found[: MAX_FAULT_LINES - 1], f"and {len(found) - MAX_FAULT_LINES + 1} more"]
        return tuple(found)

    def view(self) -> VenueView:
        lags = [link.lag.lag for link in self.links.values() if link.lag.lag is not None]
        offset = self.offset.value
        told = [n for n in self.notices.values() if not n.put_off or self._begun(n, self._second)]
        return VenueView(
            venue=self.venue.name,
            halted=self.halted,
            clock_offset_seconds=None if offset is None else offset / SECOND,
            lag_seconds=max(lags) / SECOND if lags else None,
            rest_weight_used_ratio=self.rest_weight_ratio,
            connections=tuple(
                [_connection_view(link, connected=True) for link in self.links.values()] + list(self._closed.values())
            ),
            reconnects=dict(self.reconnects),
            channels=self._channels(),
            refused=self.refused,
            faults=self.faults(),
            notices=tuple(NoticeView(n.text, n.begins, n.ends, n.disruptive, n.symbol or n.family) for n in told),
        )

    def _channels(self) -> Mapping[str, Mapping[str, int]]:
        total: dict[str, Counter[str]] = {channel: Counter(counts) for channel, counts in self._counts.items()}
        for link in self.links.values():
            for channel, counts in _link_counts(link).items():
                total.setdefault(channel, Counter()).update(counts)
        return {channel: dict(counts) for channel, counts in total.items()}

    def _fold(self, link: Link) -> None:
        for channel, counts in _link_counts(link).items():
            self._counts.setdefault(channel, Counter()).update(counts)


def _link_counts(link: Link) -> dict[str, dict[str, int]]:
    return {
        channel.value: {
            "messages": count.messages,
            "bytes": count.bytes,
            "parse_errors": count.parse_errors,
            "fallback_frames": link.fallbacks[channel],
        }
        for channel, count in link.session.counts.items()
    }


def _connection_view(link: Link, *, connected: bool) -> ConnectionView:
    return ConnectionView(
        venue=link.venue.name,
        connection=link.index,
        connected=connected,
        name=link.plan.name,
        url_path=link.plan.url.split("://", 1)[-1].partition("/")[2],
        topics=len(link.plan.topics),
    )
