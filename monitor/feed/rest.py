"""Executes the REST queue of one venue over aiohttp: bounded bodies, bounded time, every answer judged before it is believed."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import aiohttp
import structlog

from monitor.clock import SECOND, Clock
from monitor.errors import FrameError, RetryLater, VenueError, VenueStopped
from monitor.feed.options import VenueOptions
from monitor.feed.reasons import HALT_STATUS, Reason
from monitor.feed.rest_budget import RestBudget, identity
from monitor.feed.trail import trail
from monitor.venues.base import RestRequest, Venue, replace_origin

HALT_SECONDS: dict[int, float | None] = {
    403: 900.0,
    418: 900.0,
    451: None,
}  # where neither venue module nor Retry-After says more
JSON_STARTS = b"{["
ERROR_LENGTH = 200
DIGEST = re.compile(r"[0-9A-Fa-f]{32,}")  # a signature, whole or in part
HIDDEN = "***"
_GET: dict[str, Any] = {"method": "GET"}
_JSON = {"content-type": "application/json"}

log = structlog.get_logger("monitor.feed.rest")

Failed = TypeVar("Failed", bound=VenueError | FrameError)
OnReply = Callable[[RestRequest, bytes, str], None]
OnHalt = Callable[[str, int | None], None]  # reason, until


class RestClient:
    """One venue's requests. `submit` answers through `on_reply`; `ask` answers its caller (instruments, addresses of sockets)."""

    def __init__(
        self,
        venue: Venue,
        options: VenueOptions,
        clock: Clock,
        on_reply: OnReply,
        on_halt: OnHalt,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.budget = RestBudget(venue.limits, options.rest_budget_ratio, options.rest_concurrency)
        self._venue = venue
        self._options = options
        self._clock = clock
        self._on_reply = on_reply
        self._on_halt = on_halt
        self._ssl = ssl_context
        self._wake = asyncio.Event()
        self._asked: dict[tuple[str, str, str], asyncio.Future[bytes]] = {}

    def submit(self, request: RestRequest) -> bool:
        """Queues `request`; False when the same one is queued or on the wire."""
        queued = self.budget.submit(request, self._clock.now())
        self._wake.set()
        return queued

    async def ask(self, request: RestRequest) -> bytes:
        """The body of `request`.

        Raises:
            VenueError, FrameError: the request failed in this attempt. While the venue is halted the call waits.
        """
        future = self._asked.get(identity(request))
        if future is None:
            future = self._asked[identity(request)] = asyncio.get_running_loop().create_future()
            self.submit(request)
        return await asyncio.shield(future)

    async def run(self) -> None:
        """Sends what the budget lets go, until cancelled."""
        timeout = aiohttp.ClientTimeout(
            total=self._options.rest_timeout_seconds, connect=self._options.connect_timeout_seconds
        )
        connector = aiohttp.TCPConnector(limit=self._options.rest_concurrency, ssl=self._ssl or True)
        async with (
            aiohttp.ClientSession(
                connector=connector, timeout=timeout, trust_env=False, headers=dict(self._venue.headers)
            ) as http,
            asyncio.TaskGroup() as tasks,
        ):
            while True:
                self._wake.clear()
                now = self._clock.now()
                while (request := self.budget.take(now)) is not None:
                    tasks.create_task(self._perform(http, request), name=f"rest:{self._venue.name}:{request.purpose}")
                await self._sleep(self.budget.wake_at(now), now)

    async def _sleep(self, until: int | None, now: int) -> None:
        try:
            async with asyncio.timeout(None if until is None else max(0.001, (until - now) / SECOND)):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _perform(self, http: aiohttp.ClientSession, request: RestRequest) -> None:
        try:
            body = await self._exchange(http, request)
        except VenueStopped as stopped:
            self._halt(request, stopped)
        except RetryLater as later:
            if self._venue.needs_signature(request):
                later = self._hushed(later)
            if not self.budget.rate_limited(request, self._clock.now(), later.seconds):
                self._answer(request, b"", later)
        except (VenueError, FrameError) as error:
            self.budget.failed(request, self._clock.now())
            if self._venue.needs_signature(request):
                error = self._hushed(error)
                log.warning("signed_request_failed", venue=self._venue.name, market=request.symbol, error=str(error))
            self._answer(request, b"", error)
        except Exception as error:
            # A venue module that trips over an answer costs this answer, not the queue.
            # A rendered traceback would read source files in the loop; of a handed-out address or a signed request not even the words may be told.
            hidden = request.purpose == "address" or self._venue.needs_signature(request)
            where = type(error).__name__ if hidden else trail(error)
            log.error("rest_reply_not_judged", venue=self._venue.name, purpose=request.purpose, error=where)  # noqa: TRY400
            self.budget.failed(request, self._clock.now())
            self._answer(request, b"", FrameError(f"{type(error).__name__} while judging the reply"))
        else:
            self.budget.succeeded(request)
            self._answer(request, body, None)
        self._wake.set()

    def _signed(self, request: RestRequest) -> tuple[str, dict[str, Any]]:
        """Address and arguments of a signed request. They live as long as the exchange; the request itself stays as it was asked."""
        if self._options.credentials is None:
            raise VenueError(f"{request.purpose}: {request.key} takes an API key, and the settings hold none")
        url, headers = self._venue.sign(request, self._options.credentials, self._clock.now())
        return url, {"method": "GET", "headers": dict(headers)}

    def _hushed(self, error: Failed) -> Failed:
        """The same error without what was signed with: an exchange library or a venue may repeat an address or a header."""
        text = str(error)
        if self._options.credentials is not None:
            for secret in (self._options.credentials.key, self._options.credentials.secret):
                text = text.replace(secret, HIDDEN)
        error.args = (DIGEST.sub(HIDDEN, text), *error.args[1:])
        error.__cause__ = None
        return error

    async def _exchange(self, http: aiohttp.ClientSession, request: RestRequest) -> bytes:
        signs = self._venue.needs_signature(request)
        asked = _GET if request.body is None else {"method": "POST", "data": request.body, "headers": _JSON}
        url = request.url
        if signs:
            url, asked = self._signed(request)
        whole, url = url, replace_origin(url, self._options.rest_origin)
        try:
            async with http.request(url=url, allow_redirects=False, proxy=self._options.proxy, **asked) as reply:
                headers = {name.lower(): value for name, value in reply.headers.items()}
                body = await _read(reply, self._options.rest_max_body_bytes)
        except TimeoutError:
            raise VenueError(f"{request.purpose}: no answer within {self._options.rest_timeout_seconds:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise VenueError(f"{request.purpose}: {type(error).__name__}: {error}"[:ERROR_LENGTH]) from error
        self._note_weight(request, headers)
        self._venue.check_reply(request, reply.status, headers, body)
        check_plain(request, reply.status, headers, body)
        if signs and self._repeats(body, whole):
            raise FrameError(f"{request.purpose}: the answer repeats what was signed with; it is not kept")
        return body

    def _repeats(self, body: bytes, url: str) -> bool:
        """Whether a body, which is recorded, holds our key, our secret or the signature."""
        credentials = self._options.credentials
        assert credentials is not None
        told = [credentials.key, credentials.secret, *DIGEST.findall(url)]
        return any(each.encode() in body for each in told)

    def _note_weight(self, request: RestRequest, headers: Mapping[str, str]) -> None:
        name = self._venue.limits.used_weight_header
        text = headers.get(name.lower(), "") if name is not None else ""
        if text.isascii() and text.isdigit() and len(text) < 10:
            self.budget.used_weight(request, self._clock.now(), int(text))

    def _halt(self, request: RestRequest, stopped: VenueStopped) -> None:
        now = self._clock.now()
        was = self.budget.halted(now)
        until = self.budget.halt(request, now, stopped.seconds)
        if not was:
            self._on_halt(halt_reason(stopped), until)

    def _answer(self, request: RestRequest, body: bytes, error: Exception | None) -> None:
        future = self._asked.pop(identity(request), None)
        if future is None:
            self._on_reply(request, body, "" if error is None else str(error)[:ERROR_LENGTH])
        elif future.done():
            return
        elif error is None:
            future.set_result(body)
        else:
            future.set_exception(error)


async def _read(reply: aiohttp.ClientResponse, most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in reply.content.iter_any():
        size += len(part)
        if size > most:
            raise FrameError(f"the answer is larger than {most} bytes")
        parts.append(part)
    return b"".join(parts)


def check_plain(request: RestRequest, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """What holds for every venue, after the venue's own check: statuses that stop or slow us, and JSON where JSON is due.

    Raises:
        VenueStopped: 403, 418, 451. RetryLater: 429. VenueError: any other status but 200. FrameError: not JSON.
    """
    if status in HALT_STATUS:
        stated = retry_after(headers)
        raise VenueStopped(f"HTTP {status}", HALT_SECONDS[status] if stated is None else stated)
    if status == 429:
        raise RetryLater("HTTP 429", retry_after(headers) or 0.0)
    if status != 200:
        raise VenueError(f"{request.purpose}: HTTP {status}")
    head = body[:64].lstrip()
    if not head or head[0] not in JSON_STARTS:
        kind = headers.get("content-type", "unnamed content").split(";")[0][:40]
        raise FrameError(f"{request.purpose}: {kind} instead of JSON")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After header; None when absent or a date (no venue sends dates)."""
    text = headers.get("retry-after", "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 8 else None


def halt_reason(stopped: VenueStopped) -> Reason:
    """The status named in the message, as a member of the closed set."""
    for status, reason in HALT_STATUS.items():
        if f"HTTP {status}" in str(stopped):
            return reason
    return Reason.REFUSED
