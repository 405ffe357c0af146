"""Load in the form of Bybit linear."""

from __future__ import annotations

from typing import ClassVar

from monitor.simulator.protocols.frames import Keyed
from monitor.simulator.protocols.load import MARK, LoadForm


class BybitLoad(LoadForm):
    levels: ClassVar[int] = 1000

    def symbol(self, coin: str) -> str:
        return f"{coin}USDT"

    def book_key(self, symbol: str) -> str:
        return f"orderbook.1000.{symbol}"

    def row(self, price: str, size: str) -> str:
        return f'["{price}","{size}"]'

    def frame(
        self, symbol: str, before: int, last: int, now_ms: int, bids: bytes, asks: bytes, *, snapshot: bool
    ) -> bytes:
        name = symbol.encode()
        head = b'{"topic":"orderbook.1000.%b","type":"%b","ts":%d,"data":{"s":"%b","b":['
        tail = b'],"u":%d,"seq":%d},"cts":%d}' % (last, last, now_ms)
        kind = b"snapshot" if snapshot else b"delta"
        return head % (name, kind, now_ms, name) + bids + b'],"a":[' + asks + tail

    def mark(self, symbol: str, now_ms: int) -> Keyed:
        text = (
            f'{{"topic":"tickers.{symbol}","type":"delta","data":{{"symbol":"{symbol}","markPrice":"{MARK}"}},"cs":1,'
            f'"ts":{now_ms}}}'
        )
        return f"tickers.{symbol}", text.encode()
