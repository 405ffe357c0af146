"""What commands ask of the settings beyond what every settings file must hold."""

from __future__ import annotations

from monitor.config import Settings
from monitor.errors import SettingsError
from monitor.venues.registry import VENUES


def need_venues(settings: Settings) -> None:
    """Raises SettingsError: no venue, so there is nothing to watch."""
    if not settings.venues:
        raise SettingsError(
            "no venue is configured: give -c configs/default.toml, or a section [venues.NAME] with symbols"
            f" (names: {', '.join(VENUES)})"
        )
