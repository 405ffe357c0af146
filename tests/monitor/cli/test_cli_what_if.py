"""`undertow what-if`: the worked table, curve files good and bad, and a service that answers, refuses or is not there."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_rig import Run, free_port
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.curve_file import read_curves
from monitor.errors import SettingsError
from monitor.what_if import answer

DROPS = [0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.10]
BIDS = [0, 400, 900, 1700, 2300, 3600, 6000, 8000]
LONGS = [0, 60, 250, 900, 2000, 3000, 3600, 3900]
EXAMPLE = {
    "price_usd": 70000,
    "absorption": [list(row) for row in zip(DROPS, BIDS, strict=True)],
    "liquidations": [list(row) for row in zip(DROPS, LONGS, strict=True)],
}
REL = 1e-6


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.json"
    path.write_text(json.dumps(EXAMPLE))
    return path


def asked(run: Run, *arguments: str | Path) -> dict[str, Any]:
    code, out, err = run("what-if", *arguments, "--json")
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


@pytest.mark.parametrize(
    ("sale", "direct", "landing", "forced", "multiplier"),
    [
        (200, 0.0025, 0.00294117647, 35.2941176, 1.17647059),
        (500, 0.006, 0.00758064516, 158.064516, 1.31612903),
        (799, 0.00899, 0.0199333333, 895.666667, 2.12098456),
        (801, 0.00901, 0.05335, 3067, 4.8289638),
        (1200, 0.01375, 0.06, 3200, 3.66666667),
    ],
)
def test_the_worked_table(
    sale: float, direct: float, landing: float, forced: float, multiplier: float, book: Path, run: Run
) -> None:
    for option in ("--sell", "--buy"):
        found = asked(run, "--curves", book, option, str(sale))
        assert found["status"] == "ok"
        assert found["sale_base"] == sale
        assert found["direct_ratio"] == pytest.approx(direct, rel=REL)
        assert found["landing_ratio"] == pytest.approx(landing, rel=REL)
        assert found["forced_base"] == pytest.approx(forced, rel=REL)
        assert found["multiplier"] == pytest.approx(multiplier, rel=REL)
        assert found["extrapolated"] is False


def test_the_ignition_and_the_three_scalings(book: Path, run: Run) -> None:
    found = asked(run, "--curves", book, "--sell", "500")
    ignition = found["ignition"]
    assert ignition["sale_base"] == pytest.approx(800, rel=REL)
    assert ignition["sale_usd"] == pytest.approx(55_734_000, rel=REL)
    assert ignition["runaway_ratio"] == pytest.approx(0.02, rel=REL)
    assert ignition["landing_ratio"] == pytest.approx(0.0533333333, rel=REL)
    assert ignition["extra_forced_base"] == pytest.approx(2166.666667, rel=REL)
    assert list(found["scales"]) == ["low", "base", "high"]
    assert found["scales"]["low"]["ignition"] is None
    assert found["scales"]["base"]["ignition"] == ignition
    high = found["scales"]["high"]["ignition"]
    assert high["sale_base"] == pytest.approx(400, rel=REL)
    assert high["runaway_ratio"] == pytest.approx(0.01, rel=REL)
    assert high["landing_ratio"] is None
    bought = asked(run, "--curves", book, "--buy", "500")["ignition"]
    assert bought["sale_base"] == pytest.approx(800, rel=REL)
    assert bought["sale_usd"] == pytest.approx(2 * 800 * 70_000 - 55_734_000, rel=REL)


def test_the_page_shows_what_is_so(run: Run, tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "what-if.md").read_text(encoding="utf-8")
    path = tmp_path / "shown.json"
    path.write_text(page.split("```text\n")[1].split("```")[0])
    assert json.loads(path.read_text()) == EXAMPLE
    found = asked(run, "--curves", path, "--sell", "801")
    flat = found | {f"ignition.{key}": value for key, value in found["ignition"].items()}
    for line in page.partition("## The answer")[2].splitlines():  # what the service adds: test_web_what_if.py
        if line.startswith("| `"):
            for key in line.split("|")[1].split(","):
                assert key.strip(" `") in flat
    assert f"{found['landing_ratio']:.3%}" in page
    assert f"{found['multiplier']:.2f} times" in page


def test_dollars_are_what_the_books_alone_pay(book: Path, run: Run) -> None:
    found = asked(run, "--curves", book, "--sell", "55803369.65", "--usd")
    assert found["sale_base"] == pytest.approx(801, rel=1e-9)
    assert found["sale_usd"] == pytest.approx(55803369.65, rel=1e-9)
    assert found["landing_ratio"] == pytest.approx(0.05335, rel=REL)
    code, _, err = run("what-if", "--curves", book, "--sell", "1e15", "--usd")
    assert code == 2
    assert "does not hold" in err


def test_the_table_says_the_same(book: Path, run: Run) -> None:
    code, out, _ = run("what-if", "--curves", book, "--sell", "801")
    assert code == 0
    lines = {line[:24].strip(): line[24:].split() for line in out.splitlines() if line}
    assert lines["lands at"] == ["1.055%", "5.335%", "10.601%"]
    assert lines["forced, coins"] == ["142.78947", "3,067", "7,800"]
    assert lines["multiplier"] == ["1.18", "4.83", "10.74"]
    assert lines["runs away above"] == ["none", "$55,734,000", "$27,930,000"]
    assert lines["and lands at"] == ["none", "5.333%", "nowhere", "in", "range"]


def test_nothing_left_to_absorb_it(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "thin.json"
    rows = [[0.01, 10], [0.02, 10]]
    path.write_text(json.dumps({"price_usd": 1, "absorption": rows, "liquidations": []}))
    found = asked(run, "--curves", path, "--sell", "11")
    assert found["status"] == "not_absorbed"
    assert found["landing_ratio"] is found["direct_ratio"] is found["ignition"] is None
    assert found["forced_base"] == 0
    code, out, _ = run("what-if", "--curves", path, "--sell", "11")
    assert code == 0
    assert "not absorbed" in out
    path.write_text(json.dumps({"price_usd": 1, "absorption": [[0.01, 0]], "liquidations": rows}))
    for arguments in (("--sell", "1"), ("--sell", "1", "--usd")):
        found = asked(run, "--curves", path, *arguments)
        assert found["status"] == "no_depth"
        assert found["landing_ratio"] is found["forced_base"] is found["multiplier"] is None
        assert run("what-if", "--curves", path, *arguments)[0] == 0


BAD = [
    ("{", "not JSON"),
    ("[]", "not an object"),
    ('{"price_usd": NaN}', "not JSON"),
    ({"price_usd": None}, "price_usd: not a number"),
    ({"price_usd": True}, "price_usd: not a number"),
    ({"price_usd": 0}, "price_usd: 0 is not a positive number"),
    ({"price_usd": -1}, "price_usd: -1 is not"),
    ({"absorption": 3}, "absorption: not a list"),
    ({"absorption": []}, "absorption: no node"),
    ({"absorption": [[0, 0]]}, "absorption: no node"),
    ({"absorption": [[0, 5], [0.1, 6]]}, "absorption[0]: nothing can stand"),
    ({"absorption": [[0.1, 5], [0.1, 6]]}, "absorption[1]: drops must ascend"),
    ({"absorption": [[0.2, 5], [0.1, 6]]}, "absorption[1]: drops must ascend"),
    ({"absorption": [[0, 0], [0, 0]]}, "absorption[1]: drops must ascend"),
    ({"absorption": [[0.1, 5], [0.2, 4]]}, "absorption[1]: coins are cumulative"),
    ({"absorption": [[0.1, -5]]}, "absorption[0]: negative"),
    ({"liquidations": [[-0.1, 5]]}, "liquidations[0]: negative"),
    ({"liquidations": [[5, 1]]}, "0.01 is 1%"),
    ({"liquidations": [[0.1]]}, "liquidations[0]: not [drop_ratio, cumulative_base]"),
    ({"liquidations": [0.1]}, "liquidations[0]: not [drop_ratio, cumulative_base]"),
    ({"liquidations": [[0.1, "5"]]}, "liquidations[0]: cumulative_base: not a number"),
    ({"liquidations": [[None, 5]]}, "liquidations[0]: drop_ratio: not a number"),
    ('{"price_usd": 1, "absorption": [[0.1, 1e999]], "liquidations": []}', "bad.json"),
]


@pytest.mark.parametrize(("content", "said"), BAD)
def test_bad_files_are_refused_with_file_and_key(content: Any, said: str, tmp_path: Path, run: Run) -> None:
    path = tmp_path / "bad.json"
    path.write_text(content if isinstance(content, str) else json.dumps({**EXAMPLE, **content}))
    code, out, err = run("what-if", "--curves", path, "--sell", "1")
    assert (code, out) == (2, "")
    assert f"{path}: " in err
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("key", EXAMPLE)
def test_missing_keys_are_named(key: str, tmp_path: Path, run: Run) -> None:
    path = tmp_path / "bad.json"
    path.write_text(json.dumps({name + "x" * (name == key): value for name, value in EXAMPLE.items()}))
    code, _, err = run("what-if", "--curves", path, "--sell", "1")
    assert code == 2
    assert f"{path}: {key} is missing; is it '{key}x'?" in err
    code, _, err = run("what-if", "--curves", tmp_path / "nowhere.json", "--sell", "1")
    assert code == 2
    assert "nowhere.json: No such file" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--sell", "1"], "one of --asset NAME and --curves FILE"),
        (["--asset", "BTC", "--curves", "x", "--sell", "1"], "one of --asset NAME and --curves FILE"),
        (["--asset", "BTC"], "one of --sell N and --buy N"),
        (["--asset", "BTC", "--sell", "1", "--buy", "1"], "one of --sell N and --buy N"),
        (["--curves", "x", "--sell", "1", "--url", "http://a:1"], "curves need none"),
        (["--asset", "BTC", "--sell", "0"], "a positive number"),
        (["--asset", "BTC", "--sell", "-3"], "a positive number"),
        (["--asset", "BTC", "--buy", "nan"], "a positive number"),
        (["--asset", "BTC", "--buy", "inf"], "a positive number"),
        (["--asset", "BTC", "--buy", "x"], "--buy"),
        (["--asset", "BTC", "--buy", "1", "--url", "desk:9464"], "--url: an address of the form http://host:port"),
        (["--asset", "BTC", "--buy", "1", "--url", "http://desk:94640"], "--url: an address"),
        (["--asset", "BTC", "--buy", "1", "--url", "file:///etc/passwd"], "--url: an address"),
    ],
)
def test_wrong_use(arguments: list[str], said: str, run: Run) -> None:
    code, out, err = run("what-if", *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


# -- a service
@contextmanager
def service(status: int, body: bytes) -> Iterator[tuple[str, list[str]]]:
    """Answers everything alike, and keeps what was asked."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", paths
        finally:
            server.shutdown()
            thread.join()


def test_a_service_is_asked_and_its_answer_printed(book: Path, run: Run) -> None:
    read = read_curves(book)
    said = answer(read.x, read.absorption, read.liquidations, read.price_usd, "sell", 801)
    with service(200, json.dumps(said).encode()) as (url, paths):
        assert asked(run, "--asset", "BTC", "--url", url + "/", "--sell", "801") == said
        code, out, _ = run("what-if", "--asset", "A/B?", "--url", url, "--buy", "5e7", "--usd")
        assert code == 0
        assert out == run("what-if", "--curves", book, "--sell", "801")[1]
        run("what-if", "--asset", "BTC", "--url", url, "--sell", "2", "--usd")
        run("what-if", "--asset", "BTC", "--url", url, "--buy", "2")
    assert paths == [
        "/api/v1/assets/BTC/what-if?sell_base=801.0",
        "/api/v1/assets/A%2FB%3F/what-if?buy_usd=50000000.0",
        "/api/v1/assets/BTC/what-if?sell_usd=2.0",
        "/api/v1/assets/BTC/what-if?buy_base=2.0",
    ]


@pytest.mark.parametrize(
    ("status", "body", "code", "said"),
    [
        (404, b'{"error": "no asset is followed; did you mean BTC?"}', 2, "did you mean BTC?"),
        (400, b'{"error": "sell_base: not a number"}', 2, "sell_base: not a number"),
        (501, b'{"error": "not there yet"}', 1, "not there yet"),
        (503, b"<html>", 1, "HTTP 503"),
        (500, b'{"error": 5}', 1, "HTTP 500"),
        (200, b"<html>hello</html>", 1, "not the answer of an Undertow"),
        (200, b"[]", 1, "not the answer of an Undertow"),
        (200, b"{}", 1, "not the answer of an Undertow"),
    ],
)
def test_what_a_service_may_say_instead(status: int, body: bytes, code: int, said: str, run: Run) -> None:
    with service(status, body) as (url, _):
        got, out, err = run("what-if", "--asset", "BTC", "--url", url, "--sell", "1")
    assert (got, out) == (code, "")
    assert said in err
    assert err.startswith(f"undertow: {url}: ")


def test_a_service_that_is_not_there(run: Run) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    code, out, err = run("what-if", "--asset", "BTC", "--url", url, "--sell", "1")
    assert (code, out) == (1, "")
    assert f"{url}: no answer" in err


# -- whatever is in the file
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-5, 10**20) | st.floats(0, 1)
ROWS = st.lists(st.lists(NUMBERS, min_size=2, max_size=2), max_size=5)
FITTING = st.lists(st.tuples(st.floats(1e-4, 0.2), st.floats(0, 1e4)), min_size=1, max_size=6).map(
    lambda rows: np.cumsum(rows, axis=0).clip(0, [1.0, 1e9]).tolist()
)


@settings(max_examples=60)
@given(ROWS | FITTING, ROWS | FITTING, st.floats(1e-3, 1e6), st.floats(1e-3, 1e6), st.booleans(), st.booleans())
def test_every_file_is_refused_or_answered_in_json(
    tmp_path_factory: pytest.TempPathFactory,
    absorption: Any,
    liquidations: Any,
    price: float,
    amount: float,
    in_usd: bool,
    upward: bool,
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps({"price_usd": price, "absorption": absorption, "liquidations": liquidations}))
    try:
        read = read_curves(path, upward=upward)
        side = "buy" if upward else "sell"
        found = answer(
            read.x,
            read.absorption,
            read.liquidations,
            read.price_usd,
            side,
            amount,
            in_usd=in_usd,  # type: ignore[arg-type]
        )
    except SettingsError:
        return
    json.dumps(found, allow_nan=False)
    base = found["scales"]["base"]
    assert base["multiplier"] is None or base["multiplier"] >= 1.0
    if found["status"] == "ok" and found["direct_ratio"] is not None:
        assert base["landing_ratio"] >= found["direct_ratio"] * (1 - 1e-9)


def test_what_no_file_can_bring() -> None:
    x, b = np.array([0.0, 0.1]), np.array([0.0, 5.0])
    assert answer(x, b * math.nan, b, 1.0, "sell", 1.0)["status"] == "bad_curve"
    assert answer(x[:1], b[:1], b[:1], 1.0, "sell", 1.0)["status"] == "bad_curve"
    assert answer(x, b, b, math.nan, "sell", 1.0)["status"] == "bad_price"
    assert answer(x, b, b, math.nan, "sell", 1.0)["price_usd"] is None
    assert answer(x, b, 0 * b, 1.0, "sell", 1.0)["status"] == "ok"
    with pytest.raises(SettingsError, match="positive"):
        answer(x, b, b, 1.0, "sell", 0.0)
