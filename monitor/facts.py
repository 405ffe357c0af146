"""What a venue says, as typed facts: integers where the venue is exact, floats only for rates, ready-made USD figures and history.

Sizes and prices of cold facts are `Decimal` (they come as text); the hot channels never pass through here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
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
# liquidation: a forced order in the market. deleveraging: the position was closed against a profitable one (ADL). takeover: it was
# handed to the venue's fund, a liquidity provider or a vault, outside the book.
LiquidationKind = Literal["liquidation", "deleveraging", "takeover"]


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
    """One liquidation print. `position` is the side of the position that was closed, whatever the venue's field means.

    price: of kind `mark` where the venue told none: what it tells in its place (the position's entry) until whoever counts the
        print puts the market's mark price there.
    """

    symbol: str
    position: Position
    quantity: Decimal  # in the venue's size unit (contracts or base); Instrument converts
    price: Decimal
    price_kind: PriceKind
    venue_time: int  # ns
    coverage: Coverage
    kind: LiquidationKind = "liquidation"
    identifier: str = ""  # the venue's, of what it may tell several times: only the first print of it counts


@dataclass(frozen=True, slots=True)
class MarginTier:
    """Up to `cap` of position size (None: no end) this maintenance margin ratio holds. Ratios are fractions.

    deduction: what is taken off size * ratio so that the margin is continuous over the tiers (quote currency; Binance `cum`);
        None: the venue gives none.
    """

    floor: Decimal
    cap: Decimal | None
    maintenance_ratio: Decimal
    max_leverage: Decimal | None = None
    deduction: Decimal | None = None


@dataclass(frozen=True, slots=True)
class MarginTiers:
    """The margin tiers of one market, lowest first.

    unit: what `floor` and `cap` are counted in: notional in the quote currency, base coins, or contracts.
    whole: the whole position takes the ratio of its own tier (OKX); otherwise each slice takes its tier's, as deductions say.
    documented: the date of the documentation these defaults are from; of a file's tiers the date it says they are of.
    file: name of the user's file they are from. assumed: nobody says anything of this market (`monitor.tiers.assumed_tiers`).
    Without any of the three the venue itself said them.
    """

    symbol: str
    tiers: tuple[MarginTier, ...]
    unit: Literal["quote", "base", "contracts"]
    whole: bool
    venue_time: int
    documented: date | None = None
    file: str = ""
    assumed: bool = False


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
class LongShortRatio:
    """Accounts that are net long per account that is net short, all of one market, each counted once whatever its size."""

    symbol: str
    ratio: Decimal  # above 0
    venue_time: int


@dataclass(frozen=True, slots=True)
class Candle:
    """One hour of a market's trades: what is left of them is statistics, so floats, of which a market keeps many.

    Prices as the venue writes them. volume, taker_buy: in the venue's size unit (contracts or base, as `OpenInterest.quantity`);
    taker_buy is the part of it that takers bought, None where the venue does not say.
    """

    open_time: int  # ns
    low: float
    high: float
    close: float
    volume: float  # 0 in an hour without trades
    taker_buy: float | None = None


@dataclass(frozen=True, slots=True)
class Candles:
    """The last hours of one market, oldest first, no hour twice; hours may be missing. The last one may still be running.

    venue_time: when the last of them began.
    """

    symbol: str
    rows: tuple[Candle, ...]  # not empty
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
    """Maintenance or shutdown announced by the venue. `key`: what stays the same when the venue says something new of it (its own
    id); empty: the text. `symbol`: the one market it is about; of no interest where that market is not watched. Empty: the venue.
    """

    text: str
    disruptive: bool
    begins: int | None
    ends: int | None
    venue_time: int
    key: str = ""
    symbol: str = ""
    # While it stands no orders are matched (of the markets it is about): their books are no market.
    halts: bool = False
    put_off: bool = False  # the venue puts it off as long as all is well: people are told of it once it has begun
    family: str = ""  # in place of `symbol`: how the symbols of the markets it is about begin

    def concerns(self, symbol: str) -> bool:
        return symbol == self.symbol if self.symbol else symbol.startswith(self.family)


@dataclass(frozen=True, slots=True)
class Unread:
    """`rows` of a frame or reply were refused, the first for this `reason`; the facts beside this one are of the others.

    No fact about a market: whoever takes facts counts the frame as refused and goes on.
    """

    reason: str
    rows: int


Told = (
    Liquidation
    | MarginTiers
    | MarkPrice
    | IndexPrice
    | Funding
    | OpenInterest
    | LongShortRatio
    | Candles
    | InstrumentChanged
    | VenueNotice
)
Fact = Told | Unread
