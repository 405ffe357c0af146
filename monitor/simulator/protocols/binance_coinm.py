"""Binance COIN-M as a client meets it: one address without routes; its all-market streams carry the USD-margined universe too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from monitor.simulator.protocols.binance import BinanceFront

DEPTH_WEIGHTS = {50: 2, 100: 5, 500: 10, 1000: 20}


class BinanceCoinmFront(BinanceFront):
    venue = "binance_coinm"
    api = "/dapi/v1"
    server_ping_seconds: ClassVar[float | None] = 180.0
    snapshot_paths = ("/dapi/v1/depth",)
    messages_per_second = 10
    weight_per_minute = 2400
    depth_weights: ClassVar[Mapping[int, int]] = DEPTH_WEIGHTS
