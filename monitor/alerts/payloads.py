"""Every payload that leaves the service over MQTT, as frozen types: what is here is the contract, JSON Schemas included.

USD unless a name says otherwise, ratios 0..1, times RFC 3339 UTC with microseconds. Unknown is null, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

import orjson
from pydantic import ConfigDict, Field, TypeAdapter

from monitor.facts import Position, PriceKind
from monitor.views import Regime

Severity = Literal["watch", "warning", "critical"]
Change = Literal["opened", "escalated", "eased", "closed"]
StressType = Literal["forced", "working_order", "vacuum", "mixed"]
FeedState = Literal["running", "degraded", "down", "halted"]
Kind = Literal[
    "sell_at_any_price",
    "buy_at_any_price",
    "liquidation_burst",
    "cascade_risk",
    "depth_drought",
    "level_breakdown",
    "level_reclaim",
    "options_stress",
    "market_stress",
    "feed_fault",
]
MARKET = "MARKET"  # the `{asset}` of what concerns the whole market

Time = Annotated[
    str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$", json_schema_extra={"format": "date-time"})
]
UlidText = Annotated[str, Field(pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
Ratio = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]

_CLOSED = ConfigDict(extra="forbid")


def rfc3339(at: int) -> str:
    """`at` (ns since the epoch) as RFC 3339 UTC with microseconds; what is finer is cut off."""
    seconds, rest = divmod(at, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One feature that speaks for the alert. `normal_score`: its standardised value (models 5.3), null without one."""

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED
    value: float | int | str | None
    unit: str
    normal_score: float | None


@dataclass(frozen=True, slots=True)
class CascadeFigures:
    """What a sale would set off; `ignition_usd` null: none within range."""

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED
    distance_ratio: float | None
    ignition_usd: float | None
    landing_ratio: float | None
    forced_usd: float | None


@dataclass(frozen=True, slots=True)
class CascadeRange:
    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED
    base: CascadeFigures
    low: CascadeFigures
    high: CascadeFigures
    observed_ratio: Ratio | None


@dataclass(frozen=True, slots=True)
class MarketFigures:
    """The asset when the transition happened; all null for alerts of the whole market."""

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED
    price_usd: float | None
    bid_depth_1pct_usd: NotNegative | None
    ask_depth_1pct_usd: NotNegative | None
    depth_baseline_ratio: NotNegative | None
    liquidated_long_usd_60s: NotNegative | None
    liquidated_short_usd_60s: NotNegative | None
    cascade: CascadeRange | None


@dataclass(frozen=True, slots=True)
class BookCount:
    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED
    verified: Count
    configured: Count


@dataclass(frozen=True, slots=True)
class QualityFigures:
    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED
    confidence: Ratio
    coverage_ratio: Ratio | None
    books: BookCount
    degraded: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AlertPayload:
    """One transition of one alert (`alerts/...`), and the alert as it stands while open (`open/...`)."""

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED
    schema: Literal["undertow.alert.v1"]
    id: UlidText
    sequence: Annotated[int, Field(ge=1)]
    transition: Change
    instance: str
    asset: str
    kind: Kind
    subject: str
    type: StressType | None
    severity: Severity
    reason: str | None
    regime: Regime | None
    score: float | None
    opened_at: Time
    at: Time
    summary: str
    evidence: Mapping[str, Evidence]
    market: MarketFigures
    quality: QualityFigures


@dataclass(frozen=True, slots=True)
class DepthPoint:
    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED
    usd: NotNegative
    coverage_ratio: NotNegative | None
    acute_ratio: NotNegative | None
    chronic_ratio: NotNegative | None


@dataclass(frozen=True, slots=True)
class RegimePayload:
    """The asset's regime. `depth`: side ("bid", "ask") -> band ("1%") -> figure; an unknown band is absent."""

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED
    schema: Literal["undertow.regime.v1"]
    instance: str
    asset: str
    at: Time
    regime: Regime
    since: Time | None
    score: float | None
    price_usd: float | None
    depth: Mapping[Literal["bid", "ask"], Mapping[str, DepthPoint]]
    cascade: CascadeRange | None
    quality: QualityFigures


@dataclass(frozen=True, slots=True)
class LiquidationPayload:
    """One liquidation print; `position` is the side of the position that was closed."""

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED
    schema: Literal["undertow.liquidation.v1"]
    venue: str
    market: str
    asset: str
    position: Position
    quantity_base: NotNegative
    price: NotNegative
    price_kind: PriceKind
    notional_usd: NotNegative | None
    coverage: Literal["complete", "sampled", "inferred"]
    venue_time: Time
    received_at: Time


@dataclass(frozen=True, slots=True)
class FeedMarket:
    """One book. `reason`: why it is not verified, "" when it is. `silent`: channels quiet longer than the venue allows."""

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED
    market: str
    asset: str
    verified: bool
    reason: str
    silent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RefusedMarket:
    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED
    symbol: str
    reason: str


@dataclass(frozen=True, slots=True)
class ConnectionCount:
    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED
    connected: Count
    configured: Count


@dataclass(frozen=True, slots=True)
class FeedPayload:
    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED
    schema: Literal["undertow.feed.v1"]
    instance: str
    venue: str
    at: Time
    state: FeedState
    halted: str | None
    connections: ConnectionCount
    books: BookCount
    lag_seconds: float | None
    clock_offset_seconds: float | None
    markets: tuple[FeedMarket, ...]
    refused: tuple[RefusedMarket, ...]
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Availability:
    """The one payload that is bare text: `online` or `offline`, so that any client can use it as it is."""

    state: Literal["online", "offline"]


Payload = AlertPayload | RegimePayload | LiquidationPayload | FeedPayload | Availability


def encode(payload: Payload) -> bytes:
    """The bytes on the wire."""
    if isinstance(payload, Availability):
        return payload.state.encode()
    return orjson.dumps(payload, option=orjson.OPT_NON_STR_KEYS)


SCHEMA_NAMES: dict[str, type] = {
    "undertow.alert.v1": AlertPayload,
    "undertow.regime.v1": RegimePayload,
    "undertow.liquidation.v1": LiquidationPayload,
    "undertow.feed.v1": FeedPayload,
}


def schemas() -> dict[str, dict[str, Any]]:
    """JSON Schemas (2020-12) by name, made from the types above."""
    found: dict[str, dict[str, Any]] = {}
    for name, kind in SCHEMA_NAMES.items():
        body = TypeAdapter(kind).json_schema()
        found[name] = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:{name}", **body}
    found["undertow.availability.v1"] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:undertow.availability.v1",
        "title": "Availability",
        "description": "Bare text, not JSON: the whole payload is one of these words.",
        "type": "string",
        "enum": ["online", "offline"],
    }
    return found
