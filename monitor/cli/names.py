"""Names a user may misspell."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from monitor.errors import SettingsError


def need_known(what: str, name: str, known: Iterable[str]) -> None:
    """Raises SettingsError: `name` is none of `known`; the nearest is named."""
    names = list(known)
    if name in names:
        return
    close = get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}"
    raise SettingsError(f"{what}: unknown name {name[:60]!r}; {hint}")
