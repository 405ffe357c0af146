"""Between HTTP and the fronts: posted bodies in, replies out."""

from __future__ import annotations

import orjson
from aiohttp import web

from monitor.simulator.source import RestReply


def posted(body: bytes) -> dict[str, str]:
    """The top-level members of a posted JSON object: text as it is, anything else as JSON; {} for any other body."""
    try:
        members = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(members, dict):
        return {}
    return {name: value if isinstance(value, str) else orjson.dumps(value).decode() for name, value in members.items()}


def response(reply: RestReply) -> web.Response:
    headers = {**reply.headers, "Content-Type": reply.content_type}
    return web.Response(status=reply.status, body=reply.body, headers=headers)
