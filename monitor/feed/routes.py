"""Which subscription a frame belongs to: by its topic's key, or by what the venue called it on this connection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from monitor.facts import Channel
from monitor.feed.aliases import Aliases
from monitor.feed.subscription import ChannelCount, Subscription
from monitor.venues.base import Acked, ConnectionPlan, Venue

EXTRA_TOPICS = 1024  # known keys outside the plan that are remembered (captures); more are looked up each time


class Routes:
    """Of one connection. `by_key`: what a frame carries -> subscription, for the hot path; `planned`: key -> subscription."""

    __slots__ = ("_aliases", "_count", "_extra", "_venue", "by_key", "planned")

    def __init__(self, venue: Venue, plan: ConnectionPlan, count: Callable[[Channel], ChannelCount]) -> None:
        self._venue = venue
        self._count = count
        self._aliases = Aliases()
        self._extra = 0
        self.by_key: dict[bytes | None, Subscription] = {}
        self.planned: dict[str, Subscription] = {}
        for topic in plan.topics:
            plain = replace(topic, alias="") if topic.alias else topic
            subscription = Subscription(plain, count(plain.channel), planned=True)
            self.planned[plain.key] = self.by_key[plain.key.encode()] = subscription
        for topic in plan.topics:
            if topic.alias:  # of a recording that begins in the middle of a connection
                self._name(self.planned[topic.key], topic.alias)

    def known(self, name: str) -> Subscription | None:
        """The subscription of a key or an alias; one of its own for a key outside the plan that the venue knows (captures)."""
        encoded = name.encode()
        subscription = self.by_key.get(encoded)
        if subscription is None and (topic := self._venue.topic(name)) is not None:
            subscription = Subscription(topic, self._count(topic.channel), planned=False)
            if self._extra < EXTRA_TOPICS:
                self._extra += 1
                self.by_key[encoded] = subscription
        return subscription

    def acked(self, ack: Acked, asked: tuple[str, ...]) -> Acked:
        """Learns and forgets aliases; the ack as one that names its topics by their keys. `asked`: keys its request asked for."""
        if not ack.alias:
            return ack
        if ack.unsubscribed:
            key = self._forget(ack.alias)
            return ack if key is None or ack.keys else replace(ack, keys=(key,))
        keys = next(((key,) for key in ack.keys if key in self.planned), ack.keys[:1]) or asked
        subscription = self.known(keys[0]) if len(keys) == 1 else None
        if subscription is not None:
            self._name(subscription, ack.alias)
        return replace(ack, keys=keys[:1]) if ack.keys else ack

    def _name(self, subscription: Subscription, alias: str) -> None:
        encoded, key = alias.encode(), subscription.topic.key
        holder = self.by_key.get(encoded)
        if self.by_key.get(key.encode()) is not subscription or (holder is not None and holder.alias != alias):
            return  # one topic too many, or a name that is another topic's key: neither may grow nor hide a route
        self._forget(subscription.alias)
        self._forget(alias)
        self._aliases.name(key, alias)
        subscription.alias = alias
        self.by_key[encoded] = subscription

    def _forget(self, alias: str) -> str | None:
        key = self._aliases.forget(alias)
        if key is not None:
            self.by_key.pop(alias.encode()).alias = ""
        return key
