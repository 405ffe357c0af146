"""What a quote currency is worth in US dollars, and how we know."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.views import FxView

ASSUMED = "assumed"
CONFIGURED = "settings"
# Dollar stablecoins are taken at par until a fiat venue quotes them; anything else is unknown until then.
AT_PAR = ("USDT", "USDC")


class FxRates:
    """USD per unit of a quote currency. USD is 1; a currency nobody told us about is unknown (None), not 1."""

    def __init__(self, fixed: Mapping[str, float]) -> None:
        self._rates: dict[str, tuple[float, str]] = dict.fromkeys(AT_PAR, (1.0, ASSUMED))
        self._rates |= {currency.upper(): (rate, CONFIGURED) for currency, rate in fixed.items()}
        self._used: set[str] = set()

    def rate(self, currency: str) -> float | None:
        if currency == "USD":
            return 1.0
        self._used.add(currency)
        known = self._rates.get(currency)
        return known[0] if known else None

    def views(self) -> tuple[FxView, ...]:
        """The currencies somebody asked for and that are known."""
        return tuple(
            FxView(currency=c, rate_usd=self._rates[c][0], source=self._rates[c][1])
            for c in sorted(self._used)
            if c in self._rates
        )
