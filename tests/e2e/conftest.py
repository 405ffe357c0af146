"""End to end: uvloop as in production, logs kept, real brokers and a real Prometheus."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog
import uvloop

TESTS = Path(__file__).parents[1] / "monitor"
for helpers in ("alerts", "web"):
    sys.path.insert(0, str(TESTS / helpers))

from alert_rig import Broker  # noqa: E402
from e2e_logs import Logs  # noqa: E402
from web_site import Prometheus, StartPrometheus, free_port  # noqa: E402


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
def logs() -> Iterator[Logs]:
    """Everything the service says, kept instead of printed; shown when a test fails."""
    kept = Logs()
    before = structlog.get_config()

    def keep(logger: object, method: str, event: MutableMapping[str, Any]) -> Any:
        kept.add(method, dict(event))
        raise structlog.DropEvent

    structlog.configure(processors=[keep], cache_logger_on_first_use=False)
    try:
        yield kept
    finally:
        structlog.configure(**before)
        for line in kept.lines:
            print(line)


@pytest.fixture
def make_broker(tmp_path: Path) -> Iterator[Callable[..., Broker]]:
    made: list[Broker] = []

    def make(**options: Any) -> Broker:
        broker = Broker(tmp_path / f"broker{len(made)}", **options)
        made.append(broker)
        return broker.start()

    yield make
    for broker in made:
        with contextlib.suppress(ProcessLookupError):
            broker.kill()


@pytest.fixture
async def start_prometheus(tmp_path: Path) -> AsyncIterator[StartPrometheus]:
    """Starts a Prometheus that scrapes the given address four times a second."""
    binary = shutil.which("prometheus")
    if binary is None:
        pytest.fail("Prometheus is needed: apt-get install prometheus")
    async with contextlib.AsyncExitStack() as stack:

        async def start(target: str) -> Prometheus:
            config = tmp_path / "prometheus.yml"
            config.write_text(
                "global: {scrape_interval: 250ms, scrape_timeout: 250ms}\n"
                f"scrape_configs: [{{job_name: undertow, static_configs: [{{targets: ['{target}']}}]}}]\n"
            )
            address = f"127.0.0.1:{free_port()}"
            child = await asyncio.create_subprocess_exec(
                binary, f"--config.file={config}", f"--web.listen-address={address}",
                f"--storage.tsdb.path={tmp_path / 'tsdb'}",
                stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip

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
                        async with client.get(f"http://{address}/-/ready") as answer:
                            if answer.status == 200:
                                return Prometheus(f"http://{address}", client)
                    await asyncio.sleep(0.05)

        yield start
