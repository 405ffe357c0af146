"""What a rule is: readings out of the read model, and a story when a reading changed an alert. Rules never see a life."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from monitor.alerts.compose import standing
from monitor.alerts.life import Holds, Reading
from monitor.alerts.payloads import Change, Evidence, Kind, Severity, StressType
from monitor.views import AssetView, MarketView, ServiceView, VenueView


@dataclass(frozen=True, slots=True)
class LiquidationContext:
    """Where a print came from. `asset_view`: the asset as it stands; None uses the one of the last second.

    received_at: receive time of the frame (ns), for the latency from wire to broker; None in tests.
    """

    venue: str
    market: str
    coverage: str  # complete, sampled, inferred
    asset_view: AssetView | None = None
    received_at: int | None = None


@dataclass(frozen=True, slots=True)
class Print:
    """One liquidation. `usd` None: the quote's rate is not known."""

    asset: str
    position: str
    usd: float | None
    at: int
    context: LiquidationContext


@dataclass(frozen=True, slots=True)
class Story:
    """What a changed alert says. `degraded`: what weakens it, in words."""

    summary: str
    evidence: Mapping[str, Evidence]
    type: StressType | None = None
    degraded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Observation:
    """One key's reading. `facts` is whatever the rule's own `story` needs; it is never looked at by others."""

    asset: str
    subject: str
    reading: Reading
    holds: Holds
    facts: object


@dataclass(frozen=True, slots=True)
class Second:
    """The read model once a second, with lookups every rule needs."""

    view: ServiceView
    at: int
    venues: Mapping[str, VenueView]
    assets: Mapping[str, AssetView]
    markets: Mapping[str, tuple[MarketView, ...]]  # by asset

    @classmethod
    def of(cls, view: ServiceView, at: int) -> Second:
        markets: dict[str, list[MarketView]] = {}
        for market in view.markets:
            markets.setdefault(market.asset, []).append(market)
        return cls(
            view,
            at,
            {venue.venue: venue for venue in view.venues},
            {asset.asset: asset for asset in view.assets},
            {asset: tuple(found) for asset, found in markets.items()},
        )


class Rule(Protocol):
    """One kind of alert. Deterministic: state comes from the calls alone."""

    kind: ClassVar[Kind]

    def on_print(self, event: Print) -> Iterable[Observation]:
        """Readings a liquidation changes at once."""
        ...

    def on_second(self, second: Second) -> Iterable[Observation]:
        """Readings of every key this rule knows of."""
        ...

    def story(self, observation: Observation, change: Change, severity: Severity) -> Story:
        """Words and figures for a change this observation made."""
        ...

    def changed(self, asset: str, subject: str, severity: Severity | None, at: int) -> None:
        """An alert of this kind was opened, changed or restored (severity) or closed (None)."""
        ...

    def memory(self) -> Mapping[str, Mapping[str, float]]:
        """What must survive a restart besides open alerts (baselines), by key."""
        ...

    def remember(self, memory: Mapping[str, Mapping[str, float]]) -> None:
        """Take back what `memory` gave; entries that make no sense are ignored."""
        ...


class QuietRule:
    """Defaults for rules that need only some of it."""

    def on_print(self, event: Print) -> Iterable[Observation]:
        return ()

    def on_second(self, second: Second) -> Iterable[Observation]:
        return ()

    def changed(self, asset: str, subject: str, severity: Severity | None, at: int) -> None:
        pass

    def memory(self) -> Mapping[str, Mapping[str, float]]:
        return {}

    def remember(self, memory: Mapping[str, Mapping[str, float]]) -> None:
        pass


def venue_live(venue: VenueView | None) -> bool:
    """Whether everything the venue sends can reach us now."""
    if venue is None or venue.halted:
        return False
    connected, planned = standing(venue.connections)
    return planned > 0 and connected == planned


def level_above(value: float, thresholds: tuple[float, float, float]) -> int:
    """How many of three rising thresholds `value` has reached."""
    return sum(value >= threshold for threshold in thresholds)


def money(usd: float) -> str:
    """$950, $12.3k, $4.1M, $1.2B."""
    for unit, size in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if usd >= size * 0.9995:
            return f"${usd / size:.3g}{unit}" if usd < 999.5 * size else f"${usd / size:.0f}{unit}"
    return f"${usd:.0f}"


def span(seconds: float) -> str:
    """12 s, 4 min, 3.5 h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
