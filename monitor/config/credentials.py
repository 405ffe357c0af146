"""API keys out of their files."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from monitor.config.model import VenueSettings
from monitor.errors import SettingsError
from monitor.venues.base import Credentials

MAX_BYTES: Final = 4096  # a key has 64 characters


def read_credentials(name: str, venue: VenueSettings) -> Credentials | None:
    """Key and secret of a venue's settings; None where they name no files.

    Raises:
        SettingsError: a file that cannot be read, or whose first line is no key. What stands in it is never repeated.
    """
    if venue.api_key_file is None or venue.api_secret_file is None:
        return None
    return Credentials(
        _first_line(f"venues.{name}.api_key_file", venue.api_key_file),
        _first_line(f"venues.{name}.api_secret_file", venue.api_secret_file),
    )


def _first_line(key: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            lines = file.read(MAX_BYTES).splitlines()
    except OSError as error:
        raise SettingsError(f"{key}: the file cannot be read: {error.strerror}") from None
    found = lines[0].strip() if lines else b""
    # It goes into a header: nothing but visible ASCII.
    if not found or not all(0x21 <= byte < 0x7F for byte in found):
        raise SettingsError(f"{key}: the first line of the file is no key")
    return found.decode("ascii")
