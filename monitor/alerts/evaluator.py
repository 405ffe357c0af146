"""The alert engine: readings of every rule into lives, changes of lives into transitions. Pure and deterministic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from monitor.alerts.compose import market_figures, quality_figures, regime_of, service_quality
from monitor.alerts.life import SEVERITIES, Life
from monitor.alerts.payloads import MARKET, AlertPayload, Change, Severity, encode, rfc3339
from monitor.alerts.rules import make_rules
from monitor.alerts.rules.base import LiquidationContext, Observation, Print, Rule, Second, Story
from monitor.alerts.settings import AlertsSettings
from monitor.alerts.topics import safe_part
from monitor.alerts.ulid import ulid
from monitor.views import AlertView, AssetView, ServiceView

MAX_LIVES: Final = 20_000  # keys remembered at once; closed ones are dropped, so only open alerts can fill it

Key = tuple[str, str, str]  # asset, kind, subject
Memory = Mapping[str, Mapping[str, Mapping[str, float]]]  # kind -> key -> name -> figure


@dataclass(frozen=True, slots=True)
class Transition:
    """One step of one alert's life. `received_at`: receive time (ns) of the frame that caused it, None when a timer did."""

    payload: AlertPayload
    body: bytes  # the payload as it goes out
    at: int
    opened_at: int
    received_at: int | None

    @property
    def key(self) -> Key:
        return (self.payload.asset, self.payload.kind, self.payload.subject)


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """What is kept of an open alert: the payload of its last transition and when it was opened."""

    payload: Mapping[str, Any]
    body: bytes
    opened_at: int

    @property
    def key(self) -> Key:
        return (self.payload["asset"], self.payload["kind"], self.payload["subject"])


class AlertEngine:
    """Holds every rule and every life.

    Raises nothing for odd input: figures that are not numbers are unknown, and unknown opens and closes nothing.
    """

    def __init__(self, settings: AlertsSettings, instance: str, rules: Sequence[Rule] | None = None) -> None:
        self._instance = instance
        self._rules = tuple(make_rules(settings) if rules is None else rules)
        self._by_kind: dict[str, Rule] = {rule.kind: rule for rule in self._rules}
        self._lives: dict[Key, Life] = {}
        self._open: dict[Key, OpenAlert] = {}
        self._second = Second.of(ServiceView(at=0), 0)
        self.totals: dict[tuple[str, str, str], int] = {}  # (asset, kind, transition)

    def on_liquidation(
        self, asset: str, position: str, usd: float | None, at: int, context: LiquidationContext
    ) -> list[Transition]:
        """One print, evaluated at once. `usd` None: its rate is not known. `at`: receive time (ns)."""
        event = Print(asset, position, usd, at, context)
        found: list[Transition] = []
        for rule in self._rules:
            for observation in rule.on_print(event):
                view = context.asset_view or self._second.assets.get(observation.asset)
                found.extend(self._feed(rule, observation, at, view, context.received_at))
        return found

    def on_second(self, view: ServiceView, at: int) -> list[Transition]:
        """The read model, once a second of recorded time: everything that eases, closes, or opens by its duration."""
        self._second = second = Second.of(view, at)
        found: list[Transition] = []
        for rule in self._rules:
            for observation in rule.on_second(second):
                found.extend(self._feed(rule, observation, at, second.assets.get(observation.asset), None))
        found.extend(self._close_stale(at))
        return found

    def open_alerts(self) -> tuple[AlertView, ...]:
        return tuple(
            AlertView(p["id"], p["sequence"], p["asset"], p["kind"], p["subject"], p["severity"], p)
            for p in (alert.payload for alert in self._open.values())
        )

    def open_rows(self) -> tuple[OpenAlert, ...]:
        return tuple(self._open.values())

    def restore(self, rows: Iterable[OpenAlert], at: int) -> int:
        """Carry open alerts over a restart at `at`; gives how many. Id and sequence go on; rows that make no sense are left out."""
        count = 0
        for row in rows:
            try:
                payload, key = row.payload, row.key
                level = SEVERITIES.index(payload["severity"]) + 1
                sequence = int(payload["sequence"])
                if not (all(isinstance(part, str) for part in (*key, payload["id"])) and sequence >= 1):
                    continue
            except (KeyError, ValueError, TypeError):
                continue
            if key in self._open:
                continue
            self._lives[key] = Life.restored(level, sequence, row.opened_at, at)
            self._open[key] = row
            if (rule := self._by_kind.get(key[1])) is not None:
                rule.changed(key[0], key[2], payload["severity"], at)
            count += 1
        return count

    def memory(self) -> Memory:
        """Baselines of the rules, for the state file."""
        return {rule.kind: rule.memory() for rule in self._rules}

    def remember(self, memory: Memory) -> None:
        for rule in self._rules:
            rule.remember(memory.get(rule.kind, {}))

    def _feed(
        self, rule: Rule, observation: Observation, at: int, view: AssetView | None, received_at: int | None
    ) -> Iterable[Transition]:
        key = (observation.asset, rule.kind, safe_part(observation.subject))
        life = self._lives.get(key)
        if life is None:
            if not observation.reading.reached or len(self._lives) >= MAX_LIVES:
                return ()
            life = self._lives[key] = Life()
        change = life.feed(observation.reading, observation.holds, at)
        if change is None:
            if not life.level and not observation.reading.reached:
                del self._lives[key]
            return ()
        severity = SEVERITIES[life.level - 1] if life.level else self._open[key].payload["severity"]
        story = rule.story(observation, change, severity)
        return (self._move(rule, key, life, change, severity, story, None, at, view, received_at),)

    def _move(
        self,
        rule: Rule | None,
        key: Key,
        life: Life,
        change: Change,
        severity: Severity,
        story: Story,
        reason: str | None,
        at: int,
        view: AssetView | None,
        received_at: int | None,
    ) -> Transition:
        asset, kind, subject = key
        at = max(at, life.last_at or at)
        if change == "opened":
            identity = ulid(life.opened_at, self._instance, asset, kind, subject)
        else:
            identity = self._open[key].payload["id"]
        whole = asset == MARKET
        payload = AlertPayload(
            schema="undertow.alert.v1",
            id=identity,
            sequence=life.sequence,
            transition=change,
            instance=self._instance,
            asset=asset,
            kind=kind,  # type: ignore[arg-type]
            subject=subject,
            type=story.type,
            severity=severity,
            reason=reason,
            regime=regime_of(view),
            score=view.score if view is not None else None,
            opened_at=rfc3339(life.opened_at),
            at=rfc3339(at),
            summary=story.summary,
            evidence=story.evidence,
            market=market_figures(view),
            quality=service_quality(self._second.view.markets, story.degraded)
            if whole
            else quality_figures(view, story.degraded),
        )
        body = encode(payload)
        if change == "closed":
            del self._lives[key]
            del self._open[key]
        else:
            self._open[key] = open_alert_of(body, life.opened_at)
        if rule is not None:
            rule.changed(asset, subject, None if change == "closed" else severity, at)
        counted = (asset, kind, change)
        self.totals[counted] = self.totals.get(counted, 0) + 1
        return Transition(payload, body, at, life.opened_at, received_at)

    def _close_stale(self, at: int) -> Iterable[Transition]:
        for key in [key for key, life in self._lives.items() if life.stale(at)]:
            life = self._lives[key]
            change = life.close(at)
            assert change is not None
            severity: Severity = self._open[key].payload["severity"]
            story = Story(
                f"{key[0]}: {key[1].replace('_', ' ')} ({key[2]}) is closed because no data confirmed it for 10 minutes.",
                {},
                degraded=(f"{key[0]} {key[1]}: no data for 10 minutes",),
            )
            view = self._second.assets.get(key[0])
            rule = self._by_kind.get(key[1])
            yield self._move(rule, key, life, change, severity, story, "stale", at, view, None)


def open_alert_of(body: bytes, opened_at: int) -> OpenAlert:
    """An open alert from its stored bytes; `AlertEngine.restore` leaves out what is no alert.

    Raises:
        ValueError: not JSON.
    """
    payload = orjson.loads(body)
    return OpenAlert(payload if isinstance(payload, dict) else {}, body, opened_at)
