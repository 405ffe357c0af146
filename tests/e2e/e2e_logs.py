"""What was logged, and the rule every log must keep: nothing twice for one change of state."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

WHO = (
    "venue",
    "connection",
    "market",
    "asset",
    "kind",
    "subject",
    "broker",
    "path",
    "purpose",
    "task",
    "id",
    "transition",
)


@dataclass(frozen=True, slots=True)
class Line:
    level: str
    event: str
    fields: dict[str, Any]

    @property
    def who(self) -> str:
        return " ".join(f"{name}={self.fields[name]}" for name in WHO if name in self.fields)


@dataclass
class Logs:
    lines: list[Line] = field(default_factory=list)

    def add(self, level: str, fields: dict[str, Any]) -> None:
        self.lines.append(Line(level, str(fields.pop("event", "")), fields))

    def of(self, event: str, **wanted: object) -> list[Line]:
        return [
            line
            for line in self.lines
            if line.event == event and all(line.fields.get(name) == value for name, value in wanted.items())
        ]

    def noise(self) -> list[str]:
        """What was said again about the same thing although nothing else was said about it in between."""
        last: dict[str, str] = {}
        found = Counter[str]()
        for line in self.lines:
            if not line.who:
                continue
            said = f"{line.level} {line.event} {line.who}"
            if last.get(line.who) == said:
                found[said] += 1
            last[line.who] = said
        return [f"{count + 1} times: {said}" for said, count in found.items()]

    def complaints(self) -> list[Line]:
        """Errors of ours: what must not be there even in a fault of a venue."""
        bad = ("sink_failed", "feed_task_died", "frame_not_handled", "rest_reply_not_judged", "recorder_failed")
        return [line for line in self.lines if line.event in bad]
