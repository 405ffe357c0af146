"""Subscribe and unsubscribe frames of one connection: batched, paced, within the venue's budgets, each answer accounted for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from monitor.clock import MILLISECOND, SECOND
from monitor.feed.faults import FaultKind
from monitor.feed.subscription import HOUR, Phase, Request, Subscription
from monitor.feed.window import SpendWindow
from monitor.venues.base import Acked, Refused, Venue

PACE_WINDOW = 1250 * MILLISECOND  # the venue's second, stretched: frames bunch on the way
KEPT_FOR_PINGS = 1  # of the frames in that window, for pings, pongs and answers
ASKS = 3  # subscribes without an answer before the topic is named as never acked
ASK_AGAIN = 300 * SECOND  # a refused or unanswered topic is asked for again this often, in a frame of its own
RESUBSCRIBE_SPACING = 1 * SECOND  # doubles with each resubscribe of the last hour ...
RESUBSCRIBE_CAP = 120 * SECOND  # ... up to here
BISECT_DELAY = 1 * SECOND  # before the halves of a refused batch are asked for


class Subscriber:
    """Owns the phases of the subscriptions. `pace` is shared with whoever else sends on the connection."""

    def __init__(self, venue: Venue, subscriptions: Mapping[str, Subscription]) -> None:
        limits = venue.limits
        self._venue = venue
        self._subscriptions = subscriptions
        self._topics_per_frame = limits.topics_per_frame
        self._ack_timeout = int(limits.ack_timeout_seconds * SECOND)
        slow = max(1.0, 1.0 / limits.frames_per_second)  # venues that allow less than one frame a second
        self.pace = SpendWindow(max(1, int(limits.frames_per_second * slow)), int(PACE_WINDOW * slow))
        self._kept = min(KEPT_FOR_PINGS, self.pace.limit - 1)
        self._operations = None if limits.operations_per_hour is None else SpendWindow(limits.operations_per_hour, HOUR)
        self._waiting: dict[str, Subscription] = dict(
            subscriptions
        )  # queued for a subscribe or an unsubscribe, oldest first
        self._requests: dict[int, Request] = {}
        self._leaving = 0  # unsubscribe requests on the wire; each has a subscribe to come
        self._next_id = 1
        self.operations_spent = False  # something waits that this connection may not send any more
        self.duplicate_acks = 0
        self.changes = 0

    # -- sending
    def frames(self, at: int) -> Iterator[str]:
        """The frames that may and should go now; each one is accounted for as it is taken."""
        self.operations_spent = False
        while self._waiting and self.pace.used(at) + self._kept < self.pace.limit:
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
            self.pace.spend(at)
            yield self._request(batch, leaving, at)

    def _next_batch(self, at: int) -> list[Subscription]:
        """Subscribes before unsubscribes: what was begun is finished first."""
        ready = [subscription for subscription in self._waiting.values() if subscription.not_before <= at]
        first = next((s for s in ready if s.phase is Phase.QUEUED), ready[0] if ready else None)
        if first is None:
            return []
        limit = 1 if first.alone else first.batch_limit or self._topics_per_frame
        batch = [first]
        for subscription in ready:
            if len(batch) >= limit:
                break
            if (
                subscription is not first
                and not subscription.alone
                and subscription.phase is first.phase
                and subscription.batch_limit == first.batch_limit
            ):
                batch.append(subscription)
        return batch

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
                subscription.asks += 1
                if subscription.since < 0:
                    subscription.since = at
        topics = [subscription.topic for subscription in batch]
        return (self._venue.unsubscribe if leaving else self._venue.subscribe)(topics, number)

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
        self._answered(subscription)
        subscription.phase = Phase.LIVE
        subscription.watch = False
        self._settled(subscription)

    def acked(self, ack: Acked, at: int) -> None:
        known = False
        for subscription in self._meant(ack.request_id, ack.keys):
            known = True
            if subscription.phase is Phase.ASKED:
                self._answered(subscription)
                subscription.phase = Phase.ACKED
                self._settled(subscription)
            else:
                self._left(subscription, at)
        if not known:
            self.duplicate_acks += 1

    def refused(self, refusal: Refused, at: int) -> None:
        """Parks what was refused, with its reason; halves a batch that was refused without a name; asks again for its innocent rest."""
        number = refusal.request_id
        request = self._requests.get(number) if number is not None else None
        meant = self._meant(number, refusal.keys, refusal=True)
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
        late = [request for request in self._requests.values() if at >= request.deadline]
        for request in late:
            for subscription in list(request.pending.values()):
                if request.leaving:
                    self._left(subscription, at)
                elif subscription.asks < ASKS:
                    self._answered(subscription)
                    self._queue(subscription, at)
                else:
                    self._answered(subscription)
                    self._park(subscription, Phase.UNANSWERED, at, "")
        for subscription in self._subscriptions.values():
            if subscription.phase in (Phase.REFUSED, Phase.UNANSWERED) and at >= subscription.not_before:
                self._ask_parked(subscription, at)

    def _meant(self, number: int | None, keys: tuple[str, ...], *, refusal: bool = False) -> list[Subscription]:
        """The subscriptions an answer is about: those that wait for exactly this answer (or, refused, were acked before)."""
        request = self._requests.get(number) if number is not None else None
        if not keys:
            return [] if request is None else list(request.pending.values())
        if number is not None and request is None:
            return []
        found = []
        for key in keys:
            subscription = self._subscriptions.get(key)
            if subscription is None:
                continue
            if refusal and request is None and subscription.phase is Phase.ACKED:
                found.append(subscription)
            if subscription.phase not in (Phase.ASKED, Phase.LEAVING):
                continue
            if request is None or request.pending.get(key) is subscription:
                found.append(subscription)
        return found

    def _answered(self, subscription: Subscription) -> Request | None:
        number, subscription.request = subscription.request, 0
        request = self._requests.get(number)
        if request is not None:
            request.pending.pop(subscription.topic.key, None)
            if not request.pending:
                del self._requests[number]
                self._leaving -= request.leaving
        return request

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
        subscription.not_before = at + ASK_AGAIN
        subscription.watch = True

    def _ask_parked(self, subscription: Subscription, at: int) -> None:
        """One more try, in a frame of its own; the fault stays until the answer."""
        subscription.alone = True
        subscription.asks = ASKS - 1
        self._queue(subscription, at)
