"""What an HTTP status says on any venue: retry later, stop, or not the asked thing."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from monitor.errors import FrameError, RetryLater, VenueError, VenueStopped
from monitor.venues.base import RestRequest
from monitor.venues.reading import Reader, shown

SERVER_ERROR_SECONDS: Final = 5.0  # before asking again after a 5xx; the feed's own back-off adds to it
BLOCKED_SECONDS: Final = 600.0  # after a 403 that tells no time: a firewall's block lifts by itself, one question each ten minutes is no storm
LONGEST_WAIT_SECONDS: Final = 7 * 86_400.0  # a larger Retry-After is taken for a mistake and cut


def subject(venue: str, request: RestRequest) -> str:
    """Who asked what, for a message: "okx_swap deep BTC-USDT-SWAP"."""
    return " ".join(part for part in (venue, request.purpose, request.symbol) if part)


def retry_after(headers: Mapping[str, str], default: float) -> float:
    """Seconds of a Retry-After header; `default` when it is absent or a date (there is no clock here)."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit() and len(text) <= 12:
        return min(float(text), LONGEST_WAIT_SECONDS)
    return default


def check_status(
    venue: str,
    request: RestRequest,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    window_seconds: float,
    blocked_seconds: float = BLOCKED_SECONDS,
) -> None:
    """Raises for a status that is an answer by itself; a 2xx or 4xx with a JSON body passes on to the venue's own codes.

    Raises:
        RetryLater: 429 (Retry-After, or the venue's limit window) and 5xx.
        VenueStopped: 403 and 418 (Retry-After, or `blocked_seconds`); 451: for this run.
        FrameError: a body that is not JSON, an HTML page for instance.
    """
    about = subject(venue, request)
    if status == 429:
        seconds = retry_after(headers, window_seconds)
        raise RetryLater(f"{about}: over the request limit (HTTP 429), asking again in {seconds:g} s", seconds)
    if status in (403, 418):
        seconds = retry_after(headers, blocked_seconds)
        word = "banned" if status == 418 else "blocked"
        raise VenueStopped(f"{venue}: this address is {word} (HTTP {status}), no request for {seconds:g} s", seconds)
    if status == 451:
        raise VenueStopped(
            f"{venue}: not served at this location (HTTP 451); remove the venue or move the service", None
        )
    if status >= 500:
        seconds = retry_after(headers, SERVER_ERROR_SECONDS)
        raise RetryLater(f"{about}: HTTP {status}, asking again in {seconds:g} s", seconds)
    if body.lstrip()[:1] not in (b"{", b"["):
        raise FrameError(f"{about}: HTTP {status}, the reply is not JSON: {shown(body)!r}")


@dataclass(frozen=True, slots=True)
class ErrorCodes:
    """How a venue says an error in a JSON body: `code` and `text` are its keys.

    good: matches the head of a body that is what was asked; anything else is read whole. `good_code` None: a body with a code is an error.
    busy: codes that mean "later".
    """

    code: str
    text: str
    good: re.Pattern[bytes]
    good_code: object
    busy: Collection[object]
    busy_seconds: float


def check_reply(
    venue: str,
    request: RestRequest,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    codes: ErrorCodes,
    window_seconds: float,
) -> None:
    """`check_status`, then the venue's own codes.

    Raises:
        RetryLater, VenueStopped, FrameError: as `check_status`; RetryLater also for a busy code.
        VenueError: any other code, naming the request's symbol.
    """
    check_status(venue, request, status, headers, body, window_seconds=window_seconds)
    if status < 300 and codes.good.match(body):
        return
    reply = Reader(venue, request.purpose, request.symbol or "").load(body)
    code, text = (reply.get(codes.code), reply.get(codes.text)) if isinstance(reply, dict) else (None, None)
    if status < 300 and code == codes.good_code:
        return
    said = f"{subject(venue, request)}: HTTP {status}, {shown(f'{code} {text}')}"
    raise RetryLater(said, codes.busy_seconds) if code in codes.busy else VenueError(said)
