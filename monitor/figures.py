"""What a venue says of one market besides its book and trades: mark, index, funding, open interest, who is long.

Each as long as it stands confirmed."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, TypeVar

from monitor.clock import SECOND
from monitor.facts import Funding, IndexPrice, Instrument, LongShortRatio, MarkPrice, OpenInterest
from monitor.money import notional_usd, price_per_coin, size_of

EIGHT_HOURS: Final = 28_800
# Mark price and funding of a ticker that says nothing any more; the slowest speaks every 10 s.
FACTS_KEPT: Final = 60 * SECOND

Figure = MarkPrice | IndexPrice | Funding | OpenInterest | LongShortRatio
_F = TypeVar("_F", bound=Figure)


class Figures:
    """Mutable; its market alone writes it.

    A figure of a stream stands as long as any frame of the market's tickers comes, because a ticker says only what changed;
    one asked for over REST stands for the time it was given.
    """

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.funding_interval = instrument.funding_interval_seconds
        self._ticker_at: int | None = None
        self._held: dict[type[object], tuple[Figure, int | None]] = {}  # with its end; None: while the ticker speaks

    def relist(self, instrument: Instrument) -> None:
        self.instrument = instrument
        if instrument.funding_interval_seconds is not None:
            self.funding_interval = instrument.funding_interval_seconds

    def heard(self, at: int) -> None:
        """A frame of one of the market's tickers came."""
        self._ticker_at = at

    def take(self, fact: Figure, until: int | None) -> None:
        """A figure. `until`: of one that was asked for, when it is too old; None: the ticker confirms it."""
        if isinstance(fact, Funding) and fact.interval_seconds is not None:
            self.funding_interval = fact.interval_seconds
        self._held[type(fact)] = fact, until

    def forget_old(self, at: int) -> None:
        """What nobody confirms any more is unknown, not as it was."""
        mute = self._ticker_at is not None and at - self._ticker_at > FACTS_KEPT
        if mute:
            self._ticker_at = None
        for kind, (_, until) in list(self._held.items()):
            if mute if until is None else at > until:
                del self._held[kind]

    @property
    def mark(self) -> float | None:
        """Quote currency per coin."""
        return self._price(MarkPrice)

    @property
    def mark_as_told(self) -> Decimal | None:
        """In the venue's own unit."""
        fact = self._fact(MarkPrice)
        return None if fact is None else fact.price

    @property
    def index(self) -> float | None:
        return self._price(IndexPrice)

    def _price(self, kind: type[MarkPrice | IndexPrice]) -> float | None:
        fact = self._fact(kind)
        return None if fact is None else price_per_coin(self.instrument, float(fact.price))

    def _fact(self, kind: type[_F]) -> _F | None:
        held = self._held.get(kind)
        return held[0] if held is not None and isinstance(held[0], kind) else None

    def open_interest_usd(self, mid: float | None, fx: float | None) -> float | None:
        """Contracts are valued at the mark, or at the mid (quote currency per coin) where there is none."""
        interest = self._fact(OpenInterest)
        if interest is None or fx is None:
            return None
        if interest.value_quote is not None:
            return float(interest.value_quote) * fx
        price = self.mark if self.mark is not None else mid
        if interest.quantity is None or price is None:
            return None
        per_unit = Decimal(repr(price * self.instrument.unit_multiplier))
        return notional_usd(self.instrument, interest.quantity, per_unit, fx)

    def open_interest(self) -> float | None:
        """Coins; inverse: quote units of the contracts."""
        interest = self._fact(OpenInterest)
        if interest is None:
            return None
        if interest.quantity is not None:
            return size_of(self.instrument, interest.quantity)
        if interest.value_quote is None:
            return None
        if self.instrument.contract_type == "inverse":
            return float(interest.value_quote)
        return float(interest.value_quote) / self.mark if self.mark else None

    @property
    def long_short_ratio(self) -> float | None:
        """Accounts that are net long per account that is net short (models.md 3.4)."""
        fact = self._fact(LongShortRatio)
        return None if fact is None else float(fact.ratio)

    def funding_8h(self) -> float | None:
        funding = self._fact(Funding)
        if funding is None or not self.funding_interval:
            return None
        return float(funding.rate) * EIGHT_HOURS / self.funding_interval
