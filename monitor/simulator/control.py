"""The running simulator's own port: faults on command, and the truth about the simulated world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, cast

import orjson
from aiohttp import web

from monitor.errors import SettingsError
from monitor.simulator.misbehaviour import KINDS, Faults


class ControlServer:
    """POST /faults orders one (JSON: kind, venue, market, channel, count, seconds, options), GET lists, DELETE /faults[/n] ends."""

    def __init__(self, faults: Faults, truth: Callable[[], dict[str, Any]]) -> None:
        self._faults, self._truth = faults, truth
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self, host: str, port: int = 0) -> int:
        app = web.Application(client_max_size=64 << 10)
        app.router.add_get("/faults", self._list)
        app.router.add_post("/faults", self._inject)
        app.router.add_delete("/faults", self._clear)
        app.router.add_delete("/faults/{number:\\d+}", self._clear)
        app.router.add_get("/world", self._world)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        self.port = cast("tuple[str, int]", self._runner.addresses[0])[1]
        return self.port

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _list(self, request: web.Request) -> web.Response:
        standing = [{**asdict(fault), "held": len(fault.held)} for fault in self._faults.standing.values()]
        return _json({"kinds": KINDS, "standing": standing})

    async def _inject(self, request: web.Request) -> web.Response:
        try:
            order = orjson.loads(await request.read())
            kind = order.pop("kind")
            fault = self._faults.inject(kind, **order)
        except SettingsError as error:
            return _json({"error": str(error)}, 400)
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            return _json({"error": f'not a fault: {error}; send {{"kind": ..., "venue": ..., "count": ...}}'}, 400)
        return _json({"number": fault.number})

    async def _clear(self, request: web.Request) -> web.Response:
        number = request.match_info.get("number")
        self._faults.clear(None if number is None else int(number))
        return _json({})

    async def _world(self, request: web.Request) -> web.Response:
        return _json(self._truth())


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(value), content_type="application/json")
