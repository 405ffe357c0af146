"""The one table of topics. A message can only be made from a row of it, so nothing else can be published."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, get_args

from monitor.alerts.payloads import (
    MARKET,
    AlertPayload,
    Availability,
    FeedPayload,
    Kind,
    LiquidationPayload,
    Payload,
    RegimePayload,
    encode,
)

KINDS: Final[tuple[str, ...]] = get_args(Kind)
MAX_PART = 128  # a topic level; the longest venue symbols have about 40 characters
RETAINED_EXPIRY_SECONDS = 180  # a dead service leaves no false calm behind
REPUBLISH_SECONDS = 60.0  # three chances before the expiry
JSON = "application/json"
TEXT = "text/plain"

_ASSET = re.compile(r"[^a-z\s]+")


@dataclass(frozen=True, slots=True)
class TopicRow:
    """One kind of message. `schema`: its name in `payloads.schemas()`."""

    name: str
    template: str
    retained: bool
    qos: int
    expiry_seconds: int | None
    payload: type
    schema: str
    content_type: str
    about: str


AVAILABILITY = TopicRow(
    "availability", "instances/{instance}/availability", True, 1, None, Availability, "undertow.availability.v1", TEXT,
    "`online` / `offline`; the will is `offline`",
)  # fmt: skip
ALERT = TopicRow(
    "alert", "alerts/{asset}/{kind}/{subject}", False, 1, None, AlertPayload, "undertow.alert.v1", JSON,
    "one transition of one alert",
)  # fmt: skip
OPEN = TopicRow(
    "open", "open/{asset}/{kind}/{subject}", True, 1, RETAINED_EXPIRY_SECONDS, AlertPayload, "undertow.alert.v1", JSON,
    "the alert as it stands while open; an empty payload clears it when it closes",
)  # fmt: skip
REGIME = TopicRow(
    "regime", "regimes/{asset}", True, 1, RETAINED_EXPIRY_SECONDS, RegimePayload, "undertow.regime.v1", JSON,
    "regime, score, since, depth, cascade, quality",
)  # fmt: skip
LIQUIDATION = TopicRow(
    "liquidation", "liquidations/{asset}", False, 0, None, LiquidationPayload, "undertow.liquidation.v1", JSON,
    "one liquidation print",
)  # fmt: skip
FEED = TopicRow(
    "feed", "feeds/{venue}", True, 1, RETAINED_EXPIRY_SECONDS, FeedPayload, "undertow.feed.v1", JSON,
    "state of the venue's feeds and books",
)  # fmt: skip

TOPICS: Final[tuple[TopicRow, ...]] = (AVAILABILITY, ALERT, OPEN, REGIME, LIQUIDATION, FEED)


class TopicError(ValueError):
    """A part that no topic level can hold."""


@dataclass(frozen=True, slots=True)
class Address:
    """A checked topic. Made by `Topics` alone."""

    topic: str
    row: TopicRow


@dataclass(frozen=True, slots=True)
class Message:
    """A checked topic with its bytes; empty bytes clear a retained topic."""

    address: Address
    body: bytes

    @classmethod
    def of(cls, address: Address, payload: Payload) -> Message:
        if not isinstance(payload, address.row.payload):
            raise TopicError(f"{address.topic} carries {address.row.payload.__name__}, not {type(payload).__name__}")
        return cls(address, encode(payload))

    @classmethod
    def cleared(cls, address: Address) -> Message:
        if not address.row.retained:
            raise TopicError(f"{address.topic} is not retained, there is nothing to clear")
        return cls(address, b"")


def safe_part(text: str) -> str:
    """`text` with what a topic level cannot hold replaced by "-" (BTC/USDT is BTC-USDT)."""
    return re.sub(r"[/+#\x00-\x1f\x7f-\x9f]", "-", text)[:MAX_PART] or "-"


def check_part(part: str, what: str) -> str:
    """`part` as it is.

    Raises:
        TopicError: empty, too long, or holding a wildcard, a separator or a control character.
    """
    if not part or len(part) > MAX_PART or part != safe_part(part) or part.startswith("$"):
        raise TopicError(
            f"{what} {part[:MAX_PART]!r} cannot be a topic level (1 to {MAX_PART} characters, no / + # or controls)"
        )
    return part


class Topics:
    """Makes addresses under one prefix. Every method raises TopicError for parts that cannot stand in a topic."""

    def __init__(self, prefix: str, instance: str) -> None:
        for level in prefix.split("/"):
            check_part(level, "topic prefix")
        self.prefix = prefix
        self.instance = check_part(instance, "instance")

    def availability(self) -> Address:
        return self._address(AVAILABILITY, instance=self.instance)

    def alert(self, asset: str, kind: str, subject: str) -> Address:
        return self._address(ALERT, asset=_asset(asset), kind=_kind(kind), subject=check_part(subject, "subject"))

    def open(self, asset: str, kind: str, subject: str) -> Address:
        return self._address(OPEN, asset=_asset(asset), kind=_kind(kind), subject=check_part(subject, "subject"))

    def regime(self, asset: str) -> Address:
        return self._address(REGIME, asset=_asset(asset))

    def liquidation(self, asset: str) -> Address:
        return self._address(LIQUIDATION, asset=_asset(asset))

    def feed(self, venue: str) -> Address:
        return self._address(FEED, venue=check_part(venue, "venue"))

    def _address(self, row: TopicRow, **parts: str) -> Address:
        return Address(f"{self.prefix}/{row.template.format_map(parts)}", row)


def _asset(asset: str) -> str:
    if asset != MARKET and not _ASSET.fullmatch(check_part(asset, "asset")):
        raise TopicError(f"asset {asset!r} must be upper case")
    return asset


def _kind(kind: str) -> str:
    if kind not in KINDS:
        raise TopicError(f"{kind!r} is not a kind of alert")
    return kind
