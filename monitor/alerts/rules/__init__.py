"""The kinds of alert. Adding one is one module here, one section in the settings and one line below."""

from __future__ import annotations

from monitor.alerts.rules.base import Rule
from monitor.alerts.rules.cascade_risk import CascadeRisk
from monitor.alerts.rules.depth_drought import DepthDrought
from monitor.alerts.rules.feed_fault import FeedFault
from monitor.alerts.rules.liquidation_burst import LiquidationBurst
from monitor.alerts.settings import AlertsSettings


def make_rules(settings: AlertsSettings) -> tuple[Rule, ...]:
    """The enabled rules, in the order their transitions are reported."""
    found: list[Rule] = []
    if settings.liquidation_burst.enabled:
        found.append(LiquidationBurst(settings.liquidation_burst))
    if settings.depth_drought.enabled:
        found.append(DepthDrought(settings.depth_drought))
    if settings.cascade_risk.enabled:
        found.append(CascadeRisk(settings.cascade_risk))
    if settings.feed_fault.enabled:
        found.append(FeedFault(settings.feed_fault))
    return tuple(found)
