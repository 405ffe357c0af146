"""One alert transition on one line, for the demo, replays and the watcher."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rich.text import Text

SEVERITY_STYLE: Final = {"watch": "cyan", "warning": "yellow", "critical": "bold red"}
TRANSITION_STYLE: Final = {"opened": "bold", "escalated": "bold", "eased": "dim", "closed": "dim green"}


def alert_line(payload: Mapping[str, Any]) -> Text:
    """Time (UTC), severity, asset, kind/subject, transition, summary. Takes the payload as it is published."""
    time = str(payload["at"])[11:19]
    severity, transition = str(payload["severity"]), str(payload["transition"])
    return Text.assemble(
        (f"{time} ", "dim"),
        (f"{severity:<8} ", SEVERITY_STYLE.get(severity, "")),
        (f"{payload['asset']:<6} ", "bold"),
        f"{payload['kind']}/{payload['subject']} ",
        (f"{transition}: ", TRANSITION_STYLE.get(transition, "")),
        plain(str(payload["summary"])),
    )


def plain(text: str) -> str:
    """Text from elsewhere without what a terminal would obey."""
    return "".join(c if c.isprintable() else " " for c in text)
