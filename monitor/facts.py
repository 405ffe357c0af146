"""What a venue says, as typed facts: integers where the venue is exact, floats only for rates and ready-made USD figures.

Sizes and prices of cold facts are `Decimal` (they come as text); the hot channels never pass through here.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from engines.wire.scale import Grid, Scale


class Channel(StrEnum):
    """What a topic is about. One topic may feed several kinds of facts (Bybit `tickers`)."""

    BOOK = "book"
    TRADES = "trades"
    LIQUIDATIONS = "liquidations"
    TICKER = "ticker"  # mark, index, funding, open interest, whatever of these it carries
    STATUS = "status"
    OTHER = "other"  # known and not used (Binance bookTicker in captures)


ContractType = Literal["spot", "linear", "inverse"]
Position = Literal["long", "short"]
PriceKind = Literal["fill", "average", "bankruptcy", "order", "mark"]
Coverage = Literal["complete", "sampled", "inferred", "none"]


@dataclass(frozen=True, slots=True)
class Instrument:
    """One market as the venue lists it.

    contract_size: base coins per contract (linear), quote units per contract (inverse), 1 for spot.
    unit_multiplier: coins in one unit of `symbol`'s base (1000 for 1000PEPEUSDT); price per coin = price / unit_multiplier.
    """

    venue: str
    symbol: str  # the venue's own spelling: the `market` label
    asset: str  # BTC; PEPE for 1000PEPEUSDT
    quote: str  # USDT
    settle: str
    contract_type: ContractType
    tick_size: Decimal
    lot_size: Decimal
    contract_size: Decimal = Decimal(1)
    unit_multiplier: int = 1
    trading: bool = True
    status: str = ""
    funding_interval_seconds: int | None = None

    @property
    def scale(self) -> Scale:
        return Scale(price=Grid.from_step(self.tick_size), size=Grid.from_step(self.lot_size))


@dataclass(frozen=True, slots=True)
class Liquidation:
    """One liquidation print. `position` is the side of the position that was closed, whatever the venue's field means."""

    symbol: str
    position: Position
    quantity: Decimal  # in the venue's size unit (contracts or base); Instrument converts
    price: Decimal
    price_kind: PriceKind
    venue_time: int  # ns
    coverage: Coverage


@dataclass(frozen=True, slots=True)
class MarkPrice:
    symbol: str
    price: Decimal
    venue_time: int


@dataclass(frozen=True, slots=True)
class IndexPrice:
    symbol: str
    price: Decimal
    venue_time: int


@dataclass(frozen=True, slots=True)
class Funding:
    """The running period's rate; `interval_seconds` None: not said by this message (the instrument may know)."""

    symbol: str
    rate: Decimal
    next_time: int | None  # ns
    interval_seconds: int | None
    venue_time: int


@dataclass(frozen=True, slots=True)
class OpenInterest:
    """One-sided open interest. Exactly one of `quantity` (venue size unit) and `value_usd_quote` (quote currency) is set."""

    symbol: str
    quantity: Decimal | None
    value_quote: Decimal | None
    venue_time: int


@dataclass(frozen=True, slots=True)
class InstrumentChanged:
    """The venue changed a listing: status (halt, delisting), or grid. None: unchanged."""

    symbol: str
    trading: bool | None
    status: str
    venue_time: int


@dataclass(frozen=True, slots=True)
class VenueNotice:
    """Maintenance or shutdown announced by the venue."""

    text: str
    disruptive: bool
    begins: int | None
    ends: int | None
    venue_time: int


Fact = Liquidation | MarkPrice | IndexPrice | Funding | OpenInterest | InstrumentChanged | VenueNotice
