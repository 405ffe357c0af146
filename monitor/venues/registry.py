"""Every venue, by name: one line each."""

from __future__ import annotations

from monitor.venues.base import Venue
from monitor.venues.binance_usdm import BinanceUsdm
from monitor.venues.bybit_linear import BybitLinear
from monitor.venues.okx_swap import OkxSwap

VENUES: dict[str, Venue] = {
    venue.name: venue
    for venue in (
        BinanceUsdm(),
        BybitLinear(),
        OkxSwap(),
    )
}
