"""The real command in processes of its own, a real Mosquitto, and a small capture to import."""

from __future__ import annotations

import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

Run = Callable[..., tuple[int, str, str]]  # the arguments of a command -> exit code, stdout, stderr
COMMAND = (sys.executable, "-m", "monitor.cli")
PATIENCE = 60.0  # seconds; a cold kernel cache on a busy machine is included
MOSQUITTO = next(
    (p for p in ("/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/usr/bin/mosquitto") if os.access(p, os.X_OK)),
    None,
)


def environment(**variables: str) -> dict[str, str]:
    """Of this process, without settings of ours, listening on free ports only."""
    clean = {name: value for name, value in os.environ.items() if not name.upper().startswith("UNDERTOW_")}
    listen = {"UNDERTOW__HTTP__LISTEN": "127.0.0.1:0", "UNDERTOW__MQTT__EMBEDDED_LISTEN": "127.0.0.1:0"}
    return {**clean, "PYTHONWARNINGS": "error", **listen, **variables}


def undertow(*arguments: str | Path, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], cwd=cwd, env=env or environment(), capture_output=True, text=True, timeout=PATIENCE, check=False
    )  # fmt: skip


class Running:
    """A command that goes on. Its output is read all the time, so that it never waits for us."""

    def __init__(self, arguments: Sequence[str | Path], cwd: Path, env: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            cwd=cwd,
            env={**(env or environment()), "TMPDIR": str(cwd)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._fresh: queue.Queue[str | None] = queue.Queue()
        self._threads = [
            threading.Thread(target=self._read, args=(stream,), daemon=True)
            for stream in (self.process.stdout, self.process.stderr)
        ]
        for thread in self._threads:
            thread.start()

    def _read(self, stream: object) -> None:
        for line in stream:  # type: ignore[attr-defined]
            self.lines.append(line.rstrip("\n"))
            self._fresh.put(line.rstrip("\n"))
        self._fresh.put(None)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The next line, of either stream, that holds the pattern."""
        deadline = time.monotonic() + PATIENCE
        ends = 0
        while ends < 2:
            try:
                line = self._fresh.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            if line is None:
                ends += 1
            elif found := re.search(pattern, line):
                return found
        raise AssertionError(f"no line with {pattern!r} in\n" + "\n".join(self.lines))

    def ask(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Its exit code once it has ended by itself."""
        code = self.process.wait(PATIENCE)
        for thread in self._threads:
            thread.join()
        return code

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def close(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for thread in self._threads:
            thread.join()
        for stream in (self.process.stdout, self.process.stderr):
            stream.close()  # type: ignore[union-attr]


@contextmanager
def mosquitto(folder: Path, port: int = 0, password: tuple[str, str] | None = None) -> Iterator[int]:
    """A broker; gives its port. With a password, nobody else is let in."""
    assert MOSQUITTO is not None
    folder.mkdir(exist_ok=True)
    port = port or free_port()
    lines = [f"listener {port} 127.0.0.1", f"allow_anonymous {'false' if password else 'true'}", "log_dest stderr"]
    if os.geteuid() == 0:
        lines.append("user root")
    if password is not None:
        made = folder / "passwords"
        made.unlink(missing_ok=True)
        subprocess.run(["mosquitto_passwd", "-c", "-b", str(made), *password], check=True, capture_output=True)
        lines.append(f"password_file {made}")
    (folder / "broker.conf").write_text("\n".join(lines) + "\n")
    process = subprocess.Popen([MOSQUITTO, "-c", str(folder / "broker.conf")], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)  # a foreign process tells nobody when it listens
        yield port
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


START = 1_770_285_600_000_000_000


def capture(path: Path, changes: int = 40) -> Path:
    """A capture as hftbacktest writes it: one Binance USD-M book, its REST snapshot, a change every 100 ms, some trades."""
    bids = ",".join(f'["{100.0 - n / 10:.1f}","{5 + n}.000"]' for n in range(60))
    asks = ",".join(f'["{100.1 + n / 10:.1f}","{5 + n}.000"]' for n in range(60))
    lines: list[tuple[int, str]] = [(0, f'{{"lastUpdateId":1000,"E":1,"T":1,"bids":[{bids}],"asks":[{asks}]}}')]
    for n in range(changes):
        ms = START // 1_000_000 + 100 * (n + 1)
        update = (
            f'"e":"depthUpdate","E":{ms},"T":{ms},"s":"BTCUSDT","U":{1001 + n},"u":{1001 + n},"pu":{1000 + n},'
            f'"b":[["99.{n % 10}","{n + 1}.000"]],"a":[["100.{n % 10 + 1}","{n + 2}.000"]]'
        )
        trade = f'"e":"trade","E":{ms},"T":{ms},"s":"BTCUSDT","t":{n + 1},"p":"100.0","q":"0.500","X":"MARKET","m":true'
        lines.append((100 * (n + 1), f'{{"stream":"btcusdt@depth@0ms","data":{{{update}}}}}'))
        lines.append((100 * (n + 1) + 50, f'{{"stream":"btcusdt@trade","data":{{{trade}}}}}'))
    path.write_text("".join(f"{START + ms * 1_000_000} {text}\n" for ms, text in lines))
    return path
