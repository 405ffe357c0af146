"""`undertow liquidation-price`: the venues' rules, where tiers come from, and what it refuses."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest
from cli_rig import Run

from monitor.errors import SettingsError
from monitor.facts import Instrument, MarginTier, MarginTiers, MarkPrice
from monitor.liquidation_price import Holding, contract_type, liquidation_price
from monitor.market import Market, MarketOptions
from monitor.venues.registry import VENUES
from monitor.views import ServiceView
from monitor.web.payload import encode, markets_json

BRACKETS = [
    ("0", "50000", "0.005"),
    ("50000", "250000", "0.01"),
    ("250000", "1000000", "0.025"),
    ("1000000", None, "0.05"),
]
BINANCE = ("--venue", "binance_usdm", "--symbol", "BTCUSDT")


def tiers(whole: bool = False, unit: Any = "quote", rows: Any = BRACKETS) -> MarginTiers:
    made = tuple(
        MarginTier(Decimal(low), None if high is None else Decimal(high), Decimal(rate), Decimal(50))
        for low, high, rate in rows
    )
    return MarginTiers("X", made, unit, whole, 0)


def listed(venue: str, **changes: Any) -> Instrument:
    made = Instrument(
        venue, VENUES[venue].symbol_example, "BTC", "USDT", "USDT", "linear", Decimal("0.1"), Decimal("0.001")
    )
    return replace(made, **changes)


# -- the rules
@pytest.mark.parametrize(
    ("holding", "expected", "number", "bankrupt"),
    [
        (Holding("long", 10, 110000, leverage=20), 106947.368421, 4, 104500),
        (Holding("long", 10, 101000, leverage=10), 92820.512821, 3, 90900),
        (Holding("short", 2, 70000, leverage=25), 72202.970297, 2, 72800),
        (Holding("long", 0.5, 70000, wallet=350), 69648.241206, 1, 69300),
    ],
)
def test_marginal_brackets(holding: Holding, expected: float, number: int, bankrupt: float) -> None:
    found = liquidation_price(VENUES["binance_usdm"], listed("binance_usdm"), tiers(), holding)
    assert found.price == pytest.approx(expected, rel=1e-9)
    assert found.bracket is not None
    assert (found.bracket.number, found.bracket.of, found.whole, found.source) == (number, 4, False, "venue")
    assert found.bankruptcy_price == pytest.approx(bankrupt)
    assert found.distance == pytest.approx(expected / holding.entry - 1)


def test_cross_accounts_and_hyperliquids_account_value() -> None:
    flat = tiers(rows=[("0", None, "0.0125")])
    cross = Holding("long", 2, 71000, wallet=12000, other_maintenance=500, other_pnl=-500)
    found = liquidation_price(VENUES["binance_usdm"], listed("binance_usdm"), flat, cross)
    assert found.price == pytest.approx(66329.113924)
    assert found.bankruptcy_price == pytest.approx(71000 - 11500 / 2)
    account = Holding("long", 2, 71000, wallet=9000, mark=70000)
    there = liquidation_price(VENUES["hyperliquid"], listed("hyperliquid"), flat, account)
    assert there.price == pytest.approx(66329.113924)
    assert there.distance == pytest.approx(66329.113924 / 70000 - 1)
    with pytest.raises(SettingsError, match="--mark is needed with it"):
        liquidation_price(VENUES["hyperliquid"], listed("hyperliquid"), flat, replace(account, mark=None))


def test_okx_has_the_fee_inside_and_bybit_an_older_way() -> None:
    okx, flat = VENUES["okx_swap"], tiers(True, "contracts", [("0", None, "0.004")])
    for side, expected in (("long", 63284.781517), ("short", 76655.052265)):
        holding = Holding(side, 1, 70000, leverage=10)  # type: ignore[arg-type]
        found = liquidation_price(okx, listed("okx_swap", contract_size=Decimal("0.01")), flat, holding)
        assert (found.price, found.fee) == (pytest.approx(expected), 0.0005)
        free = liquidation_price(okx, listed("okx_swap"), flat, replace(holding, fee=0.0))
        assert free.price != found.price
    bybit, half = VENUES["bybit_linear"], tiers(rows=[("0", None, "0.005")])
    long = Holding("long", 1, 20000, leverage=50)
    assert liquidation_price(bybit, listed("bybit_linear"), half, long).price == pytest.approx(19698.492462)
    older = liquidation_price(bybit, listed("bybit_linear"), half, replace(long, at_entry=True))
    assert older.price == pytest.approx(19700)
    assert "older pages" in older.rule
    inverse = listed("bybit_inverse", contract_type="inverse")
    short = Holding("short", 60000, 50000, leverage=10)
    coins = tiers(unit="base", rows=[("0", None, "0.005")])
    assert liquidation_price(VENUES["bybit_inverse"], inverse, coins, short).price == pytest.approx(55277.777778)
    older = liquidation_price(VENUES["bybit_inverse"], inverse, coins, replace(short, at_entry=True))
    assert older.price == pytest.approx(55248.618785)


def test_tiers_by_size_do_not_move_with_the_price() -> None:
    by_size = tiers(True, "contracts", [("0", "100", "0.01"), ("100", None, "0.02")])
    holding = Holding("long", 1.5, 50000, leverage=10, mark=50000)
    found = liquidation_price(VENUES["gate_usdt"], listed("gate_usdt", contract_size=Decimal("0.01")), by_size, holding)
    assert found.bracket is not None
    assert (found.bracket.number, found.bracket.floor, found.bracket.cap, found.bracket.unit) == (
        2,
        1.0,
        None,
        "base coins",
    )
    assert found.price == pytest.approx(45000 / 0.98)


def test_what_a_person_should_know_is_noted() -> None:
    venue, market = VENUES["binance_usdm"], listed("binance_usdm")
    capped = tiers(rows=[("0", "1000", "0.01")])

    def notes(made: MarginTiers, holding: Holding) -> str:
        return " / ".join(liquidation_price(venue, market, made, holding).notes)

    big = Holding("long", 1, 70000, leverage=10)
    assert "beyond the end of the last bracket" in notes(capped, big)
    assert "a leverage of 50 at most" in notes(tiers(), replace(big, leverage=60))
    assert "due for liquidation already" in notes(tiers(), replace(big, mark=60000))
    assert notes(tiers(), big) == ""
    none = liquidation_price(venue, market, tiers(), Holding("long", 1, 70000, leverage=1))
    assert (none.price, none.distance, none.bracket) == (None, None, None)
    assert "no price above 0" in none.reason


@pytest.mark.parametrize(
    ("venue", "symbol", "kind"),
    [
        ("okx_swap", "BTC-USDT-SWAP", "linear"),
        ("okx_swap", "BTC-USD-SWAP", "inverse"),
        ("deribit", "BTC-PERPETUAL", "inverse"),
        ("deribit", "BTC_USDC-PERPETUAL", "linear"),
        ("kraken_futures", "PI_XBTUSD", "inverse"),
        ("kraken_futures", "PF_XBTUSD", "linear"),
        ("kucoin_futures", "XBTUSDTM", "linear"),
        ("kucoin_futures", "XBTUSDCM", "linear"),
        ("kucoin_futures", "XBTUSDM", "inverse"),
        ("kucoin_futures", "XBTMZ26", "inverse"),
        ("binance_coinm", "BTCUSD_PERP", "inverse"),
        ("dydx", "BTC-USD", "linear"),
        ("bitfinex", "tBTCF0:USTF0", "linear"),
    ],
)
def test_linear_or_inverse_by_the_symbol(venue: str, symbol: str, kind: str) -> None:
    assert contract_type(VENUES[venue], symbol) == kind


# -- the command
def asked(run: Run, *arguments: str | Path) -> dict[str, Any]:
    code, out, said = run("liquidation-price", *arguments, "--json")
    assert code == 0, said
    found: dict[str, Any] = json.loads(out)
    return found


def test_documented_brackets_as_json_and_as_a_table(run: Run) -> None:
    arguments = (*BINANCE, "--entry", "70000", "--quantity", "2", "--leverage", "25")
    found = asked(run, *arguments)
    assert found["liquidation_price"] == pytest.approx(134400 / (2 * 0.996))
    assert found["bankruptcy_price"] == pytest.approx(67200)
    assert found["tiers_source"] == "documented 2026-04-01"
    assert found["bracket"]["maintenance_ratio"] == 0.004
    assert (found["quantity_unit"], found["distance_from"], found["whole"]) == ("base coins", "entry", False)
    code, out, _ = run("liquidation-price", *arguments)
    assert code == 0
    for said in ("67,469.87952", "-3.614% from the entry", "documented 2026-04-01", "1 of 12", "marginal", "Binance"):
        assert said in out
    assert "note: these tiers are documentation of that day" in out


def test_an_unknown_market_is_assumed_and_said_to_be(run: Run) -> None:
    arguments = ("--venue", "gate_usdt", "--symbol", "NEW_USDT", "--entry", "2", "--quantity", "100", "--wallet", "20")
    found = asked(run, *arguments, "--side", "short")
    assert (found["tiers_source"], found["whole"]) == ("assumed", True)
    assert found["liquidation_price"] == pytest.approx(220 / (100 * 1.005))
    assert "one ratio is assumed" in found["notes"][0]
    assert "no page of this venue" in found["rule"]


def test_inverse_contracts_are_in_dollars_and_coins(run: Run) -> None:
    found = asked(
        run, "--venue", "binance_coinm", "--symbol", "BTCUSD_PERP", "--side", "short", "--entry", "50000",
        "--quantity", "60000", "--leverage", "10",
    )  # fmt: skip
    assert (found["contract_type"], found["quantity_unit"], found["margin_unit"]) == (
        "inverse",
        "US dollars of contracts",
        "coins",
    )
    assert found["margin"] == pytest.approx(0.12)
    assert found["liquidation_price"] == pytest.approx(60000 * 0.996 / 1.08)


def test_a_position_that_nothing_liquidates(run: Run) -> None:
    arguments = (*BINANCE, "--entry", "70000", "--quantity", "2", "--wallet", "140000")
    found = asked(run, *arguments)
    assert (found["liquidation_price"], found["distance_ratio"], found["bracket"]) == (None, None, None)
    assert "no price above 0" in found["reason"]
    _, out, _ = run("liquidation-price", *arguments)
    assert "none: no price above 0 liquidates this position" in out


def test_tiers_of_a_file_win_over_documented_ones(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "tiers.toml"
    file.write_text("as_of = 2026-11-01\n[venues.binance_usdm.BTCUSDT]\ntiers = [{ maintenance_ratio = 0.1 }]\n"
                    "[venues.okx_swap.SOL-USDT-SWAP]\nunit = 'contracts'\nwhole = true\ntiers = [{ maintenance_ratio = 0.1 }]\n")  # fmt: skip
    arguments = ("--entry", "100", "--quantity", "2", "--leverage", "5", "--tiers", file)
    found = asked(run, *BINANCE, *arguments)
    assert found["tiers_source"] == "file tiers.toml of 2026-11-01"
    assert found["liquidation_price"] == pytest.approx(80 / 0.9)
    code, _, said = run("liquidation-price", "--venue", "binance_usdm", "--symbol", "BTCUSDC", *arguments)
    assert code == 2
    assert "has no binance_usdm:BTCUSDC; did you mean BTCUSDT?" in said
    swap = ("--venue", "okx_swap", "--symbol", "SOL-USDT-SWAP")
    code, _, said = run("liquidation-price", *swap, *arguments)
    assert (code, "--contract-size: the tiers of SOL-USDT-SWAP count contracts" in said) == (2, True)
    assert asked(run, *swap, *arguments, "--contract-size", "1")["liquidation_price"] == pytest.approx(80 / 0.8995)
    file.write_text("[venues.binance_usdm.BTCUSDT]\ntiers = [{ maintenance_rate = 0.1 }]\n")
    code, _, said = run("liquidation-price", *BINANCE, *arguments)
    assert (code, "did you mean maintenance_ratio?" in said) == (2, True)


BASE = ("--entry", "7e4", "--quantity", "1")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--venue", "binance_usd", "--symbol", "X", *BASE, "--leverage", "5"), "did you mean binance_usdm?"),
        (("--venue", "binance_spot", "--symbol", "X", *BASE, "--leverage", "5"), "--venue: unknown name 'binance_spot'"),
        (("--venue", "binance_usdm", "--symbol", "btc", *BASE, "--leverage", "5"), "they look like BTCUSDT"),
        ((*BINANCE, *BASE), "one of them is needed"),
        ((*BINANCE, *BASE, "--leverage", "5", "--wallet", "5"), "not both"),
        ((*BINANCE, *BASE, "--leverage", "0.5"), "--leverage: at least 1"),
        ((*BINANCE, *BASE, "--leverage", "nan"), "--leverage: a number above 0 is needed, not nan"),
        ((*BINANCE, "--entry", "0", "--quantity", "1", "--leverage", "5"), "--entry: a number above 0 is needed, not 0"),
        ((*BINANCE, "--entry", "7", "--quantity", "-1", "--leverage", "5"), "--quantity: a number above 0 is needed, not -1"),
        ((*BINANCE, *BASE, "--wallet", "inf"), "--wallet: a number is needed, not inf"),
        ((*BINANCE, *BASE, "--wallet", "5", "--other-maintenance", "-1"), "--other-maintenance: a number that is not negative"),
        ((*BINANCE, *BASE, "--leverage", "5", "--other-pnl", "1"), "an isolated position knows no others"),
        ((*BINANCE, *BASE, "--leverage", "5", "--fee", "0.5"), "--fee: a fraction below 0.1"),
        ((*BINANCE, *BASE, "--leverage", "5", "--mark", "0"), "--mark: a number above 0"),
        ((*BINANCE, *BASE, "--leverage", "5", "--contract-size", "0"), "--contract-size: a number above 0"),
        ((*BINANCE, *BASE, "--leverage", "5", "--valued-at", "entry"), "binance_usdm knows one way only"),
        (("--venue", "bybit_linear", "--symbol", "BTCUSDT", *BASE, "--wallet", "5", "--valued-at", "entry"), "--leverage is needed"),
        (("--venue", "hyperliquid", "--symbol", "BTC", *BASE, "--wallet", "5"), "--mark is needed"),
        ((*BINANCE, *BASE, "--leverage", "5", "--tiers", "x.toml"), "x.toml: no such file"),
        ((*BINANCE, *BASE, "--leverage", "5", "--tiers", "x", "--url", "http://x"), "come from one of them, not both"),
        ((*BINANCE, *BASE, "--leverage", "5", "--url", "ftp://x"), "--url: an address such as"),
        ((*BINANCE, *BASE, "--leverage", "5", "--side", "up"), "up"),
        ((*BINANCE, *BASE, "--levrage", "5"), "--levrage"),
    ],
)  # fmt: skip
def test_wrong_use_is_named_with_exit_code_2(run: Run, arguments: tuple[str, ...], said: str) -> None:
    code, out, error = run("liquidation-price", *arguments)
    assert code == 2
    assert said in error
    assert out == ""
    assert "Traceback" not in error


# -- a running service
def service_of(*markets: Market) -> bytes:
    view = ServiceView(at=10**18)
    return encode(markets_json(replace(view, markets=tuple(m.view(10**18, 1.0, None, "") for m in markets))))


@pytest.fixture
def serve() -> Iterator[Callable[[bytes], str]]:
    """serve(body): the address of a server that answers it at /api/v1/markets."""
    servers: list[ThreadingHTTPServer] = []

    def begin(body: bytes, status: int = 200) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status if self.path == "/api/v1/markets" else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(made)
        threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return f"http://127.0.0.1:{made.server_port}"

    yield begin
    for each in servers:
        each.shutdown()
        each.server_close()


def a_market(venue: str, symbol: str, told: MarginTiers | None, mark: str, **changes: Any) -> Market:
    options = MarketOptions(bands=("1%",), slippage_usd=(), floor_settle=0)
    market = Market(VENUES[venue], listed(venue, symbol=symbol, **changes), options)
    if told is not None:
        market.take(replace(told, symbol=symbol), 10**18)
    market.take(MarkPrice(symbol, Decimal(mark), 10**18), 10**18)
    market.figures.heard(10**18)
    return market


def test_a_running_service_gives_tiers_contract_size_and_mark(run: Run, serve: Callable[[bytes], str]) -> None:
    by_size = tiers(True, "contracts", [("0", "100", "0.01"), ("100", None, "0.02")])
    url = serve(
        service_of(
            a_market("okx_swap", "BTC-USDT-SWAP", by_size, "66000", contract_size=Decimal("0.01")),
            a_market("binance_usdm", "BTCUSDT", None, "66000"),
            a_market("binance_usdm", "1000PEPEUSDT", tiers(), "0.009", unit_multiplier=1000),
            a_market("gate_usdt", "NEW_USDT", None, "5"),
        )
    )
    position = ("--entry", "70000", "--quantity", "1.5", "--leverage", "10", "--url", url)
    found = asked(run, "--venue", "okx_swap", "--symbol", "BTC-USDT-SWAP", *position)
    assert (found["tiers_source"], found["whole"], found["mark_price"]) == ("venue", True, 66000)
    assert found["bracket"]["maintenance_ratio"] == 0.02
    assert found["liquidation_price"] == pytest.approx(63000 / (1 - 0.0205))
    assert found["distance_from"] == "mark"
    assert found["tiers_at"].startswith("2001-09-09T01:46:40")
    assert asked(run, *BINANCE, *position)["tiers_source"] == "documented 2026-04-01"
    assert asked(run, "--venue", "gate_usdt", "--symbol", "NEW_USDT", *position)["tiers_source"] == "assumed"
    pepe = asked(run, "--venue", "binance_usdm", "--symbol", "1000PEPEUSDT", *position)
    assert pepe["mark_price"] == pytest.approx(0.009)  # as the venue quotes a thousand of them
    assert asked(run, *BINANCE, *position, "--mark", "69000")["mark_price"] == 69000
    _, out, _ = run("liquidation-price", *BINANCE, *position)
    assert "by the service at 2001-09-09" in out
    code, _, said = run("liquidation-price", "--venue", "binance_usdm", "--symbol", "BTCUSDC", *position)
    assert code == 2
    assert "did you mean binance_usdm:BTCUSDT?" in said


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"no JSON", "the answer is not that of a service of ours"),
        (b"[]", "the answer is not that of a service of ours"),
        (b'{"markets": 5}', "the answer is not that of a service of ours"),
        (b'{"markets": [{"venue":"binance_usdm","market":"BTCUSDT","margin_tiers":null}]}', "knows no margin tiers"),
        (
            b'{"markets": [{"venue":"binance_usdm","market":"BTCUSDT","margin_tiers":{"unit":"apples"}}]}',
            "cannot be read",
        ),
        (b'{"markets": [{"venue":"binance_usdm","market":"BTCUSDT","margin_tiers":[]}]}', "cannot be read"),
    ],
)
def test_an_answer_without_tiers_is_a_failure(run: Run, serve: Callable[[bytes], str], body: bytes, said: str) -> None:
    code, _, error = run("liquidation-price", *BINANCE, *BASE, "--leverage", "5", "--url", serve(body))
    assert code == 1
    assert said in error


def test_a_service_that_is_not_there_is_a_failure(run: Run, serve: Callable[..., str]) -> None:
    code, _, error = run("liquidation-price", *BINANCE, *BASE, "--leverage", "5", "--url", serve(b"", 503))
    assert (code, "Service Unavailable" in error or "503" in error) == (1, True)
    code, _, error = run("liquidation-price", *BINANCE, *BASE, "--leverage", "5", "--url", "http://127.0.0.1:1")
    assert (code, "refused" in error) == (1, True)


def test_figures_are_readable() -> None:
    from monitor.cli.liquidation_answer import _figure

    assert [_figure(x) for x in (0.0, 67469.8795180723, 0.00001234567891, 1e9, 139200.0)] == [
        "0", "67,469.87952", "0.000012345679", "1,000,000,000", "139,200",
    ]  # fmt: skip
    assert math.isclose(float(_figure(1234.5678901234).replace(",", "")), 1234.56789)
    assert orjson.loads(encode({"x": math.nan})) == {"x": None}


# -- what `check` says of the settings behind it
def test_check_reads_the_tiers_file_and_does_not_show_a_key(run: Run, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k" * 64)
    tiers_file = tmp_path / "tiers.toml"
    tiers_file.write_text("[venues.binance_usdm.BTCUSDT]\ntiers = [{ maintenance_ratio = 0.1 }]\n")
    desk = tmp_path / "desk.toml"
    desk.write_text(
        "[engine]\ntiers_file = 'tiers.toml'\n[venues.binance_usdm]\nsymbols = ['BTCUSDT']\n"
        "api_key_file = 'key'\napi_secret_file = 'secret'\n"
    )
    code, out, said = run("check", "-c", desk)
    assert code == 0
    assert 'tiers_file = "tiers.toml"' in out
    assert "note: venues.binance_usdm.api_secret_file: the file cannot be read now" in said
    assert "k" * 64 not in out + said
    tiers_file.write_text("[venues.binance_usdm.BTCUSDT]\ntiers = []\n")
    code, _, said = run("check", "-c", desk)
    assert code == 2
    assert "tiers.toml: venues.binance_usdm.BTCUSDT.tiers: a list of tiers is needed" in said
