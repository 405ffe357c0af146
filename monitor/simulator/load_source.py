"""The source for load tests: thousands of valid book frames a second, of mixed sizes, on many markets.

Rows are written once and reused, so that the generator costs a few microseconds a frame whatever its size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import numpy as np

from monitor.errors import SettingsError
from monitor.facts import Instrument
from monitor.simulator.listing import listing
from monitor.simulator.order_book import Ints
from monitor.simulator.source import OutFrame, RestReply
from monitor.simulator.specs import BINANCE, BYBIT, OKX, VENUES

# Levels in one frame (both sides together) and how often: most frames are small, most bytes are in large ones.
FRAME_LEVELS = (10, 68, 500, 1000)
FRAME_SHARES = (0.60, 0.30, 0.08, 0.02)
VARIANTS = 16  # different quantities a level takes in turn
LEVELS_A_SIDE = {BINANCE: 1000, BYBIT: 1000, OKX: 400}  # inside each venue's window
MIDDLE_TICK = 700_000  # 70,000.0 at a tick of 0.1
DELETE_EVERY = 10  # in odd variants every so many levels are deleted; even ones bring them back
SECOND = 1_000_000_000
MARK_SECONDS = 1
MAX_MARKETS = 600
FIRST_ID = 1_000_000


class LoadSource:
    """`rate` book frames a second over `markets` markets of the given venues in turn."""

    def __init__(
        self, *, markets: int = 60, rate: float = 5_000.0, seed: int = 1, epoch_ns: int, venues: Sequence[str] = VENUES
    ) -> None:
        if not 1 <= markets <= MAX_MARKETS or rate <= 0:
            raise SettingsError(f"a load needs 1 to {MAX_MARKETS} markets and a rate above 0")
        rng = np.random.Generator(np.random.PCG64([seed, 0x6C6F6164]))
        self.rate, self._epoch = rate, epoch_ns // 1_000_000
        self._markets = [(venues[n % len(venues)], _name(venues[n % len(venues)], n)) for n in range(markets)]
        self.instruments = {
            venue: [_instrument(venue, symbol) for which, symbol in self._markets if which == venue] for venue in venues
        }
        self._state = {each: np.zeros((2, LEVELS_A_SIDE[each[0]]), dtype=np.int64) for each in self._markets}
        self._ids = dict.fromkeys(self._markets, FIRST_ID)
        self._quantities = rng.integers(1, 5_000, (VARIANTS, 2, max(LEVELS_A_SIDE.values())))
        self._quantities[1::2, :, ::DELETE_EVERY] = 0
        self._quantities[:, :, 0] = np.maximum(self._quantities[:, :, 0], 1)  # the touch always stands
        self._sizes = rng.choice(len(FRAME_LEVELS), 65_536, p=FRAME_SHARES)
        self._order = rng.integers(markets, size=65_521)  # two lengths without common factor: a long period
        self._rows = {
            (venue, size, variant): self._written(venue, size, variant)
            for venue in venues
            for size in range(len(FRAME_LEVELS))
            for variant in range(VARIANTS)
        }
        for state in self._state.values():
            state[:] = self._quantities[0][:, : state.shape[1]]
        self._sent = 0
        self._marked = 0
        self.elapsed = 0

    # -- the FrameSource face
    @property
    def outages(self) -> frozenset[str]:
        return frozenset()

    def knows(self, venue: str, key: str) -> bool:
        return any(i.symbol.removesuffix("-SWAP") in key.upper() for i in self.instruments.get(venue, ())) or key in (
            "!contractInfo",
            "system.status",
            "status",
            "liquidation-orders:SWAP",
        )

    def started_by(self, venue: str, key: str) -> None:
        """The load runs whether or not somebody listens."""

    def opening(self, venue: str, key: str) -> list[bytes]:
        for which, symbol in self._markets:
            if which == venue and key in (f"orderbook.1000.{symbol}", f"books:{symbol}"):
                return [self._frame((which, symbol), *self._standing((which, symbol)), snapshot=True)]
        return []

    def rest(self, venue: str, path: str, query: Mapping[str, str]) -> RestReply | None:
        market = (venue, query.get("symbol") or query.get("instId") or "")
        if market in self._state:
            bids, asks = self._standing(market)
            now = self._now()
            if path == "/fapi/v1/depth":
                return RestReply(
                    200,
                    b'{"lastUpdateId":%d,"E":%d,"T":%d,"bids":[%b],"asks":[%b]}'
                    % (self._ids[market], now, now, bids, asks),
                )
            if path == "/fapi/v1/openInterest":
                return RestReply(
                    200, b'{"openInterest":"1000.000","symbol":"%b","time":%d}' % (market[1].encode(), now)
                )
            if path.startswith("/api/v5/market/books"):
                rows = b'{"code":"0","msg":"","data":[{"asks":[%b],"bids":[%b],"ts":"%d"}]}' % (asks, bids, now)
                return RestReply(200, rows.replace(b'"0","3"', b'"3"') if path.endswith("full") else rows)
        return listing(venue, path, self.instruments.get(venue, ()))

    def next_due(self) -> int:
        return int((self._sent + 1) * SECOND / self.rate)

    def advance(self, elapsed_ns: int) -> Iterator[OutFrame]:
        self.elapsed = elapsed_ns
        while self.next_due() <= elapsed_ns:
            number, self._sent = self._sent, self._sent + 1
            market = self._markets[int(self._order[number % len(self._order)])]
            size = int(self._sizes[number % len(self._sizes)])
            yield self._update(market, size, number % VARIANTS)
        if elapsed_ns >= self._marked + MARK_SECONDS * SECOND:
            self._marked = elapsed_ns
            yield from map(self._mark, self._markets)

    # -- truth
    def levels(self, venue: str, symbol: str) -> tuple[Ints, Ints]:
        """Lots of each side, best level first, one tick apart from the touch outwards; 0 = no level."""
        state = self._state[venue, symbol]
        return state[0].copy(), state[1].copy()

    # -- inside
    def _update(self, market: tuple[str, str], size: int, variant: int) -> OutFrame:
        count = min(FRAME_LEVELS[size] // 2, LEVELS_A_SIDE[market[0]])
        self._state[market][:, :count] = self._quantities[variant][:, :count]
        frame = self._frame(market, *self._rows[market[0], size, variant], snapshot=False)
        venue, symbol = market
        key = {BINANCE: f"{symbol.lower()}@depth@100ms", BYBIT: f"orderbook.1000.{symbol}", OKX: f"books:{symbol}"}[
            venue
        ]
        return OutFrame(venue, key, frame)

    def _frame(self, market: tuple[str, str], bids: bytes, asks: bytes, *, snapshot: bool) -> bytes:
        venue, symbol = market[0], market[1].encode()
        before = self._ids[market]
        last = before if snapshot else before + 1
        self._ids[market] = last
        now = self._now()
        if venue == BINANCE:
            head = b'{"e":"depthUpdate","E":%d,"T":%d,"s":"%b","ps":"%b","st":1,"U":%d,"u":%d,"pu":%d,"b":['
            return head % (now, now, symbol, symbol, last, last, before) + bids + b'],"a":[' + asks + b"]}"
        if venue == BYBIT:
            head = b'{"topic":"orderbook.1000.%b","type":"%b","ts":%d,"data":{"s":"%b","b":['
            kind = b"snapshot" if snapshot else b"delta"
            tail = b'],"u":%d,"seq":%d},"cts":%d}' % (last, last, now)
            return head % (symbol, kind, now, symbol) + bids + b'],"a":[' + asks + tail
        head = b'{"arg":{"channel":"books","instId":"%b"},"action":"%b","data":[{"asks":['
        tail = b'],"ts":"%d","checksum":0,"prevSeqId":%d,"seqId":%d}]}' % (now, -1 if snapshot else before, last)
        return head % (symbol, b"snapshot" if snapshot else b"update") + asks + b'],"bids":[' + bids + tail

    def _mark(self, market: tuple[str, str]) -> OutFrame:
        venue, symbol = market
        now = self._now()
        if venue == BINANCE:
            text = (
                f'{{"e":"markPriceUpdate","E":{now},"s":"{symbol}","p":"70000.00000000","i":"70000.00000000",'
                f'"r":"0.00010000","T":{now + 3_600_000},"st":1}}'
            )
            return OutFrame(venue, f"{symbol.lower()}@markPrice@1s", text.encode())
        if venue == BYBIT:
            text = (
                f'{{"topic":"tickers.{symbol}","type":"delta","data":{{"symbol":"{symbol}","markPrice":"70000.00"}},'
                f'"cs":1,"ts":{now}}}'
            )
            return OutFrame(venue, f"tickers.{symbol}", text.encode())
        text = (
            f'{{"arg":{{"channel":"mark-price","instId":"{symbol}"}},"data":[{{"instType":"SWAP","instId":"{symbol}",'
            f'"markPx":"70000","ts":"{now}"}}]}}'
        )
        return OutFrame(venue, f"mark-price:{symbol}", text.encode())

    def _standing(self, market: tuple[str, str]) -> tuple[bytes, bytes]:
        bids, asks = (
            [(number, lots) for number, lots in enumerate(side.tolist()) if lots] for side in self._state[market]
        )
        return _rows(market[0], 1, bids), _rows(market[0], -1, asks)

    def _written(self, venue: str, size: int, variant: int) -> tuple[bytes, bytes]:
        count = min(FRAME_LEVELS[size] // 2, LEVELS_A_SIDE[venue])
        quantities = self._quantities[variant][:, :count]
        bids, asks = (list(enumerate(side.tolist())) for side in quantities)
        return _rows(venue, 1, bids), _rows(venue, -1, asks)

    def _now(self) -> int:
        return self._epoch + self.elapsed // 1_000_000


def _rows(venue: str, sign: int, rows: Sequence[tuple[int, int]]) -> bytes:
    tail = ',"0","3"' if venue == OKX else ""
    first = MIDDLE_TICK if sign > 0 else MIDDLE_TICK + 1
    parts = []
    for number, lots in rows:
        tick = first - sign * number
        parts.append(f'["{tick // 10}.{tick % 10}","{lots // 1000}.{lots % 1000:03d}"{tail}]')
    return ",".join(parts).encode()


def _name(venue: str, number: int) -> str:
    letters = "".join(chr(ord("A") + number // 26**place % 26) for place in (1, 0))
    return f"LOAD{letters}-USDT-SWAP" if venue == OKX else f"LOAD{letters}USDT"


def _instrument(venue: str, symbol: str) -> Instrument:
    asset = symbol.split("-", maxsplit=1)[0].removesuffix("USDT")
    return Instrument(venue, symbol, asset, "USDT", "USDT", "linear", Decimal("0.1"), Decimal("0.001"))
