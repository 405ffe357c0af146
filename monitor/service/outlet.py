"""What leaves the hub of a live service: to the delivery, to the log, and to whoever watches in this process (the demo)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import structlog

from monitor.alerts.delivery import Delivery
from monitor.alerts.evaluator import Transition
from monitor.alerts.payloads import AlertPayload, LiquidationPayload
from monitor.views import ServiceView

_LEVEL: Final = {"watch": "warning", "warning": "warning", "critical": "error"}  # a quiet log keeps every alert


class LiveOutlet:
    """The hub's outlet. Every call is memory work."""

    def __init__(
        self,
        delivery: Delivery,
        on_alert: Callable[[AlertPayload], None] | None = None,
        on_second: Callable[[ServiceView], None] | None = None,
    ) -> None:
        self._delivery = delivery
        self._on_alert = on_alert
        self._on_second = on_second
        self._log = structlog.get_logger("alert")

    def transitions(self, transitions: Sequence[Transition]) -> None:
        self._delivery.transitions(transitions)
        for transition in transitions:
            payload = transition.payload
            if self._on_alert is not None:
                self._on_alert(payload)
                continue
            level = "info" if payload.transition in {"eased", "closed"} else _LEVEL[payload.severity]
            getattr(self._log, level)(
                payload.summary,
                kind=payload.kind,
                asset=payload.asset,
                subject=payload.subject,
                transition=payload.transition,
                severity=payload.severity,
                id=payload.id,
            )

    def liquidation(self, payload: LiquidationPayload) -> None:
        self._delivery.liquidation(payload)

    def second(self, view: ServiceView) -> None:
        self._delivery.second(view)
        if self._on_second is not None:
            self._on_second(view)
