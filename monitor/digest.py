"""One SHA-256 over a replay: every alert transition, every end-of-second regime, every book in integers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from monitor.alerts.evaluator import Transition
from monitor.hub import Hub


class ReplayDigest:
    """Fed in order. Only integers, regimes and transitions' identities go in: no float, so that kernels run as plain Python give the same digest."""

    def __init__(self) -> None:
        self._hasher = hashlib.sha256()
        self.seconds = 0
        self.transitions = 0

    def add_transitions(self, transitions: Sequence[Transition]) -> None:
        for transition in transitions:
            payload = transition.payload
            self.transitions += 1
            self._text(
                "transition",
                payload.id,
                str(payload.sequence),
                payload.transition,
                payload.severity,
                payload.asset,
                payload.kind,
                payload.subject,
                str(transition.at),
            )

    def add_second(self, hub: Hub, at: int) -> None:
        """The state at the end of a second."""
        self.seconds += 1
        self._text("second", str(at))
        for name in sorted(hub.assets):
            self._text("regime", name, str(hub.assets[name].regime.regime))
        for key in sorted(hub.markets):
            book = hub.markets[key].book
            self._text("book", *key, book.reason if book is not None else "none")
            if book is not None:
                book.digest_into(self._hasher)

    def hexdigest(self) -> str:
        return self._hasher.hexdigest()

    def _text(self, *parts: str) -> None:
        self._hasher.update("\x1f".join(parts).encode() + b"\x1e")
