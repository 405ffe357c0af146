"""One topic of one connection: where its subscription stands, and what was heard of it."""

from __future__ import annotations

from enum import IntEnum

from monitor.clock import SECOND
from monitor.feed.faults import FaultKind
from monitor.feed.window import SpendWindow
from monitor.venues.base import Topic

HOUR = 3600 * SECOND
RESUBSCRIBES_PER_HOUR = 30  # of one topic; a book that gaps more often than every two minutes is not helped by more


class Phase(IntEnum):
    """Where a subscription stands. Data is taken as proof of a subscription in every phase but the leaving ones."""

    QUEUED = 0  # to be asked for
    ASKED = 1  # sent, no ack yet
    ACKED = 2  # acknowledged, no data yet
    LIVE = 3
    LEAVE_QUEUED = 4  # to be unsubscribed and asked for again
    LEAVING = 5  # unsubscribe sent, no ack yet
    LEFT = 6  # unsubscribed; waits for the rest of its batch, so that one frame asks for all again
    REFUSED = 7
    UNANSWERED = 8


class ChannelCount:
    """Frames of one channel on one connection."""

    __slots__ = ("bytes", "messages", "parse_errors")

    def __init__(self) -> None:
        self.messages = 0
        self.bytes = 0
        self.parse_errors = 0


class Subscription:
    """Mutable record; `ConnectionSession` alone writes it."""

    __slots__ = (
        "alone",
        "asks",
        "batch_limit",
        "count",
        "fault",
        "fault_since",
        "heard_at",
        "last_resubscribe",
        "not_before",
        "phase",
        "planned",
        "reason",
        "request",
        "resubscribes",
        "resuming",
        "retries",
        "retry_at",
        "silence",
        "silent_since",
        "since",
        "topic",
        "watch",
    )

    def __init__(self, topic: Topic, count: ChannelCount, *, planned: bool) -> None:
        self.topic = topic
        self.count = count
        self.planned = planned  # False: a key the venue knows and this plan never asked for (captures)
        self.phase = Phase.QUEUED if planned else Phase.LIVE
        self.watch = planned  # the next data frame means something: an ack, a first frame, the end of a silence
        self.silence = int((topic.silence_seconds or 0) * SECOND)  # 0: any silence is normal
        self.heard_at = 0
        self.since = -1  # silence counts from here when nothing was heard later; -1: not asked for yet
        self.silent_since: int | None = None
        self.request = 0  # id of the request that is under way; 0: none
        self.asks = 0  # subscribes sent without an answer
        self.not_before = 0
        self.alone = False  # ask in a frame of its own: it may take the rest of a batch down
        self.batch_limit = 0  # 0: the venue's; else smaller, while the culprit of a refused batch is looked for
        self.resuming = False  # unsubscribed and not yet asked again: data is of the old subscription
        self.retries = 0  # resubscribes of this silence
        self.retry_at = 0
        self.fault: FaultKind | None = None  # refused or never acked; stays until an ack or data says otherwise
        self.fault_since = 0
        self.reason = ""
        self.last_resubscribe: int | None = None
        self.resubscribes = SpendWindow(RESUBSCRIBES_PER_HOUR, HOUR)

    def quiet_since(self) -> int:
        return max(self.heard_at, self.since)


class Request:
    """One subscribe or unsubscribe frame on the wire."""

    __slots__ = ("deadline", "leaving", "left", "pending")

    def __init__(self, leaving: bool, pending: dict[str, Subscription], deadline: int) -> None:
        self.leaving = leaving
        self.pending = pending
        self.left: list[Subscription] = []  # of a leaving request: those already out
        self.deadline = deadline
