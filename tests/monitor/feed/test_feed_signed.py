"""Requests that are signed with a key: right on the wire, and nowhere else."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import structlog
from aiohttp import web
from feed_fakes import SmallHub, TinyVenue
from feed_servers import TinyServer, running

from monitor.capture.format import encode
from monitor.clock import SECOND
from monitor.events import Connected, Fetch, RestReplied
from monitor.venues.base import Credentials, RestRequest
from monitor.venues.binance_futures import BRACKETS
from monitor.venues.registry import VENUES

KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
CREDENTIALS = Credentials(KEY, SECRET)
USDM = VENUES["binance_usdm"]
REQUEST = RestRequest("poll", "https://fapi.binance.com/fapi/v1/leverageBracket?symbol=AAA", 1, "AAA", BRACKETS)


class KeyedVenue(TinyVenue):
    """The small venue with Binance's signatures."""

    signed_tiers = True
    needs_signature = staticmethod(USDM.needs_signature)  # type: ignore[assignment]
    sign = staticmethod(USDM.sign)  # type: ignore[assignment]


class KeyedServer(TinyServer):
    """Looks at signatures as the venue does: the digest of all that stands before it, made with the secret."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, Any]] = []
        self.signatures: list[str] = []
        self.reply: Any = None
        self.rest = self._look

    async def _look(self, request: web.Request) -> web.StreamResponse | None:
        query, _, signature = request.query_string.partition("&signature=")
        if not request.path.endswith("leverageBracket"):
            assert "X-MBX-APIKEY" not in request.headers
            return None
        self.seen.append((query, request.headers.get("X-MBX-APIKEY")))
        self.signatures.append(signature)
        if self.reply is not None:
            made: web.StreamResponse = self.reply(request)
            return made
        if signature != hmac.new(SECRET.encode(), query.encode(), hashlib.sha256).hexdigest():
            return web.json_response({"code": -1022, "msg": "Signature for this request is not valid."}, status=400)
        return web.json_response([{"symbol": "AAA"}])


@pytest.fixture
async def server() -> AsyncIterator[KeyedServer]:
    made = KeyedServer()
    await made.open()
    yield made
    await made.close()


async def ask(server: KeyedServer, **options: Any) -> tuple[RestReplied, SmallHub, list[Any]]:
    options.setdefault("credentials", CREDENTIALS)
    with structlog.testing.capture_logs() as logs:
        async with running(server, "AAA", venue=KeyedVenue(), **options) as (hub, runner):
            await hub.until(lambda: hub.of(Connected))
            runner.execute([Fetch("tiny", REQUEST)])
            await hub.until(lambda: hub.of(RestReplied))
    (reply,) = hub.of(RestReplied)
    return reply, hub, list(logs)


def unknown_to(server: KeyedServer, hub: SmallHub, logs: list[Any]) -> None:
    """Neither key, secret nor signature is in what the hub sees, in a recording, or in a log."""
    recorded = b"".join(encode(event)[1] for event in hub.of(RestReplied))
    told = repr(hub.events) + repr(logs) + recorded.decode()
    for secret in (KEY, SECRET, "signature=", *filter(None, server.signatures)):
        assert secret not in told


async def test_a_signed_request_is_signed_on_the_wire_alone(server: KeyedServer) -> None:
    reply, hub, logs = await ask(server)
    assert (reply.error, orjson.loads(reply.body)) == ("", [{"symbol": "AAA"}])
    assert reply.request == REQUEST
    ((query, key),) = server.seen
    assert key == KEY
    fields = dict(part.split("=") for part in query.split("&"))
    assert list(fields) == ["symbol", "recvWindow", "timestamp"]
    assert abs(int(fields["timestamp"]) * 1_000_000 - reply.at) < 60 * SECOND
    assert orjson.loads(encode(reply)[1])["request"]["url"] == REQUEST.url
    unknown_to(server, hub, logs)


async def test_a_refused_key_is_named_in_the_log_without_it(server: KeyedServer) -> None:
    server.reply = lambda request: web.json_response(
        {"code": -2015, "msg": f"Invalid API-key {KEY}, {request.query_string}"}, status=401
    )
    reply, hub, logs = await ask(server)
    assert "HTTP 401" in reply.error
    assert reply.body == b""
    (said,) = [entry for entry in logs if entry["event"] == "signed_request_failed"]
    assert (said["venue"], said["market"], said["error"]) == ("tiny", "AAA", reply.error)
    unknown_to(server, hub, logs)


def test_the_words_of_a_venue_are_kept_and_what_was_signed_with_is_not() -> None:
    from monitor.clock import Clock
    from monitor.errors import RetryLater, VenueError
    from monitor.feed.options import VenueOptions
    from monitor.feed.rest import RestClient

    client = RestClient(
        KeyedVenue(), VenueOptions(("AAA",), credentials=CREDENTIALS), Clock(), lambda *_: None, lambda *_: None
    )
    url, _ = USDM.sign(REQUEST, CREDENTIALS, 1_499_827_319_559_000_000)
    error = client._hushed(VenueError(f"-2015 Invalid API-key {KEY} {SECRET}: {url}"))
    assert str(error).startswith("-2015 Invalid API-key *** ***: https://fapi.binance.com/")
    assert str(error).endswith("&recvWindow=10000&timestamp=1499827319559&signature=***")
    later = client._hushed(RetryLater(f"busy {KEY}", 7.0))
    assert (str(later), later.seconds) == ("busy ***", 7.0)


async def test_an_answer_that_repeats_the_key_is_not_kept(server: KeyedServer) -> None:
    for told in (lambda request: KEY, lambda request: SECRET, lambda request: request.query["signature"]):
        server.reply = lambda request, told=told: web.json_response([{"you sent": told(request)}])
        reply, hub, logs = await ask(server)
        assert "repeats what was signed with" in reply.error
        assert reply.body == b""
        unknown_to(server, hub, logs)


async def test_a_lost_connection_does_not_tell_the_address(server: KeyedServer) -> None:
    def cut(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    server.reply = cut
    reply, hub, logs = await ask(server)
    assert reply.error
    unknown_to(server, hub, logs)


async def test_without_a_key_nothing_is_sent(server: KeyedServer) -> None:
    reply, _, _ = await ask(server, credentials=None)
    assert "takes an API key" in reply.error
    assert server.seen == []


async def test_a_redirect_takes_the_key_nowhere(server: KeyedServer) -> None:
    server.reply = lambda request: web.Response(
        status=302, headers={"Location": f"{server.rest_origin}/leverageBracket"}
    )
    reply, hub, logs = await ask(server)
    assert "302" in reply.error
    assert len(server.seen) == 1
    unknown_to(server, hub, logs)


def test_the_signature_is_that_of_the_venues_own_example() -> None:
    """The digest published with the venue's sample key, of the same text made with the standard tool."""
    text = (
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
    )
    published = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
    assert hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest() == published
    # Ours over our own text, by the same rule.
    url, headers = USDM.sign(REQUEST, CREDENTIALS, 1_499_827_319_559_000_000)
    path, _, query = url.partition("?")
    signed, _, signature = query.partition("&signature=")
    assert path == "https://fapi.binance.com/fapi/v1/leverageBracket"
    assert signed == "symbol=AAA&recvWindow=10000&timestamp=1499827319559"
    assert signature == hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).hexdigest()
    assert headers == {"X-MBX-APIKEY": KEY}


@pytest.mark.parametrize("name", [name for name, venue in VENUES.items() if not venue.signed_tiers])
def test_other_venues_sign_nothing(name: str) -> None:
    assert not VENUES[name].needs_signature(REQUEST)
