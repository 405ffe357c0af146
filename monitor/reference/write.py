"""Everything under docs/reference, and whether what is checked in is what the code makes."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from monitor.alerts.topics import TOPICS
from monitor.config import Duration, Settings
from monitor.reference.metrics import metrics_page
from monitor.reference.settings import settings_page
from monitor.reference.topics import asyncapi, pretty, schema_files, topics_page
from monitor.reference.venues import venues_page
from monitor.venues.registry import VENUES


def reference() -> dict[str, str]:
    """Text of every generated file, by its path under docs/reference."""
    return {
        "metrics.md": metrics_page(),
        "topics.md": topics_page(TOPICS),
        "settings.md": settings_page(Settings, get_args(Duration)[1:]),
        "venues.md": venues_page(VENUES),
        "asyncapi.json": pretty(asyncapi(TOPICS)),
        **schema_files(),
    }


def write_reference(out: Path) -> list[Path]:
    """Write them all; the paths written. Raises OSError."""
    written = []
    for name, text in reference().items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def differences(out: Path) -> list[str]:
    """What is checked in and not what the code makes: "name: missing", "name: differs", "name: nothing makes it"."""
    made = reference()
    there = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    found = [f"{name}: nothing makes it" for name in sorted(there - set(made))]
    for name, text in made.items():
        if name not in there:
            found.append(f"{name}: missing")
        elif (out / name).read_text(encoding="utf-8") != text:
            found.append(f"{name}: differs")
    return found
