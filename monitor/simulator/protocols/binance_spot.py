"""Binance spot as a client meets it: five messages a second, errors wrapped, a shutdown announced; unknown streams are acknowledged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import orjson

from monitor.simulator.protocols.base import Session
from monitor.simulator.protocols.binance import BinanceFront

SYSTEM_STATUS = "/sapi/v1/system/status"


class BinanceSpotFront(BinanceFront):
    venue = "binance_spot"
    api = "/api/v3"
    server_ping_seconds: ClassVar[float | None] = 20.0
    snapshot_paths = ("/api/v3/depth",)
    messages_per_second = 5
    weight_per_minute = 6000
    listing_weight = 20
    depth_weights: ClassVar[Mapping[int, int]] = {100: 5, 500: 25, 1000: 50, 5000: 250}

    def candles_weight(self, limit: int) -> int:
        return 2

    def error(self, code: int, text: str, number: object) -> str:
        return orjson.dumps({"error": {"code": code, "msg": text}, "id": number}).decode()

    def shutdown_notice(self, session: Session) -> str | None:
        event = {"e": "serverShutdown", "E": session.opened_at // 1_000_000}
        whole = {"stream": "!serverShutdown", "data": event} if session.mode == "combined" else event
        return orjson.dumps(whole).decode()
