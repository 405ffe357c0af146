"""One venue as the hub sees it: its open connections, clock, refusals and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from monitor.clock import SECOND
from monitor.facts import VenueNotice
from monitor.feed.lag import ClockOffset
from monitor.links import Link
from monitor.venues.base import Venue
from monitor.views import ConnectionView, VenueView

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
        self.poll_errors: Counter[str] = Counter()
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

    def notice(self, notice: VenueNotice) -> None:
        self.notices.pop(notice.text, None)
        self.notices[notice.text] = notice
        if len(self.notices) > MAX_NOTICES:
            del self.notices[next(iter(self.notices))]

    def expire(self, at: int) -> None:
        if self.halted_until is not None and at >= self.halted_until:
            self.halted, self.halted_until = "", None
        over = [key for key, n in self.notices.items() if n.ends is not None and n.ends < at]
        for key in over:
            del self.notices[key]

    def faults(self) -> tuple[str, ...]:
        found = [
            f"{fault.key or link.plan.name} {fault.kind.value.replace('_', ' ')}{': ' + fault.detail if fault.detail else ''}"
            for link in self.links.values()
            for fault in link.session.faults()
        ]
        found += [n.text for n in self.notices.values() if n.disruptive]
        if len(found) > MAX_FAULT_LINES:
            found = [*found[: MAX_FAULT_LINES - 1], f"and {len(found) - MAX_FAULT_LINES + 1} more"]
        return tuple(found)

    def view(self) -> VenueView:
        lags = [link.lag.lag for link in self.links.values() if link.lag.lag is not None]
        offset = self.offset.value
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
