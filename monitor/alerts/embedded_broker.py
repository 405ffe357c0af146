"""A Mosquitto child on loopback, for when no broker is set: complete MQTT 5 in 9 MB, and it dies with us.

Dies with its parent: the child is started through one line of Python that asks the kernel for SIGTERM at the parent's death
(PR_SET_PDEATHSIG), checks that the parent has not died meanwhile, and becomes Mosquitto by exec, which keeps the wish. This is
done after exec and not in a preexec_fn because that one runs Python between fork and exec, which may deadlock in a process
with threads. Mosquitto changing its user would drop the wish, hence `user root` when we are root. The wish is a Linux thing;
elsewhere a kill -9 of the service leaves the broker running.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import sys
from collections import deque
from pathlib import Path
from typing import Final

import structlog

from monitor.alerts.broker import BrokerOptions, is_loopback
from monitor.errors import BrokerError, SettingsError

START_SECONDS: Final = 5.0  # until the port answers
STOP_SECONDS: Final = 3.0  # for a clean end, then it is killed
PAUSES: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0)  # between restarts of a broker that dies
STEADY_SECONDS: Final = 30.0  # a broker that lived this long starts the pauses anew
MAX_LINES: Final = 20  # of its last words kept
MAX_LINE_BYTES: Final = 4096
PLACES: Final = ("/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/opt/homebrew/sbin/mosquitto")
HOW_TO_GET: Final = "install it (apt-get install mosquitto) or set mqtt.url to a broker"

_BECOME: Final = """
import os, signal, sys
parent = int(sys.argv[1])
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(0)
os.execv(sys.argv[2], sys.argv[2:])
"""


def find_mosquitto() -> str | None:
    """Path of the binary; distributions put it into sbin, which is not on everybody's PATH."""
    return shutil.which("mosquitto") or next((place for place in PLACES if os.access(place, os.X_OK)), None)


class EmbeddedBroker:
    """`start` gives its address or None without the binary; `run` keeps it alive; `stop` ends it."""

    def __init__(self, listen: str, folder: Path, binary: str | None = None) -> None:
        """Raises SettingsError: an address that is not loopback (the embedded broker asks nobody for a password)."""
        host, _, port = listen.rpartition(":")
        self.host = host.strip("[]") or "127.0.0.1"
        if not port.isdigit() or not is_loopback(self.host):
            raise SettingsError(
                f"mqtt.embedded_listen: {listen} is not a loopback address; the embedded broker asks for no password,"
                " set mqtt.url to a broker of your own"
            )
        self.port = int(port)
        self.restarts = 0
        self._folder = folder
        self._binary = binary or find_mosquitto()
        self._process: asyncio.subprocess.Process | None = None
        self._words: deque[str] = deque(maxlen=MAX_LINES)
        self._stopping = asyncio.Event()
        self._log = structlog.get_logger("embedded_broker")

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self, instance: str, prefix: str) -> BrokerOptions | None:
        """Start it and wait until it answers. None: no binary, said once with what to do; alerts go to log, HTTP and outbox.

        Raises:
            BrokerError: it does not come up, with its own last words.
        """
        if self._binary is None:
            self._log.warning(f"MQTT is off: mosquitto is not on this machine; {HOW_TO_GET}")
            return None
        wanted = self.port
        self.port = free_port(self.host, wanted)
        try:
            await self._spawn()
        except BrokerError:
            # Somebody may have taken the port between the look and the start.
            self.port = free_port(self.host, 0)
            await self._spawn()
        if self.port != wanted and wanted:
            self._log.warning("the embedded broker listens elsewhere: its port is taken", wanted=wanted, port=self.port)
        else:
            self._log.info("embedded broker is up", port=self.port)
        return BrokerOptions(self.host, self.port, instance, prefix=prefix)

    async def run(self) -> None:
        """Restart it on the same port whenever it dies, until `stop`."""
        loop = asyncio.get_running_loop()
        attempt = 0
        while not self._stopping.is_set():
            process = self._process
            if process is None:
                return
            began = loop.time()
            ended = asyncio.ensure_future(process.wait())
            stopping = asyncio.ensure_future(self._stopping.wait())
            try:
                await asyncio.wait((ended, stopping), return_when=asyncio.FIRST_COMPLETED)
            finally:
                ended.cancel()
                stopping.cancel()
            if self._stopping.is_set():
                return
            if attempt == 0 or loop.time() - began > STEADY_SECONDS:
                self._log.warning("the embedded broker died, it is restarted", last_words=self._last_words())
                attempt = 0
            while not self._stopping.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(PAUSES[min(attempt, len(PAUSES) - 1)]):
                        await self._stopping.wait()
                    return
                attempt += 1
                try:
                    await self._spawn()
                except BrokerError:
                    continue
                self.restarts += 1
                break

    async def stop(self) -> None:
        """End it cleanly; it writes its retained messages down."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _spawn(self) -> None:
        config = await asyncio.to_thread(self._write_config)
        assert self._binary is not None
        self._words.clear()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", "-c", _BECOME, str(os.getpid()), self._binary, "-c", str(config),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            limit=MAX_LINE_BYTES,
            start_new_session=True,  # Ctrl-C is for us: the broker is ended last, when everything is told
        )  # fmt: skip
        self._process = process
        assert process.stderr is not None
        listening = asyncio.ensure_future(self._listen_to(process.stderr))
        listening.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._answers(process)
        except (TimeoutError, BrokerError) as error:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            await listening
            raise BrokerError(f"the embedded broker does not start: {self._last_words() or error}") from None

    async def _answers(self, process: asyncio.subprocess.Process) -> None:
        while True:
            if process.returncode is not None:
                raise BrokerError(f"it ended with code {process.returncode}")
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(self.host, self.port)
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
                if process.returncode is None:
                    return
            await asyncio.sleep(0.02)

    async def _listen_to(self, stream: asyncio.StreamReader) -> None:
        """Keep its last words; reading also keeps the pipe from filling up."""
        while chunk := await stream.read(MAX_LINE_BYTES):
            self._words.extend(line for line in chunk.decode(errors="replace").splitlines() if line.strip())

    def _last_words(self) -> str:
        return " | ".join(self._words)[-500:]

    def _write_config(self) -> Path:
        """Loopback, anyone, persistence written every second: a restart keeps retained messages."""
        self._folder.mkdir(parents=True, exist_ok=True)
        lines = [
            f"listener {self.port} {self.host}",
            "allow_anonymous true",
            "persistence true",
            f"persistence_location {self._folder.resolve()}/",
            "autosave_interval 1",
            "set_tcp_nodelay true",
            "log_dest stderr",
            "log_type error",
            "log_type warning",
        ]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            lines.append("user root")
        path = self._folder / "mosquitto.conf"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path


def free_port(host: str, wanted: int) -> int:
    """`wanted` when it can be bound, else any free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in (wanted, 0):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((host, port))
                return int(probe.getsockname()[1])
    raise BrokerError(f"no port can be bound on {host}")
