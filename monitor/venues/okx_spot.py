"""OKX v5 spot. Facts as of 2026-11-22.

Sizes are base coins. The protocol, the book's rule and the deep book are OKX's own, in `okx`.

Not given by the venue: liquidations in a form that is on record (`liquidation-orders` takes MARGIN, and no frame of it is
documented: not read), mark price, funding, open interest and margin tiers (a spot market has none), a checksum (0 since 2026-06-23), an age at
which connections are cut, a message rate on the socket, how many cold topics a connection may hold (our own bound stands in).
"""

from __future__ import annotations

from typing import ClassVar

from monitor import facts
from monitor.facts import Instrument
from monitor.venues import okx
from monitor.venues.naming import coin_of
from monitor.venues.reading import Reader, Record


class OkxSpot(okx.OkxVenue):
    name: ClassVar[str] = "okx_spot"
    title: ClassVar[str] = "OKX spot"
    kind: ClassVar[str] = "SPOT"
    contract_types: ClassVar[tuple[str, ...]] = ("spot",)
    liquidation_coverage: ClassVar[facts.Coverage] = "none"
    symbol_pattern: ClassVar[str] = r"^[0-9A-Z]{1,20}-[0-9A-Z]{2,10}$"
    symbol_example: ClassVar[str] = "BTC-USDT"

    def _instrument(self, row: Record) -> Instrument:
        symbol = Reader(self.name, "instruments").text(row, "instId")
        reader = Reader(self.name, "instruments", symbol)
        asset, multiplier = coin_of(reader.text(row, "baseCcy"))
        currency, status = reader.text(row, "quoteCcy"), reader.text(row, "state")
        return Instrument(
            venue=self.name,
            symbol=symbol,
            asset=asset,
            quote=currency,
            settle=currency,
            contract_type="spot",
            tick_size=reader.positive(row, "tickSz"),
            lot_size=reader.positive(row, "lotSz"),
            unit_multiplier=multiplier,
            trading=status == "live",
            status=status,
        )
