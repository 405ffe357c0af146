"""`undertow check`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from monitor.cli.options import AsJson, ConfigFiles, LogFormat, LogLevel

if TYPE_CHECKING:
    from monitor.config import Settings

EXAMPLES = (
    ("undertow check -c configs/default.toml", "Every key with its value, and where it was set"),
    ("undertow check -c base.toml -c desk.toml && systemctl restart undertow", "Before a restart"),
    ("undertow check -c desk.toml --json | jq .markets", "The markets a file comes to"),
)


def check(
    config: ConfigFiles = None, as_json: AsJson = False, log_format: LogFormat = "console", log_level: LogLevel = "info"
) -> None:
    """Validate settings and print what they come to, secrets hidden. Nothing is connected to."""
    from monitor.cli.console import err, line, out, print_json, print_table
    from monitor.config import load
    from monitor.config.text import as_data, as_toml
    from monitor.tiers_file import read_tiers_file

    loaded = load(config or ())
    settings = loaded.settings
    if settings.engine.tiers_file is not None:
        read_tiers_file(settings.engine.tiers_file)
    markets = [(name, symbol) for name, venue in settings.venues.items() for symbol in venue.symbols]
    if as_json:
        print_json(
            {
                "settings": as_data(settings),
                "set_in": {".".join(key): source for key, source in loaded.found.items()},
                "markets": [{"venue": venue, "market": symbol} for venue, symbol in markets],
                "notes": notes(settings),
            }
        )
        return
    console = out()
    console.print(as_toml(settings, loaded.found), soft_wrap=True)
    if markets:
        print_table(("venue", "market"), markets)
    for note in notes(settings):
        line(err(), ("note: ", "yellow"), note)


def notes(settings: Settings) -> list[str]:
    """What is allowed and yet probably not meant: true now, and perhaps not when the service starts."""
    found = []
    if not settings.venues:
        found.append("no venue is configured: `undertow run` needs at least one [venues.NAME] with symbols")
    mqtt = settings.mqtt
    for name in ("password_file", "ca_file", "client_cert", "client_key"):
        path = getattr(mqtt, name)
        if path is not None and not os.access(path, os.R_OK):
            found.append(f"mqtt.{name}: {path} cannot be read now")
    for name, venue in settings.venues.items():
        for key in ("api_key_file", "api_secret_file"):
            path = getattr(venue, key)
            if path is not None and not os.access(path, os.R_OK):
                found.append(f"venues.{name}.{key}: the file cannot be read now")
    return found
