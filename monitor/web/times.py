"""Times as the JSON answers write them."""

from __future__ import annotations

from monitor.alerts import payloads


def rfc3339(moment: int | None) -> str | None:
    """Integer ns since the epoch in UTC with microseconds; None when unknown."""
    return None if moment is None else payloads.rfc3339(moment)
