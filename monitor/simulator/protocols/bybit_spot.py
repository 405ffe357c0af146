"""Bybit spot as a client meets it: at most ten topics a request, acknowledgements that repeat the operation, a book seeded over REST."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from monitor.simulator.protocols.bybit_linear import BybitFront

FULL_BOOK = "/v5/market/full_orderbook"


class BybitSpotFront(BybitFront):
    venue = "bybit_spot"
    category: ClassVar[str] = "spot"
    agreed: ClassVar[Mapping[str, str]] = {"subscribe": "subscribe", "unsubscribe": "unsubscribe"}
    snapshot_paths = (FULL_BOOK, "/v5/market/orderbook")

    def seed_request(self, symbol: str) -> tuple[str, dict[str, str]] | None:
        return FULL_BOOK, {"category": self.category, "symbol": symbol}
