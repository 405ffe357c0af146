"""What OKX lists of a swap: its row of the instruments, and its position tiers."""

from __future__ import annotations

from monitor.simulator.specs import MarketSpec

# Sizes in contracts; a position takes the ratio of its tier.
TIERS = (
    {"tier": "1", "minSz": "0", "maxSz": "5000", "mmr": "0.004", "imr": "0.01", "maxLever": "100"},
    {"tier": "2", "minSz": "5001", "maxSz": "20000", "mmr": "0.005", "imr": "0.0125", "maxLever": "80"},
    {"tier": "3", "minSz": "20001", "maxSz": "60000", "mmr": "0.01", "imr": "0.02", "maxLever": "50"},
)


def listed(
    symbol: str, coin: str, settle: str, tick: str, lot: str, contract: str, kind: str = "linear"
) -> dict[str, str]:
    family = symbol.removesuffix("-SWAP")
    return {
        "instType": "SWAP",
        "instId": symbol,
        "instFamily": family,
        "uly": family,
        "baseCcy": "",
        "quoteCcy": "",
        "settleCcy": settle,
        "ctVal": contract,
        "ctMult": "1",
        # A linear contract is worth base coins, an inverse one quote units.
        "ctValCcy": coin if kind == "linear" else family.rpartition("-")[2],
        "ctType": kind,
        "tickSz": tick,
        "lotSz": lot,
        "minSz": lot,
        "lever": "100",
        "state": "live",
        "ruleType": "normal",
        "listTime": "1573557408000",
        "expTime": "",
    }


def swap(spec: MarketSpec) -> dict[str, str]:
    settle = spec.asset if spec.kind == "inverse" else spec.quote
    return listed(
        spec.symbol,
        spec.coin,
        settle,
        f"{spec.tick_size:f}",
        f"{spec.lot_size:f}",
        f"{spec.contract_size:f}",
        spec.kind,
    )


INVERSE = listed("BTC-USD-SWAP", "BTC", "BTC", "0.1", "1", "100", "inverse")
