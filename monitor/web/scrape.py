"""/metrics: the view is taken on the loop, rendered and packed in one thread, so that a scrape never stalls a book."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from aiohttp import web

from monitor.metrics.process import ProcessMetrics
from monitor.metrics.render import Renderer, compress
from monitor.metrics.text import Format, accepted_format
from monitor.views import ServiceView
from monitor.web.bodies import accepts_gzip


class Scraper:
    """Answers scrapes. Those that ask for the same form while one is being made share it: at most four are made at once."""

    def __init__(self, view: Callable[[], ServiceView], process: ProcessMetrics, max_series: int) -> None:
        self._view = view
        self._renderer = Renderer(process, max_series)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="metrics")
        self._under_way: dict[tuple[Format, bool], asyncio.Future[bytes]] = {}

    async def handle(self, request: web.Request) -> web.Response:
        form, packed = accepted_format(request.headers.get("Accept", "")), accepts_gzip(request)
        key = (form, packed)
        making = self._under_way.get(key)
        if making is None:
            loop = asyncio.get_running_loop()
            making = loop.run_in_executor(self._thread, self._make, self._view(), form, packed)
            self._under_way[key] = making
            making.add_done_callback(lambda made: self._done(key, made))
        body = await asyncio.shield(making)  # one client that goes away must not cancel it for the others
        headers = {"Content-Type": form.value, "Cache-Control": "no-store", "Vary": "Accept, Accept-Encoding"}
        if packed:
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=body, headers=headers)

    def _done(self, key: tuple[Format, bool], made: asyncio.Future[bytes]) -> None:
        self._under_way.pop(key, None)
        if not made.cancelled():
            made.exception()  # told to those who wait; when nobody does any more there is nobody to tell

    def _make(self, view: ServiceView, form: Format, packed: bool) -> bytes:
        body = self._renderer.render(view, form)
        return compress(body) if packed else body

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
