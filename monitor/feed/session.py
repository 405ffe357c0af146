"""One socket's subscription life, sans-I/O: what to send, what a frame belongs to, what is wrong. Time comes with every call.

The same session runs live and in a replay; in a replay what it wants sent is dropped.
"""

from __future__ import annotations

from collections import deque

from monitor.clock import SECOND
from monitor.errors import FrameError
from monitor.events import CloseConnection, OpenSuccessor, Send
from monitor.facts import Channel
from monitor.feed.faults import Fault, FaultKind
from monitor.feed.pinger import Pinger
from monitor.feed.reasons import Reason
from monitor.feed.subscriber import Subscriber
from monitor.feed.subscription import ChannelCount, Phase, Subscription
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

EXTRA_TOPICS = 1024  # known keys outside the plan that are remembered (captures); more are looked up each time
REPLIES = 16  # application pings waiting for their answer; a venue that floods us gets the latest ones
CLOSE_SPACING = (
    10 * SECOND
)  # a close that is not carried out (a replay of a foreign capture) is asked for again this much later
SUCCESSOR_SPACING = 60 * SECOND  # a successor that does not come is asked for again this much later
LIFETIME_EARLIEST, LIFETIME_SPREAD = 0.90, 0.08  # the planned move falls between 90% and 98% of the venue's lifetime
GOLDEN = 0.6180339887498949  # multiples of it, modulo 1, lie evenly: neighbours never move together


class ConnectionSession:
    """The protocol side of one socket. The hub owns it and executes what `start`, `tick` and `drain` return."""

    def __init__(self, venue: Venue, connection: int, plan: ConnectionPlan, opened_at: int, seed: int) -> None:
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
        self._closed_at: int | None = None
        self._frame_key = venue.frame_key
        self._by_key: dict[bytes | None, Subscription] = {}
        self._planned: dict[str, Subscription] = {}
        for topic in plan.topics:
            subscription = Subscription(topic, self._count(topic.channel), planned=True)
            self._planned[topic.key] = subscription
            self._by_key[topic.key.encode()] = subscription
        self._extra = 0
        self._subscriber = Subscriber(venue, self._planned)
        self._pinger = Pinger(venue.limits.ping, opened_at)
        self._replies: deque[str] = deque(maxlen=REPLIES)
        self._out: list[SessionAction] = []
        self._successor_at = _planned_move(venue.limits.lifetime_seconds, opened_at, seed, connection)
        self._successor_asked: int | None = None
        self._health = 0

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
        self._check_silence(at)
        if self.closing:
            return self.drain(at)
        if self._pinger.overdue(at, self.heard_at):
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

    def route(self, frame: bytes, at: int) -> Topic | None:
        """The topic of a data frame, counted; None for control frames, which are dealt with inside. Never raises."""
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
        return self._health + self._subscriber.changes + self._pinger.changes

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
            if phase is Phase.ACKED and not subscription.silence:
                continue
            return False
        return True

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
        encoded = name.encode()
        subscription = self._by_key.get(encoded)
        if subscription is None:
            topic = self.venue.topic(name)
            if topic is None:
                self.unknown_keys += 1
                self._count_other(frame)
                return None
            subscription = Subscription(topic, self._count(topic.channel), planned=False)
            if self._extra < EXTRA_TOPICS:
                self._extra += 1
                self._by_key[encoded] = subscription
        subscription.heard_at = at
        subscription.count.messages += 1
        subscription.count.bytes += len(frame)
        if subscription.watch:
            self._heard(subscription)
        return subscription.topic

    def _heard(self, subscription: Subscription) -> None:
        if subscription.silent_since is not None:
            subscription.silent_since = None
            subscription.retries = 0
            self._health += 1
        self._subscriber.heard(subscription)

    def _control(self, control: Control, at: int) -> None:
        match control:
            case Acked():
                self._subscriber.acked(control, at)
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
        """Answers and pings first, then subscriptions, each as far as the venue's pace allows."""
        pace = self._subscriber.pace
        while self._replies and pace.fits(at):
            self._send(at, self._replies.popleft())
        if self._pinger.due(at) and pace.fits(at):
            self._send(at, self._pinger.sent(at))
        for text in self._subscriber.frames(at):
            self._out.append(Send(self.venue.name, self.connection, text))
        if self._subscriber.operations_spent:
            self._ask_successor(at, Reason.OPERATIONS_SPENT)

    def _send(self, at: int, text: str) -> None:
        self._subscriber.pace.spend(at)
        self._out.append(Send(self.venue.name, self.connection, text))

    def _check_silence(self, at: int) -> None:
        """Names what is silent; asks again with doubling distance; leaves a connection on which everything is silent."""
        bound = 0
        silent: list[Subscription] = []
        for subscription in self._planned.values():
            if not subscription.silence or subscription.since < 0 or subscription.phase is Phase.REFUSED:
                continue
            bound += 1
            quiet_since = subscription.quiet_since()
            if at - quiet_since <= subscription.silence:
                continue
            if subscription.silent_since is None:
                subscription.silent_since = quiet_since
                subscription.watch = True
                subscription.retries = 0
                subscription.retry_at = at
                self._health += 1
            silent.append(subscription)
        if not silent:
            return
        if len(silent) == bound and self._nothing_helps(silent, at):
            self._close(at, Reason.SILENT)
            return
        for subscription in silent:
            if at >= subscription.retry_at and subscription.phase in (Phase.ACKED, Phase.LIVE):
                subscription.retry_at = at + (subscription.silence << min(subscription.retries + 1, 10))
                subscription.retries += 1
                self._subscriber.resubscribe(subscription, at)

    def _nothing_helps(self, silent: list[Subscription], at: int) -> bool:
        """Not one frame of any kind for as long as the shortest bound, or every topic was asked for again in vain."""
        if at - self.heard_at > min(subscription.silence for subscription in silent):
            return True
        return all(s.phase is Phase.UNANSWERED or (s.retries and at >= s.retry_at) for s in silent)

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
