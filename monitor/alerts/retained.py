"""What the broker should hold for us: the retained topics as they stand, and which of them it must be told again."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final

from monitor.alerts.payloads import Payload
from monitor.alerts.topics import Address, Message

MAX_TOPICS: Final = 20_000  # as many as alerts can be open; further ones are counted and left out


class RetainedBoard:
    """Set by the service, read by the publisher, both in the loop's thread. Nothing here does I/O."""

    def __init__(self, limit: int = MAX_TOPICS) -> None:
        self.dropped = 0
        self._limit = limit
        self._standing: dict[str, tuple[Address, Payload | bytes, object]] = {}
        self._cleared: dict[str, Address] = {}
        self._due: OrderedDict[str, None] = OrderedDict()
        self._woken = asyncio.Event()

    def set(self, address: Address, payload: Payload | bytes, signature: object) -> None:
        """The topic's newest payload. It is published at once when `signature` changed, else with the next round."""
        known = self._standing.get(address.topic)
        if known is None and len(self._standing) >= self._limit:
            self.dropped += 1
            return
        self._standing[address.topic] = (address, payload, signature)
        self._cleared.pop(address.topic, None)
        if known is None or known[2] != signature:
            self._mark(address.topic)

    def clear(self, address: Address) -> None:
        """The topic is over: an empty payload goes out, also when the broker is away now."""
        if self._standing.pop(address.topic, None) is not None:
            self._cleared[address.topic] = address
            self._mark(address.topic)

    def topics(self) -> tuple[str, ...]:
        return tuple(self._standing)

    def addresses(self) -> tuple[Address, ...]:
        return tuple(address for address, _, _ in self._standing.values())

    def mark_all(self) -> None:
        """Everything is due: after a connect, and once a minute before it expires."""
        for topic in (*self._cleared, *self._standing):
            self._mark(topic)

    async def take(self) -> Message:
        """The next message that is due."""
        while True:
            while self._due:
                topic, _ = self._due.popitem(last=False)
                if (standing := self._standing.get(topic)) is not None:
                    address, payload, _ = standing
                    return Message(address, payload) if isinstance(payload, bytes) else Message.of(address, payload)
                if (address_cleared := self._cleared.get(topic)) is not None:
                    return Message.cleared(address_cleared)
            self._woken.clear()
            await self._woken.wait()

    def acknowledged(self, message: Message) -> None:
        if not message.body:
            self._cleared.pop(message.address.topic, None)

    def failed(self, message: Message) -> None:
        """Not taken: due again."""
        self._mark(message.address.topic)

    def _mark(self, topic: str) -> None:
        self._due[topic] = None
        self._woken.set()
