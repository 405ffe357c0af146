"""What a quantity the venue states in its own size unit is worth in coins and dollars (cold facts; books use engines.book.worth)."""

from __future__ import annotations

from decimal import Decimal

from monitor.facts import Instrument


def notional_usd(instrument: Instrument, quantity: Decimal, price: Decimal, fx: float) -> float:
    """US dollars; `fx` is USD per quote unit. An inverse contract is worth its face whatever the price (models.md 1.1)."""
    if instrument.contract_type == "inverse":
        return float(quantity * instrument.contract_size) * fx
    return float(quantity * instrument.contract_size * price) * fx


def coins(instrument: Instrument, quantity: Decimal, price: Decimal) -> float:
    """Coins; a unit of 1000PEPE is a thousand of them."""
    if instrument.contract_type == "inverse":
        return float(quantity * instrument.contract_size / price) * instrument.unit_multiplier
    return float(quantity * instrument.contract_size) * instrument.unit_multiplier


def size_of(instrument: Instrument, quantity: Decimal) -> float:
    """A quantity in the unit open interest is counted in: coins; inverse: quote units of the contracts."""
    size = float(quantity * instrument.contract_size)
    return size if instrument.contract_type == "inverse" else size * instrument.unit_multiplier


def price_per_coin(instrument: Instrument, price: float) -> float:
    """The quoted price of one coin."""
    return price / instrument.unit_multiplier
