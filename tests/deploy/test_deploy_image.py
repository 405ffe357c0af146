"""The Dockerfile and what goes into it; the health check against a real server; and, where an engine is, the image itself."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import fake_views as fake
import pytest

from monitor.config import load_settings
from monitor.metrics.process import ProcessMetrics
from monitor.web.server import HttpServer

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Dockerfile").read_text()
LINES = [line for line in re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", TEXT, flags=re.M)).splitlines() if line]
HEALTHCHECK = ROOT / "deploy" / "image" / "healthcheck.py"


def instruction(name: str) -> list[str]:
    return [line.split(None, 1)[1] for line in LINES if line.split(None, 1)[0] == name]


def environment() -> dict[str, str]:
    """What the final stage sets."""
    return dict(pair.split("=", 1) for line in instruction("ENV")[1:] for pair in shlex.split(line))


def test_what_is_copied_is_there_and_let_through() -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for line in instruction("COPY"):
        *sources, _ = line.split()
        if sources[0].startswith("--from"):
            continue
        for source in sources:
            path = source.removeprefix("./")
            assert (ROOT / path).exists()
            assert any(path == entry or path.startswith(entry + "/") for entry in allowed), path
    for entry in allowed:
        assert (ROOT / entry).exists()


def test_the_settings_of_the_image() -> None:
    settings = load_settings((ROOT / "configs" / "default.toml",), environment())
    assert settings.http.listen == "0.0.0.0:9464"
    assert settings.mqtt.url is None  # the embedded broker, on loopback
    assert not settings.state.path.is_absolute()
    assert not settings.recording.directory.is_absolute()
    workdir = instruction("WORKDIR")[-1]
    assert instruction("VOLUME") == [f'["{workdir}"]']
    assert "configs/default.toml /etc/undertow/undertow.toml" in instruction("COPY")
    assert instruction("CMD")[-1] == '["run", "-c", "/etc/undertow/undertow.toml"]'


def test_who_runs_it_and_how_it_ends() -> None:
    assert instruction("USER") == ["10001:10001"]
    assert instruction("STOPSIGNAL") == ["SIGTERM"]
    assert instruction("ENTRYPOINT") == ['["tini", "--", "undertow"]']
    assert environment()["NUMBA_CPU_NAME"] == "generic"  # every x86-64 and every arm64
    # The cache is filled by the user who runs, and from the final path.
    order = [line.split(None, 1)[0] for line in LINES]
    warm = next(i for i, line in enumerate(LINES) if "monitor.warm" in line)
    assert order.index("USER") < warm
    assert max(i for i, name in enumerate(order) if name == "COPY") < warm
    assert environment()["NUMBA_CACHE_DIR"] in LINES[next(i for i, line in enumerate(LINES) if "install -d -o" in line)]


# -- the health check
@pytest.fixture
async def server() -> AsyncIterator[HttpServer]:
    async with HttpServer("127.0.0.1:0", lambda: fake.service(markets=()), ProcessMetrics()) as running:
        yield running


async def health(listen: str) -> int:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", str(HEALTHCHECK)),
        env={**os.environ, "UNDERTOW__HTTP__LISTEN": listen},
        stderr=asyncio.subprocess.DEVNULL,
    )
    return await child.wait()


@pytest.mark.parametrize("form", ["127.0.0.1:{port}", "0.0.0.0:{port}", '"0.0.0.0:{port}"'])
async def test_alive_though_not_ready(server: HttpServer, form: str) -> None:
    assert await health(form.format(port=server.address.port)) == 0


async def test_not_alive() -> None:
    with socket.socket() as bound:  # bound, and nobody listens
        bound.bind(("127.0.0.1", 0))
        assert await health(f"127.0.0.1:{bound.getsockname()[1]}") == 1


# -- the image
ENGINE = (
    shlex.split(os.environ.get("CONTAINER_ENGINE", ""))
    or [name for name in ("docker", "podman") if shutil.which(name)][:1]
)


@pytest.fixture(scope="module")
def image() -> str:
    """The image under test: CONTAINER_IMAGE, or one that is built now (CONTAINER_ENGINE says with what)."""
    if not ENGINE or subprocess.run([*ENGINE, "info"], capture_output=True, check=False).returncode:
        pytest.skip("no container engine answers here: docker or podman, or set CONTAINER_ENGINE")
    made = os.environ.get("CONTAINER_IMAGE")
    if made is None:
        made = "undertow:test"
        subprocess.run([*ENGINE, "build", "-t", made, str(ROOT)], check=True, timeout=900)
    return made


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "flags",
    [
        (),
        ("--read-only", "--tmpfs", "/tmp"),
        ("--read-only", "--tmpfs", "/tmp", "--user", "4242:4242"),
        ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "all", "--security-opt", "no-new-privileges"),
    ],
    ids=" ".join,
)
def test_the_image_compiles_nothing_and_can_write_where_it_must(image: str, flags: tuple[str, ...]) -> None:
    what = "python -m monitor.warm && undertow check -c /etc/undertow/undertow.toml >/dev/null && mkdir state captures"
    ran = subprocess.run(
        [*ENGINE, "run", "--rm", *flags, "--entrypoint", "sh", image, "-c", what],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert re.match(r"(\d+) kernels for generic: \1 loaded, 0 compiled; .*, 0 compiled;", ran.stdout), ran.stderr
    assert ran.returncode == 0
