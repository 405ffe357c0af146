"""The one HTTP server: metrics, health, JSON, the page. It reads ServiceViews and changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from difflib import get_close_matches
from types import TracebackType
from typing import Self

from aiohttp import web

from monitor.metrics.process import ProcessMetrics
from monitor.metrics.render import DEFAULT_MAX_SERIES
from monitor.views import AssetView, ServiceView
from monitor.web.address import Address, listen_error, parse_listen
from monitor.web.asked import what_if_json
from monitor.web.bodies import BODY_SECONDS, BodyCache, json_response
from monitor.web.cascade_payload import cascade_json, exposure_json
from monitor.web.files import FILES
from monitor.web.guard import Guard, error
from monitor.web.payload import alerts_json, asset_json, encode, markets_json, overview_json, readiness
from monitor.web.scrape import Scraper
from monitor.web.times import rfc3339

SHUTDOWN_SECONDS = 2.0  # answers take milliseconds; what is not done by then is a client that does not read
MAX_BODY_BYTES = 1_024  # nothing here reads a body
SHOWN_NAME = 40  # of a name that is not known, this much is repeated in the error


class HttpServer:
    """Serves until stopped. `view` is called on the loop and gives the state as it is now."""

    def __init__(
        self,
        listen: str,
        view: Callable[[], ServiceView],
        process: ProcessMetrics,
        *,
        instance: str = "undertow-1",
        max_series: int = DEFAULT_MAX_SERIES,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self._wanted = parse_listen(listen)
        self._view = view
        self._process = process
        self._instance = instance
        self._max_series = max_series
        self._bodies = BodyCache(body_seconds)
        self._runner: web.AppRunner | None = None
        self._scraper: Scraper | None = None
        self.address = self._wanted

    async def start(self) -> Address:
        """Begin to listen; the address with the port that was taken. Raises SettingsError naming the address and what to do."""
        self._scraper = Scraper(self._view, self._process, self._max_series)
        app = web.Application(middlewares=[Guard().middleware], client_max_size=MAX_BODY_BYTES)
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/static/{name}", self._static),
                web.get("/metrics", self._scraper.handle),
                web.get("/livez", self._livez),
                web.get("/readyz", self._readyz),
                web.get("/api/v1/overview", self._overview),
                web.get("/api/v1/markets", self._markets),
                web.get("/api/v1/alerts", self._alerts),
                web.get("/api/v1/assets", self._assets),
                web.get("/api/v1/assets/{asset}", self._asset),
                web.get("/api/v1/assets/{asset}/cascade", self._cascade),
                web.get("/api/v1/assets/{asset}/exposure", self._exposure),
                web.get("/api/v1/assets/{asset}/what-if", self._what_if),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_SECONDS)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._wanted.host, self._wanted.port).start()
        except OSError as refused:
            await self.stop()
            raise listen_error(self._wanted, refused) from refused
        self.address = Address(self._wanted.host, self._runner.addresses[0][1])
        return self.address

    async def stop(self) -> None:
        """Stop listening, let running answers end, leave nothing behind."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        if self._scraper is not None:
            self._scraper.close()
            self._scraper = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    # -- page
    async def _page(self, request: web.Request) -> web.Response:
        return FILES.respond(request, "index.html")

    async def _static(self, request: web.Request) -> web.Response:
        return FILES.respond(request, request.match_info["name"])

    # -- health
    async def _livez(self, _: web.Request) -> web.Response:
        """The loop turns, or this would not be answered."""
        return json_response(encode({"alive": True, "instance": self._instance}))

    async def _readyz(self, _: web.Request) -> web.Response:
        ready, body = readiness(self._view())
        return json_response(encode(body), 200 if ready else 503)

    # -- JSON
    def _cached(self, request: web.Request, make: Callable[[ServiceView], object]) -> web.Response:
        now = asyncio.get_running_loop().time()
        return self._bodies.respond(request, now, lambda: encode(make(self._view())))

    async def _overview(self, request: web.Request) -> web.Response:
        return self._cached(request, lambda view: overview_json(view, self._instance))

    async def _markets(self, request: web.Request) -> web.Response:
        return self._cached(request, markets_json)

    async def _alerts(self, request: web.Request) -> web.Response:
        return self._cached(request, lambda view: {"at": rfc3339(view.at), "alerts": alerts_json(view.alerts)})

    async def _assets(self, request: web.Request) -> web.Response:
        return self._cached(request, lambda view: {"at": rfc3339(view.at), "assets": [a.asset for a in view.assets]})

    async def _asset(self, request: web.Request) -> web.Response:
        return self._of_asset(request, asset_json)

    async def _cascade(self, request: web.Request) -> web.Response:
        return self._of_asset(request, lambda asset, _: cascade_json(asset))

    async def _exposure(self, request: web.Request) -> web.Response:
        return self._of_asset(request, lambda asset, _: exposure_json(asset))

    def _of_asset(self, request: web.Request, make: Callable[[AssetView, ServiceView], object]) -> web.Response:
        view = self._view()
        asset = _find(view, request.match_info["asset"])
        if asset is None:
            return _unknown_asset(view, request.match_info["asset"])
        return self._cached(request, lambda view: make(asset, view))

    async def _what_if(self, request: web.Request) -> web.Response:
        view, name = self._view(), request.match_info["asset"]
        asset = _find(view, name)
        if asset is None:
            return _unknown_asset(view, name)
        status, body = what_if_json(asset, request.query)
        return json_response(encode(body), status)


def _find(view: ServiceView, name: str) -> AssetView | None:
    return next((asset for asset in view.assets if asset.asset == name), None)


def _unknown_asset(view: ServiceView, name: str) -> web.Response:
    names = [asset.asset for asset in view.assets]
    close = get_close_matches(name.upper()[:SHOWN_NAME], names, n=1, cutoff=0.5)
    nearest = close[0] if close else None
    hint = f"; did you mean {nearest}?" if nearest else ""
    return error(404, f"no asset {name[:SHOWN_NAME]!r} is followed{hint}", nearest=nearest, assets=names)
