"""Bybit v5 inverse: coin-margined perpetuals and futures. Facts as of 2026-11-22.

Sizes are US dollars (one contract is 1 USD) in books, trades, liquidations and open interest; `openInterestValue` is in coins
and not read. What it shares with linear contracts (sides, open interest, margin tiers) is in `bybit_contracts`, the protocol in
`bybit`. Margin tiers are in coins.

Not given by the venue: a checksum, numeric trade ids, a REST seed, a 24-hour cut, a full book of inverse markets (spot only so
far), a contract's size as a field, the longest silence of a book, a limit of client messages (our own bound stands in), error
codes on the socket; its documented tiers carry no deduction, and then the whole position takes its own tier's ratio.
"""

from __future__ import annotations

from typing import ClassVar

from monitor.facts import Instrument
from monitor.venues.bybit_contracts import BybitContracts
from monitor.venues.reading import Reader, Record


class BybitInverse(BybitContracts):
    name: ClassVar[str] = "bybit_inverse"
    title: ClassVar[str] = "Bybit inverse perpetuals and futures"
    category: ClassVar[str] = "inverse"
    contract_types: ClassVar[tuple[str, ...]] = ("inverse",)
    symbol_pattern: ClassVar[str] = r"^[0-9A-Z]{1,20}USD([FGHJKMNQUVXZ][0-9]{2})?$"  # BTCUSD, BTCUSDH27
    symbol_example: ClassVar[str] = "BTCUSD"

    def _instrument(self, row: Record) -> Instrument:
        # A contract of 1 USD: in another currency every size would be wrong.
        Reader(self.name, "instruments").expect(row, "quoteCoin", "USD")
        return self._listed(row, "inverse", settle="settleCoin", lot="qtyStep", funding="fundingInterval")
