"""liquidation_burst: forced closings of one side of an asset, far above what is usual for it. Seen on the print itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import ClassVar, Final

from monitor.alerts.life import SECOND, Holds, reading
from monitor.alerts.payloads import Change, Evidence, Kind, Severity
from monitor.alerts.rules.base import (
    LiquidationContext,
    Observation,
    Print,
    QuietRule,
    Second,
    Story,
    level_above,
    money,
    venue_live,
)
from monitor.alerts.settings import LiquidationBurstSettings
from monitor.views import AssetView, MarketView

POSITIONS: Final = ("long", "short")
CENTS: Final = 100  # sums are kept in whole cents: adding and taking away leaves no residue
FREEZE_LIMIT: Final = (
    6 * 3600 * SECOND
)  # a burst must not become its own baseline, yet no longer than models 5.5 allows
WEAKEST_FIRST: Final = ("inferred", "sampled", "complete")
HIT: Final[Mapping[str, str]] = {"long": "bid", "short": "ask"}  # the depth a forced closing runs into


@dataclass(slots=True)
class Flow:
    """One asset and position: the rolling window in one-second buckets, and the usual window."""

    buckets: deque[list[int]] = field(default_factory=deque)  # [second, cents]
    cents: int = 0
    coverages: dict[str, int] = field(default_factory=dict)  # coverage -> second last seen
    sources: dict[str, int] = field(default_factory=dict)  # "venue:market" -> second last seen
    unpriced: int = -(10**12)  # second of the last print without a rate
    usual_cents: float = 0.0  # mean of a window
    history_seconds: float = 0.0
    minute: int | None = None
    minute_cents: int = 0
    minute_blind: bool = False
    open_since: int | None = None

    def add(self, second: int, cents: int) -> None:
        if self.buckets and self.buckets[-1][0] >= second:
            self.buckets[-1][1] += cents
        else:
            self.buckets.append([second, cents])
        self.cents += cents

    def expire(self, second: int, window: int) -> None:
        while self.buckets and self.buckets[0][0] <= second - window:
            self.cents -= self.buckets.popleft()[1]


@dataclass(frozen=True, slots=True)
class Facts:
    asset: str
    position: str
    usd: float
    unit_usd: float
    unit_from: str
    usual_usd: float | None
    depth_usd: float | None
    coverages: tuple[str, ...]  # of the prints in the window, the weakest first
    blind: tuple[str, ...]
    unpriced: bool


class LiquidationBurst(QuietRule):
    kind: ClassVar[Kind] = "liquidation_burst"

    def __init__(self, settings: LiquidationBurstSettings) -> None:
        self._settings = settings
        self._rise = (settings.open_multiple, settings.warning_multiple, settings.critical_multiple)
        self._keep = (settings.close_multiple, settings.ease_warning_multiple, settings.ease_critical_multiple)
        self._holds = Holds.seconds(
            (settings.open_hold_seconds,) * 3, settings.ease_hold_seconds, settings.close_hold_seconds
        )
        self._flows: dict[tuple[str, str], Flow] = {}
        self._depth: dict[tuple[str, str], float | None] = {}
        self._blind: dict[str, frozenset[str]] = {}  # asset -> "venue:market" that cannot speak now

    def on_print(self, event: Print) -> Iterable[Observation]:
        if event.position not in POSITIONS:
            return ()
        flow = self._flow(event.asset, event.position)
        second = event.at // SECOND
        if event.usd is None or not isfinite(event.usd) or event.usd < 0:
            flow.unpriced = second
        else:
            cents = round(event.usd * CENTS)
            flow.add(second, cents)
            flow.minute_cents += cents
            flow.coverages[event.context.coverage] = second
            flow.sources[_source(event.context)] = second
        flow.expire(second, self._settings.window_seconds)
        if event.context.asset_view is not None:
            self._note_depth(event.context.asset_view)
        return (self._observe(event.asset, event.position, flow, second),)

    def on_second(self, second: Second) -> Iterable[Observation]:
        now = second.at // SECOND
        for asset in second.view.assets:
            self._note_depth(asset)
        for name, markets in second.markets.items():
            self._blind[name] = frozenset(
                f"{market.venue}:{market.market}"
                for market in markets
                if market.liquidation_coverage != "none" and not _hears(market, second)
            )
            for position in POSITIONS if any(m.liquidation_coverage != "none" for m in markets) else ():
                self._flow(name, position)
        for (name, position), flow in self._flows.items():
            if name not in second.markets:
                continue
            flow.expire(now, self._settings.window_seconds)
            self._learn(flow, second.at, bool(self._blind.get(name)))
            yield self._observe(name, position, flow, now)

    def story(self, observation: Observation, change: Change, severity: Severity) -> Story:
        facts = observation.facts
        assert isinstance(facts, Facts)
        window = self._settings.window_seconds
        degraded = [f"{source} liquidations cannot be seen" for source in facts.blind]
        if "sampled" in facts.coverages:
            degraded.append("liquidations are sampled by the venue: the figure is a lower bound")
        if "inferred" in facts.coverages:
            degraded.append("liquidations are inferred, not reported")
        if facts.unpriced:
            degraded.append("some prints have no USD rate and are left out")
        evidence = {
            "liquidated_usd": Evidence(facts.usd, "USD", None),
            "window_seconds": Evidence(window, "s", None),
            "units": Evidence(facts.usd / facts.unit_usd if facts.unit_usd else None, "ratio", None),
            "unit_usd": Evidence(facts.unit_usd, "USD", None),
            "unit_from": Evidence(facts.unit_from, "label", None),
            "usual_window_usd": Evidence(facts.usual_usd, "USD", None),
            "share_of_depth_1pct": Evidence(facts.usd / facts.depth_usd if facts.depth_usd else None, "ratio", None),
            "coverage": Evidence(next(iter(facts.coverages), None), "label", None),
        }
        return Story(self._summary(facts, change), evidence, "forced", tuple(degraded))

    def _summary(self, facts: Facts, change: Change) -> str:
        side = "longs" if facts.position == "long" else "shorts"
        window = self._settings.window_seconds
        at_least = "at least " if facts.coverages != ("complete",) else ""
        if change == "closed":
            return f"{facts.asset}: the liquidation of {side} has died down, {money(facts.usd)} in the last {window} s."
        parts = [f"{facts.asset}: {at_least}{money(facts.usd)} of {side} liquidated in {window} s"]
        if facts.usual_usd and facts.usd > facts.usual_usd:
            parts.append(f"{facts.usd / facts.usual_usd:.0f} times the usual")
        if facts.depth_usd:
            parts.append(f"{facts.usd / facts.depth_usd:.0%} of the {HIT[facts.position]}s within 1%")
        advice = {
            "opened": f"forced {'selling' if facts.position == 'long' else 'buying'} is under way",
            "escalated": f"forced {'selling' if facts.position == 'long' else 'buying'} is growing, do not stand in its way",
            "eased": "it is easing",
            "closed": "",
        }[change]
        return f"{', '.join(parts)}: {advice}."

    def changed(self, asset: str, subject: str, severity: Severity | None, at: int) -> None:
        flow = self._flow(asset, subject)
        if severity is None:
            flow.open_since = None
        elif flow.open_since is None:
            flow.open_since = at

    def memory(self) -> Mapping[str, Mapping[str, float]]:
        return {
            f"{asset}:{position}": {"usual_usd": flow.usual_cents / CENTS, "history_seconds": flow.history_seconds}
            for (asset, position), flow in self._flows.items()
            if flow.history_seconds > 0
        }

    def remember(self, memory: Mapping[str, Mapping[str, float]]) -> None:
        for key, values in memory.items():
            asset, _, position = key.rpartition(":")
            usual, history = values.get("usual_usd"), values.get("history_seconds")
            if asset and position in POSITIONS and _sane(usual) and _sane(history):
                flow = self._flow(asset, position)
                flow.usual_cents, flow.history_seconds = float(usual or 0) * CENTS, float(history or 0)

    def _flow(self, asset: str, position: str) -> Flow:
        flow = self._flows.get((asset, position))
        if flow is None:
            flow = self._flows[asset, position] = Flow()
        return flow

    def _note_depth(self, view: AssetView) -> None:
        for position, side in HIT.items():
            self._depth[view.asset, position] = next(
                (depth.usd for depth in view.depth if depth.side == side and depth.band == "1%"), None
            )

    def _observe(self, asset: str, position: str, flow: Flow, second: int) -> Observation:
        settings = self._settings
        usd = flow.cents / CENTS
        depth = self._depth.get((asset, position))
        known_usual = flow.history_seconds >= settings.baseline_minimum_seconds
        usual = flow.usual_cents / CENTS if known_usual else None
        unit, unit_from = settings.floor_usd, "floor"
        if usual is not None:
            yardstick, origin = settings.baseline_multiple * usual, "baseline"
        elif depth is not None:
            yardstick, origin = settings.depth_ratio * depth, "depth_1pct"
        else:
            yardstick, origin = settings.blind_floor_usd, "blind_floor"
        if yardstick > unit:
            unit, unit_from = yardstick, origin
        since = second - settings.window_seconds
        speakers = {name for name, seen in flow.sources.items() if seen > since or flow.open_since is not None}
        for names in (flow.sources, flow.coverages):
            for name in [n for n, seen in names.items() if seen <= since and flow.open_since is None]:
                del names[name]
        blind = self._blind.get(asset, frozenset())
        units = usd / unit if unit > 0 else (float("inf") if usd > 0 else 0.0)
        # What a mute source sent cannot fade away: only silence that can be heard eases or closes.
        kept = None if speakers & blind else level_above(units, self._keep)
        reached = level_above(units, self._rise)
        coverages = tuple(coverage for coverage in WEAKEST_FIRST if coverage in flow.coverages)
        facts = Facts(
            asset, position, usd, unit, unit_from, usual, depth, coverages, tuple(sorted(blind)), flow.unpriced > since
        )
        return Observation(asset, position, reading(reached if usd else 0, kept), self._holds, facts)

    def _learn(self, flow: Flow, at: int, blind: bool) -> None:
        """Once a minute, the minute's sum goes into the usual window; not while an alert stands or a source is mute."""
        minute = at // (60 * SECOND)
        if flow.minute is None:
            flow.minute, flow.minute_cents, flow.minute_blind = minute, 0, True  # began in the middle
        flow.minute_blind = flow.minute_blind or blind
        if minute == flow.minute:
            return
        frozen = flow.open_since is not None and at - flow.open_since < FREEZE_LIMIT
        if not (flow.minute_blind or frozen or minute != flow.minute + 1):
            window_cents = flow.minute_cents * self._settings.window_seconds / 60
            weight = 1.0 - 2.0 ** (-60.0 / self._settings.baseline_half_life_seconds)
            # A young mean is the plain mean of what there is, so that it does not start from nothing.
            weight = max(weight, 60.0 / (flow.history_seconds + 60.0))
            flow.usual_cents += weight * (window_cents - flow.usual_cents)
            flow.history_seconds += 60.0
        flow.minute, flow.minute_cents, flow.minute_blind = minute, 0, blind


def _hears(market: MarketView, second: Second) -> bool:
    """Whether a liquidation of the market would reach us: where it would not, that none comes says nothing."""
    if not market.liquidations_heard or market.silent.get("liquidations", False):
        return False
    return venue_live(second.venues.get(market.venue))


def _source(context: LiquidationContext) -> str:
    return f"{context.venue}:{context.market}"


def _sane(value: float | None) -> bool:
    return isinstance(value, int | float) and isfinite(value) and value >= 0
