"""A real server over made-up views, a real Prometheus and a real browser: all on loopback and free ports."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "metrics"))
import fake_views as fake
from web_site import Browse, MakeSite, Prometheus, Site, StartPrometheus, free_port

from monitor.metrics.process import ProcessMetrics
from monitor.views import ServiceView
from monitor.web.server import HttpServer

CHROMIUM_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip


@pytest.fixture
async def make_site() -> AsyncIterator[MakeSite]:
    async with contextlib.AsyncExitStack() as stack:

        async def make(view: ServiceView | None = None, **options: Any) -> Site:
            client = await stack.enter_async_context(aiohttp.ClientSession())
            site = Site(view or fake.service(), ProcessMetrics(), client)
            options = {"body_seconds": 0.0, **options}
            site.server = HttpServer("127.0.0.1:0", site.take, site.process, **options)
            await stack.enter_async_context(site.server)
            return site

        yield make


@pytest.fixture
async def site(make_site: MakeSite) -> Site:
    return await make_site()


@pytest.fixture
def browse(tmp_path: Path) -> Browse:
    """The page's document after its scripts ran for `milliseconds` of the page's own time."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.fail("a browser is needed: apt-get install chromium")

    async def dump(url: str, milliseconds: int = 2500) -> str:
        flags = (*CHROMIUM_FLAGS, f"--user-data-dir={tmp_path / 'chromium'}", f"--virtual-time-budget={milliseconds}")
        child = await asyncio.create_subprocess_exec(
            chromium, *flags, "--dump-dom", url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            out, _ = await asyncio.wait_for(child.communicate(), 60)
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        assert child.returncode == 0
        return out.decode()

    return dump


@pytest.fixture
async def start_prometheus(tmp_path: Path) -> AsyncIterator[StartPrometheus]:
    """Starts a Prometheus that scrapes the given address four times a second."""
    prometheus = shutil.which("prometheus")
    if prometheus is None:
        pytest.fail("Prometheus is needed: apt-get install prometheus")
    async with contextlib.AsyncExitStack() as stack:

        async def start(target: str) -> Prometheus:
            config = tmp_path / "prometheus.yml"
            config.write_text(
                "global: {scrape_interval: 250ms, scrape_timeout: 250ms}\n"
                f"scrape_configs: [{{job_name: undertow, static_configs: [{{targets: ['{target}']}}]}}]\n"
            )
            listen = f"127.0.0.1:{free_port()}"
            child = await asyncio.create_subprocess_exec(
                prometheus,
                f"--config.file={config}",
                f"--web.listen-address={listen}",
                f"--storage.tsdb.path={tmp_path / 'tsdb'}",
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )

            async def stop() -> None:
                if child.returncode is None:
                    child.kill()
                await child.wait()

            stack.push_async_callback(stop)
            client = await stack.enter_async_context(aiohttp.ClientSession())
            async with asyncio.timeout(30):
                while True:
                    assert child.returncode is None, "Prometheus ended by itself"
                    with contextlib.suppress(aiohttp.ClientConnectionError):
                        async with client.get(f"http://{listen}/-/ready") as answer:
                            if answer.status == 200:
                                return Prometheus(f"http://{listen}", client)
                    await asyncio.sleep(0.05)

        yield start
