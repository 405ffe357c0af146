"""From settings to the plain options of each part."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.clock import SECOND
from monitor.config import Settings
from monitor.config.credentials import read_credentials
from monitor.feed.options import VenueOptions
from monitor.hub import HubOptions
from monitor.market import MarketOptions
from monitor.tiers_file import read_tiers_file


def hub_options(settings: Settings) -> HubOptions:
    """What the hub needs. Raises SettingsError: the file of margin tiers cannot be used."""
    engine = settings.engine
    fixed: Mapping[str, float | str] = {"USDT": settings.fx.usdt, "USDC": settings.fx.usdc, "EUR": settings.fx.eur}
    return HubOptions(
        market=MarketOptions(
            bands=engine.bands,
            slippage_usd=engine.slippage_usd,
            floor_settle=round(engine.floor_settle * SECOND),
            tiers={} if engine.tiers_file is None else read_tiers_file(engine.tiers_file),
            keyed=frozenset(name for name, venue in settings.venues.items() if venue.api_key_file is not None),
        ),
        baseline_warmup_seconds=engine.baseline_warmup,
        lag_bound={name: round(venue.lag_bound * SECOND) for name, venue in settings.venues.items()},
        fx_fixed={currency: rate for currency, rate in fixed.items() if not isinstance(rate, str)},
    )


def venue_options(settings: Settings) -> dict[str, VenueOptions]:
    """One feed's options a venue, in the order of the settings. Raises SettingsError: a file of an API key cannot be read."""
    return {
        name: VenueOptions(
            symbols=venue.symbols,
            ws_origin=venue.ws_origin,
            rest_origin=venue.rest_origin,
            rest_budget_ratio=venue.rest_budget_ratio,
            lag_bound_seconds=venue.lag_bound,
            credentials=read_credentials(name, venue),
        )
        for name, venue in settings.venues.items()
    }
