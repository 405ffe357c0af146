"""Which of the configured markets a venue lists: pages fetched, symbols resolved, the rest refused by name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from monitor.errors import FrameError
from monitor.facts import Instrument
from monitor.venues.base import RestRequest, Venue

PAGES = 100  # of one listing; the longest known has 6
THREAD_BYTES = 64 << 10  # larger pages are parsed off the loop: a venue's whole listing takes tens of milliseconds


@dataclass(frozen=True, slots=True)
class Listing:
    """`instruments` in the configured order; `refused`: (symbol, reason)."""

    instruments: tuple[Instrument, ...]
    refused: tuple[tuple[str, str], ...]


async def fetch_listing(
    venue: Venue, symbols: Sequence[str], ask: Callable[[RestRequest], Awaitable[bytes]]
) -> Listing:
    """Asks the venue for its instruments, page by page.

    Raises:
        VenueError, FrameError: a page could not be had or read.
    """
    found: dict[str, Instrument] = {}
    for first in venue.instrument_requests(symbols):
        request: RestRequest | None = first
        for _ in range(PAGES):
            if request is None:
                break
            body = await ask(request)
            if len(body) > THREAD_BYTES:
                page, request = await asyncio.to_thread(venue.parse_instruments, request, body)
            else:
                page, request = venue.parse_instruments(request, body)
            for instrument in page:
                found[instrument.symbol] = instrument
        else:
            raise FrameError(f"the instruments of {venue.title} have more than {PAGES} pages")
    wanted = tuple(dict.fromkeys(symbols))
    return Listing(
        instruments=tuple(found[symbol] for symbol in wanted if symbol in found),
        refused=tuple((symbol, f"{venue.title} does not list it") for symbol in wanted if symbol not in found),
    )
