"""Binance USD-M as a client meets it: routes, and silence for a stream on the wrong one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from monitor.simulator.protocols.base import Session
from monitor.simulator.protocols.binance import BinanceFront, channel_of

ACCOUNT_RATIO = "/futures/data/globalLongShortAccountRatio"
PUBLIC_CHANNELS = ("depth", "rpiDepth", "bookTicker", "trade")  # everything else lives on /market


class BinanceUsdmFront(BinanceFront):
    venue = "binance_usdm"
    api = "/fapi/v1"
    routes = ("public", "market", "private")
    usual_route = "public"  # an address without a route still answers, and serves the public route's streams only
    server_ping_seconds: ClassVar[float | None] = 180.0
    snapshot_paths: ClassVar[tuple[str, ...]] = ("/fapi/v1/depth",)
    messages_per_second = 10
    weight_per_minute = 2400
    depth_weights: ClassVar[Mapping[int, int]] = {50: 2, 100: 5, 500: 10, 1000: 20}
    weightless = (ACCOUNT_RATIO,)

    def served(self, session: Session, key: str) -> bool:
        """Whether this route carries the stream: if not, it was acknowledged and stays silent."""
        public = channel_of(key) in PUBLIC_CHANNELS
        return super().served(session, key) and session.route == ("public" if public else "market")
