"""A book followed from recorded frames, as text: so that whoever joins a replayed stream late still gets a snapshot."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import Any

import orjson

KEPT_FRAMES = 2_000  # Binance frames kept until the REST snapshot that seeds the book: more than any recorder buffers


class MirrorBook:
    """One topic's book. Prices and sizes stay text; rows keep what the venue sent beside them (OKX)."""

    def __init__(self, venue: str, key: str) -> None:
        self.venue, self.key = venue, key
        self.sides: dict[str, dict[str, list[str]]] = {"b": {}, "a": {}}
        self.seeded = False
        self._last: dict[str, Any] = {}
        self._waiting: deque[dict[str, Any]] = deque(maxlen=KEPT_FRAMES)

    def apply(self, frame: bytes) -> None:
        """A frame of the topic. Frames that are not a book's are passed over: a recording may hold garbage."""
        try:
            message = orjson.loads(frame)
            match self.venue:
                case "binance_usdm":
                    self._binance(message)
                case "bybit_linear":
                    self._fill(message["data"], "b", "a", fresh=message["type"] == "snapshot", head=message)
                case "okx_swap":
                    body = message["data"][0]
                    self._fill(body, "bids", "asks", fresh=message["action"] == "snapshot", head=body)
        except (orjson.JSONDecodeError, KeyError, IndexError, TypeError):
            return

    def seed(self, body: bytes) -> None:
        """Binance: a recorded REST snapshot. Changes that came before it and go beyond it are applied again."""
        try:
            snapshot = orjson.loads(body)
            last = snapshot["lastUpdateId"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return
        if self.seeded and last <= self._last["u"]:
            return
        self._fill(snapshot, "bids", "asks", fresh=True, head={**snapshot, "u": last})
        for message in self._waiting:
            if message["u"] > last:
                self._fill(message, "b", "a", fresh=False, head=message)

    def snapshot(self) -> bytes | None:
        """The opening frame (Bybit, OKX) or the REST body (Binance) for the book as it stands; None before it is seeded."""
        if not self.seeded:
            return None
        bids = sorted(self.sides["b"].values(), key=lambda row: -Decimal(row[0]))
        asks = sorted(self.sides["a"].values(), key=lambda row: Decimal(row[0]))
        last = self._last
        match self.venue:
            case "bybit_linear":
                data = {**last["data"], "b": bids, "a": asks}
                return orjson.dumps({**last, "type": "snapshot", "data": data})
            case "okx_swap":
                channel, _, instrument = self.key.partition(":")
                data = {**last, "asks": asks, "bids": bids, "prevSeqId": -1}
                arg = {"channel": channel, "instId": instrument}
                return orjson.dumps({"arg": arg, "action": "snapshot", "data": [data]})
        times = {name: last[name] for name in ("E", "T") if name in last}
        return orjson.dumps({"lastUpdateId": last["u"], **times, "bids": bids[:1000], "asks": asks[:1000]})

    def _binance(self, message: dict[str, Any]) -> None:
        self._waiting.append(message)
        if self.seeded and message["u"] > self._last["u"]:
            self._fill(message, "b", "a", fresh=False, head=message)

    def _fill(self, body: dict[str, Any], bids: str, asks: str, *, fresh: bool, head: dict[str, Any]) -> None:
        if fresh:
            self.sides = {"b": {}, "a": {}}
            self.seeded = True
        if not self.seeded:
            return
        for side, name in (("b", bids), ("a", asks)):
            levels = self.sides[side]
            for row in body[name]:
                if Decimal(row[1]) == 0:
                    levels.pop(row[0], None)
                else:
                    levels[row[0]] = row
        self._last = head
