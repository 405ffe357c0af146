"""From a venue's name of a base coin to the coin and the number of coins in one unit."""

from __future__ import annotations

import re
from typing import Final

# 1000PEPE, 10000000AIDOGE; Binance shortens a million to 1M (1MBABYDOGE); Bybit has one behind (SHIB1000).
# 1INCH, 0G and 2Z are names, not multiples.
_BEFORE: Final = re.compile(r"(1000+)(\D.*)")
_MILLION: Final = re.compile(r"1M(\D.{2,})")
_BEHIND: Final = re.compile(r"(\D{3,})(1000)")
_LARGEST: Final = 10**9


def coin_of(base: str) -> tuple[str, int]:
    """The coin and how many of it one unit of `base` holds: ("PEPE", 1000) of 1000PEPE."""
    if (found := _BEFORE.fullmatch(base)) and int(found[1]) <= _LARGEST:
        return found[2], int(found[1])
    if found := _MILLION.fullmatch(base):
        return found[1], 1_000_000
    if found := _BEHIND.fullmatch(base):
        return found[1], int(found[2])
    return base, 1
