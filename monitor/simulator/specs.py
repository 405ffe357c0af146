"""What simulated markets are made of: assets, grids, text forms, and how big each market is.

A venue's markets are declared in its own frames module as MARKETS, by `market_spec(...)`; there is no venue name in here.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from engines.wire.scale import Grid
from monitor.errors import SettingsError
from monitor.facts import ContractType


@dataclass(frozen=True, slots=True)
class NumberText:
    """How a venue writes an integer number of grid units: padded to `places`, or trimmed of trailing zeros."""

    grid: Grid
    places: int
    trimmed: bool = False

    def __call__(self, units: int) -> str:
        value = units * self.grid.multiple * 10 ** (self.places - self.grid.decimals)
        if self.places == 0:
            return str(value)
        whole, rest = divmod(value, 10**self.places)
        if not self.trimmed:
            return f"{whole}.{rest:0{self.places}d}"
        return f"{whole}.{rest:0{self.places}d}".rstrip("0") if rest else str(whole)


@dataclass(frozen=True, slots=True)
class AssetSpec:
    """One simulated asset: where its price starts and how it moves."""

    name: str
    price: float  # USD per coin at the start (the story of February 2026)
    volatility: float  # standard deviation of the log price over one second, calm
    round_price: float  # USD: limit orders gather at multiples of this


ASSETS = {
    "BTC": AssetSpec("BTC", price=73_000.0, volatility=0.00003, round_price=100),
    "ETH": AssetSpec("ETH", price=2_100.0, volatility=0.00004, round_price=10),
    "SOL": AssetSpec("SOL", price=92.0, volatility=0.00005, round_price=1),
    "BNB": AssetSpec("BNB", price=690.0, volatility=0.00004, round_price=5),
    "XRP": AssetSpec("XRP", price=1.5, volatility=0.00005, round_price=0.05),
    "DOGE": AssetSpec("DOGE", price=0.1, volatility=0.00006, round_price=0.005),
    "PEPE": AssetSpec("PEPE", price=0.000_004, volatility=0.00008, round_price=0.000_000_5),
    # Currencies, for the pairs that fiat venues list: USDT/USD and the like.
    "USDT": AssetSpec("USDT", price=0.9995, volatility=0.000_000_5, round_price=0.005),
    "USDC": AssetSpec("USDC", price=1.0, volatility=0.000_000_3, round_price=0.005),
    "EUR": AssetSpec("EUR", price=1.16, volatility=0.000_002, round_price=0.01),
}

USUAL_ASSETS = ("BTC", "ETH")


class Size(NamedTuple):
    """How big a market is. USD figures are one side of the book, calm."""

    depth_1pct_usd: float
    open_interest_usd: float  # of one side; a spot market has none
    trades_per_second: float
    quotes_per_second: float  # level updates a second and side by market makers


MIDDLE = Size(20e6, 3.0e9, 9.0, 180.0)
SMALL = Size(5e6, 4.0e8, 4.0, 120.0)
MINOR = Size(1e6, 5e7, 1.0, 30.0)
CURRENCY = Size(30e6, 0.0, 2.0, 30.0)


@dataclass(frozen=True, slots=True)
class MarketSpec:
    """One simulated market. Prices are `asset_price * multiplier` in the quote currency, which counts as USD."""

    venue: str
    symbol: str
    asset: str
    quote: str
    kind: ContractType
    tick_size: Decimal
    lot_size: Decimal
    contract_size: Decimal  # base coins per size unit; of an inverse market quote units per size unit
    multiplier: int  # coins in one unit of the symbol's base: 1000 for 1000PEPE
    price_text: NumberText
    size_text: NumberText
    depth_1pct_usd: float
    open_interest_usd: float
    trades_per_second: float
    quotes_per_second: float
    engine_usd_per_second: float  # how fast the liquidation engine may send orders

    @property
    def leveraged(self) -> bool:
        """Whether there are positions, and with them mark price, funding, open interest and liquidations."""
        return self.kind != "spot"

    @property
    def coin(self) -> str:
        """The base coin with its multiplier, as most venues spell it: 1000PEPE."""
        return self.asset if self.multiplier == 1 else f"{self.multiplier}{self.asset}"

    @property
    def tick_usd(self) -> float:
        """USD per coin in one tick."""
        return float(self.tick_size) / self.multiplier

    @property
    def lot_base(self) -> float:
        """Base coins in one lot. Raises ValueError for an inverse market, where it depends on the price: ask `base`."""
        if self.kind == "inverse":
            raise ValueError(f"a lot of {self.symbol} is worth USD, not coins")
        return float(self.lot_size * self.contract_size) * self.multiplier

    @property
    def lot_quote(self) -> float:
        """Quote units in one lot of an inverse market."""
        return float(self.lot_size * self.contract_size)

    def worth(self, price: float) -> float:
        """USD in one lot at this price per coin."""
        return self.lot_quote if self.kind == "inverse" else self.lot_base * price

    def base(self, price: float) -> float:
        """Base coins in one lot at this price per coin."""
        return self.lot_quote / price if self.kind == "inverse" else self.lot_base


def market_spec(
    venue: str,
    asset: str,
    symbol: str,
    *,
    tick: str,
    lot: str,
    kind: ContractType = "linear",
    quote: str = "USDT",
    contract: str = "1",
    multiplier: int = 1,
    price_places: int | None = None,
    size_places: int | None = None,
    trimmed: bool = False,
    size: Size = MIDDLE,
) -> MarketSpec:
    """One line of a venue's MARKETS.

    tick, lot: grid steps in the venue's units. contract: what one size unit is (coins; quote units of an inverse market).
    places: decimals the venue writes (None: as many as the grid has); trimmed: without trailing zeros.
    Choose ticks no finer than about 1e-6 of the price: the simulated book is a flat array of them.

    Raises:
        SettingsError: no such simulated asset.
    """
    if asset not in ASSETS:
        raise SettingsError(f"no simulated asset {asset!r}; there are {', '.join(ASSETS)}")
    prices, sizes = Grid.from_step(Decimal(tick)), Grid.from_step(Decimal(lot))
    return MarketSpec(
        venue,
        symbol,
        asset,
        quote,
        kind,
        Decimal(tick),
        Decimal(lot),
        Decimal(contract),
        multiplier,
        NumberText(prices, prices.decimals if price_places is None else price_places, trimmed),
        NumberText(sizes, sizes.decimals if size_places is None else size_places, trimmed),
        size.depth_1pct_usd,
        size.open_interest_usd if kind != "spot" else 0.0,
        size.trades_per_second,
        size.quotes_per_second,
        engine_usd_per_second=size.depth_1pct_usd * 0.25,
    )
