"""Kraken spot's listing and states: pairs, the trading engine, what is announced. What the fields mean is in `kraken_spot`."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from monitor import facts
from monitor.facts import Fact, Instrument
from monitor.venues.naming import coin_of
from monitor.venues.reading import Reader, Record, dumps, given, shown

MOST_DECIMALS: Final = 18  # of a grid; the finest pair listed has 10
SPELLED: Final = {"XBT": "BTC", "XDG": "DOGE"}  # the listing's names of v2's coins
# Coins that Kraken still calls by the name they had before a new coin took it (ccxt 13581, Kujira's oracle-price-feeder 19).
COINS: Final = {"LUNA": "LUNC", "LUNA2": "LUNA", "UST": "USTC", "REP": "REPV1", "REPV2": "REP"}
MATCHING: Final = ("online", "limit_only", "reduce_only")  # states in which orders meet
PAST: Final = 1  # the end of what is over; a status message tells no time
NOTICE_KEPT: Final = 180_000_000_000  # ns; an announcement counts until two polls in a row have failed


def instrument(reader: Reader, row: Record) -> Instrument:
    pair = reader.text(row, "wsname")
    reader = Reader(reader.venue, reader.channel, pair)
    base_coin, quote = (SPELLED.get(name, name) for name in pair.partition("/")[::2])
    if not base_coin or not quote:
        raise reader.refused("wsname is not a pair")
    asset, multiplier = coin_of(COINS.get(base_coin, base_coin))
    status = reader.text(row, "status")
    return Instrument(
        venue=reader.venue,
        symbol=f"{base_coin}/{quote}",
        asset=asset,
        quote=quote,
        settle=quote,
        contract_type="spot",
        # Not `tick_size`: the checksum is over the digits as sent, and those are `pair_decimals`, however coarse the tick.
        tick_size=_step(reader, row, "pair_decimals"),
        lot_size=_step(reader, row, "lot_decimals"),
        unit_multiplier=multiplier,
        trading=status in MATCHING,
        status=status,
    )


def _step(reader: Reader, row: Record, key: str) -> Decimal:
    decimals = reader.integer(row, key)
    if not 0 <= decimals <= MOST_DECIMALS:
        raise reader.refused(f"{key} is no number of decimals: {decimals}")
    return Decimal(1).scaleb(-decimals)


def pair(reader: Reader, row: Record) -> Fact:
    status = reader.text(row, "status")
    return facts.InstrumentChanged(reader.text(row, "symbol"), status in MATCHING, status, 0)


def engine(state: str, at: int = 0) -> Fact:
    """The state of the trading engine. It stands until the next one takes its place; only `online` matches orders."""
    ends = PAST if state == "online" else None
    text = shown(f"Kraken spot is {state}")
    return facts.VenueNotice(text, ends is None, None, ends, at, key="trading engine", halts=state not in MATCHING)


def system(reader: Reader, result: Record) -> list[Fact]:
    """The engine's state, what is announced or out of order. The lists are absent where there is nothing to say."""
    at = reader.moment(result, "timestamp")
    found = [engine(reader.text(result, "status"), at)]
    for kind in ("upcoming_maintenance", "emergency"):
        for said in reader.rows(result, kind) if given(result, kind) else []:
            text = shown(f"Kraken {kind.replace('_', ' ')}: {dumps(said)}")
            found.append(facts.VenueNotice(text, kind == "emergency", None, at + NOTICE_KEPT, at))
    return found
