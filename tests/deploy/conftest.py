"""A real Prometheus, with the deployed rules, that scrapes a real server over made-up views."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "monitor" / "metrics"))
sys.path.insert(0, str(Path(__file__).parents[1] / "monitor" / "web"))
sys.path.insert(0, str(Path(__file__).parents[2] / "deploy" / "grafana"))

import fake_views as fake
from web_site import Prometheus, free_port

from monitor.clock import MILLISECOND
from monitor.metrics.process import ProcessMetrics
from monitor.web.server import HttpServer

DEPLOY = Path(__file__).parents[2] / "deploy"


def busy_process() -> ProcessMetrics:
    """Every figure of the process known."""
    process = ProcessMetrics()
    process.processing.labels("binance_usdm", "book").observe(30_000)
    process.feed_lag.labels("binance_usdm").observe(4 * MILLISECOND)
    process.alert_latency.observe(12 * MILLISECOND)
    process.event_loop_lag.observe(MILLISECOND)
    process.mqtt_connected = True
    process.outbox_alerts = 2
    process.outbox_oldest = fake.NOW
    process.mqtt_publish_failures["disconnected"] = 1
    process.count_compilations()
    return process


@pytest.fixture
async def deployed_prometheus(tmp_path: Path) -> AsyncIterator[Prometheus]:
    """The deployed configuration, quicker and pointed at a server of ours; its second scrape is in."""
    prometheus = shutil.which("prometheus")
    if prometheus is None:
        pytest.fail("Prometheus is needed: apt-get install prometheus")
    async with contextlib.AsyncExitStack() as stack:
        view, process = fake.service(), busy_process()
        assert process.jit_compilations is not None
        stack.callback(process.jit_compilations.close)
        server = await stack.enter_async_context(HttpServer("127.0.0.1:0", lambda: view, process, body_seconds=0.0))
        config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "250ms", "scrape_timeout": "250ms", "evaluation_interval": "250ms"}
        job = next(job for job in config["scrape_configs"] if job["job_name"] == "undertow")
        job["static_configs"] = [{"targets": [str(server.address)]}]
        config["scrape_configs"] = [job]
        shutil.copy(DEPLOY / "prometheus" / "rules.yml", tmp_path)
        (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
        listen = f"127.0.0.1:{free_port()}"
        child = await asyncio.create_subprocess_exec(
            prometheus,
            f"--config.file={tmp_path / 'prometheus.yml'}",
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
        running = Prometheus(f"http://{listen}", client)
        async with asyncio.timeout(30):
            while True:
                assert child.returncode is None, "Prometheus ended by itself"
                with contextlib.suppress(aiohttp.ClientConnectionError):
                    async with client.get(f"http://{listen}/-/ready") as answer:
                        if answer.status == 200:
                            break
                await asyncio.sleep(0.05)
        await running.until("count_over_time(undertow_build_info[1m]) >= 3", bool)
        yield running
