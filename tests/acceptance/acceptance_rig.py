"""Replays with somebody watching, books in plain Python beside them, and recordings made of a few frames."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path

from monitor.capture.replay import ReplayReport, replay
from monitor.capture.writer import RecordingWriter
from monitor.config import Settings
from monitor.events import Command, Connected, Event, InstrumentsListed
from monitor.facts import Instrument
from monitor.hub import Hub
from monitor.venues.base import ConnectionPlan
from monitor.venues.registry import VENUES
from monitor.views import MarketView, ServiceView

SECOND = 1_000_000_000
PERCENTS = ("0.1", "0.25", "0.5", "1", "2", "5", "10")
SIDES = ("bid", "ask")

Frame = tuple[str, int, bytes, int]  # venue, connection, data, receive time


def settings(**engine: str) -> Settings:
    return Settings.model_validate({"engine": engine})


def watched_replay(
    paths: Sequence[Path],
    options: Settings,
    *,
    after_frame: Callable[[Hub, bytes, int], None] | None = None,
    on_second: Callable[[Hub, ServiceView], None] | None = None,
    digest: bool = False,
) -> tuple[ReplayReport, Hub]:
    """A replay whose hub is looked at after every frame and at the end of every second."""
    hubs: list[Hub] = []

    def take(hub: Hub) -> None:
        hubs.append(hub)
        if after_frame is None:
            return
        inner = hub.on_frame

        def on_frame(venue: str, connection: int, data: bytes, at: int) -> Sequence[Command]:
            commands = inner(venue, connection, data, at)
            after_frame(hub, data, at)
            return commands

        hub.on_frame = on_frame  # type: ignore[method-assign]

    def second(view: ServiceView) -> None:
        if on_second is not None:
            on_second(hubs[0], view)

    report = replay(paths, options, on_hub=take, on_second=second, digest=digest)
    return report, hubs[0]


class PlainBook:
    """Prices and sizes as the venue wrote them, in Decimal; a window keeps the best levels of each side."""

    def __init__(self) -> None:
        self.sides: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]] = ({}, {})

    def replace(self, bids: Iterable[Sequence[str]], asks: Iterable[Sequence[str]]) -> None:
        self.sides = ({}, {})
        self.apply(bids, asks)

    def apply(self, bids: Iterable[Sequence[str]], asks: Iterable[Sequence[str]]) -> None:
        for side, rows in zip(self.sides, (bids, asks), strict=True):
            for row in rows:
                price, size = Decimal(row[0]), Decimal(row[1])
                if size == 0:
                    side.pop(price, None)
                else:
                    side[price] = size

    def best(self, side: int) -> Decimal:
        return min(self.sides[1]) if side else max(self.sides[0])

    @property
    def mid(self) -> Decimal:
        return (self.best(0) + self.best(1)) / 2

    def edge(self, side: int, percent: str) -> Decimal:
        return self.mid * (1 + Decimal(percent) / 100 * (1 if side else -1))

    def depths(self, side: int) -> list[tuple[Decimal, Decimal]]:
        """(base, quote) within each of PERCENTS."""
        edges = [self.edge(side, percent) for percent in PERCENTS]
        base, quote = [Decimal(0)] * len(edges), [Decimal(0)] * len(edges)
        for price, size in self.sides[side].items():
            for index, edge in enumerate(edges):
                if price <= edge if side else price >= edge:
                    base[index] += size
                    quote[index] += size * price
        return list(zip(base, quote, strict=True))


def market_of(view: ServiceView, symbol: str) -> MarketView:
    (found,) = [market for market in view.markets if market.market == symbol]
    return found


def figures(market: MarketView) -> dict[tuple[str, str], tuple[float, float, str]]:
    """(side, band) -> (base, usd, basis)."""
    return {(f.side, f.band): (f.base, f.usd, f.basis) for f in market.depth}


def lines_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """(receive time, text) of a hftbacktest capture."""
    with gzip.open(path, "rb") as file:
        for line in file:
            at, raw = line.rstrip().split(b" ", 1)
            yield int(at), raw


def recording(path: Path, events: Sequence[Event], *, run: str = "r", part: int = 0) -> Path:
    writer = RecordingWriter(path, instance="test", run=run, part=part, created=events[0].at)
    for event in events:
        writer.write(event)
    writer.container.close()
    return path


def opening(at: int, venue: str, instruments: Sequence[Instrument], keys: Sequence[str]) -> list[Event]:
    """A listing, and one connection with these topics."""
    topics = tuple(topic for key in keys if (topic := VENUES[venue].topic(key)) is not None)
    assert len(topics) == len(keys)
    return [
        InstrumentsListed(at, venue, tuple(instruments)),
        Connected(at, venue, 0, ConnectionPlan("all", "wss://venue/ws", topics)),
    ]
