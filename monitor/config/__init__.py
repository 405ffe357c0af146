"""Settings: frozen, typed, total. TOML files in order, then UNDERTOW__ variables; anything unknown is refused by name."""

from __future__ import annotations

from monitor.config.load import ENV_PREFIX, Loaded, load, load_settings
from monitor.config.model import (
    EngineSettings,
    FxSettings,
    HttpSettings,
    InstanceSettings,
    MqttSettings,
    RecordingSettings,
    Settings,
    StateSettings,
    VenueSettings,
)
from monitor.config.values import Duration, parse_duration

__all__ = [
    "ENV_PREFIX",
    "Duration",
    "EngineSettings",
    "FxSettings",
    "HttpSettings",
    "InstanceSettings",
    "Loaded",
    "MqttSettings",
    "RecordingSettings",
    "Settings",
    "StateSettings",
    "VenueSettings",
    "load",
    "load_settings",
    "parse_duration",
]
