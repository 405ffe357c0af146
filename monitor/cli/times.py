"""Times and spans for people."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(at: int) -> str:
    """`at` (ns) to the second, UTC."""
    return f"{datetime.fromtimestamp(at // 1_000_000_000, UTC):%Y-%m-%d %H:%M:%S}"


def span(start: int, end: int) -> str:
    """From when to when, and how long."""
    seconds = (end - start) / 1e9
    hours, rest = divmod(round(seconds), 3600)
    length = f"{hours} h {rest // 60:02d} min" if hours else f"{rest // 60} min {rest % 60:02d} s"
    return f"{moment(start)} to {moment(end)} UTC ({length})"
