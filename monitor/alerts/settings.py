"""Thresholds, hold times and floors of every alert kind. One default each, its reason beside it.

Three severities: an alert opens as `watch`, escalates to `warning` and `critical`, eases back and closes. The threshold to
leave a severity lies on the calm side of the one to reach it, so a figure that trembles at one of them moves nothing.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_MODEL = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

Seconds = Annotated[float, Field(ge=0, le=86_400)]
Usd = Annotated[float, Field(ge=0)]
Ratio = Annotated[float, Field(gt=0, le=1)]
Multiple = Annotated[float, Field(gt=0)]


def _rising(*steps: tuple[str, float]) -> None:
    for (low_name, low), (high_name, high) in pairwise(steps):
        if not low < high:
            raise ValueError(f"{low_name} ({low:g}) must lie below {high_name} ({high:g})")


class LiquidationBurstSettings(BaseModel):
    """Liquidations of one side of an asset, in a rolling window, against what is usual for that asset.

    The figure compared is the window's liquidated USD over its unit. The unit is the largest of `floor_usd` and
    `baseline_multiple` times the asset's usual window (once an hour of history is there; before that `depth_ratio` of the
    depth within 1% that the forced orders run into; without either, `blind_floor_usd`).
    """

    model_config = _MODEL

    enabled: bool = True
    """Whether this kind is raised at all."""
    window_seconds: Annotated[int, Field(ge=5, le=600)] = 60
    """Length of the rolling window."""
    floor_usd: Usd = 250_000.0
    """Smaller bursts are never an alert, however quiet the asset is otherwise."""
    blind_floor_usd: Usd = 5_000_000.0
    """The floor while neither a baseline nor the depth is known."""
    baseline_multiple: Multiple = 10.0
    """How many usual windows make one unit: liquidations are heavy-tailed, three or five times the mean is an ordinary day."""
    baseline_half_life_seconds: Annotated[float, Field(ge=600)] = 86_400.0
    """Half-life of the usual window: a day, so that it forgets a crash within a week."""
    baseline_minimum_seconds: Annotated[float, Field(ge=60)] = 3_600.0
    """History needed before the baseline counts."""
    depth_ratio: Ratio = 0.05
    """Share of the depth within 1% that makes one unit while there is no baseline."""
    open_multiple: Multiple = 1.0
    """Units at which the alert opens."""
    warning_multiple: Multiple = 3.0
    """Units at which it escalates to warning."""
    critical_multiple: Multiple = 8.0
    """Units at which it escalates to critical."""
    close_multiple: Multiple = 0.5
    """Units below which it closes."""
    ease_warning_multiple: Multiple = 1.5
    """Units below which it eases from warning."""
    ease_critical_multiple: Multiple = 5.0
    """Units below which it eases from critical."""
    open_hold_seconds: Seconds = 0.0
    """How long the figure must stand before it opens or escalates: not at all, a print is a fact."""
    ease_hold_seconds: Seconds = 30.0
    """How long the figure must stay low before it eases."""
    close_hold_seconds: Seconds = 60.0
    """How long the figure must stay low before it closes: waves of a cascade are often a minute apart."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _rising(
            ("close_multiple", self.close_multiple),
            ("open_multiple", self.open_multiple),
            ("warning_multiple", self.warning_multiple),
            ("critical_multiple", self.critical_multiple),
        )
        _rising(
            ("close_multiple", self.close_multiple),
            ("ease_warning_multiple", self.ease_warning_multiple),
            ("ease_critical_multiple", self.ease_critical_multiple),
        )
        _rising(("ease_warning_multiple", self.ease_warning_multiple), ("warning_multiple", self.warning_multiple))
        _rising(("ease_critical_multiple", self.ease_critical_multiple), ("critical_multiple", self.critical_multiple))
        return self


class DepthDroughtSettings(BaseModel):
    """Bids within 1% of an asset over its own baseline: 1 is normal, 0.5 is half of it. Lower is worse."""

    model_config = _MODEL

    enabled: bool = True
    """Whether this kind is raised at all."""
    floor_usd: Usd = 1_000_000.0
    """Assets whose normal depth is smaller stay silent: one order is half of such a book."""
    minimum_coverage_ratio: Ratio = 0.5
    """Share of the baseline depth that must be known; below it the figure counts as unknown."""
    open_ratio: Ratio = 0.5
    """Share of normal at which the alert opens (models 5.5: R <= 0.5 for 60 s)."""
    warning_ratio: Ratio = 0.35
    """Share of normal at which it escalates to warning."""
    critical_ratio: Ratio = 0.2
    """Share of normal at which it escalates to critical."""
    close_ratio: Ratio = 0.6
    """Share of normal above which it closes (models 5.5: R > 0.6 for 120 s)."""
    ease_warning_ratio: Ratio = 0.45
    """Share of normal above which it eases from warning."""
    ease_critical_ratio: Ratio = 0.28
    """Share of normal above which it eases from critical."""
    chronic_open_ratio: Ratio = 0.4
    """Share of the last 12 weeks' normal at which the alert opens as watch, and goes no further: a slow fall is no emergency."""
    chronic_close_ratio: Ratio = 0.5
    """Share of the last 12 weeks' normal above which the slow fall counts as over."""
    open_hold_seconds: Seconds = 60.0
    """How long the bids must be that thin before it opens: quotes are pulled for seconds around every news item."""
    escalate_hold_seconds: Seconds = 15.0
    """The same for warning and critical, also when it opens as one of them: the emptier, the sooner."""
    ease_hold_seconds: Seconds = 60.0
    """How long they must be back before it eases."""
    close_hold_seconds: Seconds = 120.0
    """How long they must be back before it closes."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _rising(
            ("critical_ratio", self.critical_ratio),
            ("warning_ratio", self.warning_ratio),
            ("open_ratio", self.open_ratio),
            ("close_ratio", self.close_ratio),
        )
        _rising(
            ("ease_critical_ratio", self.ease_critical_ratio),
            ("ease_warning_ratio", self.ease_warning_ratio),
            ("close_ratio", self.close_ratio),
        )
        _rising(("warning_ratio", self.warning_ratio), ("ease_warning_ratio", self.ease_warning_ratio))
        _rising(("critical_ratio", self.critical_ratio), ("ease_critical_ratio", self.ease_critical_ratio))
        _rising(("chronic_open_ratio", self.chronic_open_ratio), ("chronic_close_ratio", self.chronic_close_ratio))
        return self


class CascadeRiskSettings(BaseModel):
    """A sale that would set off liquidations which feed themselves, downwards: how far away it is, and how large.

    Two measures, the worse one counts: the drop at which the price would run away, in standard deviations of an hour; and the
    sale that takes, as a share of what was sold net in the last five minutes. Nothing is raised while less than half of
    the depth up to the landing is known, nor of a cascade that would force less than `floor_usd`.
    """

    model_config = _MODEL

    enabled: bool = True
    """Whether this kind is raised at all."""
    floor_usd: Usd = 5_000_000.0
    """A cascade that forces less is no alert: a desk trades that much without noticing."""
    net_floor_usd: Usd = 1_000_000.0
    """Net selling in five minutes below this is no selling to compare with."""
    open_sigmas: Multiple = 1.0
    """Distance, in standard deviations of an hour, at which the alert opens: an ordinary hour would reach it."""
    warning_sigmas: Multiple = 0.5
    """Distance at which it escalates to warning."""
    critical_sigmas: Multiple = 0.25
    """Distance at which it escalates to critical."""
    close_sigmas: Multiple = 1.3
    """Distance at which it closes."""
    ease_warning_sigmas: Multiple = 0.7
    """Distance at which it eases from warning."""
    ease_critical_sigmas: Multiple = 0.35
    """Distance at which it eases from critical."""
    open_share_ratio: Multiple = 1.0
    """Sale, over the net selling of the last five minutes, at which the alert opens: as much again would do it."""
    warning_share_ratio: Multiple = 0.5
    """Share at which it escalates to warning."""
    critical_share_ratio: Multiple = 0.25
    """Share at which it escalates to critical."""
    close_share_ratio: Multiple = 1.5
    """Share at which it closes."""
    ease_warning_share_ratio: Multiple = 0.75
    """Share at which it eases from warning."""
    ease_critical_share_ratio: Multiple = 0.4
    """Share at which it eases from critical."""
    open_hold_seconds: Seconds = 10.0
    """How long that must stand before it opens: quotes flicker."""
    escalate_hold_seconds: Seconds = 5.0
    """The same for warning and critical, also when it opens as one of them."""
    ease_hold_seconds: Seconds = 30.0
    """How long it must be better before it eases."""
    close_hold_seconds: Seconds = 60.0
    """How long it must be better before it closes."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for unit in ("sigmas", "share_ratio"):
            rising = [f"{step}_{unit}" for step in ("critical", "warning", "open", "close")]
            easing = [f"{step}_{unit}" for step in ("ease_critical", "ease_warning", "close")]
            for names in (rising, easing, rising[:1] + easing[:1], rising[1:2] + easing[1:2]):
                _rising(*((name, getattr(self, name)) for name in names))
        return self


class FeedFaultSettings(BaseModel):
    """Books that are not verified, channels that fell silent, subscriptions refused, venues halted or behind.

    The severity grows with how long the fault stands, and with how much of the venue it takes.
    """

    model_config = _MODEL

    enabled: bool = True
    """Whether this kind is raised at all."""
    floor_usd: Usd = 0.0
    """Markets whose last known depth was smaller raise nothing of their own (they still count for their venue); 0: every market counts."""
    open_hold_seconds: Seconds = 30.0
    """How long a book may be without verification before the alert opens: an ordinary resync takes seconds."""
    warning_hold_seconds: Seconds = 120.0
    """How long a fault stands before it escalates to warning."""
    critical_hold_seconds: Seconds = 600.0
    """How long a fault stands before it escalates to critical."""
    venue_open_hold_seconds: Seconds = 10.0
    """The same three for a fault of a whole venue, which is worse and clearer."""
    venue_warning_hold_seconds: Seconds = 60.0
    """See venue_open_hold_seconds."""
    venue_critical_hold_seconds: Seconds = 300.0
    """See venue_open_hold_seconds."""
    venue_share_ratio: Ratio = 0.5
    """Share of a venue's books (at least two) without verification that makes it a fault of the venue."""
    venue_share_close_ratio: Ratio = 0.25
    """Share below which it is one no longer."""
    resyncs: Annotated[int, Field(ge=2, le=1000)] = 10
    """Resyncs of one book within ten minutes that make it a fault although each was short."""
    behind_seconds: Annotated[float, Field(gt=0)] = 5.0
    """Lag above the venue's rolling minimum at which the venue counts as behind."""
    behind_close_seconds: Annotated[float, Field(gt=0)] = 2.0
    """Lag below which it does no longer."""
    close_hold_seconds: Seconds = 60.0
    """How long everything must be well before it closes: a book that is lost every half minute is one fault, not many."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for first, second, third in (
            ("open_hold_seconds", "warning_hold_seconds", "critical_hold_seconds"),
            ("venue_open_hold_seconds", "venue_warning_hold_seconds", "venue_critical_hold_seconds"),
        ):
            _rising(*((name, getattr(self, name)) for name in (first, second, third)))
        _rising(
            ("venue_share_close_ratio", self.venue_share_close_ratio), ("venue_share_ratio", self.venue_share_ratio)
        )
        _rising(("behind_close_seconds", self.behind_close_seconds), ("behind_seconds", self.behind_seconds))
        return self


class AlertsSettings(BaseModel):
    """One section a kind; a kind without a section here is not raised yet."""

    model_config = _MODEL

    liquidation_burst: LiquidationBurstSettings = LiquidationBurstSettings()
    depth_drought: DepthDroughtSettings = DepthDroughtSettings()
    cascade_risk: CascadeRiskSettings = CascadeRiskSettings()
    feed_fault: FeedFaultSettings = FeedFaultSettings()
