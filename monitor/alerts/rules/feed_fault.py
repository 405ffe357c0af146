"""feed_fault: what the service itself cannot see. One alert a market, or one for a venue when the venue is the cause."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, isfinite
from typing import ClassVar, Final

from monitor.alerts.life import SECOND, TOP, UNKNOWN, Holds, Reading, reading
from monitor.alerts.payloads import MARKET, Change, Evidence, Kind, Severity
from monitor.alerts.rules.base import Observation, QuietRule, Second, Story, span
from monitor.alerts.settings import FeedFaultSettings
from monitor.alerts.topics import safe_part
from monitor.views import MarketView, VenueView

ALL: Final = "all"  # the subject when no book of any venue is verified
MIN_SHARE_BOOKS: Final = 2  # one book of one is a fault of the market, not of the venue
RESYNC_WINDOW: Final = 600 * SECOND
RESYNC_STEP: Final = 30 * SECOND  # how finely the window slides
MAX_TEXT: Final = 200  # of a reason that comes from a venue


@dataclass(frozen=True, slots=True)
class Facts:
    subject: str
    faults: tuple[str, ...]  # () when all is well
    names: tuple[str, ...]  # short words of a closed set, for the evidence
    since: int | None
    at: int
    verified: int
    configured: int
    lag_seconds: float | None


class FeedFault(QuietRule):
    kind: ClassVar[Kind] = "feed_fault"

    def __init__(self, settings: FeedFaultSettings) -> None:
        self._settings = settings
        s = settings
        self._market_holds = Holds.seconds(
            (s.open_hold_seconds, s.warning_hold_seconds, s.critical_hold_seconds),
            s.close_hold_seconds,
            s.close_hold_seconds,
        )
        venue_rise = (s.venue_open_hold_seconds, s.venue_warning_hold_seconds, s.venue_critical_hold_seconds)
        self._venue_holds = Holds.seconds(venue_rise, s.close_hold_seconds, s.close_hold_seconds)
        self._all_holds = Holds.seconds((s.open_hold_seconds,) * 3, s.close_hold_seconds, s.close_hold_seconds)
        self._refused_holds = Holds.seconds((0, 0, 0), s.close_hold_seconds, s.close_hold_seconds)
        self._since: dict[str, int] = {}
        self._last_depth: dict[str, float] = {}
        self._resyncs: dict[str, deque[tuple[int, int]]] = {}

    def on_second(self, second: Second) -> Iterable[Observation]:
        by_venue: dict[str, list[MarketView]] = {}
        for market in second.view.markets:
            by_venue.setdefault(market.venue, []).append(market)
        for venue in second.view.venues:
            markets = by_venue.get(venue.venue, [])
            observation, caused = self._venue(venue, markets, second.at)
            yield observation
            refused = dict(venue.refused)
            for market in markets:
                yield self._market(market, caused, refused.pop(market.market, ""), second.at)
            for symbol, reason in refused.items():
                yield self._refused(venue, symbol, reason, second.at)
        yield self._everything(second)

    def _venue(self, venue: VenueView, markets: list[MarketView], at: int) -> tuple[Observation, bool]:
        """The venue's own reading, and whether it explains what its markets suffer."""
        settings = self._settings
        subject = safe_part(venue.venue)
        verified = sum(market.verified for market in markets)
        share = 1 - verified / len(markets) if markets else 0.0
        connected = sum(connection.connected for connection in venue.connections)
        lag = venue.lag_seconds if venue.lag_seconds is not None and isfinite(venue.lag_seconds) else None
        texts: list[str] = []
        names: list[str] = []
        worst = 0
        if venue.halted:
            names.append("halted")
            texts.append(f"halted ({venue.halted[:MAX_TEXT]})")
            worst = TOP
        elif venue.connections and not connected:
            names.append("disconnected")
            texts.append("no connection stands")
            worst = TOP
        if lag is not None and lag >= settings.behind_seconds:
            names.append("behind")
            texts.append(f"{lag:.1f} s behind")
            worst = max(worst, TOP - 1)
        if len(markets) >= MIN_SHARE_BOOKS and share >= settings.venue_share_ratio:
            names.append("unverified")
            texts.append(f"{len(markets) - verified} of {len(markets)} books are not verified")
            worst = max(worst, TOP if not verified else TOP - 1)
        if venue.faults:
            names.append("channel_fault")
            texts.extend(fault[:MAX_TEXT] for fault in venue.faults[:3])
            worst = max(worst, 1)
        caused = worst > 1
        lingering = (lag is not None and lag >= settings.behind_close_seconds) or (
            len(markets) >= MIN_SHARE_BOOKS and share > settings.venue_share_close_ratio
        )
        facts = self._facts(subject, texts, names, at, verified, len(markets), lag)
        seen = reading(worst, max(worst, int(lingering)))
        return Observation(MARKET, subject, seen, self._venue_holds, facts), caused

    def _market(self, market: MarketView, caused: bool, refused: str, at: int) -> Observation:
        subject = safe_part(f"{market.venue}:{market.market}")
        texts: list[str] = []
        names: list[str] = []
        if market.verified:
            depth = [figure.usd for figure in market.depth if figure.side == "bid"]
            if depth:
                self._last_depth[subject] = max(depth)
        else:
            names.append("unverified")
            texts.append(f"no verified book ({market.reason[:MAX_TEXT] or 'no reason given'})")
        silent = sorted(channel for channel, mute in market.silent.items() if mute)
        if silent:
            names.append("silent")
            texts.append(f"silent: {', '.join(silent)}")
        if refused:
            names.append("refused")
            texts.append(f"refused ({refused[:MAX_TEXT]})")
        level = TOP if texts else 0
        resyncs = self._recent_resyncs(subject, market, at)
        if resyncs >= self._settings.resyncs:
            names.append("unsteady")
            texts.append(f"{resyncs} resyncs in {span(RESYNC_WINDOW / SECOND)}")
            level = max(level, TOP - 1)
        kept = max(level, int(2 * resyncs >= self._settings.resyncs))
        facts = self._facts(subject, texts, names, at, int(market.verified), 1, None)
        if self._settings.floor_usd > 0 and self._last_depth.get(subject, inf) < self._settings.floor_usd:
            level = kept = 0
        # A fault of the venue speaks for its markets: they neither open of their own nor close while it stands.
        seen: Reading = UNKNOWN if caused and kept else reading(level, kept)
        return Observation(MARKET, subject, seen, self._market_holds, facts)

    def _recent_resyncs(self, subject: str, market: MarketView, at: int) -> int:
        total = sum(market.resyncs.values())
        seen = self._resyncs.setdefault(subject, deque([(at, total)]))
        if at - seen[-1][0] >= RESYNC_STEP:
            seen.append((at, total))
        while at - seen[0][0] > RESYNC_WINDOW and len(seen) > 1:
            seen.popleft()
        return max(0, total - seen[0][1])

    def _refused(self, venue: VenueView, symbol: str, reason: str, at: int) -> Observation:
        subject = safe_part(f"{venue.venue}:{symbol}")
        facts = self._facts(subject, [f"refused ({reason[:MAX_TEXT]})"], ["refused"], at, 0, 1, None)
        return Observation(MARKET, subject, reading(1, 1), self._refused_holds, facts)

    def _everything(self, second: Second) -> Observation:
        markets = second.view.markets
        verified = sum(market.verified for market in markets)
        blind = bool(markets) and not verified
        texts, names = (["no book of any venue is verified"], ["unverified"]) if blind else ([], [])
        facts = self._facts(ALL, texts, names, second.at, verified, len(markets), None)
        seen = UNKNOWN if not markets else reading(TOP if blind else 0, TOP if blind else 0)
        return Observation(MARKET, ALL, seen, self._all_holds, facts)

    def _facts(
        self,
        subject: str,
        texts: list[str],
        names: list[str],
        at: int,
        verified: int,
        configured: int,
        lag: float | None,
    ) -> Facts:
        if texts:
            since: int | None = self._since.setdefault(subject, at)
        else:
            since = self._since.pop(subject, None)
        return Facts(subject, tuple(texts), tuple(names), since, at, verified, configured, lag)

    def story(self, observation: Observation, change: Change, severity: Severity) -> Story:
        facts = observation.facts
        assert isinstance(facts, Facts)
        seconds = (facts.at - facts.since) / SECOND if facts.since is not None and facts.faults else 0.0
        evidence = {
            "faults": Evidence(", ".join(facts.names) or None, "label", None),
            "fault_seconds": Evidence(seconds, "s", None),
            "books_verified": Evidence(facts.verified, "books", None),
            "books_configured": Evidence(facts.configured, "books", None),
            "lag_seconds": Evidence(facts.lag_seconds, "s", None),
        }
        who = "Every venue" if facts.subject == ALL else facts.subject
        if change == "closed":
            summary = f"{who}: well again, its figures count."
        elif not facts.faults:
            summary = f"{who}: mending, not yet trusted for good."
        else:
            what = "; ".join(facts.faults)
            summary = f"{who}: {what}, for {span(seconds)}; its figures are left out until it mends, check the venue and the network."
            if "refused" in facts.names:
                summary = f"{who}: {what}; this market is not watched, check the symbol in the settings."
        return Story(summary, evidence, None, tuple(f"{facts.subject} {fault}" for fault in facts.faults))
