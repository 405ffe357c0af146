"""The coarse streams of one market: prices rounded to a few figures, which say what lies beyond the reach of its book.

Each is a book of its own, kept by the same lane as any other. Once a second those that hold are joined into the deep figures
of the book that is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from engines.book.bands import SIDES
from engines.book.layers import Layer
from engines.book.live_book import LiveBook
from monitor.book_lane import BookLane
from monitor.links import Link
from monitor.views import LayerView


class Layers:
    """Mutable; its market alone writes it. `lanes`: by connection and topic key."""

    def __init__(self) -> None:
        self.lanes: dict[tuple[int, str], BookLane] = {}
        self._joined = False
        self._resyncs: dict[int, Counter[str]] = {}  # of lanes that are gone, by significant figures

    def of(self, connection: int) -> Iterator[BookLane]:
        """Those of one connection."""
        return (lane for (index, _), lane in self.lanes.items() if index == connection)

    def close(self, connection: int) -> None:
        """The connection is gone, and what it brought with it."""
        for key in [key for key in self.lanes if key[0] == connection]:
            lane = self.lanes.pop(key)
            self._resyncs.setdefault(_figures(lane), Counter()).update(lane.book.resyncs)

    def join(self, book: LiveBook | None, links: Mapping[int, Link], at: int) -> None:
        """Give the book that is read what its layers say beyond it."""
        if book is None or not (self.lanes or self._joined):
            return
        held: dict[int, BookLane] = {}
        for (index, key), lane in self.lanes.items():
            link = links.get(index)
            if link is None or link.lag.behind or link.session.is_silent(key) or lane.unreadable(at):
                continue
            known = held.get(_figures(lane))  # two connections may carry the same one
            if known is None or _told_at(known) < _told_at(lane):
                held[_figures(lane)] = lane
        if held:
            book.set_layers([Layer(lane.book, figures, lane.stale_after) for figures, lane in held.items()], at)
        else:
            book.drop_layers()
        self._joined = bool(held)

    def views(self, at: int) -> tuple[LayerView, ...]:
        """Each as it stands, the finest first."""
        found = []
        for lane in self.lanes.values():
            book, reason = lane.book, lane.unreadable(at)
            reach = {side: None if reason else book.reach(side) for side in SIDES}
            resyncs = self._resyncs.get(_figures(lane), Counter()) + Counter(book.resyncs)
            found.append(LayerView(_figures(lane), reason, book.last_update, reach, dict(resyncs)))
        return tuple(sorted(found, key=lambda layer: -layer.significant_figures))


def _figures(lane: BookLane) -> int:
    assert lane.topic.significant_figures is not None
    return lane.topic.significant_figures


def _told_at(lane: BookLane) -> int:
    return lane.book.last_update or 0
