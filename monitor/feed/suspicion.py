"""Venues that answer a topic they do not know by closing the connection: who is suspected of it, and how suspects are asked apart.

A connection that dies shortly after subscriptions went out unanswered may have died of one of them. The next connection asks the
innocent first and then the suspects in halves, each half alone, until one topic alone takes a connection down: that one is parked.
What is known passes from the dead session to the next one of the same plan as a `Suspicion`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.clock import SECOND
from monitor.feed.reasons import Reason
from monitor.feed.subscription import Phase, Subscription

FATAL = "the venue closed the connection on it"
DEADLY = (Reason.CLOSED_BY_VENUE, Reason.CONNECTION_LOST)  # ends that a topic may have caused
FATAL_ASK_AGAIN = (
    300 * SECOND
)  # a topic that ended a connection is asked again after this; doubles each time it does so ...
FATAL_ASK_CAP = 6 * 3600 * SECOND  # ... up to here: every try may cost all topics of the connection a reconnect


@dataclass(frozen=True, slots=True)
class Guilty:
    """A topic that took `strikes` connections down, alone; it is asked again at `not_before` (ns), last and alone."""

    key: str
    strikes: int
    not_before: int


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Topic keys to be asked group after group, each group alone; and those that were found out."""

    groups: tuple[tuple[str, ...], ...] = ()
    guilty: tuple[Guilty, ...] = ()


class Trials:
    """Of one session: which of the waiting subscriptions may be asked now, and what its end says about them.

    fatal: ns after a subscribe frame within which the end of the connection speaks against its topics.
    """

    __slots__ = ("_fatal", "_groups", "_now", "_since", "_subscriptions")

    def __init__(self, fatal: int, suspicion: Suspicion, subscriptions: Mapping[str, Subscription]) -> None:
        self._fatal = fatal
        self._subscriptions = subscriptions
        self._groups: deque[tuple[Subscription, ...]] = deque()
        self._now: tuple[Subscription, ...] = ()  # the group on trial, alone on the wire
        self._since = 0
        for keys in suspicion.groups:
            self.suspect([subscriptions[key] for key in keys if key in subscriptions])

    def suspect(self, group: Sequence[Subscription]) -> None:
        """These are asked after everything else, together, with nothing beside them."""
        if group:
            self._groups.append(tuple(group))
        for subscription in group:
            subscription.suspect = True

    def allowed(self, ready: list[Subscription], at: int) -> list[Subscription]:
        """Of those whose time has come, those that may be asked now; while a group is on trial nothing else may."""
        self._acquit(at)
        if not self._now:
            innocent = [subscription for subscription in ready if not subscription.suspect]
            if innocent or not self._groups or self._unanswered(at):
                return innocent
            self._now, self._since = self._groups.popleft(), at
        return [
            subscription for subscription in self._now if subscription in ready and not self._was_asked(subscription)
        ]

    def verdict(self, at: int, reason: str) -> Suspicion | None:
        """What the next connection has to know, after this one ended for `reason`; None: nothing."""
        deadly = reason in DEADLY
        self._acquit(at)
        suspects = self._unanswered(at)
        open_now = [s for s in self._now if not self._was_asked(s) or s in suspects]  # no verdict on these yet
        groups: list[Sequence[Subscription]] = []
        if deadly:
            if len(self._now) == 1 and suspects == list(self._now):
                _convict(suspects[0], at)
            else:
                half = (len(suspects) + 1) // 2
                groups += [suspects[:half], suspects[half:]]
            open_now = [s for s in open_now if s not in suspects]
        waiting = [[s for s in group if s.suspect] for group in self._groups]  # data may have cleared one meanwhile
        groups += [*waiting, open_now] if deadly else [open_now, *waiting]
        keys = tuple(tuple(s.topic.key for s in group if not s.strikes) for group in groups)
        guilty = [s for s in self._subscriptions.values() if s.strikes]
        found = Suspicion(
            groups=tuple(group for group in keys if group),
            guilty=tuple(Guilty(s.topic.key, s.strikes, s.not_before) for s in guilty),
        )
        return found if found.groups or found.guilty else None

    def _was_asked(self, subscription: Subscription) -> bool:
        """In this trial."""
        return subscription.phase is not Phase.QUEUED or subscription.asked_at >= self._since

    def _acquit(self, at: int) -> None:
        """Ends a trial of which everyone was asked, and was answered or survived."""
        alive = at - self._fatal
        if all(self._was_asked(s) and (s.phase is not Phase.ASKED or s.asked_at < alive) for s in self._now):
            for subscription in self._now:
                subscription.suspect = False
                subscription.strikes = 0
            self._now = ()

    def _unanswered(self, at: int) -> list[Subscription]:
        return [s for s in self._subscriptions.values() if s.phase is Phase.ASKED and at - s.asked_at <= self._fatal]


def _convict(subscription: Subscription, at: int) -> None:
    subscription.strikes += 1
    subscription.not_before = at + min(FATAL_ASK_CAP, FATAL_ASK_AGAIN << min(subscription.strikes - 1, 16))
