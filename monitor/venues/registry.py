"""Every venue, by name: one line each."""

from __future__ import annotations

from monitor.venues.base import Venue
from monitor.venues.binance_coinm import BinanceCoinm
from monitor.venues.binance_spot import BinanceSpot
from monitor.venues.binance_usdm import BinanceUsdm
from monitor.venues.bitfinex import Bitfinex
from monitor.venues.bitget_usdt import BitgetUsdt
from monitor.venues.bybit_inverse import BybitInverse
from monitor.venues.bybit_linear import BybitLinear
from monitor.venues.bybit_spot import BybitSpot
from monitor.venues.coinbase import Coinbase
from monitor.venues.deribit import Deribit
from monitor.venues.dydx import Dydx
from monitor.venues.gate_usdt import GateUsdt
from monitor.venues.htx_linear import HtxLinear
from monitor.venues.hyperliquid import Hyperliquid
from monitor.venues.kraken_futures import KrakenFutures
from monitor.venues.kraken_spot import KrakenSpot
from monitor.venues.kucoin_futures import KucoinFutures
from monitor.venues.okx_spot import OkxSpot
from monitor.venues.okx_swap import OkxSwap

VENUES: dict[str, Venue] = {
    venue.name: venue
    for venue in (
        BinanceSpot(),
        BinanceUsdm(),
        BinanceCoinm(),
        BybitLinear(),
        BybitInverse(),
        BybitSpot(),
        OkxSwap(),
        OkxSpot(),
        BitgetUsdt(),
        GateUsdt(),
        KrakenSpot(),
        KrakenFutures(),
        Bitfinex(),
        Hyperliquid(),
        Deribit(),
        Coinbase(),
        HtxLinear(),
        Dydx(),
        KucoinFutures(),
    )
}
