"""One value that is no default for every key: as TOML, as a variable, and as Python sees it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from monitor.config import Settings

# key -> (TOML, variable, value)
VALUES: dict[str, tuple[str, str, object]] = {
    "instance.name": ('"desk-7"', "desk-7", "desk-7"),
    "http.listen": ('"0.0.0.0:9000"', "0.0.0.0:9000", "0.0.0.0:9000"),
    "mqtt.url": ('"mqtts://broker.example:8883"', "mqtts://broker.example:8883", "mqtts://broker.example:8883"),
    "mqtt.embedded_listen": ('"127.0.0.1:1884"', "127.0.0.1:1884", "127.0.0.1:1884"),
    "mqtt.username": ('"007"', "007", "007"),
    "mqtt.password_file": ('"/run/secrets/mqtt"', "/run/secrets/mqtt", Path("/run/secrets/mqtt")),
    "mqtt.ca_file": ('"ca.pem"', "ca.pem", Path("ca.pem")),
    "mqtt.client_cert": ('"client.pem"', "client.pem", Path("client.pem")),
    "mqtt.client_key": ('"client.key"', "client.key", Path("client.key")),
    "mqtt.allow_plaintext": ("true", "true", True),
    "mqtt.topic_prefix": ('"desk/undertow"', "desk/undertow", "desk/undertow"),
    "state.path": ('"/var/lib/undertow/1"', "/var/lib/undertow/1", Path("/var/lib/undertow/1")),
    "recording.enabled": ("true", "true", True),
    "recording.directory": ('"2026"', "2026", Path("2026")),
    "recording.max_total_gib": ("5", "5", 5.0),
    "engine.bands": ('["1%", "0.30%"]', "1%, 0.30%", ("1%", "0.3%")),
    "engine.slippage_usd": ("[5000, 20_000]", "5000, 20000", (5_000, 20_000)),
    "engine.floor_settle": ('"0s"', "0s", 0.0),
    "engine.baseline_warmup": ('"1.5h"', "1.5h", 5_400.0),
    "engine.max_series": ("500", "500", 500),
    "engine.tiers_file": ('"tiers.toml"', "tiers.toml", Path("tiers.toml")),
    "fx.usdt": ("0.998", "0.998", 0.998),
    "fx.usdc": ("1", "1", 1.0),
    "fx.eur": ("1.08", "1.08", 1.08),
    "venues.binance_usdm.symbols": ('["BTCUSDT", "ETHUSDT"]', "BTCUSDT,ETHUSDT", ("BTCUSDT", "ETHUSDT")),
    "venues.binance_usdm.rest_budget_ratio": ("0.5", "0.5", 0.5),
    "venues.binance_usdm.lag_bound": ('"500ms"', "500ms", 0.5),
    "venues.binance_usdm.ws_origin": ('"ws://127.0.0.1:1"', "ws://127.0.0.1:1", "ws://127.0.0.1:1"),
    "venues.binance_usdm.rest_origin": ('"https://proxy.example/"', "https://proxy.example/", "https://proxy.example"),
    "venues.binance_usdm.api_key_file": ('"/run/secrets/key"', "/run/secrets/key", Path("/run/secrets/key")),
    "venues.binance_usdm.api_secret_file": ('"/run/secrets/secret"', "/run/secrets/secret", Path("/run/secrets/secret")),
}  # fmt: skip

# What else must stand there for the key to be allowed.
COMPANIONS = (
    {
        "mqtt.username": {"mqtt.url"},
        "mqtt.password_file": {"mqtt.url", "mqtt.username"},
        "mqtt.ca_file": {"mqtt.url"},
        "mqtt.client_cert": {"mqtt.url", "mqtt.client_key"},
        "mqtt.client_key": {"mqtt.url", "mqtt.client_cert"},
    }
    | {
        f"venues.binance_usdm.{key}": {"venues.binance_usdm.symbols"}
        for key in ("rest_budget_ratio", "lag_bound", "ws_origin", "rest_origin")
    }
    | {
        f"venues.binance_usdm.{key}": {
            f"venues.binance_usdm.{k}" for k in ("symbols", "api_key_file", "api_secret_file")
        }
        for key in ("api_key_file", "api_secret_file")
    }
)


def keys(model: type[BaseModel] = Settings, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key there is; of the venues, those of binance_usdm."""
    for name, field in model.model_fields.items():
        inner: Any = field.annotation
        if get_origin(inner) is dict:
            yield from keys(get_args(inner)[1], (*path, name, "binance_usdm"))
        elif isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from keys(inner, (*path, name))
        else:
            yield (*path, name)


def toml(settings: dict[str, str]) -> str:
    """Dotted keys with TOML values as a file."""
    return "\n".join(f"{key} = {value}" for key, value in settings.items())


def variable(key: str) -> str:
    return "UNDERTOW__" + key.upper().replace(".", "__")


def value_of(settings: Settings, key: str) -> object:
    value: Any = settings
    for part in key.split("."):
        value = value[part] if isinstance(value, dict) else getattr(value, part)
    return value
