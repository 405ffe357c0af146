"""Subscribe and unsubscribe frames of one connection: batched, paced, within the venue's budgets, each answer accounted for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from monitor.clock import SECOND
from monitor.feed.answers import listed_by, meant_by, oldest
from monitor.feed.batches import next_batch
from monitor.feed.faults import FaultKind
from monitor.feed.pace import Pace
from monitor.feed.subscription import HOUR, Phase, Request, Subscription
from monitor.feed.suspicion import FATAL, Suspicion, Trials
from monitor.feed.window import SpendWindow
from monitor.venues.base import Acked, Refused, Venue

ASKS = 3  # subscribes without an answer before the topic is named as never acked
ASK_AGAIN = 300 * SECOND  # a refused or unanswered topic is asked for again this often, in a frame of its own
RESUBSCRIBE_SPACING = 1 * SECOND  # doubles with each resubscribe of the last hour ...
RESUBSCRIBE_CAP = 120 * SECOND  # ... up to here
BISECT_DELAY = 1 * SECOND  # before the halves of a refused batch are asked for
PASSING_DELAY, PASSING_CAP = (
    1 * SECOND,
    30 * SECOND,
)  # after the venue's own trouble: doubles; once that is named, the cap
DROPPED = "the venue left it out of its confirmation without a word"


class Subscriber:
    """Owns the phases of the subscriptions. `pace` is shared with whoever else sends on the connection."""

    def __init__(
        self,
        venue: Venue,
        subscriptions: Mapping[str, Subscription],
        opened_at: int = 0,
        suspicion: Suspicion | None = None,
    ) -> None:
        limits = venue.limits
        self._venue = venue
        self._subscriptions = subscriptions
        self._topics_per_frame = limits.topics_per_frame
        self._ack_timeout = int(limits.ack_timeout_seconds * SECOND)
        self.pace = Pace(limits)
        self._operations = None if limits.operations_per_hour is None else SpendWindow(limits.operations_per_hour, HOUR)
        self._waiting = dict(subscriptions)  # queued for a subscribe or an unsubscribe, oldest first
        self._requests: dict[int, Request] = {}
        self._leaving = 0  # unsubscribe requests on the wire; each has a subscribe to come
        self._next_id = 1
        self.operations_spent = False  # something waits that this connection may not send any more
        self.duplicate_acks = 0
        self.changes = 0
        self._trials: Trials | None = None
        if limits.fatal_subscribe_seconds is not None:
            suspicion = suspicion or Suspicion()
            self._trials = Trials(int(limits.fatal_subscribe_seconds * SECOND), suspicion, subscriptions)
            self._park_guilty(suspicion, opened_at)

    def suspects(self, at: int, reason: str) -> Suspicion | None:
        """What the next connection of this plan has to know, after this one ended for `reason`."""
        return None if self._trials is None else self._trials.verdict(at, reason)

    # -- sending
    def frames(self, at: int) -> Iterator[str]:
        """The frames that may and should go now; each one is accounted for as it is taken."""
        self.operations_spent = False
        while self._waiting and self.pace.takes_subscription(at):
            batch = self._next_batch(at)
            if not batch:
                return
            leaving = batch[0].phase is Phase.LEAVE_QUEUED
            # An unsubscribe needs room for its subscribe, and for those of the unsubscribes before it.
            cost = 2 + self._leaving if leaving else 1
            if self._operations is not None:
                if not self._operations.fits(at, cost):
                    self.operations_spent = True
                    return
                self._operations.spend(at)
            self.pace.spend_subscription(at)
            yield self._request(batch, leaving, at)

    def _next_batch(self, at: int) -> list[Subscription]:
        ready = [subscription for subscription in self._waiting.values() if subscription.not_before <= at]
        if self._trials is not None:
            ready = self._trials.allowed(ready, at)
        return next_batch(ready, self._topics_per_frame)

    def _request(self, batch: list[Subscription], leaving: bool, at: int) -> str:
        number = self._next_id
        self._next_id += 1
        self._requests[number] = Request(leaving, {s.topic.key: s for s in batch}, at + self._ack_timeout)
        self._leaving += leaving
        for subscription in batch:
            del self._waiting[subscription.topic.key]
            subscription.request = number
            subscription.resuming = leaving
            subscription.watch = True
            if leaving:
                subscription.phase = Phase.LEAVING
            else:
                subscription.phase = Phase.ASKED
                subscription.asked_at = at
                subscription.asks += 1
                if subscription.since < 0:
                    subscription.since = at
        if not leaving:
            return self._venue.subscribe([s.topic for s in batch], number)
        named = [replace(s.topic, alias=s.alias) if s.alias else s.topic for s in batch]
        return self._venue.unsubscribe(named, number)

    def resubscribe(self, subscription: Subscription, at: int) -> None:
        """Queues unsubscribe and subscribe of a subscribed topic; does nothing while one of them is already under way."""
        if subscription.phase not in (Phase.ACKED, Phase.LIVE):
            return
        made = subscription.resubscribes
        when = made.free_at(at)
        if subscription.last_resubscribe is not None:
            spacing = min(RESUBSCRIBE_CAP, RESUBSCRIBE_SPACING << min(made.used(at), 16))
            when = max(when, subscription.last_resubscribe + spacing)
        made.spend(when)
        subscription.last_resubscribe = subscription.not_before = when
        subscription.phase = Phase.LEAVE_QUEUED
        subscription.watch = True
        self._waiting[subscription.topic.key] = subscription

    # -- answers
    def heard(self, subscription: Subscription) -> None:
        """Data came: as good as an ack, unless it still belongs to the subscription that is being left."""
        phase = subscription.phase
        if phase is Phase.LIVE:
            subscription.watch = False
            return
        if subscription.resuming or phase in (Phase.LEAVE_QUEUED, Phase.LEAVING, Phase.LEFT):
            return
        self._waiting.pop(subscription.topic.key, None)
        self._answered(subscription, keep=True)
        subscription.phase = Phase.LIVE
        subscription.watch = False
        if subscription.since < 0:  # it spoke before it was asked to: it can fall silent like any other
            subscription.since = subscription.heard_at
        self._settled(subscription)

    def acked(self, ack: Acked, at: int) -> None:
        dropped: list[Subscription] = []
        number = oldest(self._requests, leaving=ack.unsubscribed) if ack.in_order else ack.request_id
        if ack.only:
            meant, dropped = listed_by(self._requests, ack)
        else:
            meant = self._meant(number, ack.keys)
        self._forget_empty(number)
        if ack.unsubscribed and ack.request_id is None:
            # An unsubscribe that was given up and answered late says nothing about what was asked since.
            meant = [subscription for subscription in meant if subscription.phase is Phase.LEAVING]
        if not meant and not dropped:
            self.duplicate_acks += 1
        for subscription in meant:
            if subscription.phase is Phase.ASKED:
                self._answered(subscription)
                subscription.phase = Phase.ACKED
                subscription.acked_at = at
                self._settled(subscription)
            else:
                self._left(subscription, at)
        for subscription in dropped:
            self._answered(subscription)
            self._park(subscription, Phase.REFUSED, at, DROPPED)

    def refused(self, refusal: Refused, at: int) -> None:
        """Parks what was refused, with its reason; halves a batch that was refused without a name; asks again for its innocent rest."""
        number = refusal.request_id
        if refusal.in_order:
            number = oldest(self._requests, leaving=refusal.unsubscribed)
        request = self._requests.get(number) if number is not None else None
        meant = self._meant(number, refusal.keys, refusal=True)
        self._forget_empty(number)
        if not meant:
            self.duplicate_acks += 1
            return
        if request is None:
            request = self._requests.get(meant[0].request)
        whole = not refusal.keys and len(meant) > 1 and request is not None and not request.leaving
        nobodys_fault = refusal.whole_batch and not refusal.keys
        for subscription in meant:
            if subscription.phase is Phase.LEAVING:
                self._left(subscription, at)
            elif refusal.passing:
                self._answered(subscription)
                self._wait_out(subscription, at, refusal.reason[:200])
            elif nobodys_fault:
                self._answered(subscription)
                if subscription.asks < ASKS:
                    self._queue(subscription, at + BISECT_DELAY)
                else:
                    self._park(subscription, Phase.UNANSWERED, at, refusal.reason[:200])
            elif whole:
                self._answered(subscription)
                subscription.batch_limit = max(1, len(meant) // 2)
                self._queue(subscription, at + BISECT_DELAY)
            else:
                self._answered(subscription)
                self._park(subscription, Phase.REFUSED, at, refusal.reason[:200])
        if refusal.whole_batch and request is not None and not request.leaving:
            for subscription in list(request.pending.values()):
                self._answered(subscription)
                self._queue(subscription, at)

    def expire(self, at: int) -> None:
        """Requests whose ack did not come in time; topics whose turn to be asked again has come."""
        late = [(number, request) for number, request in self._requests.items() if at >= request.deadline]
        for number, request in late:
            for subscription in list(request.pending.values()):
                if request.leaving:
                    self._left(subscription, at)
                elif subscription.asks < ASKS:
                    self._answered(subscription)
                    self._queue(subscription, at)
                else:
                    self._answered(subscription)
                    self._park(subscription, Phase.UNANSWERED, at, "")
            self._forget_empty(number)
        for subscription in self._subscriptions.values():
            if subscription.phase in (Phase.REFUSED, Phase.UNANSWERED) and at >= subscription.not_before:
                self._ask_parked(subscription, at)

    def asked_in(self, number: int | None) -> tuple[str, ...]:
        """Keys of the topics of a request that are not answered yet."""
        request = self._requests.get(number) if number is not None else None
        return () if request is None else tuple(request.pending)

    def _meant(self, number: int | None, keys: tuple[str, ...], *, refusal: bool = False) -> list[Subscription]:
        return meant_by(self._requests, self._subscriptions, number, keys, refusal=refusal)

    def _answered(self, subscription: Subscription, *, keep: bool = False) -> Request | None:
        """`keep`: by data alone. The request's own answer is still to come, and venues may answer in order without a name."""
        number, subscription.request = subscription.request, 0
        request = self._requests.get(number)
        if request is not None:
            request.pending.pop(subscription.topic.key, None)
            if not keep:
                self._forget_empty(number)
        return request

    def _forget_empty(self, number: int | None) -> None:
        request = self._requests.get(number) if number is not None else None
        if number is not None and request is not None and not request.pending:
            del self._requests[number]
            self._leaving -= request.leaving

    def _left(self, subscription: Subscription, at: int) -> None:
        """Unsubscribed (or as good as): when the whole batch is, one frame can ask for all of it again."""
        subscription.phase = Phase.LEFT
        request = self._answered(subscription)
        if request is None:
            return
        request.left.append(subscription)
        if request.pending:
            return
        for gone in request.left:
            gone.since = at
            gone.asks = 0
            self._queue(gone, at)

    def _settled(self, subscription: Subscription) -> None:
        subscription.asks = 0
        subscription.alone = False
        subscription.suspect = False
        subscription.strikes = 0
        subscription.batch_limit = 0
        if subscription.fault is not None:
            subscription.fault = None
            subscription.reason = ""
            self.changes += 1

    def _queue(self, subscription: Subscription, not_before: int) -> None:
        subscription.phase = Phase.QUEUED
        subscription.not_before = not_before
        subscription.watch = True
        self._waiting[subscription.topic.key] = subscription

    def _park(self, subscription: Subscription, phase: Phase, at: int, reason: str) -> None:
        kind = FaultKind.REFUSED if phase is Phase.REFUSED else FaultKind.NEVER_ACKED
        if subscription.fault is not kind or subscription.reason != reason:
            subscription.fault_since = at
            self.changes += 1
        subscription.fault = kind
        subscription.reason = reason
        subscription.phase = phase
        if phase is Phase.REFUSED:
            subscription.since = -1  # what is not subscribed cannot be silent
        subscription.not_before = at + ASK_AGAIN
        subscription.watch = True

    def _wait_out(self, subscription: Subscription, at: int, reason: str) -> None:
        if subscription.asks < ASKS:
            self._queue(subscription, at + (PASSING_DELAY << (subscription.asks - 1)))
        else:
            self._park(subscription, Phase.UNANSWERED, at, reason)
            subscription.not_before = at + PASSING_CAP

    def _park_guilty(self, suspicion: Suspicion, opened_at: int) -> None:
        """Topics that took connections before this one down: not asked before their time."""
        for guilty in suspicion.guilty:
            subscription = self._waiting.pop(guilty.key, None)
            if subscription is not None:
                self._park(subscription, Phase.REFUSED, opened_at, FATAL)
                subscription.strikes, subscription.not_before = guilty.strikes, guilty.not_before

    def _ask_parked(self, subscription: Subscription, at: int) -> None:
        """One more try, in a frame of its own; the fault stays until the answer."""
        subscription.alone = True
        subscription.asks = ASKS - 1
        if subscription.strikes and self._trials is not None:
            self._trials.suspect([subscription])
        self._queue(subscription, at)
