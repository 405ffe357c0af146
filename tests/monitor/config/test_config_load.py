"""Every key through files and variables, who wins, and how what is wrong is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from config_values import COMPANIONS, VALUES, keys, toml, value_of, variable
from pydantic import ValidationError

from monitor.config import Settings, load, load_settings
from monitor.config.text import as_toml, toml_value
from monitor.errors import SettingsError

CONFIGS = sorted((Path(__file__).parents[3] / "configs").glob("*.toml"))
DEFAULTS = Settings()
ALERT_KEYS = [".".join(key) for key in keys() if key[0] == "alerts"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "desk.toml"


def refusal(file: Path, text: str, environ: dict[str, str] | None = None) -> str:
    """The one line with which it is refused."""
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as raised:
        load_settings([file], environ or {})
    message = str(raised.value)
    assert "\n" not in message
    return message


def test_the_table_of_values_is_complete() -> None:
    assert set(VALUES) | set(ALERT_KEYS) == {".".join(key) for key in keys()}
    for key, (_, _, value) in VALUES.items():
        if not key.startswith("venues"):
            assert value_of(DEFAULTS, key) != value, f"{key}: a default shows nothing"


@pytest.mark.parametrize("key", VALUES)
def test_every_key_through_a_file(key: str, file: Path) -> None:
    file.write_text(toml({name: VALUES[name][0] for name in {key, *COMPANIONS.get(key, ())}}))
    loaded = load([file], {})
    assert value_of(loaded.settings, key) == VALUES[key][2]
    assert loaded.found[tuple(key.split("."))] == str(file)


@pytest.mark.parametrize("key", VALUES)
def test_every_key_through_a_variable(key: str) -> None:
    loaded = load([], {variable(name): VALUES[name][1] for name in {key, *COMPANIONS.get(key, ())}})
    assert value_of(loaded.settings, key) == VALUES[key][2]
    assert loaded.found[tuple(key.split("."))] == variable(key)


@pytest.mark.parametrize("key", VALUES)
def test_a_variable_may_also_hold_toml(key: str) -> None:
    settings = load_settings([], {variable(name): VALUES[name][0] for name in {key, *COMPANIONS.get(key, ())}})
    assert value_of(settings, key) == VALUES[key][2]


@pytest.mark.parametrize("key", ALERT_KEYS)
def test_every_alert_key(key: str, file: Path) -> None:
    default = value_of(DEFAULTS, key)
    file.write_text(toml({key: toml_value(default)}))
    for loaded in (load([file], {}), load([], {variable(key): toml_value(default)})):
        assert loaded.settings == DEFAULTS
        assert tuple(key.split(".")) in loaded.found
    assert f": {key}: " in refusal(file, toml({key: '"much"'}))


def test_files_in_order_then_variables(tmp_path: Path) -> None:
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    first.write_text('[instance]\nname = "a"\n[engine]\nmax_series = 200\nfloor_settle = "1m"\n')
    second.write_text('[instance]\nname = "b"\n[engine]\nfloor_settle = "2m"\n')
    loaded = load([first, second], {"UNDERTOW__INSTANCE__NAME": "c"})
    assert loaded.settings.instance.name == "c"
    assert loaded.settings.engine.max_series == 200
    assert loaded.settings.engine.floor_settle == 120.0
    assert loaded.found["engine", "max_series"] == str(first)
    assert loaded.found["engine", "floor_settle"] == str(second)
    assert load_settings([second, first], {}).instance.name == "a"


def test_only_the_given_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERTOW__INSTANCE__NAME", "from-outside")
    assert load_settings([], {}).instance.name == "undertow-1"
    assert load_settings([]).instance.name == "from-outside"


def test_variables_in_any_case_and_lists_in_brackets() -> None:
    settings = load_settings(
        [], {"undertow__venues__okx_swap__symbols": '["BTC-USDT-SWAP"]', "UNDERTOW__Engine__Bands": " [ '1%' ] "}
    )
    assert settings.venues["okx_swap"].symbols == ("BTC-USDT-SWAP",)
    assert settings.engine.bands == ("1%",)


def test_a_section_through_one_variable() -> None:
    settings = load_settings([], {"UNDERTOW__VENUES__OKX_SWAP": '{symbols = ["BTC-USDT-SWAP"], lag_bound = "1s"}'})
    assert settings.venues["okx_swap"].lag_bound == 1.0


@pytest.mark.parametrize(
    ("text", "key", "nearest"),
    [
        ("[htp]\nlisten = '127.0.0.1:1'", "htp", "did you mean http?"),
        ("[http]\nlisen = '127.0.0.1:1'", "http.lisen", "did you mean http.listen?"),
        ("[mqtt]\npassword = 'hunter2'", "mqtt.password", "did you mean mqtt.password_file?"),
        ("listen = '127.0.0.1:1'", "listen", "did you mean http.listen?"),
        ("[engine]\nBands = ['1%']", "engine.Bands", "did you mean engine.bands?"),
        ("[venues.binance_usd]\nsymbols = ['BTCUSDT']", "binance_usd", "did you mean venues.binance_usdm?"),
        ("[venues.okx_swap]\nsymbol = ['BTC-USDT-SWAP']", "venues.okx_swap.symbol", "did you mean venues.okx_swap.symbols?"),
        ("[alerts.liquidation_bust]\nfloor_usd = 1.0", "alerts.liquidation_bust", "did you mean alerts.liquidation_burst?"),
        ("[alerts.feed_fault]\nresync = 3", "alerts.feed_fault.resync", "did you mean alerts.feed_fault.resyncs?"),
        ("[zzz]\nx = 1", "zzz", "known here: alerts, engine, fx, http, instance, mqtt, recording, state, venues"),
        ("[[levels]]\nasset = 'BTC'", "levels", "known here"),
        ("[mqtt]\nhome_assistant = true", "mqtt.home_assistant", "known here"),
        ('"a\\nb" = 1', '"a\\nb"', "known here"),
    ],
)  # fmt: skip
def test_what_is_unknown_names_file_key_and_nearest(text: str, key: str, nearest: str, file: Path) -> None:
    message = refusal(file, text)
    assert message.startswith(f"{file}: unknown ")
    assert f" {key};" in message
    assert nearest in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("UNDERTOW__HTTP__LISTN", "http.listen"),
        ("UNDERTOW__HTTP_LISTEN", "http.listen"),
        ("UNDERTOW__VENUES__OKX_SWOP__SYMBOLS", "venues.okx_swap"),
        ("UNDERTOW_HTTP__LISTEN", "UNDERTOW__HTTP__LISTEN"),
        ("UNDERTOW__", "known here"),
        ("UNDERTOW__MQTT", "[mqtt]"),
    ],
)
def test_unknown_variables_are_refused_by_name(name: str, nearest: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings([], {name: "x"})
    assert str(raised.value).startswith(f"{name}: ")
    assert nearest in str(raised.value)


def test_what_others_set_is_let_pass() -> None:
    kubernetes = {"UNDERTOW_PORT": "tcp://10.0.0.1:9464", "UNDERTOW_SERVICE_HOST": "10.0.0.1", "UNDERTOWN__X": "1"}
    assert load_settings([], kubernetes) == DEFAULTS


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ("http = 5", "http", "is a section [http], not a value"),
        ("[[venues]]\na = 1", "venues", "is a section [venues], not a value"),
        ("[venues]\nokx_swap = 'x'", "venues.okx_swap", "is a section [venues.okx_swap], not a value"),
        ("[venues.okx_swap]\nlag_bound = '1s'", "venues.okx_swap.symbols", "is missing"),
        ("[venues.okx_swap]\nsymbols = []", "venues.okx_swap.symbols", "at least 1"),
        ("[venues.okx_swap]\nsymbols = 'BTC-USDT-SWAP'", "venues.okx_swap.symbols", "list"),
        ("[venues.okx_swap]\nsymbols = ['BTCUSDT']", "venues.okx_swap.symbols", "they look like BTC-USDT-SWAP"),
        ("[venues.binance_usdm]\nsymbols = ['btcusdt']", "venues.binance_usdm.symbols", "they look like BTCUSDT"),
        ("[venues.binance_usdm]\nsymbols = ['BTCUSDT\\n']", "venues.binance_usdm.symbols", "they look like BTCUSDT"),
        ("[venues.bybit_linear]\nsymbols = ['BTCUSDT', 'BTCUSDT']", "venues.bybit_linear.symbols", "stands twice"),
        ("[venues.okx_swap]\nsymbols = ['BTC-USDT-SWAP']\nrest_budget_ratio = 1.5", "venues.okx_swap.rest_budget_ratio", "less than or equal to 1"),
        ("[venues.okx_swap]\nsymbols = ['BTC-USDT-SWAP']\nrest_budget_ratio = nan", "venues.okx_swap.rest_budget_ratio", "finite"),
        ("[venues.okx_swap]\nsymbols = ['BTC-USDT-SWAP']\nws_origin = 'http://x'", "venues.okx_swap.ws_origin", "ws://host:port or wss://host:port"),
        ("[venues.okx_swap]\nsymbols = ['BTC-USDT-SWAP']\nws_origin = 'ws://x/path'", "venues.okx_swap.ws_origin", "ws://host:port"),
        ("[engine]\nfloor_settle = 30", "engine.floor_settle", "duration with its unit"),
        ("[engine]\nfloor_settle = 30.0", "engine.floor_settle", "duration with its unit"),
        ("[engine]\nfloor_settle = '30'", "engine.floor_settle", "duration with its unit"),
        ("[engine]\nfloor_settle = '-1s'", "engine.floor_settle", "duration with its unit"),
        ("[engine]\nfloor_settle = '400d'", "engine.floor_settle", "at most 366d"),
        ("[engine]\nbands = ['1%', '2']", "engine.bands", "a band is a percentage"),
        ("[engine]\nbands = ['1%', '60%']", "engine.bands", "a band is a percentage"),
        ("[engine]\nbands = ['1%', '0%']", "engine.bands", "a band is a percentage"),
        ("[engine]\nbands = ['2%']", "engine", 'must hold "1%"'),
        ("[engine]\nbands = ['1%', '1.0%']", "engine", "stands twice"),
        ("[engine]\nslippage_usd = [0]", "engine.slippage_usd", "greater than 0"),
        ("[engine]\nslippage_usd = [1.5]", "engine.slippage_usd", "integer"),
        ("[engine]\nmax_series = true", "engine.max_series", "integer"),
        ("[recording]\nenabled = 'yes'", "recording.enabled", "boolean"),
        ("[recording]\nmax_total_gib = inf", "recording.max_total_gib", "finite number"),
        ("[fx]\nusdt = 'par'", "fx.usdt", "should be 'auto', or should be a valid number"),
        ("[fx]\nusdt = 0", "fx.usdt", "greater than 0"),
        ("[fx]\nusdt = true", "fx.usdt", "should be 'auto', or should be a valid number"),
        ("[instance]\nname = 'a b'", "instance.name", "pattern"),
        ("[http]\nlisten = '9464'", "http.listen", "address to listen on"),
        ("[http]\nlisten = '127.0.0.1:99999'", "http.listen", "address to listen on"),
        ("[state]\npath = ''", "state.path", "a path is needed"),
        ("[state]\npath = \"a\\u0000b\"", "state.path", "a path is needed"),
        ("[mqtt]\nurl = 'http://x:1'", "mqtt.url", "mqtt://host:port or mqtts://host:port"),
        ("[mqtt]\nurl = 'mqtt://x:0'", "mqtt.url", "1 to 65535"),
        ("[mqtt]\nembedded_listen = '0.0.0.0:1883'", "mqtt.embedded_listen", "not a loopback address"),
        ("[mqtt]\ntopic_prefix = 'a/#'", "mqtt.topic_prefix", "pattern"),
        ("[mqtt]\nusername = 'x'", "mqtt.username", "needs mqtt.url"),
        ("[mqtt]\nurl = 'mqtt://b:1'\nusername = 'x'\npassword_file = 'p'", "mqtt.url", "in clear"),
        ("[mqtt]\nurl = 'mqtts://b:1'\npassword_file = 'p'", "mqtt.password_file", "needs mqtt.username"),
        ("[mqtt]\nurl = 'mqtts://b:1'\nclient_cert = 'p'", "mqtt.client_cert", "needed together"),
        ("[http]\nlisten = '127.0.0.1:1883'", "http.listen", "both 127.0.0.1:1883"),
        ("[http]\nlisten = '0.0.0.0:1883'", "http.listen", "both 127.0.0.1:1883"),
        ("[alerts.depth_drought]\nopen_ratio = 0.9", "alerts.depth_drought", "must lie below"),
    ],
)  # fmt: skip
def test_what_is_wrong_names_file_key_and_what_is_wanted(text: str, key: str, said: str, file: Path) -> None:
    message = refusal(file, text)
    assert message.startswith(f"{file}: ")
    assert key in message
    assert said in message


def test_two_ports_that_differ_or_are_free_do_not_clash(file: Path) -> None:
    file.write_text("[http]\nlisten = '127.0.0.1:0'\n[mqtt]\nembedded_listen = '127.0.0.1:0'\n")
    assert load_settings([file], {}).http.listen == "127.0.0.1:0"
    file.write_text("[http]\nlisten = '127.0.0.1:1883'\n[mqtt]\nurl = 'mqtt://localhost:1883'\n")
    assert load_settings([file], {}).mqtt.url == "mqtt://localhost:1883"


@pytest.mark.parametrize("place", ["mqtt.url", "venues.okx_swap.ws_origin", "venues.okx_swap.rest_origin"])
def test_a_password_in_an_address_is_refused_and_not_repeated(place: str, file: Path) -> None:
    scheme = {"mqtt.url": "mqtts", "venues.okx_swap.ws_origin": "wss", "venues.okx_swap.rest_origin": "https"}[place]
    address = f"{scheme}://desk:hunter2@host:1"
    for message in (
        refusal(file, f'{place} = "{address}"\nvenues.okx_swap.symbols = ["BTC-USDT-SWAP"]'),
        refusal(file, 'venues.okx_swap.symbols = ["BTC-USDT-SWAP"]', {variable(place): address}),
    ):
        assert place in message
        assert "without a user or password" in message
        assert "hunter2" not in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a = ", "not valid TOML"),
        (b"\xff\xfe", "not a text file in UTF-8"),
        (b"v = " + b"[" * 5_000, "not valid TOML"),
        (b"v = " + b"9" * 5_000, "not valid TOML"),
        (b"[http]\n[http]\n", "not valid TOML"),
        (b"# " + b"x" * (5 << 20), "larger than 4 MiB"),
    ],
)
def test_files_that_are_none(content: bytes, said: str, file: Path) -> None:
    file.write_bytes(content)
    with pytest.raises(SettingsError) as raised:
        load_settings([file], {})
    assert str(raised.value).startswith(f"{file}: {said}")
    assert "\n" not in str(raised.value)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml: no such file"):
        load_settings([tmp_path / "nowhere.toml"], {})
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        load_settings([tmp_path], {})
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings([Path("a\0b")], {})


def test_a_byte_order_mark_does_no_harm(file: Path) -> None:
    file.write_text("[instance]\nname = 'x'\n", encoding="utf-8-sig")
    assert load_settings([file], {}).instance.name == "x"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_the_ready_settings_load_as_they_are(path: Path) -> None:
    settings = load_settings([path], {})
    assert settings.venues


def test_there_are_ready_settings() -> None:
    assert "default.toml" in [path.name for path in CONFIGS]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_what_check_prints_loads_to_the_same(path: Path, file: Path) -> None:
    loaded = load([path], {"UNDERTOW__ENGINE__FLOOR_SETTLE": "1500ms"})
    file.write_text(as_toml(loaded.settings, loaded.found))
    assert load_settings([file], {}) == loaded.settings
    assert f"# {path}" in file.read_text()
    assert 'floor_settle = "1500ms"  # UNDERTOW__ENGINE__FLOOR_SETTLE' in file.read_text()


def test_settings_cannot_be_changed(file: Path) -> None:
    settings = load_settings(CONFIGS[:1], {})
    with pytest.raises(ValidationError, match="frozen"):
        settings.http.listen = "x"  # type: ignore[misc]
    assert isinstance(settings.venues["binance_usdm"].symbols, tuple)
