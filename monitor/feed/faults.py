"""What is wrong with a connection, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    REFUSED = "refused"  # the venue said no; `detail` is its reason
    NEVER_ACKED = "never_acked"  # asked several times, neither acknowledged nor served
    SILENT = "silent"  # subscribed, and no data for longer than is normal for the topic
    PING_LOST = "ping_lost"  # our ping was not answered in time


@dataclass(frozen=True, slots=True)
class Fault:
    """`key` names the topic, "" the whole connection. `since`: receive time in ns from which it holds."""

    kind: FaultKind
    key: str
    since: int
    detail: str = ""
