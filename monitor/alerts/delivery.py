"""The service's one way out: transitions to the outbox, state to the retained board, prints to the socket. Never waits."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import structlog

from monitor.alerts.compose import feed_payload, feed_signature, regime_payload
from monitor.alerts.evaluator import OpenAlert, Transition
from monitor.alerts.mqtt import MqttPublisher
from monitor.alerts.outbox import Outbox
from monitor.alerts.payloads import LiquidationPayload
from monitor.alerts.retained import RetainedBoard
from monitor.alerts.topics import FEED, REGIME, Address, Message, TopicError, Topics
from monitor.views import MarketView, ServiceView

_BY_VIEW: Final = (REGIME.name, FEED.name)


class Delivery:
    """Called by the service in the loop's thread; every call is a few microseconds of memory work.

    unaddressable: things whose names cannot stand in a topic; counted, named once.
    """

    def __init__(self, topics: Topics, outbox: Outbox, board: RetainedBoard, publisher: MqttPublisher | None) -> None:
        self.unaddressable = 0
        self._topics = topics
        self._outbox = outbox
        self._board = board
        self._publisher = publisher
        self._log = structlog.get_logger("delivery")

    def restored(self, alerts: Iterable[OpenAlert]) -> None:
        """Open alerts of the former run stand on the broker again."""
        for alert in alerts:
            try:
                self._board.set(self._topics.open(*alert.key), alert.body, alert.payload.get("sequence"))
            except (TopicError, KeyError):
                self.unaddressable += 1

    def transitions(self, transitions: Iterable[Transition]) -> None:
        for transition in transitions:
            try:
                address = self._topics.open(*transition.key)
            except TopicError as error:
                self._refuse(error)
                continue
            self._outbox.append(transition)
            if transition.payload.transition == "closed":
                self._board.clear(address)
            else:
                self._board.set(address, transition.body, transition.payload.sequence)

    def liquidation(self, payload: LiquidationPayload) -> None:
        if self._publisher is None or not self._publisher.connected:
            return
        try:
            self._publisher.print(Message.of(self._topics.liquidation(payload.asset), payload))
        except TopicError as error:
            self._refuse(error)

    def second(self, view: ServiceView) -> None:
        """Regimes and feeds as they stand; what changed goes out at once, the rest with the next round."""
        standing: set[str] = set()
        for asset in view.assets:
            payload = regime_payload(asset, self._topics.instance)
            if payload is not None and (address := self._address(self._topics.regime, asset.asset)) is not None:
                quality = (
                    asset.quality
                )  # what is believed is told at once, like the regime: a blind service must not look calm
                signature = (
                    asset.regime,
                    asset.regime_since,
                    quality.books_verified,
                    quality.degraded,
                    bool(asset.depth),
                )
                self._board.set(address, payload, signature)
                standing.add(address.topic)
        by_venue: dict[str, list[MarketView]] = {}
        for market in view.markets:
            by_venue.setdefault(market.venue, []).append(market)
        for venue in view.venues:
            if (address := self._address(self._topics.feed, venue.venue)) is not None:
                feed = feed_payload(venue, by_venue.get(venue.venue, []), self._topics.instance, view.at)
                self._board.set(address, feed, feed_signature(feed))
                standing.add(address.topic)
        for address in self._board.addresses():
            if address.row.name in _BY_VIEW and address.topic not in standing:
                self._board.clear(address)

    def _address(self, make: Callable[[str], Address], part: str) -> Address | None:
        try:
            return make(part)
        except TopicError as error:
            self._refuse(error)
            return None

    def _refuse(self, error: TopicError) -> None:
        if not self.unaddressable:
            self._log.error("cannot be published", reason=str(error))
        self.unaddressable += 1
