"""What a watcher knows: open alerts, regimes, who is online. Messages in, lines out; no broker, no terminal."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from rich.console import Group
from rich.table import Table
from rich.text import Text

from monitor.alerts.topics import ALERT, AVAILABILITY, OPEN, REGIME, RETAINED_EXPIRY_SECONDS, TopicRow
from monitor.cli.alert_line import SEVERITY_STYLE, alert_line, plain

MAX_REMEMBERED: Final = 10_000  # alert ids whose last sequence is kept, to drop repeated deliveries
MAX_ROWS: Final = 1_000  # of a table; a broker may hold what it likes
WATCHED: Final[tuple[TopicRow, ...]] = (AVAILABILITY, ALERT, OPEN, REGIME)
SEVERITIES: Final = ("critical", "warning", "watch")


def filters(prefix: str) -> dict[str, TopicRow]:
    """Subscription filter -> the row of the table of topics it stands for."""
    return {f"{prefix}/{_wildcards(row.template)}": row for row in WATCHED}


def _wildcards(template: str) -> str:
    return "/".join("+" if part.startswith("{") else part for part in template.split("/"))


@dataclass(slots=True)
class Board:
    """`take` gives the line a message is worth, None when it is worth none."""

    prefix: str
    instances: dict[str, str] = field(default_factory=dict)  # name -> online, offline
    open: dict[str, tuple[float, Mapping[str, Any]]] = field(default_factory=dict)  # topic -> (heard at, payload)
    regimes: dict[str, tuple[float, Mapping[str, Any]]] = field(default_factory=dict)  # asset -> (heard at, payload)
    unreadable: int = 0
    repeated: int = 0
    _seen: OrderedDict[str, int] = field(default_factory=OrderedDict)

    def take(self, topic: str, body: bytes, now: float) -> tuple[Text, Mapping[str, Any]] | None:
        """`now`: seconds of any steady clock."""
        parts = topic.removeprefix(f"{self.prefix}/").split("/")
        if parts[0] == "instances" and len(parts) == 3:
            return self._availability(parts[1], body)
        try:
            payload = _object(body)
            if parts[0] == "alerts" and payload is not None:
                return self._transition(payload)
            if parts[0] == "open":
                self._hold(self.open, topic, payload, now)
            elif parts[0] == "regimes" and len(parts) == 2:
                return self._regime(parts[1], payload, now)
        except (ValueError, KeyError, TypeError):
            self.unreadable += 1
        return None

    def forget(self) -> None:
        """The connection is gone: what is retained comes again with the next one."""
        self.open.clear()
        self.regimes.clear()
        self.instances.clear()

    def expire(self, now: float) -> None:
        """Drop what was not said again: the service behind it is dead."""
        for held in (self.open, self.regimes):
            for key in [key for key, (heard, _) in held.items() if now - heard > RETAINED_EXPIRY_SECONDS]:
                del held[key]

    # -- the four kinds of messages
    def _availability(self, instance: str, body: bytes) -> tuple[Text, Mapping[str, Any]] | None:
        state = body.decode("ascii", "replace")[:20]
        if state not in ("online", "offline"):
            self.unreadable += 1
            return None
        if self.instances.get(instance) == state:
            return None
        if len(self.instances) < MAX_ROWS:
            self.instances[instance] = state
        style = "green" if state == "online" else "red"
        return Text.assemble((f"{plain(instance)} is ", "dim"), (state, style)), {"instance": instance, "state": state}

    def _transition(self, payload: Mapping[str, Any]) -> tuple[Text, Mapping[str, Any]] | None:
        alert, sequence = str(payload["id"]), int(payload["sequence"])
        if sequence <= self._seen.get(alert, 0):
            self.repeated += 1
            return None
        line = alert_line(payload)
        self._seen[alert] = sequence
        self._seen.move_to_end(alert)
        if len(self._seen) > MAX_REMEMBERED:
            self._seen.popitem(last=False)
        return line, payload

    def _regime(
        self, asset: str, payload: Mapping[str, Any] | None, now: float
    ) -> tuple[Text, Mapping[str, Any]] | None:
        before = self.regimes.get(asset)
        self._hold(self.regimes, asset, payload, now)
        if payload is None or (before is not None and before[1]["regime"] == payload["regime"]):
            return None
        time = str(payload["at"])[11:19]
        return Text.assemble(
            (f"{time} ", "dim"), (f"{plain(asset)} ", "bold"), f"regime {plain(str(payload['regime']))}"
        ), payload

    def _hold(
        self, held: dict[str, tuple[float, Mapping[str, Any]]], key: str, payload: Mapping[str, Any] | None, now: float
    ) -> None:
        if payload is None:
            held.pop(key, None)
        elif key in held or len(held) < MAX_ROWS:
            held[key] = (now, payload)

    # -- as a table
    def table(self, heading: str) -> Group:
        """Regimes first, then open alerts, the worst on top."""
        regimes = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("asset", "regime", "price", "bids 1%", "asks 1%", "of normal", "books", "at"):
            regimes.add_column(column)
        for asset, (_, payload) in sorted(self.regimes.items()):
            regimes.add_row(*_regime_row(asset, payload))
        alerts = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("since", "severity", "asset", "kind", "summary"):
            alerts.add_column(column, overflow="fold")
        for _, payload in sorted(self.open.values(), key=lambda held: _rank(held[1])):
            alerts.add_row(*_alert_row(payload))
        who = (
            ", ".join(f"{plain(name)} {state}" for name, state in sorted(self.instances.items()))
            or "no instance seen yet"
        )
        nothing = Text("no open alert", style="dim")
        return Group(Text(f"{heading}   {who}", style="dim"), regimes, alerts if self.open else nothing)


def _rank(payload: Mapping[str, Any]) -> tuple[int, str]:
    severity = str(payload.get("severity"))
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES), str(payload.get("opened_at"))


def _alert_row(payload: Mapping[str, Any]) -> list[Text]:
    severity = str(payload.get("severity"))
    cells = (
        str(payload.get("opened_at"))[11:19],
        severity,
        str(payload.get("asset")),
        f"{payload.get('kind')}/{payload.get('subject')}",
        str(payload.get("summary")),
    )
    return [Text(plain(cell), style=SEVERITY_STYLE.get(severity, "") if n == 1 else "") for n, cell in enumerate(cells)]


def _regime_row(asset: str, payload: Mapping[str, Any]) -> list[Text]:
    depth = payload.get("depth") or {}
    bids, asks = (_dict(_dict(depth).get(side)).get("1%") for side in ("bid", "ask"))
    books = _dict(_dict(payload.get("quality")).get("books"))
    ratio = _dict(bids).get("acute_ratio")
    cells = (
        asset,
        str(payload.get("regime")),
        _usd(payload.get("price_usd"), exact=True),
        _usd(_dict(bids).get("usd")),
        _usd(_dict(asks).get("usd")),
        f"{ratio:.0%}" if isinstance(ratio, int | float) else "",
        f"{books.get('verified')}/{books.get('configured')}" if books else "",
        str(payload.get("at"))[11:19],
    )
    return [Text(plain(cell)) for cell in cells]


def _object(body: bytes) -> Mapping[str, Any] | None:
    """The payload; None: an empty body, which clears a retained topic. Raises ValueError."""
    value = orjson.loads(body) if body else None
    if value is not None and not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _usd(value: object, exact: bool = False) -> str:
    if not isinstance(value, int | float):
        return ""
    if exact:
        return f"{value:,.2f}"
    return f"{value / 1e6:,.1f}M" if value >= 1e6 else f"{value:,.0f}"
