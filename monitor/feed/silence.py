"""Topics that do not speak: named, asked again with doubling distance; a connection on which nothing helps is given up."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.feed.subscriber import Subscriber
from monitor.feed.subscription import Phase, Subscription


class SilenceWatch:
    """Of one connection. `changes` goes up whenever a topic falls silent or speaks again."""

    __slots__ = ("_subscriber", "_subscriptions", "changes")

    def __init__(self, subscriptions: Mapping[str, Subscription], subscriber: Subscriber) -> None:
        self._subscriptions = subscriptions
        self._subscriber = subscriber
        self.changes = 0

    def heard(self, subscription: Subscription) -> None:
        """A frame of `subscription` came."""
        if subscription.silent_since is not None:
            subscription.silent_since = None
            subscription.retries = 0
            self.changes += 1

    def check(self, at: int, heard_at: int) -> bool:
        """Names what is silent and asks again for it; True: everything is, and nothing helps (`heard_at`: last frame of any kind)."""
        speakers = 0
        silent: list[Subscription] = []
        bounds: list[int] = []
        for subscription in self._subscriptions.values():
            if not subscription.must_speak or subscription.since < 0 or subscription.phase is Phase.REFUSED:
                continue
            speakers += 1
            bound, quiet_since = subscription.patience()
            if not bound or at - quiet_since <= bound:
                continue
            if subscription.silent_since is None:
                subscription.silent_since = quiet_since
                subscription.watch = True
                subscription.retries = 0
                subscription.retry_at = at
                self.changes += 1
            silent.append(subscription)
            bounds.append(bound)
        if not silent:
            return False
        if len(silent) == speakers and (at - heard_at > min(bounds) or all(_in_vain(s, at) for s in silent)):
            return True
        for subscription, bound in zip(silent, bounds, strict=True):
            if at >= subscription.retry_at and subscription.phase in (Phase.ACKED, Phase.LIVE):
                subscription.retry_at = at + (bound << min(subscription.retries + 1, 10))
                subscription.retries += 1
                self._subscriber.resubscribe(subscription, at)
        return False


def _in_vain(subscription: Subscription, at: int) -> bool:
    """Asked for again, and nothing came of it."""
    return subscription.phase is Phase.UNANSWERED or (subscription.retries > 0 and at >= subscription.retry_at)
