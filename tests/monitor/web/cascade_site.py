"""Views whose assets show every state of the liquidation model, and a page that runs the page's own modules."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import fake_cascade as made
import fake_views as fake
from aiohttp import web

from monitor.cascade_views import AbsorbingBook, CascadeSide, CascadeView
from monitor.views import ServiceView
from monitor.web.files import FILES


def showing(*assets: tuple[str, CascadeView | None]) -> ServiceView:
    """One service with these assets and nothing else to look at."""
    return fake.service(
        markets=(fake.market(),),
        assets=tuple(fake.asset(name, price=made.PRICE, cascade=view) for name, view in assets),
        alerts=(),
    )


def indicative() -> CascadeView:
    """The null map drives, less than half of the depth is known, more was bought than sold, volatility is not known yet."""
    sides = {"down": CascadeSide("down", made.figures(), 0.31), "up": CascadeSide("up", made.nothing_in_range(), 0.7)}
    return made.cascade(exposure=made.indicative(), sides=sides, net_sold_usd=-2_000_000.0, sigma_1h_ratio=None)


def mapless() -> CascadeView:
    """A cascade without any map: no market tells its open interest."""
    return made.cascade(exposure=None, sides={"down": CascadeSide("down", made.nothing_in_range(), 0.9)})


def hostile(text: str) -> CascadeView:
    """Every word of it is somebody else's."""
    exposure = made.exposure(
        state="indicative", reason=text, markets=(made.exposure_market(text, text, reason=text, tiers_source=text),)
    )
    return made.cascade(exposure=exposure, books=(AbsorbingBook(text, text, text, None, None),))


def not_numbers() -> CascadeView:
    """What no engine should give, everywhere at once."""
    nan, inf = float("nan"), float("inf")
    jump = made.jump(ignition_usd=nan, landing_ratio=inf, forced_usd=-inf)
    broken = {scale: replace_first(figures, jump) for scale, figures in made.figures().items()}
    curves = made.curves()
    return made.cascade(
        nan,
        sides={"down": CascadeSide("down", broken, nan)},
        sigma_1h_ratio=inf,
        net_sold_usd=nan,
        curves=replace(curves, absorption=dict.fromkeys(("down", "up"), curves.drops + nan)),
    )  # fmt: skip


def replace_first(figures: made.CascadeFigures, jump: made.Jump) -> made.CascadeFigures:
    return figures._replace(gain=float("nan"), first=jump, largest=jump)


MODULES = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="/static/style.css">
<div id="room"></div><pre id="out"></pre><script type="module">
const out = {};
try { BODY } catch (raised) { out.raised = String(raised.stack); }
document.getElementById("out").textContent = JSON.stringify(out);
</script>"""


@asynccontextmanager
async def modules(body: str) -> AsyncIterator[str]:
    """The address of a page that runs `body` (which may import the page's modules and fills `out`) and writes `out` as JSON."""
    app = web.Application()

    async def static(request: web.Request) -> web.Response:
        return FILES.respond(request, request.match_info["name"])

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=MODULES.replace("BODY", body), content_type="text/html")

    app.add_routes([web.get("/static/{name}", static), web.get("/", page)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()
