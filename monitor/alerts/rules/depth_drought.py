"""depth_drought: the bids within 1% of an asset are a fraction of what is normal for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import ClassVar, Final

from monitor.alerts.life import UNKNOWN, Holds, Reading, reading
from monitor.alerts.payloads import Change, Evidence, Kind, Severity
from monitor.alerts.rules.base import Observation, QuietRule, Second, Story, money
from monitor.alerts.settings import DepthDroughtSettings
from monitor.views import AssetView

SUBJECT: Final = "all"  # every venue of the asset together
BAND: Final = "1%"


@dataclass(frozen=True, slots=True)
class Facts:
    asset: str
    usd: float | None
    acute: float | None
    chronic: float | None
    normal_usd: float | None
    coverage: float | None
    venues: tuple[str, ...]
    unknown: str  # why the input is unknown, "" when it is known


class DepthDrought(QuietRule):
    kind: ClassVar[Kind] = "depth_drought"

    def __init__(self, settings: DepthDroughtSettings) -> None:
        self._settings = settings
        self._rise = (settings.open_ratio, settings.warning_ratio, settings.critical_ratio)
        self._keep = (settings.close_ratio, settings.ease_warning_ratio, settings.ease_critical_ratio)
        self._holds = Holds.seconds(
            (settings.open_hold_seconds, settings.escalate_hold_seconds, settings.escalate_hold_seconds),
            settings.ease_hold_seconds,
            settings.close_hold_seconds,
        )
        self._normal: dict[str, float] = {}  # baseline USD, kept for when nothing at all is left to divide by

    def on_second(self, second: Second) -> Iterable[Observation]:
        for asset in second.view.assets:
            facts = self._facts(asset)
            yield Observation(asset.asset, SUBJECT, self._read(facts), self._holds, facts)

    def _facts(self, view: AssetView) -> Facts:
        found = next((d for d in view.depth if d.side == "bid" and d.band == BAND), None)
        if found is None:
            return Facts(view.asset, None, None, None, None, None, (), "depth within 1% is not known")
        acute, chronic = _ratio(found.acute_ratio), _ratio(found.chronic_ratio)
        for measured in (chronic, acute):
            if measured and found.usd > 0:
                self._normal[view.asset] = found.usd / measured
        normal = self._normal.get(view.asset)
        unknown = ""
        if acute is None and chronic is None:
            unknown = "no baseline yet"
        elif normal is None:
            unknown = "the normal depth is not known"
        elif found.coverage_ratio is None or found.coverage_ratio < self._settings.minimum_coverage_ratio:
            unknown = f"only {found.coverage_ratio or 0:.0%} of the normal depth can be seen"
        return Facts(
            view.asset, found.usd, acute, chronic, normal, found.coverage_ratio, found.venues, unknown
        )  # fmt: skip

    def _read(self, facts: Facts) -> Reading:
        if facts.unknown or facts.normal_usd is None:
            return UNKNOWN
        if facts.normal_usd < self._settings.floor_usd:
            return reading(0, 0)
        reached = kept = 0
        if facts.acute is not None:
            reached = sum(facts.acute <= threshold for threshold in self._rise)
            kept = sum(facts.acute < threshold for threshold in self._keep)
        if facts.chronic is not None:
            reached = max(reached, int(facts.chronic <= self._settings.chronic_open_ratio))
            kept = max(kept, int(facts.chronic < self._settings.chronic_close_ratio))
        # Without the acute baseline only the slow fall can be told: it may open, nothing may ease or close.
        return reading(reached, kept if facts.acute is not None else None)

    def story(self, observation: Observation, change: Change, severity: Severity) -> Story:
        facts = observation.facts
        assert isinstance(facts, Facts)
        evidence = {
            "bid_depth_1pct_usd": Evidence(facts.usd, "USD", None),
            "acute_ratio": Evidence(facts.acute, "ratio", None),
            "chronic_ratio": Evidence(facts.chronic, "ratio", None),
            "normal_depth_usd": Evidence(facts.normal_usd, "USD", None),
            "coverage_ratio": Evidence(facts.coverage, "ratio", None),
            "venues": Evidence(", ".join(facts.venues) or None, "label", None),
        }
        degraded = (f"{facts.asset}: {facts.unknown}",) if facts.unknown else ()
        return Story(self._summary(facts, change, severity), evidence, None, degraded)

    def _summary(self, facts: Facts, change: Change, severity: Severity) -> str:
        ratio = facts.acute if facts.acute is not None else facts.chronic
        if facts.unknown or facts.usd is None or ratio is None:
            return f"{facts.asset}: the bids within 1% are not known now ({facts.unknown or 'no figure'})."
        state = f"{facts.asset}: bids within 1% stand at {money(facts.usd)}, {ratio:.0%} of normal"
        if change == "closed":
            return f"{state}: the book has filled up again."
        slow = facts.chronic is not None and facts.chronic <= self._settings.chronic_open_ratio
        if severity == "watch" and slow and (facts.acute is None or facts.acute > self._settings.open_ratio):
            return f"{facts.asset}: bids within 1% stand at {money(facts.usd)}, {facts.chronic:.0%} of what was normal over the last 12 weeks: plan for smaller orders."
        if change == "eased":
            return f"{state}: they are coming back, still sell in small pieces."
        dearer = (
            f"a sale moves the price about {1 / ratio:.0f} times as far"
            if ratio >= 0.02
            else "a sale finds hardly a buyer"
        )
        return f"{state}: {dearer}; split or hold back market sales."

    def memory(self) -> Mapping[str, Mapping[str, float]]:
        return {asset: {"normal_usd": usd} for asset, usd in self._normal.items()}

    def remember(self, memory: Mapping[str, Mapping[str, float]]) -> None:
        for asset, values in memory.items():
            usd = values.get("normal_usd")
            if isinstance(usd, int | float) and isfinite(usd) and usd > 0:
                self._normal[asset] = float(usd)


def _ratio(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) and value >= 0 else None
