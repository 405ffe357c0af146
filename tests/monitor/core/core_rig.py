"""A hub with everything it gives kept, small markets, and frames of the three venues as their pages write them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import orjson

from monitor.alerts.evaluator import AlertEngine, Transition
from monitor.alerts.payloads import LiquidationPayload
from monitor.alerts.settings import AlertsSettings
from monitor.events import (
    CloseConnection,
    Command,
    Connected,
    Disconnected,
    Event,
    Fetch,
    FrameReceived,
    InstrumentsListed,
    RestReplied,
    Send,
)
from monitor.facts import Instrument
from monitor.hub import Hub, HubOptions
from monitor.market import Market, MarketOptions
from monitor.venues.base import ConnectionPlan, RestRequest, Venue
from monitor.venues.registry import VENUES
from monitor.views import AssetView, MarketView, ServiceView, VenueView

SECOND = 1_000_000_000
MS = 1_000_000
START = 1_780_000_000 * SECOND
BANDS = ("0.1%", "1%", "10%")
Rows = Sequence[tuple[str, str]]

BINANCE, BYBIT, OKX = "binance_usdm", "bybit_linear", "okx_swap"
SYMBOL = {BINANCE: "BTCUSDT", BYBIT: "BTCUSDT", OKX: "BTC-USDT-SWAP"}
BOOK_KEY = {BINANCE: "btcusdt@depth@100ms", BYBIT: "orderbook.1000.BTCUSDT", OKX: "books:BTC-USDT-SWAP"}


def at(seconds: float) -> int:
    return START + round(seconds * SECOND)


def instrument(venue: str = BINANCE, symbol: str = "", asset: str = "BTC", **changes: Any) -> Instrument:
    made = Instrument(
        venue, symbol or SYMBOL[venue], asset, "USDT", "USDT", "linear", Decimal("0.1"), Decimal("0.001"),
        contract_size=Decimal("0.01") if venue == OKX else Decimal(1),
    )  # fmt: skip
    return replace(made, **changes)


def plan(venue: str, *keys: str, name: str = "books") -> ConnectionPlan:
    topics = []
    for key in keys or (BOOK_KEY[venue],):
        topic = VENUES[venue].topic(key)
        assert topic is not None
        topics.append(topic)
    return ConnectionPlan(name, "wss://venue.example/ws", tuple(topics))


# -- frames
def _rows(rows: Rows) -> list[list[str]]:
    return [list(row) for row in rows]


def binance_change(
    first: int,
    last: int,
    previous: int,
    bids: Rows = (),
    asks: Rows = (),
    *,
    time: int = START,
    symbol: str = "BTCUSDT",
) -> bytes:
    data = {
        "e": "depthUpdate", "E": time // MS, "T": time // MS, "s": symbol, "U": first, "u": last, "pu": previous,
        "b": _rows(bids), "a": _rows(asks),
    }  # fmt: skip
    return orjson.dumps({"stream": f"{symbol.lower()}@depth@100ms", "data": data})


def binance_snapshot(last: int, bids: Rows, asks: Rows) -> bytes:
    return orjson.dumps({"lastUpdateId": last, "E": 1, "T": 1, "bids": _rows(bids), "asks": _rows(asks)})


def binance_trade(
    number: int, price: str, size: str, *, sold: bool, time: int = START, symbol: str = "BTCUSDT"
) -> bytes:
    data = {"e": "aggTrade", "E": time // MS, "a": number, "s": symbol, "p": price, "q": size, "f": 1, "l": 1,
            "T": time // MS, "m": sold}  # fmt: skip
    return orjson.dumps({"stream": f"{symbol.lower()}@aggTrade", "data": data})


def binance_force_order(
    symbol: str, side: str, price: str, size: str, *, time: int = START, average: str | None = None
) -> bytes:
    order = {"s": symbol, "S": side, "o": "LIMIT", "f": "IOC", "q": size, "p": price, "ap": average or price,
             "X": "FILLED", "l": size, "z": size, "T": time // MS}  # fmt: skip
    data = {"e": "forceOrder", "E": time // MS, "o": order}
    return orjson.dumps({"stream": f"{symbol.lower()}@forceOrder", "data": data})


def binance_mark(price: str, *, time: int = START, rate: str = "0.0001", symbol: str = "BTCUSDT") -> bytes:
    data = {
        "e": "markPriceUpdate",
        "E": time // MS,
        "s": symbol,
        "p": price,
        "i": price,
        "r": rate,
        "T": time // MS + 1,
    }
    return orjson.dumps({"stream": f"{symbol.lower()}@markPrice@1s", "data": data})


def bybit_book(
    number: int, bids: Rows = (), asks: Rows = (), *, snapshot: bool = False, time: int = START, symbol: str = "BTCUSDT"
) -> bytes:
    data = {"s": symbol, "b": _rows(bids), "a": _rows(asks), "u": number, "seq": number * 10}
    kind = "snapshot" if snapshot else "delta"
    return orjson.dumps(
        {"topic": f"orderbook.1000.{symbol}", "type": kind, "ts": time // MS, "data": data, "cts": time // MS}
    )


def bybit_liquidation(side: str, price: str, size: str, *, time: int = START, symbol: str = "BTCUSDT") -> bytes:
    row = {"T": time // MS, "s": symbol, "S": side, "v": size, "p": price}
    return orjson.dumps({"topic": f"allLiquidation.{symbol}", "type": "snapshot", "ts": time // MS, "data": [row]})


def okx_book(
    number: int, previous: int, bids: Rows = (), asks: Rows = (), *, snapshot: bool = False, time: int = START,
    symbol: str = "BTC-USDT-SWAP",
) -> bytes:  # fmt: skip
    rows = {"asks": [[*row, "0", "1"] for row in asks], "bids": [[*row, "0", "1"] for row in bids],
            "ts": str(time // MS), "checksum": 0, "prevSeqId": previous, "seqId": number}  # fmt: skip
    action = "snapshot" if snapshot else "update"
    return orjson.dumps({"arg": {"channel": "books", "instId": symbol}, "action": action, "data": [rows]})


def okx_deep(bids: Rows, asks: Rows, *, time: int = START) -> bytes:
    rows = {"asks": [[*row, "1"] for row in asks], "bids": [[*row, "1"] for row in bids], "ts": str(time // MS)}
    return orjson.dumps({"code": "0", "msg": "", "data": [rows]})


def ladder(
    mid: float, count: int, size: str = "1", step: float = 0.1
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """`count` levels a side, one tick of `step` apart."""
    bids = [(f"{mid - step * (i + 1):.1f}", size) for i in range(count)]
    asks = [(f"{mid + step * (i + 1):.1f}", size) for i in range(count)]
    return bids, asks


# -- the hub
@dataclass
class Kept:
    """The hub's outlet: keeps everything."""

    moves: list[Transition] = field(default_factory=list)
    prints: list[LiquidationPayload] = field(default_factory=list)
    seconds: list[ServiceView] = field(default_factory=list)

    def transitions(self, transitions: Sequence[Transition]) -> None:
        self.moves.extend(transitions)

    def liquidation(self, payload: LiquidationPayload) -> None:
        self.prints.append(payload)

    def second(self, view: ServiceView) -> None:
        self.seconds.append(view)


class Rig:
    """A hub, its outlet, and the commands it gave since they were last looked at."""

    def __init__(
        self,
        *,
        floor_settle: float = 0.0,
        bands: tuple[str, ...] = BANDS,
        warmup: float = 5.0,
        venues: Mapping[str, Venue] = VENUES,
        **options: Any,
    ) -> None:
        self.outlet = Kept()
        market = MarketOptions(bands=bands, slippage_usd=(1_000, 100_000), floor_settle=round(floor_settle * SECOND))
        self.hub = Hub(
            HubOptions(market=market, baseline_warmup_seconds=warmup, **options),
            AlertEngine(AlertsSettings(), "test"),
            self.outlet,
            venues,
        )
        self.asked: list[Command] = []
        self._unanswered: list[Send] = []

    def _keep(self, commands: Sequence[Command]) -> None:
        self.asked.extend(commands)
        self._unanswered.extend(command for command in commands if isinstance(command, Send))

    # -- events
    def event(self, event: Event) -> None:
        self._keep(self.hub.on_event(event))

    def list(
        self, seconds: float, venue: str, *instruments: Instrument, refused: Iterable[tuple[str, str]] = ()
    ) -> None:
        self.event(InstrumentsListed(at(seconds), venue, instruments or (instrument(venue),), tuple(refused)))

    def connect(self, seconds: float, venue: str, connection: int = 0, *keys: str, name: str = "books") -> None:
        self.event(Connected(at(seconds), venue, connection, plan(venue, *keys, name=name)))

    def frame(self, seconds: float, venue: str, data: bytes, connection: int = 0) -> None:
        self.event(FrameReceived(at(seconds), venue, connection, data))

    def drop(self, seconds: float, venue: str, connection: int = 0, reason: str = "connection_lost") -> None:
        self.event(Disconnected(at(seconds), venue, connection, reason))

    def reply(self, seconds: float, venue: str, request: RestRequest, body: bytes, error: str = "") -> None:
        self.event(RestReplied(at(seconds), venue, request, body, error))

    def tick(self, seconds: float) -> ServiceView:
        self._keep(self.hub.on_tick(at(seconds)))
        return self.hub.view

    def answer(self, seconds: float, venue: str) -> None:
        """The venue does what it was asked to, and says so: old subscriptions end, new ones begin."""
        while self._unanswered:
            command = self._unanswered.pop(0)
            if command.venue == venue and command.text.startswith("{"):
                for said in _confirmed(orjson.loads(command.text)):
                    self.frame(seconds, venue, orjson.dumps(said), command.connection)

    def begin(
        self, venue: str, mid: float = 60_000.0, levels: int = 50, *, seconds: float = 0.0, size: str = "1"
    ) -> None:
        """A listed, connected, verified book; ids begin at 100."""
        self.list(seconds, venue)
        self.connect(seconds, venue)
        self.seed(venue, mid, levels, seconds=seconds, size=size)

    def seed(self, venue: str, mid: float = 60_000.0, levels: int = 50, *, seconds: float = 0.0, size: str = "1",
             connection: int = 0, number: int = 100) -> None:  # fmt: skip
        bids, asks = ladder(mid, levels, size)
        time = at(seconds)
        if venue == BYBIT:
            self.frame(seconds, venue, bybit_book(number, bids, asks, snapshot=True, time=time), connection)
        elif venue == OKX:
            self.frame(seconds, venue, okx_book(number, -1, bids, asks, snapshot=True, time=time), connection)
        else:
            self.frame(seconds, venue, binance_change(number - 5, number, number - 6, time=time), connection)
            request = self.fetches(venue)[-1]
            self.reply(seconds, venue, request, binance_snapshot(number, bids, asks))

    # -- what came out
    def take(self) -> list[Command]:
        taken, self.asked = self.asked, []
        return taken

    def fetches(self, venue: str, purpose: str = "snapshot") -> list[RestRequest]:
        """REST requests since the last look, which forgets the other commands too."""
        return [
            c.request for c in self.take() if isinstance(c, Fetch) and c.venue == venue and c.request.purpose == purpose
        ]

    def sends(self, venue: str) -> list[str]:
        return [c.text for c in self.take() if isinstance(c, Send) and c.venue == venue]

    def closes(self, venue: str) -> list[int]:
        return [c.connection for c in self.take() if isinstance(c, CloseConnection) and c.venue == venue]

    def market(self, venue: str = BINANCE, symbol: str = "") -> Market:
        return self.hub.markets[venue, symbol or SYMBOL[venue]]

    def market_view(self, venue: str = BINANCE, symbol: str = "") -> MarketView:
        (found,) = [m for m in self.hub.view.markets if (m.venue, m.market) == (venue, symbol or SYMBOL[venue])]
        return found

    def asset_view(self, name: str = "BTC") -> AssetView:
        (found,) = [a for a in self.hub.view.assets if a.asset == name]
        return found

    def venue_view(self, name: str = BINANCE) -> VenueView:
        (found,) = [v for v in self.hub.view.venues if v.venue == name]
        return found


def _confirmed(asked: dict[str, Any]) -> list[dict[str, Any]]:
    """In the form of the venue that is asked in this one; the last is the made-up venue's."""
    if "req_id" in asked:
        return [{"success": True, "ret_msg": "", "op": asked["op"], "req_id": asked["req_id"], "conn_id": "c"}]
    if "op" in asked:
        return [{"event": asked["op"], "arg": arg, "connId": "c"} for arg in asked["args"]]
    return [{"done": asked["id"]}]


def figures(view: MarketView) -> dict[tuple[str, str], tuple[float, str]]:
    """(side, band) -> (usd, basis)."""
    return {(f.side, f.band): (f.usd, f.basis) for f in view.depth}
