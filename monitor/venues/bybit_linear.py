"""Bybit v5 linear: USDT and USDC perpetuals and futures. Facts as of 2026-11-22.

Sizes are base coins. What it shares with inverse contracts (sides, open interest, margin tiers) is in `bybit_contracts`, the
protocol in `bybit`.

Not given by the venue: a checksum, numeric trade ids, a REST seed, a 24-hour cut, a full book of linear markets (spot only so
far), the longest silence of a book, a limit of client messages (our own bound stands in), error codes on the socket.
"""

from __future__ import annotations

from typing import ClassVar

from monitor.facts import Instrument
from monitor.venues.bybit_contracts import BybitContracts
from monitor.venues.reading import Record


class BybitLinear(BybitContracts):
    name: ClassVar[str] = "bybit_linear"
    title: ClassVar[str] = "Bybit linear perpetuals and futures"
    category: ClassVar[str] = "linear"
    contract_types: ClassVar[tuple[str, ...]] = ("linear",)
    symbol_pattern: ClassVar[str] = r"^[0-9A-Z]{2,30}(-[0-9A-Z]{4,10})?$"
    symbol_example: ClassVar[str] = "BTCUSDT"

    def _instrument(self, row: Record) -> Instrument:
        return self._listed(row, "linear", settle="settleCoin", lot="qtyStep", funding="fundingInterval")
