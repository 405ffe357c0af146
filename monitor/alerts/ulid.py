"""ULIDs made from event time and content: a replay of the same events gives the same ids."""

from __future__ import annotations

from hashlib import sha256

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford base 32, as the ULID specification asks
LENGTH = 26
_MILLISECOND = 1_000_000
_TIME_LIMIT = 1 << 48  # milliseconds; the year 10889


def ulid(at: int, *content: str) -> str:
    """26 characters: 48 bits of milliseconds of `at` (ns), then 80 bits of SHA-256 over `at` and `content`.

    Sorts by time as every ULID does. The parts are joined with a separator no topic level can hold, so that
    ("a", "bc") and ("ab", "c") differ.
    """
    milliseconds = at // _MILLISECOND
    if not 0 <= milliseconds < _TIME_LIMIT:
        raise ValueError(f"time {at} ns is outside what a ULID holds")
    digest = sha256("\x00".join((str(at), *content)).encode()).digest()
    value = (milliseconds << 80) | int.from_bytes(digest[:10], "big")
    return "".join(ALPHABET[(value >> shift) & 31] for shift in range(5 * (LENGTH - 1), -1, -5))
