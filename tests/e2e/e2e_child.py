"""`undertow run` as a child process on simulated venues of this process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from e2e_world import BASE, EMBEDDED

from monitor.simulator.service import SimulatedVenues, settings_toml

START_SECONDS = 40.0  # with a cold cache the kernels are compiled first


@dataclass
class Child:
    """The process, what it wrote, and its HTTP address once it said it."""

    process: asyncio.subprocess.Process
    out: list[str] = field(default_factory=list)
    code: int | None = None

    @property
    def pid(self) -> int:
        return self.process.pid

    def said(self, event: str) -> list[dict[str, Any]]:
        """Log lines (JSON) of this event."""
        found = []
        for line in self.out:
            with contextlib.suppress(orjson.JSONDecodeError):
                row = orjson.loads(line)
                if isinstance(row, dict) and row.get("event") == event:
                    found.append(row)
        return found

    @property
    def url(self) -> str:
        running = self.said("running")
        return str(running[0]["http"]) if running else ""

    async def until(self, seconds: float, condition: Any, what: str) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert self.process.returncode is None, (
                f"ended with {self.process.returncode} before {what}: {self.out[-5:]}"
            )
            assert time.monotonic() < until, f"not within {seconds} s: {what}: {self.out[-5:]}"
            await asyncio.sleep(0.01)

    async def get(self, path: str) -> tuple[int, Any]:
        async with aiohttp.ClientSession() as client, client.get(self.url + path) as answer:
            body = await answer.read()
            return answer.status, orjson.loads(body) if answer.content_type == "application/json" else body.decode()

    async def answer(self, path: str, good: Callable[[Any], object], seconds: float = START_SECONDS) -> Any:
        """Ask until the JSON answer is good; the answer."""
        await self.until(START_SECONDS, lambda: self.url, "it listens")
        until = time.monotonic() + seconds
        while True:
            _, body = await self.get(path)
            if good(body):
                return body
            assert time.monotonic() < until, body
            await asyncio.sleep(0.02)

    async def ready(self, verified: int = 1) -> None:
        await self.answer("/readyz", lambda body: body["verified"] >= verified)

    async def stop(self, number: int = signal.SIGTERM, within: float = 3.0) -> float:
        """Send the signal; how long the process took to end."""
        began = time.monotonic()
        os.kill(self.pid, number)
        try:
            self.code = await asyncio.wait_for(self.process.wait(), within)
        except TimeoutError:
            raise AssertionError(
                f"still running {within} s after signal {number}; said last: {self.out[-5:]}"
            ) from None
        return time.monotonic() - began

    async def end(self, within: float = 20.0) -> int:
        """Wait for it to end by itself; its exit code."""
        self.code = await asyncio.wait_for(self.process.wait(), within)
        await asyncio.sleep(0.05)
        return self.code

    @property
    def text(self) -> str:
        return "\n".join(self.out)

    def rss_mb(self) -> float:
        match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        assert match is not None
        return int(match[1]) / 1024


def write_settings(folder: Path, venues: str, extra: str = "", mqtt: str = EMBEDDED) -> list[str]:
    """`-c` arguments of settings files written into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    arguments = []
    for name, text in (("venues", venues), ("base", BASE.format(folder=folder) + mqtt), ("extra", extra)):
        (folder / f"{name}.toml").write_text(text)
        arguments += ["-c", str(folder / f"{name}.toml")]
    return arguments


@contextlib.asynccontextmanager
async def undertow(*arguments: str, **environment: str) -> AsyncIterator[Child]:
    """`python -m monitor.cli ARGUMENTS`; killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "monitor.cli", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env={**os.environ, **environment},
    )  # fmt: skip
    child = Child(process)
    reading = asyncio.create_task(_read(process, child.out))
    try:
        yield child
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await reading
        for line in child.out:
            print("child:", line)


async def _read(process: asyncio.subprocess.Process, out: list[str]) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        out.append(line.decode(errors="replace").rstrip("\n"))


@contextlib.asynccontextmanager
async def running(
    sim: SimulatedVenues, folder: Path, extra: str = "", *, mqtt: str = EMBEDDED, venues: str | None = None
) -> AsyncIterator[Child]:
    """`undertow run` on these venues."""
    files = write_settings(folder, settings_toml(sim) if venues is None else venues, extra, mqtt)
    async with undertow("run", *files, "--log-format", "json") as child:
        yield child
