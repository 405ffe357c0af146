"""Where the hub's results go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from monitor.alerts.evaluator import Transition
from monitor.alerts.payloads import LiquidationPayload
from monitor.views import ServiceView


class Outlet(Protocol):
    """Calls must not block."""

    def transitions(self, transitions: Sequence[Transition]) -> None:
        """Alerts that opened, changed or closed, in order."""

    def liquidation(self, payload: LiquidationPayload) -> None:
        """One liquidation print of a configured market."""

    def second(self, view: ServiceView) -> None:
        """The read model, at the end of every second of event time."""
