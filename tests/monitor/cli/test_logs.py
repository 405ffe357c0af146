"""One pipe for structlog, the standard library and warnings; no secret; nobody waits for a slow reader."""

from __future__ import annotations

import io
import json
import logging
import re
import threading
import warnings
from typing import Any

import pytest
import structlog

from monitor import logs

pytestmark = pytest.mark.usefixtures("own_logs")
EARLY = structlog.get_logger("early")  # as modules have it: made before anything is configured


def written(stream: io.StringIO) -> list[dict[str, Any]]:
    logs.close()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_lines_from_everywhere() -> None:
    stream = io.StringIO()
    logs.configure("json", "info", stream)
    EARLY.info("up", http="http://127.0.0.1:1", venues=("a", "b"), count=3)
    logging.getLogger("aiohttp.server").error("odd %s", "request", extra={"peer": "x"})
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("careful", stacklevel=1)
    EARLY.debug("too much")
    logging.getLogger("aiohttp.access").info("a request")
    up, odd, careful = written(stream)
    assert list(up) == ["time", "level", "logger", "event", "http", "venues", "count"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", up["time"])
    assert (up["level"], up["logger"], up["event"], up["venues"]) == ("info", "early", "up", ["a", "b"])
    assert (odd["level"], odd["event"], odd["peer"]) == ("error", "odd request", "x")
    assert (careful["level"], careful["logger"]) == ("warning", "py.warnings")
    assert "careful" in careful["event"]


def test_console_lines_hold_one_event_each() -> None:
    stream = io.StringIO()
    logs.configure("console", "info", stream)
    EARLY.warning("refused\nby the broker", reason="bad\x1b[2Jword\r\n")
    logging.getLogger("x").info("a\nb")
    logs.close()
    first, second = stream.getvalue().splitlines()
    assert "warning" in first
    assert r"refused\nby the broker" in first
    assert "\x1b" not in stream.getvalue()
    assert r"a\nb" in second


@pytest.mark.parametrize("form", ["console", "json"])
def test_no_secret_comes_out(form: logs.LogFormat) -> None:
    stream = io.StringIO()
    logs.configure(form, "debug", stream)
    local_password = "".join(("hun", "ter2"))
    EARLY.info("connecting", password=local_password, url=f"mqtts://desk:{local_password}@broker:8883", api_key=12345)
    logging.getLogger("x").info("to wss://u:%s@host/ws", local_password, extra={"token": "tok-1"})
    try:
        raise ValueError("broken")
    except ValueError:
        EARLY.exception("failed")
        logging.getLogger("x").exception("failed as well")
    logs.close()
    text = stream.getvalue()
    for secret in ("hunter2", "12345", "tok-1"):
        assert secret not in text
    assert "mqtts://***@broker:8883" in text
    assert text.count("ValueError: broken") == 2, "what went wrong is told"
    assert text.count("Traceback") == 2


def test_records_have_the_time_they_were_made() -> None:
    stream = io.StringIO()
    logs.configure("json", "info", stream)
    logging.getLogger("x").handle(
        logging.makeLogRecord({"name": "x", "levelno": 20, "levelname": "INFO", "msg": "old", "created": 86_400.5})
    )
    assert written(stream)[0]["time"] == "1970-01-02T00:00:00.500000Z"


def test_what_json_does_not_know_is_text() -> None:
    stream = io.StringIO()
    logs.configure("json", "info", stream)
    EARLY.info("odd", error=ValueError("x"), keys={1: 2})
    (line,) = written(stream)
    assert line["error"] == "x"
    assert line["keys"] == {"1": 2}


def test_configured_again_it_moves() -> None:
    first, second = io.StringIO(), io.StringIO()
    logs.configure("json", "info", first)
    EARLY.info("one")
    logs.configure("json", "error", second)
    EARLY.info("not this")
    EARLY.error("two")
    assert [line["event"] for line in written(second)] == ["two"]
    assert [json.loads(line)["event"] for line in first.getvalue().splitlines()] == ["one"]


def test_after_the_end_lines_are_written_where_they_arise() -> None:
    stream = io.StringIO()
    logs.configure("json", "info", stream)
    logs.close()
    EARLY.info("late")
    assert json.loads(stream.getvalue())["event"] == "late"


class Stuck(io.StringIO):
    """A terminal that is not read: writing waits until it is."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.free = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.entered.set()
        self.free.wait()
        return super().write(text)


def test_a_reader_that_stays_stuck_does_not_keep_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "CLOSE_SECONDS", 0.05)
    stream = Stuck()
    logs.configure("json", "info", stream)
    for _ in range(logs.MAX_WAITING + 2):
        EARLY.info("more")
    logs.close()  # would hang here for ever
    stream.free.set()


def test_a_reader_that_is_stuck_holds_nobody_up_and_what_is_left_out_is_counted() -> None:
    stream = Stuck()
    logs.configure("json", "info", stream)
    EARLY.info("the first")
    assert stream.entered.wait(10)
    for number in range(logs.MAX_WAITING + 25):
        EARLY.info("more", number=number)  # would hang here for ever
    stream.free.set()
    lines = written(stream)
    assert [line["number"] for line in lines[1:-1]] == list(range(logs.MAX_WAITING))
    assert lines[-1]["event"].startswith("25 log lines were left out")
