"""Which margin tiers of a market count: the venue's own, else the user's file, else documentation with its date, else an assumption."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from monitor.facts import Instrument, MarginTier, MarginTiers
from monitor.venues.base import Venue

# Of markets of which nobody says anything: the ratio of the lowest tier that most venues gave their large markets for years. It is
# too low for small markets, so positions there look farther from liquidation than they are.
ASSUMED_RATIO: Final = Decimal("0.005")


def assumed_tiers(instrument: Instrument) -> MarginTiers:
    """One tier without end."""
    unit = "base" if instrument.contract_type == "inverse" else "quote"
    tier = MarginTier(Decimal(0), None, ASSUMED_RATIO)
    return MarginTiers(instrument.symbol, (tier,), unit, whole=True, venue_time=0, assumed=True)  # type: ignore[arg-type]


def known_tiers(
    venue: Venue, instrument: Instrument, from_file: Mapping[tuple[str, str], MarginTiers]
) -> MarginTiers | None:
    """What is known before the venue says anything; None: nothing is ever liquidated there (spot)."""
    if instrument.contract_type == "spot":
        return None
    return (
        from_file.get((instrument.venue, instrument.symbol))
        or venue.documented_tiers(instrument)
        or assumed_tiers(instrument)
    )


def from_venue(tiers: MarginTiers | None) -> bool:
    """Whether the venue itself said them."""
    return tiers is not None and not tiers.file and tiers.documented is None and not tiers.assumed


def tiers_source(tiers: MarginTiers) -> str:
    """For people and payloads: "venue", "file tiers.toml", "file tiers.toml of 2026-04-01", "documented 2026-04-01", "assumed"."""
    if tiers.assumed:
        return "assumed"
    if tiers.file:
        return f"file {tiers.file}" + ("" if tiers.documented is None else f" of {tiers.documented.isoformat()}")
    return "venue" if tiers.documented is None else f"documented {tiers.documented.isoformat()}"
