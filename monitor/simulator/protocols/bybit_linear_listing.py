"""What Bybit lists of a contract: its row of the instruments, and its risk limits."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.simulator.protocols.frames import FUNDING_HOURS

Tier = tuple[str, str, str, str, str]  # position value, maintenance and initial margin, leverage, deduction

IN_USDT: tuple[Tier, ...] = (
    ("2000000", "0.005", "0.01", "100.00", ""),
    ("2600000", "0.0056", "0.0111", "90.00", "1200"),
    ("3200000", "0.0062", "0.0125", "80.00", "2760"),
)


def risk_limits(symbol: str, tiers: Sequence[Tier]) -> list[dict[str, object]]:
    return [
        {
            "id": number,
            "symbol": symbol,
            "riskLimitValue": limit,
            "maintenanceMargin": maintenance,
            "initialMargin": initial,
            "isLowestRisk": int(number == 1),
            "maxLeverage": leverage,
            "mmDeduction": deduction,
        }
        for number, (limit, maintenance, initial, leverage, deduction) in enumerate(tiers, 1)
    ]


def listed(
    symbol: str, base: str, tick: str, lot: str, quote: str = "USDT", contract: str = "LinearPerpetual"
) -> dict[str, object]:
    return {
        "symbol": symbol,
        "contractType": contract,
        "status": "Trading",
        "baseCoin": base,
        "quoteCoin": quote,
        "settleCoin": base if contract.startswith("Inverse") else quote,
        "launchTime": "1585526400000",
        "deliveryTime": "0",
        "priceScale": "2",
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
        "priceFilter": {"minPrice": tick, "maxPrice": "1999999.80", "tickSize": tick},
        "lotSizeFilter": {"qtyStep": lot, "minOrderQty": lot, "maxOrderQty": "1190", "minNotionalValue": "5"},
        "fundingInterval": FUNDING_HOURS * 60,
        "isPreListing": False,
        "upperFundingRate": "0.005",
        "lowerFundingRate": "-0.005",
    }
