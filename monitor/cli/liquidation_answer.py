"""What `undertow liquidation-price` works out and prints."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from monitor.cli.console import line, out, print_json, print_table
from monitor.cli.live_tiers import LiveTiers, live_tiers
from monitor.cli.names import need_known
from monitor.errors import SettingsError
from monitor.facts import Instrument, MarginTiers
from monitor.liquidation_price import Found, Holding, contract_type, liquidation_price
from monitor.tiers import known_tiers
from monitor.tiers_file import nearest, read_tiers_file
from monitor.venues.base import Venue
from monitor.venues.registry import VENUES

POSITIVE: Final = {"quantity": "--quantity", "entry": "--entry", "leverage": "--leverage", "mark": "--mark"}
FINITE: Final = {"wallet": "--wallet", "other_pnl": "--other-pnl"}
NOT_NEGATIVE: Final = {"other_maintenance": "--other-maintenance", "fee": "--fee"}


@dataclass(frozen=True, slots=True)
class Asked:
    """The command's arguments."""

    venue: str
    symbol: str
    holding: Holding
    tiers: Path | None
    url: str | None
    contract_size: float | None


def answer(asked: Asked, *, as_json: bool) -> None:
    """Raises SettingsError for what makes no sense, UndertowError where a service does not answer."""
    need_known("--venue", asked.venue, [name for name, venue in VENUES.items() if venue.contract_types != ("spot",)])
    venue = VENUES[asked.venue]
    _check(asked, venue)
    live = None if asked.url is None else live_tiers(asked.url, venue.name, asked.symbol)
    instrument = _instrument(asked, venue, live)
    tiers = _tiers(asked, venue, instrument, live)
    holding = asked.holding
    if holding.mark is None and live is not None:
        holding = replace(holding, mark=live.mark)
    found = liquidation_price(venue, instrument, tiers, holding)
    if (
        live is not None
        and tiers is live.tiers
        and live.source != found.source
        and not found.source.startswith("assumed (")
    ):
        found = replace(found, source=live.source)
    if as_json:
        print_json(_json(asked, instrument, holding, found, live))
    else:
        _print(asked, instrument, holding, found, live)


def _check(asked: Asked, venue: Venue) -> None:
    if not re.fullmatch(venue.symbol_pattern, asked.symbol):
        raise SettingsError(
            f"--symbol: {asked.symbol[:60]!r} is not a symbol of {venue.title} (they look like {venue.symbol_example})"
        )
    holding = asked.holding
    for names, good, wanted in (
        (POSITIVE, lambda x: 0 < x < math.inf, "a number above 0"),
        (NOT_NEGATIVE, lambda x: 0 <= x < math.inf, "a number that is not negative"),
        (FINITE, math.isfinite, "a number"),
    ):
        for name, option in names.items():
            value = getattr(holding, name)
            if value is not None and not good(value):
                raise SettingsError(f"{option}: {wanted} is needed, not {value:g}")
    if (holding.leverage is None) == (holding.wallet is None):
        both = "not both" if holding.leverage is not None else "one of them is needed"
        raise SettingsError(
            f"--leverage (isolated) or --wallet (isolated margin, or balance of a cross account): {both}"
        )
    if holding.leverage is not None and (holding.other_maintenance or holding.other_pnl):
        raise SettingsError("--other-maintenance, --other-pnl: an isolated position knows no others; give --wallet")
    if holding.leverage is not None and holding.leverage < 1:
        raise SettingsError(f"--leverage: at least 1 is needed, not {holding.leverage:g}")
    if holding.fee is not None and holding.fee >= 0.1:
        raise SettingsError(f"--fee: a fraction below 0.1 is needed (0.05% is 0.0005), not {holding.fee:g}")
    if asked.tiers is not None and asked.url is not None:
        raise SettingsError("--tiers, --url: margin tiers come from one of them, not both")
    if asked.contract_size is not None and not 0 < asked.contract_size < math.inf:
        raise SettingsError(f"--contract-size: a number above 0 is needed, not {asked.contract_size:g}")


def _instrument(asked: Asked, venue: Venue, live: LiveTiers | None) -> Instrument:
    """As much of the listing as the formulas read."""
    size = None if asked.contract_size is None else Decimal(str(asked.contract_size))
    if size is None:
        size = live.contract_size if live is not None else venue.unlisted_contract_size(asked.symbol)
    return Instrument(
        venue=venue.name,
        symbol=asked.symbol,
        asset=asked.symbol,
        quote="" if live is None else live.quote,
        settle="",
        contract_type=contract_type(venue, asked.symbol),
        tick_size=Decimal(1),
        lot_size=Decimal(1),
        contract_size=size if size is not None else Decimal("NaN"),
    )


def _tiers(asked: Asked, venue: Venue, instrument: Instrument, live: LiveTiers | None) -> MarginTiers:
    from_file = {} if asked.tiers is None else read_tiers_file(asked.tiers)
    if asked.tiers is not None and (venue.name, asked.symbol) not in from_file:
        here = [symbol for name, symbol in from_file if name == venue.name]
        hint = nearest(asked.symbol, here) if here else f"; it has none of {venue.name}"
        raise SettingsError(f"--tiers: {asked.tiers} has no {venue.name}:{asked.symbol}{hint}")
    tiers = live.tiers if live is not None else known_tiers(venue, instrument, from_file)
    assert tiers is not None
    if tiers.unit == "contracts" and instrument.contract_size.is_nan():
        raise SettingsError(
            f"--contract-size: the tiers of {asked.symbol} count contracts, and nothing here says how large one is"
        )
    return tiers


def _json(
    asked: Asked, instrument: Instrument, holding: Holding, found: Found, live: LiveTiers | None
) -> dict[str, Any]:
    bracket = found.bracket
    return {
        "venue": asked.venue,
        "market": asked.symbol,
        "contract_type": instrument.contract_type,
        "side": holding.position,
        "entry_price": holding.entry,
        "quantity": holding.quantity,
        "quantity_unit": _quantity_unit(instrument),
        "margin": found.margin,
        "margin_unit": found.margin_unit,
        "mark_price": holding.mark,
        "liquidation_price": found.price,
        "reason": found.reason or None,
        "bankruptcy_price": found.bankruptcy_price,
        "distance_ratio": found.distance,
        "distance_from": found.distance_from,
        "bracket": bracket
        and {
            "number": bracket.number,
            "of": bracket.of,
            "floor": bracket.floor,
            "cap": bracket.cap,
            "unit": bracket.unit,
            "maintenance_ratio": bracket.rate,
            "deduction": bracket.deduction,
        },
        "whole": found.whole,
        "tiers_source": found.source,
        "tiers_at": None if live is None else live.at,
        "taker_fee": found.fee,
        "rule": found.rule,
        "notes": list(found.notes),
    }


def _print(asked: Asked, instrument: Instrument, holding: Holding, found: Found, live: LiveTiers | None) -> None:
    bracket = found.bracket
    rows = [
        ("position", f"{holding.position} {_figure(holding.quantity)} {_quantity_unit(instrument)} of {asked.venue}:{asked.symbol} at {_figure(holding.entry)}"),
        ("margin", f"{_figure(found.margin)} {found.margin_unit}"),
        ("liquidation price", _figure(found.price) if found.price is not None else f"none: {found.reason}"),
    ]  # fmt: skip
    if found.distance is not None:
        rows.append(("distance", f"{found.distance:+.3%} from the {found.distance_from}"))
    if found.bankruptcy_price is not None:
        rows.append(("bankruptcy price", _figure(found.bankruptcy_price)))
    if bracket is not None:
        cap = "no end" if bracket.cap is None else _figure(bracket.cap)
        rows.append(("bracket", f"{bracket.number} of {bracket.of}: {_figure(bracket.floor)} to {cap} {bracket.unit}"))
        less = f", less {_figure(bracket.deduction)}" if bracket.deduction else ""
        share = "of the whole position" if found.whole else "marginal"
        rows.append(("maintenance", f"{bracket.rate:.4%}{less} ({share})"))
    rows += [
        ("tiers", found.source if live is None else f"{found.source}, by the service at {live.at}"),
        ("taker fee inside", f"{found.fee:.4%}" if found.fee else "no"),
        ("rule", found.rule),
    ]
    print_table(("", ""), rows)
    console = out()
    for note in found.notes:
        line(console, ("note: ", "yellow"), note)


def _quantity_unit(instrument: Instrument) -> str:
    return "US dollars of contracts" if instrument.contract_type == "inverse" else "base coins"


def _figure(value: float) -> str:
    """Ten significant digits, thousands apart, no exponent."""
    decimals = max(0, 9 - math.floor(math.log10(abs(value)))) if value else 0
    text = f"{value:,.{min(decimals, 12)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
