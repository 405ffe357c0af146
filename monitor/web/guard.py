"""What every answer carries and how failures are said: security headers, JSON errors, one log line per change of state."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from monitor.web.bodies import json_response
from monitor.web.payload import encode

SECURITY_HEADERS = {
    # Nothing inline, nothing from elsewhere: text of a venue that slipped through as markup still could not run.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def error(status: int, message: str, **further: object) -> web.Response:
    """An error as JSON: what is wrong, in one line, and what helps."""
    return json_response(encode({"error": message, **further}), status)


class Guard:
    """The outermost middleware."""

    def __init__(self) -> None:
        self._failing: set[str] = set()  # bounded by the number of routes
        self._log = structlog.get_logger("monitor.web")

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await self._answer(request, handler)
        response.headers.update(SECURITY_HEADERS)
        return response

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else ""
        try:
            response = await handler(request)
        except web.HTTPMethodNotAllowed as refused:
            answer = error(405, "only GET and HEAD are answered here")
            answer.headers["Allow"] = refused.headers["Allow"]
            return answer
        except web.HTTPNotFound:
            return error(404, "there is no such page", pages=["/", "/metrics", "/livez", "/readyz", "/api/v1/markets"])
        except web.HTTPException as refused:
            return error(refused.status, refused.reason)
        except Exception:
            if route not in self._failing:
                self._failing.add(route)
                self._log.exception("a request failed; further failures of this address are not logged", address=route)
            return error(500, "the service failed to answer; its log has the reason")
        self._failing.discard(route)
        return response
