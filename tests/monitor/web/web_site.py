"""What the tests of the web folder share: a server over a view that can be changed, a Prometheus and its query API."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from monitor.metrics.process import ProcessMetrics
from monitor.views import ServiceView
from monitor.web.server import HttpServer

Vector = dict[frozenset[tuple[str, str]], float]  # labels without the name and what Prometheus adds


@dataclass
class Site:
    """A running server, the view it shows (change it at will), and a client."""

    view: ServiceView
    process: ProcessMetrics
    client: aiohttp.ClientSession
    taken: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    source: Callable[[], ServiceView] | None = None  # instead of `view`
    server: HttpServer = field(init=False)

    def take(self) -> ServiceView:
        self.taken += 1
        self.asked.set()
        return self.source() if self.source else self.view

    @property
    def url(self) -> str:
        return self.server.address.url

    async def get(self, path: str, **options: Any) -> tuple[int, Any, aiohttp.ClientResponse]:
        """Status, body (parsed where it is JSON) and the answer itself."""
        async with self.client.get(self.url + path.lstrip("/"), **options) as answer:
            body = await (answer.json() if answer.content_type == "application/json" else answer.text())
            return answer.status, body, answer


class Prometheus:
    """A running Prometheus and its query API."""

    def __init__(self, url: str, client: aiohttp.ClientSession) -> None:
        self.url = url
        self._client = client

    async def get(self, path: str, **parameters: str) -> Any:
        async with self._client.get(self.url + path, params=parameters) as answer:
            body = await answer.json()
            assert body["status"] == "success", body
            return body["data"]

    async def query(self, expression: str) -> Vector:
        """The instant vector, by labels without the name and what Prometheus adds."""
        found = await self.get("/api/v1/query", query=expression)
        own = {"__name__", "job", "instance"}
        return {
            frozenset((k, v) for k, v in series["metric"].items() if k not in own): float(series["value"][1])
            for series in found["result"]
        }

    async def until(self, expression: str, good: Callable[[Vector], bool]) -> Vector:
        """Ask until the answer is good; fails after 20 s with the last one."""
        last: Vector = {}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(20):
                while True:
                    last = await self.query(expression)
                    if good(last):
                        return last
                    await asyncio.sleep(0.05)
        pytest.fail(f"{expression}: {last}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


MakeSite = Callable[..., Awaitable[Site]]
Browse = Callable[..., Awaitable[str]]
StartPrometheus = Callable[[str], Awaitable[Prometheus]]
