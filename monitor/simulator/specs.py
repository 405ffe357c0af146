"""What the simulated venues list: markets with their grids, text forms, and how big each market is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from engines.wire.scale import Grid
from monitor.errors import SettingsError

BINANCE = "binance_usdm"
BYBIT = "bybit_linear"
OKX = "okx_swap"
VENUES = (BINANCE, BYBIT, OKX)


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
    round_price: int  # USD: limit orders gather at multiples of this


@dataclass(frozen=True, slots=True)
class MarketSpec:
    """One simulated market. USD figures are one side of the book, calm."""

    venue: str
    symbol: str
    asset: str
    tick_size: Decimal
    lot_size: Decimal
    contract_size: Decimal  # base coins per size unit
    price_text: NumberText
    size_text: NumberText
    depth_1pct_usd: float
    open_interest_usd: float
    trades_per_second: float
    quotes_per_second: float  # level updates a second and side by market makers
    engine_usd_per_second: float  # how fast the liquidation engine may send orders

    @property
    def lot_base(self) -> float:
        """Base coins in one lot."""
        return float(self.lot_size * self.contract_size)

    @property
    def tick_usd(self) -> float:
        return float(self.tick_size)


ASSETS = {
    "BTC": AssetSpec("BTC", price=73_000.0, volatility=0.00003, round_price=100),
    "ETH": AssetSpec("ETH", price=2_100.0, volatility=0.00004, round_price=10),
}


def _market(
    venue: str,
    asset: str,
    symbol: str,
    ticks: tuple[str, int],
    lots: tuple[str, int],
    *,
    contract: str = "1",
    trimmed: bool = False,
    sizes: tuple[float, float, float, float],
) -> MarketSpec:
    tick, lot = Decimal(ticks[0]), Decimal(lots[0])
    depth, interest, trades, quotes = sizes
    return MarketSpec(
        venue,
        symbol,
        asset,
        tick,
        lot,
        Decimal(contract),
        NumberText(Grid.from_step(tick), ticks[1], trimmed),
        NumberText(Grid.from_step(lot), lots[1], trimmed),
        depth_1pct_usd=depth,
        open_interest_usd=interest,
        trades_per_second=trades,
        quotes_per_second=quotes,
        engine_usd_per_second=depth * 0.25,
    )


MARKETS = (
    _market(BINANCE, "BTC", "BTCUSDT", ("0.1", 2), ("0.001", 3), sizes=(55e6, 7.0e9, 24.0, 320.0)),
    _market(BINANCE, "ETH", "ETHUSDT", ("0.01", 2), ("0.001", 3), sizes=(30e6, 4.0e9, 14.0, 260.0)),
    _market(BYBIT, "BTC", "BTCUSDT", ("0.1", 2), ("0.001", 3), sizes=(28e6, 4.0e9, 12.0, 220.0)),
    _market(BYBIT, "ETH", "ETHUSDT", ("0.01", 2), ("0.01", 2), sizes=(14e6, 2.0e9, 8.0, 180.0)),
    _market(
        OKX,
        "BTC",
        "BTC-USDT-SWAP",
        ("0.1", 1),
        ("0.01", 2),
        contract="0.01",
        trimmed=True,
        sizes=(20e6, 3.0e9, 9.0, 180.0),
    ),
    _market(
        OKX,
        "ETH",
        "ETH-USDT-SWAP",
        ("0.01", 2),
        ("0.01", 2),
        contract="0.1",
        trimmed=True,
        sizes=(10e6, 1.5e9, 6.0, 160.0),
    ),
)


def markets_of(assets: Sequence[str], venues: Sequence[str]) -> tuple[MarketSpec, ...]:
    """The markets of these assets on these venues.

    Raises:
        SettingsError: an asset or venue that is not simulated.
    """
    for asset in assets:
        if asset not in ASSETS:
            raise SettingsError(f"no simulated asset {asset!r}; there are {', '.join(ASSETS)}")
    for venue in venues:
        if venue not in VENUES:
            raise SettingsError(f"no simulated venue {venue!r}; there are {', '.join(VENUES)}")
    return tuple(market for market in MARKETS if market.asset in assets and market.venue in venues)
