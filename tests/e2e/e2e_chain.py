"""An independent eye on every frame and snapshot the hub gets: may this book be readable now?

Each venue's continuity rule, written again in plain Python from its documentation. The hub's `readable` is compared with it
in the very step in which a frame was handled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from monitor.events import Command, Connected, Disconnected, Event, RestReplied
from monitor.facts import Channel
from monitor.hub import Hub

MAX_WRONG = 20


@dataclass
class Chain:
    """One market's stream on one connection: the id the next frame must link to, None after a break."""

    venue: str
    last: int | None = None
    waiting: list[tuple[int, int, int]] = field(default_factory=list)  # Binance (U, u, pu) since the last break
    breaks: int = 0
    seed: int | None = None  # Binance: id of the snapshot the stream has to join
    newest: int = -1  # Binance: id of the last snapshot

    def broken(self) -> None:
        if self.last is not None:
            self.breaks += 1
        self.last = None

    def frame(self, message: dict[str, Any]) -> None:
        match self.venue:
            case "binance_usdm":
                self._binance(message.get("data", message))
            case "bybit_linear":
                number, kind = message["data"]["u"], message["type"]
                if kind == "snapshot" or number == 1 or (self.last is not None and number == self.last + 1):
                    self.last = number
                elif self.last is not None and number > self.last + 1:
                    self.broken()
            case "okx_swap":
                body = message["data"][0]
                if message["action"] == "snapshot" or body["prevSeqId"] == self.last:
                    self.last = body["seqId"]
                elif self.last is not None and body["seqId"] != self.last:
                    self.broken()

    def _binance(self, body: dict[str, Any]) -> None:
        first, last, previous = body["U"], body["u"], body["pu"]
        if self.last is not None:
            if previous == self.last:
                self.last = last
            elif last > self.last:
                self.broken()
                # A half frame may have been noticed before its successor shows the break: then the snapshot is here already.
                self.waiting, self.seed = [(first, last, previous)], self.newest if self.newest >= previous else None
                self._join()
            return
        if self.waiting and previous != self.waiting[-1][1] and last > self.waiting[-1][1]:
            self.waiting.clear()
        self.waiting.append((first, last, previous))
        self._join()

    def seeded(self, snapshot_id: int) -> None:
        """A REST snapshot came."""
        self.newest = snapshot_id
        if self.last is None:
            self.seed = snapshot_id
            self._join()

    def _join(self) -> None:
        """The chain holds from the first kept frame that straddles the snapshot or continues it."""
        if self.seed is None:
            return
        joined: int | None = None
        for first, last, previous in self.waiting:
            if last < self.seed or (last == self.seed and joined is None):
                continue
            if joined is None and not (first <= self.seed or previous == self.seed):
                return
            if joined is not None and previous != joined:
                return
            joined = last
        self.last = joined


class Watch:
    """Wraps a hub. `wrong` lists every step in which it called a book readable whose chain is broken."""

    def __init__(self) -> None:
        self.chains: dict[tuple[str, int, str], Chain] = {}
        self.wrong: list[str] = []
        self.lost: list[tuple[str, str, int, str]] = []  # venue, market, at, reason: every loss of a readable book
        self.regained: list[tuple[str, str, int]] = []
        self.frames = 0
        self.events: list[Event] = []
        self._readable: dict[tuple[str, str], bool] = {}
        self._seeds: dict[tuple[str, str | None], int] = {}

    def attach(self, hub: Hub) -> None:
        on_frame, on_event = hub.on_frame, hub.on_event

        def frame(venue: str, connection: int, data: bytes, at: int) -> Sequence[Command]:
            commands = on_frame(venue, connection, data, at)
            self.frames += 1
            if hub.last_channel is Channel.BOOK:
                self._book(hub, venue, connection, data, at)
            return commands

        def event(got: Event) -> Sequence[Command]:
            commands = on_event(got)
            self.events.append(got)
            self._event(hub, got)
            return commands

        hub.on_frame, hub.on_event = frame, event  # type: ignore[method-assign]

    def _book(self, hub: Hub, venue: str, connection: int, data: bytes, at: int) -> None:
        try:
            message = orjson.loads(data)
            market = self._market(venue, message)
            key = (venue, connection, market)
            if key not in self.chains:
                self.chains[key] = Chain(venue, seed=self._seeds.get((venue, market)))
            self.chains[key].frame(message)
        except (orjson.JSONDecodeError, KeyError, IndexError, TypeError):
            for name, symbol in hub.markets:
                if name == venue:
                    self._note(hub, venue, symbol, at)
            return
        self._judge(hub, venue, connection, market, at)

    @staticmethod
    def _market(venue: str, message: dict[str, Any]) -> str:
        match venue:
            case "binance_usdm":
                return str(message.get("data", message)["s"])
            case "bybit_linear":
                return str(message["data"]["s"])
        return str(message["arg"]["instId"])

    def _event(self, hub: Hub, event: Event) -> None:
        if isinstance(event, Connected):
            for key in [key for key in self.chains if key[:2] == (event.venue, event.connection)]:
                del self.chains[key]
        elif isinstance(event, RestReplied) and not event.error and "/depth" in event.request.url:
            last = self._seeds[event.venue, event.request.symbol] = orjson.loads(event.body)["lastUpdateId"]
            for (venue, _, market), chain in self.chains.items():
                if (venue, market) == (event.venue, event.request.symbol):
                    chain.seeded(last)
        if isinstance(event, Disconnected | RestReplied):
            for venue, symbol in hub.markets:
                if venue == event.venue:
                    self._note(hub, venue, symbol, event.at)

    def _judge(self, hub: Hub, venue: str, connection: int, symbol: str, at: int) -> None:
        market = hub.markets.get((venue, symbol))
        if market is None or connection not in market.books:
            return
        chain = self.chains[venue, connection, symbol]
        book = market.books[connection].book
        if book.readable and chain.last is None and len(self.wrong) < MAX_WRONG:
            self.wrong.append(f"{venue} {symbol} at {at}: readable, although its chain is broken")
        if book.readable:
            top = book.top()
            if top is not None and top.bid_tick >= top.ask_tick:
                self.wrong.append(f"{venue} {symbol} at {at}: readable and crossed")
        self._note(hub, venue, symbol, at)

    def _note(self, hub: Hub, venue: str, symbol: str, at: int) -> None:
        book = hub.markets[venue, symbol].book
        now = book is not None and book.readable
        before = self._readable.get((venue, symbol), False)
        self._readable[venue, symbol] = now
        if before and not now:
            self.lost.append((venue, symbol, at, book.reason if book is not None else "none"))
        elif now and not before:
            self.regained.append((venue, symbol, at))
