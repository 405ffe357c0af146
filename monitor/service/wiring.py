"""From settings to the plain options of each part."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.clock import SECOND
from monitor.config import Settings
from monitor.feed.options import VenueOptions
from monitor.hub import HubOptions
from monitor.market import MarketOptions


def hub_options(settings: Settings) -> HubOptions:
    """What the hub needs."""
    engine = settings.engine
    fixed: Mapping[str, float | str] = {"USDT": settings.fx.usdt, "USDC": settings.fx.usdc, "EUR": settings.fx.eur}
    return HubOptions(
        market=MarketOptions(
            bands=engine.bands,
            slippage_usd=engine.slippage_usd,
            floor_settle=round(engine.floor_settle * SECOND),
        ),
        baseline_warmup_seconds=engine.baseline_warmup,
        lag_bound={name: round(venue.lag_bound * SECOND) for name, venue in settings.venues.items()},
        fx_fixed={currency: rate for currency, rate in fixed.items() if not isinstance(rate, str)},
    )


def venue_options(settings: Settings) -> dict[str, VenueOptions]:
    """One feed's options a venue, in the order of the settings."""
    return {
        name: VenueOptions(
            symbols=venue.symbols,
            ws_origin=venue.ws_origin,
            rest_origin=venue.rest_origin,
            rest_budget_ratio=venue.rest_budget_ratio,
            lag_bound_seconds=venue.lag_bound,
        )
        for name, venue in settings.venues.items()
    }
