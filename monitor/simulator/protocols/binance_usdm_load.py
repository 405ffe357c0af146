"""Load in the form of Binance USD-M."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from monitor.simulator.protocols.frames import Keyed, TextRow
from monitor.simulator.protocols.load import MARK, LoadForm
from monitor.simulator.source import RestReply

OPEN_INTEREST = "1000.000"


class BinanceLoad(LoadForm):
    levels: ClassVar[int] = 1000

    def symbol(self, coin: str) -> str:
        return f"{coin}USDT"

    def book_key(self, symbol: str) -> str:
        return f"{symbol.lower()}@depth@100ms"

    def row(self, price: str, size: str) -> str:
        return f'["{price}","{size}"]'

    def frame(
        self, symbol: str, before: int, last: int, now_ms: int, bids: bytes, asks: bytes, *, snapshot: bool
    ) -> bytes:
        name = symbol.encode()
        head = b'{"e":"depthUpdate","E":%d,"T":%d,"s":"%b","ps":"%b","st":1,"U":%d,"u":%d,"pu":%d,"b":['
        return head % (now_ms, now_ms, name, name, last, last, before) + bids + b'],"a":[' + asks + b"]}"

    def mark(self, symbol: str, now_ms: int) -> Keyed:
        text = (
            f'{{"e":"markPriceUpdate","E":{now_ms},"s":"{symbol}","p":"{MARK}","i":"{MARK}","r":"0.00010000",'
            f'"T":{now_ms + 3_600_000},"st":1}}'
        )
        return f"{symbol.lower()}@markPrice@1s", text.encode()

    def opens_with(self, key: str) -> bool:
        return False

    def rest(
        self,
        path: str,
        query: Mapping[str, str],
        last: int,
        now_ms: int,
        rows: tuple[Sequence[TextRow], Sequence[TextRow]],
    ) -> RestReply | None:
        if path == "/fapi/v1/depth":
            bids, asks = map(self.rows, rows)
            head = b'{"lastUpdateId":%d,"E":%d,"T":%d,"bids":[' % (last, now_ms, now_ms)
            return RestReply(200, head + bids + b'],"asks":[' + asks + b"]}")
        if path == "/fapi/v1/openInterest":
            text = f'{{"openInterest":"{OPEN_INTEREST}","symbol":"{query["symbol"]}","time":{now_ms}}}'
            return RestReply(200, text.encode())
        return None
