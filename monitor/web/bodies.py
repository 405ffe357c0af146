"""Answers made once and given to all who ask within a moment, and how a body goes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from monitor.metrics.render import compress

BODY_SECONDS = 0.25  # the page asks once a second; a hundred open pages cost as much as four a second
GZIP_FROM = 1_400  # a smaller body fits one packet anyway


@dataclass(slots=True)
class _Body:
    made: float
    plain: bytes
    packed: bytes | None = None


class BodyCache:
    """Bodies by path, each young enough to count as now. Bounded by the number of paths that exist."""

    def __init__(self, seconds: float = BODY_SECONDS) -> None:
        self._seconds = seconds
        self._bodies: dict[str, _Body] = {}

    def respond(self, request: web.Request, now: float, make: Callable[[], bytes]) -> web.Response:
        """The JSON that `make` gives, or what it gave a moment ago. `now`: monotonic seconds."""
        body = self._bodies.get(request.path)
        if body is None or not 0 <= now - body.made < self._seconds:
            body = self._bodies[request.path] = _Body(now, make())
        if len(body.plain) < GZIP_FROM or not accepts_gzip(request):
            return json_response(body.plain)
        if body.packed is None:
            body.packed = compress(body.plain)
        response = json_response(body.packed)
        response.headers["Content-Encoding"] = "gzip"
        return response


def accepts_gzip(request: web.Request) -> bool:
    """Whether the client takes gzip (a coding with q=0 is one it does not take)."""
    for item in request.headers.get("Accept-Encoding", "").lower().split(","):
        coding, *parameters = (part.strip() for part in item.split(";"))
        if coding in {"gzip", "*"}:
            return not any(
                parameter.replace(" ", "") in {"q=0", "q=0.0", "q=0.00", "q=0.000"} for parameter in parameters
            )
    return False


def json_response(body: bytes, status: int = 200) -> web.Response:
    headers = {"Cache-Control": "no-store", "Vary": "Accept-Encoding"}
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)
