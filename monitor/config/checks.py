"""What one type cannot say: symbols by their venue's rule, and keys that only make sense together."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from monitor.alerts.broker import is_loopback
from monitor.config.broker import broker_of
from monitor.config.model import Settings, VenueSettings
from monitor.config.refusal import Found, refuse, source_of
from monitor.config.values import split_listen
from monitor.errors import SettingsError
from monitor.venues.registry import VENUES

_KEY = re.compile(r"[A-Za-z0-9]{40,}")  # keys and secrets have 64 characters and no dot
_ANYWHERE = frozenset({"0.0.0.0", "[::]", "::"})


def check_venues(settings: Settings, found: Found) -> None:
    """Raises SettingsError: a symbol that cannot be one of its venue, or that stands twice."""
    for name, venue in settings.venues.items():
        known = VENUES[name]
        key = ("venues", name, "symbols")
        for symbol in venue.symbols:
            if not re.fullmatch(known.symbol_pattern, symbol):
                refuse(
                    source_of(key, found),
                    f"venues.{name}.symbols: {symbol[:60]!r} is not a symbol of {known.title}"
                    f" (they look like {known.symbol_example})",
                )
        _check_key(name, venue, found)
        twice = next((s for n, s in enumerate(venue.symbols) if s in venue.symbols[:n]), None)
        if twice is not None:
            refuse(source_of(key, found), f"venues.{name}.symbols: {twice!r} stands twice")


def _check_key(name: str, venue: VenueSettings, found: Found) -> None:
    given = [key for key in ("api_key_file", "api_secret_file") if getattr(venue, key) is not None]
    if not given:
        return
    source = source_of(("venues", name, given[0]), found)
    if not VENUES[name].signed_tiers:
        takers = ", ".join(each.name for each in VENUES.values() if each.signed_tiers)
        refuse(
            source,
            f"venues.{name}.{given[0]}: {VENUES[name].title} needs no key for what is read; only {takers} take one",
        )
    for key in given:
        if _KEY.fullmatch(str(getattr(venue, key))):
            refuse(
                source, f"venues.{name}.{key}: this looks like the key itself; write it into a file and name that here"
            )
    if len(given) == 1:
        refuse(source, f"venues.{name}.api_key_file and venues.{name}.api_secret_file are needed together")
    origin = urlsplit(venue.rest_origin or "")
    if origin.scheme == "http" and not is_loopback(origin.hostname or ""):
        refuse(
            source_of(("venues", name, "rest_origin"), found),
            f"venues.{name}.rest_origin: the API key would go in clear to {origin.hostname}; use https://",
        )


def check_together(settings: Settings, found: Found) -> None:
    """Raises SettingsError: broker settings that contradict each other, or two servers on one port."""
    mqtt = settings.mqtt
    if mqtt.url is not None:
        try:
            broker_of(settings)
        except SettingsError as error:
            key = re.split(r"[\s:,]", str(error), maxsplit=1)[0]
            refuse(source_of(key.split("."), found), str(error))
        return
    for name in ("username", "password_file", "ca_file", "client_cert", "client_key"):
        if getattr(mqtt, name) is not None:
            refuse(
                source_of(("mqtt", name), found), f"mqtt.{name} needs mqtt.url: the embedded broker asks for nothing"
            )
    host, port = split_listen(mqtt.embedded_listen)
    if not is_loopback(host.strip("[]")):
        refuse(
            source_of(("mqtt", "embedded_listen"), found),
            f"mqtt.embedded_listen: {mqtt.embedded_listen} is not a loopback address; the embedded broker asks for no"
            " password, set mqtt.url to a broker of your own",
        )
    http_host, http_port = split_listen(settings.http.listen)
    if port == http_port != 0 and (http_host == host or http_host in _ANYWHERE):
        key = ("http", "listen") if ("http", "listen") in found else ("mqtt", "embedded_listen")
        refuse(source_of(key, found), f"http.listen and mqtt.embedded_listen are both {mqtt.embedded_listen}")
