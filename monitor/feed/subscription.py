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
        "acked_at",
        "alias",
        "alone",
        "asked_at",
        "asks",
        "batch_limit",
        "count",
        "fault",
        "fault_since",
        "first",
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
        "strikes",
        "suspect",
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
        self.first = int((topic.first_seconds or 0) * SECOND)  # 0: the first frame may be as late as any other
        self.alias = ""  # what its frames carry instead of its key on this connection; "": the key
        self.heard_at = 0
        self.since = -1  # silence counts from here when nothing was heard later; -1: not asked for yet
        self.silent_since: int | None = None
        self.request = 0  # id of the request that is under way; 0: none
        self.asks = 0  # subscribes sent without an answer
        self.asked_at = -1  # when the last subscribe was sent; -1: never
        self.acked_at = 0
        self.not_before = 0
        self.alone = False  # ask in a frame of its own: it may take the rest of a batch down
        self.batch_limit = 0  # 0: the venue's; else smaller, while the culprit of a refused batch is looked for
        self.suspect = False  # the connection may die of it: asked after all others (monitor.feed.suspicion)
        self.strikes = 0  # connections that died of it alone
        self.resuming = False  # unsubscribed and not yet asked again: data is of the old subscription
        self.retries = 0  # resubscribes of this silence
        self.retry_at = 0
        self.fault: FaultKind | None = None  # refused or never acked; stays until an ack or data says otherwise
        self.fault_since = 0
        self.reason = ""
        self.last_resubscribe: int | None = None
        self.resubscribes = SpendWindow(RESUBSCRIBES_PER_HOUR, HOUR)

    @property
    def must_speak(self) -> bool:
        """Whether an acknowledgement alone says nothing yet: frames have to come."""
        return bool(self.silence or self.first)

    def patience(self) -> tuple[int, int]:
        """How long it may be silent where it stands (ns, 0: for ever), and since when it is. (A first frame's own bound holds
        from the acknowledgement to that frame, which makes the phase LIVE.)
        """
        if self.first and self.phase is Phase.ACKED:
            return self.first, self.acked_at
        return self.silence, max(self.heard_at, self.since)


class Request:
    """One subscribe or unsubscribe frame on the wire."""

    __slots__ = ("deadline", "leaving", "left", "pending")

    def __init__(self, leaving: bool, pending: dict[str, Subscription], deadline: int) -> None:
        self.leaving = leaving
        self.pending = pending
        self.left: list[Subscription] = []  # of a leaving request: those already out
        self.deadline = deadline
