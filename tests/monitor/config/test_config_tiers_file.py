"""Margin tiers out of a user's file, and the files of an API key."""

from __future__ import annotations

import gzip
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from monitor.config import load_settings
from monitor.config.credentials import read_credentials
from monitor.errors import SettingsError
from monitor.service.wiring import hub_options, venue_options
from monitor.tiers import tiers_source
from monitor.tiers_file import read_tiers_file

OURS = """
as_of = 2026-11-01
[venues.binance_usdm.SOLUSDT]
tiers = [
  { cap = 10_000, maintenance_ratio = 0.005, max_leverage = 100 },
  { floor = 10_000, cap = 1e5, maintenance_ratio = "0.01", deduction = 50 },
  { maintenance_ratio = 0.025 },
]
[venues.okx_swap.SOL-USDT-SWAP]
unit = "contracts"
whole = true
tiers = [{ cap = 5000, maintenance_ratio = 0.01 }, { maintenance_ratio = 0.02 }]
[venues.binance_coinm.ETHUSD_PERP]
tiers = [{ maintenance_ratio = 0.02 }]
"""


def written(folder: Path, text: str | bytes | object, name: str = "tiers.toml") -> Path:
    path = folder / name
    if isinstance(text, bytes):
        path.write_bytes(text)
    else:
        path.write_text(text if isinstance(text, str) else json.dumps(text))
    return path


def test_our_own_form(tmp_path: Path) -> None:
    found = read_tiers_file(written(tmp_path, OURS))
    assert set(found) == {
        ("binance_usdm", "SOLUSDT"),
        ("okx_swap", "SOL-USDT-SWAP"),
        ("binance_coinm", "ETHUSD_PERP"),
    }
    sol = found["binance_usdm", "SOLUSDT"]
    assert [(t.floor, t.cap, t.maintenance_ratio, t.max_leverage, t.deduction) for t in sol.tiers] == [
        (0, 10_000, Decimal("0.005"), 100, None),
        (10_000, 100_000, Decimal("0.01"), None, 50),
        (100_000, None, Decimal("0.025"), None, None),
    ]
    assert (sol.unit, sol.whole, sol.documented, tiers_source(sol)) == (
        "quote",
        False,
        date(2026, 11, 1),
        "file tiers.toml of 2026-11-01",
    )
    swap = found["okx_swap", "SOL-USDT-SWAP"]
    assert (swap.unit, swap.whole) == ("contracts", True)
    assert found["binance_coinm", "ETHUSD_PERP"].unit == "base"


def test_the_same_as_json_without_a_date(tmp_path: Path) -> None:
    data = {"venues": {"hyperliquid": {"SOL": {"tiers": [{"maintenance_ratio": 0.01}]}}}}
    found = read_tiers_file(written(tmp_path, data, "t.json"))
    assert tiers_source(found["hyperliquid", "SOL"]) == "file t.json"
    assert found["hyperliquid", "SOL"].tiers[0].maintenance_ratio == Decimal("0.01")


USDM = {
    "symbol": "ETHUSDT",
    "notionalCoef": 1.5,
    "brackets": [
        {"bracket": 1, "initialLeverage": 75, "notionalCap": 10000, "notionalFloor": 0, "maintMarginRatio": 0.0065, "cum": 0}
    ],
}  # fmt: skip
COINM = {
    "symbol": "BTCUSD_PERP",
    "brackets": [
        {"bracket": 1, "initialLeverage": 125, "qtyCap": 50, "qtylFloor": 0, "maintMarginRatio": "0.004", "cum": "0.0"},
        {"bracket": 2, "initialLeverage": 100, "qtyCap": 100, "qtylFloor": 50, "maintMarginRatio": 0.005, "cum": 0.05},
    ],
}


def test_binances_own_reply_is_taken_as_it_is(tmp_path: Path) -> None:
    found = read_tiers_file(written(tmp_path, [USDM, COINM], "saved.json"))
    assert found["binance_usdm", "ETHUSDT"].unit == "quote"
    coinm = found["binance_coinm", "BTCUSD_PERP"]
    assert (coinm.unit, tiers_source(coinm)) == ("base", "file saved.json")
    assert [(t.floor, t.cap, t.deduction) for t in coinm.tiers] == [(0, 50, 0), (50, 100, Decimal("0.05"))]
    assert list(read_tiers_file(written(tmp_path, USDM, "one.json"))) == [("binance_usdm", "ETHUSDT")]


def test_a_reply_of_2023_is_read(shared_data: Path, tmp_path: Path) -> None:
    raw = gzip.decompress((shared_data / "margin-tiers" / "binance_fapi_leverageBracket_2023.json.gz").read_bytes())
    (tiers,) = read_tiers_file(written(tmp_path, raw, "raw.json")).values()
    assert (tiers.symbol, len(tiers.tiers), tiers.tiers[0].cap) == ("BTCUSDT", 10, 50_000)


def market(rows: str, more: str = "") -> str:
    return f"[venues.binance_usdm.SOLUSDT]\n{more}\ntiers = [{rows}]"


AT = "venues.binance_usdm.SOLUSDT"
FIRST = "{cap = 5, maintenance_ratio = 0.01}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = ", "not valid TOML: "),
        ("", "venues is missing"),
        ("[venues]", "venues: no market is in it"),
        ("as_off = 2026-01-01", "as_off: unknown key; did you mean as_of?"),
        ("as_of = 'soon'\n[venues]", "as_of: a date such as 2026-04-01 is needed, not 'soon'"),
        ("as_of = 2026-01-01T00:00:00Z\n[venues]", "as_of: a date"),
        ("[venues.binance_usd.X]", "venues.binance_usd is wrong: unknown venue; did you mean binance_usdm?"),
        ("[venues.binance_spot.X]", "venues.binance_spot is wrong: nothing is liquidated on the spot venue"),
        ("[venues.binance_usdm.sol]", "venues.binance_usdm.sol: not a symbol of Binance USD-M futures (they look like BTCUSDT)"),
        ("[venues.binance_usdm]\nSOLUSDT = 5", f"{AT} a table is needed"),
        ("[venues.okx_swap.SOL-USDT-SWAP]\ntiers = []", "unit: one of quote, base, contracts is needed, is missing"),
        (market(FIRST, "unit = 'coins'"), f"{AT}.unit: one of quote, base, contracts is needed, not 'coins'"),
        (market(FIRST, "whole = 1"), f"{AT}.whole: true or false is needed, not 1"),
        (market(FIRST, "hole = true"), f"{AT}.hole: unknown key; did you mean whole?"),
        (market(""), f"{AT}.tiers: a list of tiers is needed"),
        (market("5"), f"{AT}.tiers[0] a table is needed"),
        (market("{}"), f"{AT}.tiers[0].maintenance_ratio: is missing"),
        (market("{mmr = 0.01}"), f"{AT}.tiers[0].mmr: unknown key; "),
        (market("{maintenance_rate = 0.01}"), "did you mean maintenance_ratio?"),
        (market("{maintenance_ratio = 0.5}, {maintenance_ratio = 0.6}"), f"{AT}.tiers[0].cap: only the last tier may be without an end"),
        (market("{maintenance_ratio = 1.5}"), "a fraction above 0 and below 1 is needed (0.5% is 0.005), not 1.5"),
        (market("{maintenance_ratio = 0}"), "a fraction above 0"),
        (market("{maintenance_ratio = nan}"), f"{AT}.tiers[0].maintenance_ratio: a number that is not negative is needed, not 'NaN'"),
        (market("{maintenance_ratio = true}"), "not 'True'"),
        (market("{maintenance_ratio = '1_000x'}"), "not '1_000x'"),
        (market("{floor = 1, maintenance_ratio = 0.1}"), f"{AT}.tiers[0].floor: the tier begins where the one before ends, at 0, not at 1"),
        (market(FIRST + ", {floor = 6, maintenance_ratio = 0.1}"), "at 5, not at 6; it may be left out"),
        (market(FIRST + ", {cap = 5, maintenance_ratio = 0.1}"), f"{AT}.tiers[1].cap: must be above 5"),
        (market(FIRST + ", {maintenance_ratio = 0.001}"), f"{AT}.tiers[1].maintenance_ratio: must not fall: the tier before has 0.01"),
        (market("{maintenance_ratio = 0.1, max_leverage = 0.5}"), "max_leverage: at least 1 is needed"),
        (market(FIRST + ", {maintenance_ratio = 0.02, deduction = 1}"), f"{AT}.tiers[1].deduction: 0.05 makes the margin continuous, not 1"),
        (market("{maintenance_ratio = 0.02, deduction = 0}", "whole = true"), "where the whole position takes its tier's ratio there is none"),
    ],
)  # fmt: skip
def test_what_is_wrong_names_file_key_and_the_nearest(text: str, said: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SettingsError) as raised:
        read_tiers_file(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.yaml", "x", "a name that ends in .toml or .json is needed"),
        ("t.json", b"\xff", "not a text file in UTF-8"),
        ("t.json", '{"venues": {"a": 1, "a": 2}}', "not valid JSON: a key stands twice in one object: a"),
        ("t.json", '{"venues": NaN}', "not valid JSON: NaN is no number"),
        ("t.json", "[" * 100_000, "not valid JSON"),
        ("t.json", "5", "the file a table is needed"),
        ("t.json", "[]", "no market is in it"),
        ("t.json", "[5]", "[0]: no market of a leverageBracket reply"),
        ("t.json", [USDM, {"symbol": "X"}], "[1]: no market of a leverageBracket reply"),
        ("t.json", [{**USDM, "symbol": ""}], "[0]: binance_usdm tiers: symbol is not a text"),
        ("t.json", [{**COINM, "brackets": COINM["brackets"][1:]}], "BTCUSD_PERP: brackets do not join from 0"),
    ],
)  # fmt: skip
def test_files_that_are_none(name: str, content: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        read_tiers_file(written(tmp_path, content, name))
    assert said in str(raised.value)
    assert name in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml: no such file"):
        read_tiers_file(tmp_path / "nowhere.toml")
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        read_tiers_file(tmp_path)


def test_the_setting_brings_them_to_the_hub(tmp_path: Path) -> None:
    path = written(tmp_path, OURS)
    settings = load_settings([], {"UNDERTOW__ENGINE__TIERS_FILE": str(path)})
    assert ("binance_usdm", "SOLUSDT") in hub_options(settings).market.tiers
    assert hub_options(load_settings([], {})).market.tiers == {}
    path.write_text("x = 1")
    with pytest.raises(SettingsError, match="unknown key"):
        hub_options(settings)


# -- the key of a venue
KEY, SECRET = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A", "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP"


def keyed(venue: str = "binance_usdm", **more: str) -> str:
    symbol = {"binance_usdm": "BTCUSDT", "binance_coinm": "BTCUSD_PERP", "okx_swap": "BTC-USDT-SWAP"}[venue]
    lines = [f"[venues.{venue}]", f"symbols = ['{symbol}']", *(f"{key} = '{value}'" for key, value in more.items())]
    return "\n".join(lines)


def test_key_and_secret_come_out_of_their_files(tmp_path: Path) -> None:
    key, secret = written(tmp_path, f"{KEY}\r\nread only\n", "key"), written(tmp_path, f" {SECRET} ", "secret")
    for venue in ("binance_usdm", "binance_coinm"):
        path = written(tmp_path, keyed(venue, api_key_file=str(key), api_secret_file=str(secret)))
        settings = load_settings([path], {})
        options = venue_options(settings)[venue]
        assert options.credentials is not None
        assert (options.credentials.key, options.credentials.secret) == (KEY, SECRET)
        assert KEY not in repr(options)
        assert SECRET not in repr(options)
        assert hub_options(settings).market.keyed == {venue}
    plain = load_settings([written(tmp_path, keyed())], {})
    assert venue_options(plain)["binance_usdm"].credentials is None
    assert hub_options(plain).market.keyed == frozenset()
    assert read_credentials("binance_usdm", plain.venues["binance_usdm"]) is None


@pytest.mark.parametrize("content", [b"", b"\n", b"two words\n", b"\xff\xfe\n", b"a\x00b"])
def test_a_file_without_a_key_is_refused_and_not_repeated(content: bytes, tmp_path: Path) -> None:
    key, secret = written(tmp_path, KEY, "key"), written(tmp_path, content, "secret")
    settings = load_settings([written(tmp_path, keyed(api_key_file=str(key), api_secret_file=str(secret)))], {})
    with pytest.raises(
        SettingsError, match=r"^venues\.binance_usdm\.api_secret_file: the first line of the file is no key$"
    ):
        venue_options(settings)
    secret.unlink()
    with pytest.raises(SettingsError, match="api_secret_file: the file cannot be read: No such file"):
        venue_options(settings)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (keyed("okx_swap", api_key_file="k", api_secret_file="s"), "venues.okx_swap.api_key_file: OKX swaps needs no key"),
        (keyed("okx_swap", api_secret_file="s"), "only binance_usdm, binance_coinm take one"),
        (keyed(api_key_file="k"), "venues.binance_usdm.api_key_file and venues.binance_usdm.api_secret_file are needed together"),
        (keyed(api_secret_file="s"), "are needed together"),
        (keyed(api_key_file="k", api_secret_file="s", rest_origin="http://proxy:1"), "rest_origin: the API key would go in clear to proxy"),
        (keyed(api_key_file=KEY, api_secret_file="s"), "api_key_file: this looks like the key itself"),
        (keyed(api_keyfile="k"), "did you mean venues.binance_usdm.api_key_file?"),
    ],
)  # fmt: skip
def test_a_key_where_none_is_taken_is_refused(text: str, said: str, tmp_path: Path) -> None:
    path = written(tmp_path, text, "desk.toml")
    with pytest.raises(SettingsError) as raised:
        load_settings([path], {})
    assert said in str(raised.value)
    assert str(path) in str(raised.value)
    assert KEY not in str(raised.value)


def test_a_simulated_venue_on_this_machine_may_have_a_key(tmp_path: Path) -> None:
    text = keyed(api_key_file="k", api_secret_file="s", rest_origin="http://127.0.0.1:1")
    assert load_settings([written(tmp_path, text)], {}).venues["binance_usdm"].api_key_file == Path("k")
