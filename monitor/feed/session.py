"""One socket's subscription life, sans-I/O: what to send, what a frame belongs to, what is wrong. Time comes with every call.

The same session runs live and in a replay; in a replay what it wants sent is dropped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from monitor.clock import SECOND
from monitor.errors import FrameError
from monitor.events import CloseConnection, OpenSuccessor, Send
from monitor.facts import Channel
from monitor.feed.faults import Fault, FaultKind
from monitor.feed.numbers import ConnectionNumbers
from monitor.feed.pinger import Pinger
from monitor.feed.reasons import Reason
from monitor.feed.routes import Routes
from monitor.feed.silence import SilenceWatch
from monitor.feed.subscriber import Subscriber
from monitor.feed.subscription import ChannelCount, Phase, Subscription
from monitor.feed.suspicion import Suspicion
from monitor.venues.base import (
    Acked,
    ConnectionPlan,
    Control,
    ErrorSaid,
    PingAsked,
    Pong,
    Refused,
    ShutdownAnnounced,
    Topic,
    Venue,
)

SessionAction = Send | OpenSuccessor | CloseConnection

REPLIES = 16  # application pings waiting for their answer; a venue that floods us gets the latest ones
CLOSE_SPACING = (
    10 * SECOND
)  # a close that is not carried out (a replay of a foreign capture) is asked for again this much later
SUCCESSOR_SPACING = 60 * SECOND  # a successor that does not come is asked for again this much later
LIFETIME_EARLIEST, LIFETIME_SPREAD = 0.90, 0.08  # the planned move falls between 90% and 98% of the venue's lifetime
GOLDEN = 0.6180339887498949  # multiples of it, modulo 1, lie evenly: neighbours never move together


class ConnectionSession:
    """The protocol side of one socket. The hub owns it and executes what `start`, `tick` and `drain` return.

    suspicion: what the last session of the same plan left behind (`suspects`).
    """

    route: Callable[[bytes, int], Topic | None]
    """The topic of a data frame, counted; None for control frames, which are dealt with inside, and for frames that a numbered
    connection has no use for (see `admits`). Never raises."""

    def __init__(
        self,
        venue: Venue,
        connection: int,
        plan: ConnectionPlan,
        opened_at: int,
        seed: int,
        suspicion: Suspicion | None = None,
    ) -> None:
        self.venue = venue
        self.connection = connection
        self.plan = plan
        self.opened_at = opened_at
        self.counts: dict[Channel, ChannelCount] = {}
        self.other = self._count(Channel.OTHER)  # control frames, unknown keys, what cannot be parsed
        self.heard_at = opened_at  # last frame of any kind
        self.unknown_keys = 0
        self.errors_said = 0
        self.last_error = ""
        self._numbers = ConnectionNumbers()
        self._closed_at: int | None = None
        self._frame_key = venue.frame_key
        # Bound once: venues that do not number their connections pay nothing for those that do.
        self.route = self._route_numbered if venue.sequenced else self.route_part
        self._routes = Routes(venue, plan, self._count)
        self._by_key = self._routes.by_key
        self._planned = self._routes.planned
        self._subscriber = Subscriber(venue, self._planned, opened_at, suspicion)
        self._silence = SilenceWatch(self._planned, self._subscriber)
        self._dead_after = None if venue.limits.silence_seconds is None else int(venue.limits.silence_seconds * SECOND)
        self._pinger = Pinger(venue.limits.ping, opened_at)
        self._greeting: deque[str] = deque(venue.greeting(plan))
        self._replies: deque[str] = deque(maxlen=REPLIES)
        self._out: list[SessionAction] = []
        self._successor_at = _planned_move(venue.limits.lifetime_seconds, opened_at, seed, connection)
        self._successor_asked: int | None = None

    # -- what the hub calls
    def start(self, at: int) -> list[str]:
        """Frames to send now that the socket is open; what does not fit the venue's pace follows from `tick`."""
        return [action.text for action in self.drain(at) if isinstance(action, Send)]

    def tick(self, at: int) -> list[SessionAction]:
        """Timers: ack and pong timeouts, silence, pings, the planned move. At least once a second of event time."""
        if self._closed_at is not None:
            if at - self._closed_at < CLOSE_SPACING:
                return []
            self._closed_at = None
        self._subscriber.expire(at)
        nothing_helps = self._silence.check(at, self.heard_at)
        if self.broken:
            self._close(at, Reason.CONNECTION_GAP)
        elif nothing_helps or (self._dead_after is not None and at - self.heard_at > self._dead_after):
            self._close(at, Reason.SILENT)
        elif self._pinger.overdue(at, self.heard_at):
            self._close(at, Reason.PING_LOST)
        elif self._successor_at is not None and at >= self._successor_at:
            self._ask_successor(at, Reason.LIFETIME)
        return self.drain(at)

    def drain(self, at: int) -> list[SessionAction]:
        """What is to be done now. Call after `route` returned None and after `resubscribe`; `tick` includes it."""
        if not self.closing:
            self._write(at)
        out, self._out = self._out, []
        return out

    def admits(self, frame: bytes, at: int) -> bool:
        """Whether the frame's number on its connection lets it be read. For a frame that is about to be split: its parts go to
        `route_part`. A jump, or too many old numbers in a row, makes the session `broken` and asks for its end. A frame that is
        not read is no sign of life: a connection that sends nothing else falls silent.
        """
        if not self.venue.sequenced:
            return True
        was_broken = self.broken
        try:
            number = self.venue.connection_sequence(frame)
        except (FrameError, ValueError):
            number = None  # whoever reads the frame whole will say what is wrong with it
        if self._numbers.takes(number):
            return True
        self._count_other(frame)
        if self.broken and not was_broken:
            self._close(at, Reason.CONNECTION_GAP)
        return False

    def _route_numbered(self, frame: bytes, at: int) -> Topic | None:
        return self.route_part(frame, at) if self.admits(frame, at) else None

    def route_part(self, frame: bytes, at: int) -> Topic | None:
        """As `route`, without a look at the connection's numbers: for the parts of a split frame."""
        self.heard_at = at
        key = self._frame_key(frame)
        subscription = self._by_key.get(key)
        if subscription is None:
            return self._route_slowly(frame, key, at)
        subscription.heard_at = at
        count = subscription.count
        count.messages += 1
        count.bytes += len(frame)
        if subscription.watch:
            self._heard(subscription)
        return subscription.topic

    def resubscribe(self, topic: Topic, at: int) -> None:
        """Unsubscribe, wait for the ack, subscribe: one in flight per topic, a bounded number an hour (the rest is delayed, not dropped)."""
        subscription = self._planned.get(topic.key)
        if subscription is not None and not self.closing:
            self._subscriber.resubscribe(subscription, at)

    def parse_error(self, topic: Topic | None) -> None:
        """The hub could not read a data frame of `topic`."""
        (self.other if topic is None else self._count(topic.channel)).parse_errors += 1

    # -- what the hub reads
    @property
    def version(self) -> int:
        """Changes whenever `faults` may have."""
        return self._silence.changes + self._subscriber.changes + self._pinger.changes

    def faults(self) -> tuple[Fault, ...]:
        """Everything wrong now, in the plan's order; empty when all is well."""
        found: list[Fault] = []
        if self._pinger.lost_since is not None:
            found.append(Fault(FaultKind.PING_LOST, "", self._pinger.lost_since))
        for key, subscription in self._planned.items():
            if subscription.fault is not None:
                found.append(Fault(subscription.fault, key, subscription.fault_since, subscription.reason))
            if subscription.silent_since is not None:
                found.append(Fault(FaultKind.SILENT, key, subscription.silent_since))
        return tuple(found)

    def is_silent(self, key: str) -> bool:
        subscription = self._planned.get(key)
        return subscription is not None and subscription.silent_since is not None

    def phase(self, key: str) -> Phase | None:
        subscription = self._planned.get(key)
        return None if subscription is None else subscription.phase

    @property
    def broken(self) -> bool:
        """A frame is missing, or the numbers began anew: nothing here can be trusted any more, and `route` takes no frame."""
        return self._numbers.broken

    @property
    def old_frames(self) -> int:
        """Dropped because their number on the connection was not newer."""
        return self._numbers.old

    @property
    def closing(self) -> bool:
        """The session has asked for its own end and does nothing until it comes."""
        return self._closed_at is not None

    @property
    def carrying(self) -> bool:
        """Every topic that must speak has spoken, every other is acknowledged or settled: a predecessor may go."""
        for subscription in self._planned.values():
            phase = subscription.phase
            if phase in (Phase.LIVE, Phase.REFUSED, Phase.UNANSWERED):
                continue
            if phase is Phase.ACKED and not subscription.must_speak:
                continue
            return False
        return True

    def suspects(self, at: int, reason: str) -> Suspicion | None:
        """What the next session of this plan has to know, now that the connection ended for `reason`; None: nothing."""
        return self._subscriber.suspects(at, reason)

    @property
    def duplicate_acks(self) -> int:
        return self._subscriber.duplicate_acks

    # -- frames
    def _route_slowly(self, frame: bytes, key: bytes | None, at: int) -> Topic | None:
        try:
            name = key.decode() if key is not None else self.venue.slow_frame_key(frame)
            if name is not None:
                return self._route_named(name, frame, at)
            said = self.venue.control(frame)
        except (FrameError, UnicodeDecodeError):
            self._count_other(frame)
            self.other.parse_errors += 1
            return None
        self._count_other(frame)
        for control in said:
            self._control(control, at)
        return None

    def _route_named(self, name: str, frame: bytes, at: int) -> Topic | None:
        subscription = self._routes.known(name)
        if subscription is None:
            self.unknown_keys += 1
            self._count_other(frame)
            return None
        subscription.heard_at = at
        subscription.count.messages += 1
        subscription.count.bytes += len(frame)
        if subscription.watch:
            self._heard(subscription)
        return subscription.topic

    def _heard(self, subscription: Subscription) -> None:
        self._silence.heard(subscription)
        self._subscriber.heard(subscription)

    def _control(self, control: Control, at: int) -> None:
        match control:
            case Acked():
                ack = self._routes.acked(control, self._subscriber.asked_in(control.request_id))
                self._subscriber.acked(ack, at)
            case Refused():
                self._subscriber.refused(control, at)
            case Pong():
                self._pinger.pong()
            case PingAsked(reply=reply):
                self._replies.append(reply)
            case ShutdownAnnounced():
                self._ask_successor(at, Reason.SHUTDOWN_ANNOUNCED)
            case ErrorSaid(text=text):
                self.errors_said += 1
                self.last_error = text[:200]

    def _count(self, channel: Channel) -> ChannelCount:
        return self.counts.setdefault(channel, ChannelCount())

    def _count_other(self, frame: bytes) -> None:
        self.other.messages += 1
        self.other.bytes += len(frame)

    # -- decisions
    def _write(self, at: int) -> None:
        """The greeting, answers and pings, then subscriptions, each as far as the venue's pace allows."""
        pace = self._subscriber.pace
        while self._greeting and pace.fits(at):
            self._send(at, self._greeting.popleft())
        while self._replies and pace.fits(at):
            self._send(at, self._replies.popleft())
        if self._pinger.due(at) and pace.fits(at):
            self._send(at, self._pinger.sent(at))
        if self._greeting:
            return
        for text in self._subscriber.frames(at):
            self._out.append(Send(self.venue.name, self.connection, self.venue.dated(text, at)))
        if self._subscriber.operations_spent:
            self._ask_successor(at, Reason.OPERATIONS_SPENT)

    def _send(self, at: int, text: str) -> None:
        self._subscriber.pace.spend(at)
        self._out.append(Send(self.venue.name, self.connection, self.venue.dated(text, at)))

    def _ask_successor(self, at: int, reason: Reason) -> None:
        if self._successor_asked is None or at - self._successor_asked >= SUCCESSOR_SPACING:
            self._successor_asked = at
            self._out.append(OpenSuccessor(self.venue.name, self.connection, reason))

    def _close(self, at: int, reason: Reason) -> None:
        self._closed_at = at
        self._out.append(CloseConnection(self.venue.name, self.connection, reason))


def _planned_move(lifetime_seconds: float | None, opened_at: int, seed: int, connection: int) -> int | None:
    if lifetime_seconds is None:
        return None
    place = (seed * 0.7548776662466927 + (connection + 1) * GOLDEN) % 1.0
    return opened_at + int(lifetime_seconds * (LIFETIME_EARLIEST + LIFETIME_SPREAD * place) * SECOND)
