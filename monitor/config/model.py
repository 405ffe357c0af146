"""Every key, its type, its default and what it does. The reference page is made from this file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from monitor.alerts.settings import AlertsSettings
from monitor.config.values import Band, Duration, FilePath, Line, Listen, origin

HEADLINE_BAND = "1%"
MAX_BANDS = 16  # each band costs two series a market
MAX_NOTIONAL_USD = 10**12  # larger than any book; keeps the arithmetic exact
MAX_SYMBOLS = 1000  # of one venue in one process; beyond it, shard


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class InstanceSettings(Section):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] = "undertow-1"
    """Tells instances apart in topics, alerts and the MQTT client id."""


class HttpSettings(Section):
    listen: Listen = "127.0.0.1:9464"
    """Address of the one HTTP server: metrics, health, API and the page."""


class MqttSettings(Section):
    url: Annotated[str, origin("mqtt", "mqtts")] | None = None
    """Broker, mqtt://host:1883 or mqtts://host:8883. Absent: the embedded Mosquitto child."""
    embedded_listen: Listen = "127.0.0.1:1883"
    """Where the embedded broker listens, on loopback; a free port when this one is taken."""
    username: Line | None = None
    """User at the broker."""
    password_file: FilePath | None = None
    """File whose first line is the password."""
    ca_file: FilePath | None = None
    """Certificate authority of the broker (PEM); the system's when absent."""
    client_cert: FilePath | None = None
    """Client certificate (PEM)."""
    client_key: FilePath | None = None
    """Key of the client certificate (PEM)."""
    allow_plaintext: bool = False
    """Allow a password in clear to a host that is not loopback."""
    topic_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$", max_length=64)] = "undertow/v1"
    """First part of every topic."""


class StateSettings(Section):
    path: FilePath = Path("state/undertow.sqlite")
    """SQLite file of the outbox, open alerts and baselines."""


class RecordingSettings(Section):
    enabled: bool = False
    """Record every raw frame while running."""
    directory: FilePath = Path("captures")
    """Where recordings go."""
    max_total_gib: Annotated[float, Field(gt=0, le=1_000_000)] = 20.0
    """Oldest recordings of this service are deleted beyond this size."""


class EngineSettings(Section):
    bands: Annotated[tuple[Band, ...], Field(min_length=1, max_length=MAX_BANDS)] = (
        "0.1%",
        "0.25%",
        "0.5%",
        "1%",
        "2%",
        "5%",
        "10%",
    )
    """Depth bands around the mid."""
    slippage_usd: Annotated[
        tuple[Annotated[int, Field(gt=0, le=MAX_NOTIONAL_USD)], ...], Field(max_length=MAX_BANDS)
    ] = (10_000, 100_000, 500_000, 1_000_000, 10_000_000)
    """Order sizes whose cost is published."""
    floor_settle: Duration = 1800.0
    """How long a book must be in sync before levels learned from changes are published (basis floor)."""
    baseline_warmup: Duration = 600.0
    """How long a series must have been known before its acute baseline is used."""
    max_series: Annotated[int, Field(ge=100)] = 20_000
    """Cap of exported series; what is beyond is dropped and counted."""
    tiers_file: FilePath | None = None
    """Margin tiers of your own (TOML or JSON, see liquidation-price.md), for markets whose venue tells none; also a saved reply of Binance's leverageBracket."""

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if HEADLINE_BAND not in self.bands:
            raise ValueError(f'bands must hold "{HEADLINE_BAND}": alerts and baselines are built on it')
        if len(set(self.bands)) != len(self.bands):
            raise ValueError("a band stands twice in bands")
        if len(set(self.slippage_usd)) != len(self.slippage_usd):
            raise ValueError("a size stands twice in slippage_usd")
        return self


FxRate = Literal["auto"] | Annotated[float, Field(gt=0, le=1_000_000)]


class FxSettings(Section):
    usdt: FxRate = "auto"
    """USD per USDT: "auto" is a configured fiat venue's pair, else 1.0, marked assumed. A number fixes it."""
    usdc: FxRate = "auto"
    """USD per USDC, likewise."""
    eur: FxRate = "auto"
    """USD per EUR, likewise; unknown when no venue tells it."""


class VenueSettings(Section):
    symbols: Annotated[tuple[str, ...], Field(min_length=1, max_length=MAX_SYMBOLS)]
    """Markets to watch, in the venue's own spelling; in a variable also without brackets and quotes: A, B."""
    rest_budget_ratio: Annotated[float, Field(gt=0, le=1)] = 0.3
    """Share of the venue's REST limit this service may use: desks trade from the same address."""
    lag_bound: Duration = 5.0
    """Delay above the venue's rolling minimum beyond which its books are unreadable."""
    ws_origin: Annotated[str, origin("ws", "wss")] | None = None
    """Replaces scheme, host and port of every WebSocket address of the venue."""
    rest_origin: Annotated[str, origin("http", "https")] | None = None
    """Replaces scheme, host and port of every REST address of the venue."""
    api_key_file: FilePath | None = None
    """File whose first line is a read-only API key, for margin tiers the venue shows to nobody else: binance_usdm and binance_coinm."""
    api_secret_file: FilePath | None = None
    """File whose first line is the secret of that key."""


class Settings(Section):
    """Everything. [[levels]] and mqtt.home_assistant come with the features that need them; until then they are unknown keys."""

    instance: InstanceSettings = InstanceSettings()
    http: HttpSettings = HttpSettings()
    mqtt: MqttSettings = MqttSettings()
    state: StateSettings = StateSettings()
    recording: RecordingSettings = RecordingSettings()
    engine: EngineSettings = EngineSettings()
    fx: FxSettings = FxSettings()
    alerts: AlertsSettings = AlertsSettings()
    venues: dict[str, VenueSettings] = Field(default_factory=dict)
