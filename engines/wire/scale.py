"""The grid of one market: how decimal text becomes integer ticks and lots, and what those are worth."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Grid:
    """One decimal axis: a value is `units * multiple * 10**-decimals`.

    A tick size of 0.5 is Grid(decimals=1, multiple=5); a lot of 0.001 is Grid(3, 1); a tick of 10 is Grid(0, 10).
    """

    decimals: int
    multiple: int

    @classmethod
    def from_step(cls, step: str | Decimal) -> Grid:
        """The grid whose unit is `step`.

        Raises:
            ValueError: the step is not a positive finite decimal, or needs more than 18 digits.
        """
        value = Decimal(step)
        if not value.is_finite() or value <= 0:
            raise ValueError(f"a grid step must be a positive decimal, got {step!r}")
        _, digits, exponent = value.normalize().as_tuple()
        number = int("".join(map(str, digits)))
        assert isinstance(exponent, int)
        if exponent > 0:
            number *= 10**exponent
            exponent = 0
        if number >= 10**18 or -exponent > 18:
            raise ValueError(f"a grid step needs at most 18 digits, got {step!r}")
        return cls(decimals=-exponent, multiple=number)

    @property
    def step(self) -> Decimal:
        return Decimal(self.multiple).scaleb(-self.decimals)

    def to_decimal(self, units: int) -> Decimal:
        return Decimal(units * self.multiple).scaleb(-self.decimals)

    @property
    def unit_lossy(self) -> float:
        """The unit as a float: for figures on the way out only."""
        return float(self.multiple / 10**self.decimals)


@dataclass(frozen=True, slots=True)
class Scale:
    """Price and size grids of one market."""

    price: Grid
    size: Grid
