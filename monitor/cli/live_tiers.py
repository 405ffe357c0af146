"""Margin tiers of one market as a running service has them."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from http.client import HTTPException
from typing import Any, Final
from urllib.parse import urlsplit

from monitor.errors import SettingsError, UndertowError
from monitor.facts import MarginTier, MarginTiers

SECONDS: Final = 5.0
MAX_BYTES: Final = 64 << 20
PATH: Final = "/api/v1/markets"


@dataclass(frozen=True, slots=True)
class LiveTiers:
    """source: as the service says it. mark: as the venue quotes it; None: not known."""

    tiers: MarginTiers
    source: str
    at: str
    contract_size: Decimal
    quote: str
    mark: float | None


def live_tiers(url: str, venue: str, symbol: str) -> LiveTiers:
    """Ask a service.

    Raises:
        SettingsError: no such address, or the service has no such market. UndertowError: it does not answer, or not with tiers.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(f"--url: an address such as http://127.0.0.1:9464 is needed, not {url[:60]!r}")
    markets = _asked(url.rstrip("/") + PATH)
    named = {f"{row.get('venue')}:{row.get('market')}": row for row in markets if isinstance(row, dict)}
    row = named.get(f"{venue}:{symbol}")
    if row is None:
        close = get_close_matches(f"{venue}:{symbol}", named, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(sorted(named)) or 'none'}"
        raise SettingsError(f"--symbol: the service at {url} watches no {venue}:{symbol}; {hint}")
    if row.get("margin_tiers") is None:
        raise UndertowError(f"{url}: the service knows no margin tiers of {venue}:{symbol}")
    try:
        return _read(row, symbol)
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise UndertowError(f"{url}: its margin tiers of {venue}:{symbol} cannot be read: {error!r}") from None


def _asked(address: str) -> list[Any]:
    # Straight to the service, whatever proxy the environment names: it is on this machine or in this network.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=SECONDS) as reply:
            found = json.loads(reply.read(MAX_BYTES), parse_float=Decimal)["markets"]
    except OSError as error:
        raise UndertowError(f"{address}: {getattr(error, 'reason', None) or error}") from None
    except (HTTPException, ValueError, KeyError, TypeError, RecursionError):
        raise UndertowError(f"{address}: the answer is not that of a service of ours") from None
    if not isinstance(found, list):
        raise UndertowError(f"{address}: the answer is not that of a service of ours")
    return found


def _read(row: dict[str, Any], symbol: str) -> LiveTiers:
    told = row["margin_tiers"]
    if told["unit"] not in ("quote", "base", "contracts"):
        raise ValueError(f"unit {told['unit']!r}")
    tiers = tuple(
        MarginTier(
            floor=Decimal(tier["floor"]),
            cap=_number(tier["cap"]),
            maintenance_ratio=Decimal(tier["maintenance_ratio"]),
            max_leverage=_number(tier["max_leverage"]),
            deduction=_number(tier["deduction"]),
        )
        for tier in told["tiers"]
    )
    source = str(told["source"])
    _, _, day = source.partition("documented ")
    mark, multiplier = row.get("mark_price"), int(row.get("unit_multiplier", 1))
    return LiveTiers(
        tiers=MarginTiers(
            symbol,
            tiers,
            told["unit"],
            bool(told["whole"]),
            0,
            documented=date.fromisoformat(day) if day else None,
            assumed=source == "assumed",
        ),
        source=source,
        at=str(row.get("at", "")),
        contract_size=Decimal(row.get("contract_size", 1)),
        quote=str(row.get("quote", "")),
        mark=None if mark is None else float(mark) * multiplier,
    )


def _number(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)
