"""cascade_risk: a sale that is near, or small beside what is being sold, would set off liquidations that feed themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from monitor.alerts.life import Holds, reading
from monitor.alerts.payloads import Change, Evidence, Kind, Severity
from monitor.alerts.rules.base import Observation, QuietRule, Second, Story, money
from monitor.alerts.settings import CascadeRiskSettings
from monitor.cascade_views import LEAST_OBSERVED, MAP_SCALES, CascadeFigures, CascadeSide, CascadeView, Jump

SUBJECT: Final = "long"  # whose positions would be closed; the mirror, a squeeze of shorts, is shown and raises nothing
ANY_SALE_USD: Final = 1_000.0  # a smaller ignition is none: selling already feeds itself at the price
LEAST_MAPPED: Final = 0.5  # of the open interest (models.md 0.2: coverage)
NAMED_BOOKS: Final = 6  # in the sentence; all of them are in the evidence


@dataclass(frozen=True, slots=True)
class Facts:
    """`jump`: the nearest one that is worth an alert; None: there is none in range."""

    asset: str
    view: CascadeView
    side: CascadeSide
    jump: Jump | None

    @property
    def sigmas(self) -> float | None:
        """The distance in standard deviations of an hour."""
        sigma = self.view.sigma_1h_ratio
        return self.jump.distance_ratio / sigma if self.jump is not None and sigma else None

    @property
    def share(self) -> float | None:
        """The sale it takes over what was sold, net, in the last five minutes; None without net selling."""
        sold = self.view.net_sold_usd
        return self.jump.ignition_usd / sold if self.jump is not None and sold is not None and sold > 0 else None


class CascadeRisk(QuietRule):
    kind: ClassVar[Kind] = "cascade_risk"

    def __init__(self, settings: CascadeRiskSettings) -> None:
        self._settings = settings
        self._near = (settings.open_sigmas, settings.warning_sigmas, settings.critical_sigmas)
        self._near_kept = (settings.close_sigmas, settings.ease_warning_sigmas, settings.ease_critical_sigmas)
        self._small = (settings.open_share_ratio, settings.warning_share_ratio, settings.critical_share_ratio)
        self._small_kept = (
            settings.close_share_ratio,
            settings.ease_warning_share_ratio,
            settings.ease_critical_share_ratio,
        )
        self._holds = Holds.seconds(
            (settings.open_hold_seconds, settings.escalate_hold_seconds, settings.escalate_hold_seconds),
            settings.ease_hold_seconds,
            settings.close_hold_seconds,
        )  # fmt: skip

    def on_second(self, second: Second) -> Iterable[Observation]:
        """Nothing is said of an asset whose cascade is not known: an open alert that stays without data is closed as stale."""
        for asset in second.view.assets:
            view = asset.cascade
            side = view.sides.get("down") if view is not None else None
            if view is None or side is None or not _mapped(view):
                continue
            jump = self._jump(side.figures["base"])
            if jump is not None and not jump.observed_ratio >= LEAST_OBSERVED:
                continue
            facts = Facts(asset.asset, view, side, jump)
            reached = max(_under(facts.sigmas, self._near, False), self._sold(facts, self._small, False))
            yield Observation(asset.asset, SUBJECT, reading(reached, self._kept(facts)), self._holds, facts)

    def _kept(self, facts: Facts) -> int | None:
        """The level that is still held; None while one of the two measures is not known and a cascade is in range."""
        if facts.jump is None:
            return 0
        if facts.sigmas is None or facts.view.net_sold_usd is None:
            return None
        return max(_under(facts.sigmas, self._near_kept, True), self._sold(facts, self._small_kept, True))

    def _jump(self, figures: CascadeFigures) -> Jump | None:
        """The first jump that forces enough to matter, else the largest one, if that does."""
        found = (jump for jump in (figures.first, figures.largest) if jump is not None)
        return next((jump for jump in found if jump.forced_usd >= self._settings.floor_usd), None)

    def _sold(self, facts: Facts, limits: tuple[float, float, float], open_end: bool) -> int:
        """By the share of recent net selling, where enough was sold to speak of selling."""
        sold = facts.view.net_sold_usd
        if sold is None or sold < self._settings.net_floor_usd:
            return 0
        return _under(facts.share, limits, open_end)

    def story(self, observation: Observation, change: Change, severity: Severity) -> Story:
        facts = observation.facts
        assert isinstance(facts, Facts)
        view, jump = facts.view, facts.jump
        used = [f"{book.venue}:{book.market}" for book in view.books if not book.reason]
        base = facts.side.figures["base"]
        evidence = {
            "ignition_usd": Evidence(jump.ignition_usd if jump else None, "USD", None),
            "direct_ratio": Evidence(jump.direct_ratio if jump else None, "ratio", None),
            "distance_ratio": Evidence(jump.distance_ratio if jump else None, "ratio", None),
            "distance_sigmas": Evidence(facts.sigmas, "sigma_1h", None),
            "landing_ratio": Evidence(jump.landing_ratio if jump else None, "ratio", None),
            "forced_usd": Evidence(jump.forced_usd if jump else None, "USD", None),
            "net_sold_5m_usd": Evidence(view.net_sold_usd, "USD", None),
            "share_of_net_selling": Evidence(facts.share, "ratio", None),
            "gain": Evidence(base.gain, "ratio", None),
            "arbitrage_multiplier": Evidence(base.arbitrage.multiplier if base.arbitrage else None, "ratio", None),
            "observed_ratio": Evidence(jump.observed_ratio if jump else facts.side.observed_ratio, "ratio", None),
            "map": Evidence("calibrated" if view.map_driven else "null", "label", None),
            "books": Evidence(", ".join(used) or None, "label", None),
        }
        for scale in MAP_SCALES:
            other = self._jump(facts.side.figures[scale])
            evidence[f"distance_ratio_{scale}"] = Evidence(other.distance_ratio if other else None, "ratio", None)
        return Story(self._summary(facts, change), evidence, None, self._degraded(view))

    def _degraded(self, view: CascadeView) -> tuple[str, ...]:
        lines = [f"{book.venue}:{book.market} is left out: {book.reason}" for book in view.books if book.reason]
        used = {(book.venue, book.market) for book in view.books if not book.reason}
        for market in view.exposure.markets if view.exposure is not None else ():
            if market.state == "unknown" and (market.venue, market.market) in used:
                lines.append(f"{market.venue}:{market.market} has no exposure map: {market.reason}")
        if not view.map_driven:
            why = view.exposure.reason if view.exposure is not None else "no market tells its open interest"
            lines.append(f"the exposure map is indicative ({why}): open interest spread evenly stands in")
        return tuple(lines)

    def _summary(self, facts: Facts, change: Change) -> str:
        jump, view = facts.jump, facts.view
        if jump is None:
            return f"{facts.asset}: no sale within range would set off a cascade of liquidations any more."
        known = f"{jump.observed_ratio:.0%} of that depth is seen"
        if change == "closed":
            away = f", {facts.sigmas:.1f} standard deviations of an hour" if facts.sigmas is not None else ""
            return (
                f"{facts.asset}: a cascade of liquidations is no longer near: it would take a sale of {money(jump.ignition_usd)}"
                f" and a fall of {jump.distance_ratio:.1%}{away} ({known})."
            )
        landing, way = jump.landing_ratio, f"-{jump.direct_ratio:.1%}"
        if landing is None:
            fall = f"past {way} with nothing in range to stop it"
        elif view.price_usd is None:
            fall = f"from {way} to -{landing:.1%}"
        else:
            fall = f"from {way} to -{landing:.1%} ({view.price_usd * (1 - landing):,.6g})"
        books = [f"{book.venue}:{book.market}" for book in view.books if not book.reason]
        named = ", ".join(books[:NAMED_BOOKS]) + (
            f" and {len(books) - NAMED_BOOKS} more" if len(books) > NAMED_BOOKS else ""
        )
        sold = (
            f", {money(view.net_sold_usd)} net were sold in the last five minutes"
            if facts.share is not None and view.net_sold_usd
            else ""
        )
        sale = f"a sale of {money(jump.ignition_usd)}" if jump.ignition_usd >= ANY_SALE_USD else "any sale"
        return (
            f"{facts.asset}: {sale} would carry the price {fall} by setting off"
            f" {money(jump.forced_usd)} of forced selling{sold}; {known}, on the verified books of {named}."
        )  # fmt: skip


def _mapped(view: CascadeView) -> bool:
    """Whether the map holds at least half of the open interest that was ever told."""
    coverage = view.exposure.coverage_ratio if view.exposure is not None else None
    return coverage is not None and coverage >= LEAST_MAPPED


def _under(value: float | None, limits: tuple[float, float, float], open_end: bool) -> int:
    """How many of three falling limits the value lies under (`open_end`: at them is not under)."""
    if value is None:
        return 0
    return sum(value < limit if open_end else value <= limit for limit in limits)
