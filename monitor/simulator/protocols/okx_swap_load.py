"""Load in the form of OKX swaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from monitor.simulator.protocols.frames import Keyed, TextRow
from monitor.simulator.protocols.load import MARK, LoadForm
from monitor.simulator.source import RestReply


class OkxLoad(LoadForm):
    levels: ClassVar[int] = 400

    def symbol(self, coin: str) -> str:
        return f"{coin}-USDT-SWAP"

    def book_key(self, symbol: str) -> str:
        return f"books:{symbol}"

    def row(self, price: str, size: str) -> str:
        return f'["{price}","{size}","0","3"]'

    def frame(
        self, symbol: str, before: int, last: int, now_ms: int, bids: bytes, asks: bytes, *, snapshot: bool
    ) -> bytes:
        head = b'{"arg":{"channel":"books","instId":"%b"},"action":"%b","data":[{"asks":['
        action, previous = (b"snapshot", -1) if snapshot else (b"update", before)
        tail = b'],"ts":"%d","checksum":0,"prevSeqId":%d,"seqId":%d}]}' % (now_ms, previous, last)
        return head % (symbol.encode(), action) + asks + b'],"bids":[' + bids + tail

    def mark(self, symbol: str, now_ms: int) -> Keyed:
        text = (
            f'{{"arg":{{"channel":"mark-price","instId":"{symbol}"}},"data":[{{"instType":"SWAP","instId":"{symbol}",'
            f'"markPx":"{MARK}","ts":"{now_ms}"}}]}}'
        )
        return f"mark-price:{symbol}", text.encode()

    def rest(
        self,
        path: str,
        query: Mapping[str, str],
        last: int,
        now_ms: int,
        rows: tuple[Sequence[TextRow], Sequence[TextRow]],
    ) -> RestReply | None:
        if not path.startswith("/api/v5/market/books"):
            return None
        full = path.endswith("full")  # its rows are price, size, count
        bids, asks = (
            ",".join([f'["{price}","{size}","3"]' if full else self.row(price, size) for price, size in side])
            for side in rows
        )
        return RestReply(
            200, f'{{"code":"0","msg":"","data":[{{"asks":[{asks}],"bids":[{bids}],"ts":"{now_ms}"}}]}}'.encode()
        )
