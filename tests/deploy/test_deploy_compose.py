"""The compose file: what it publishes, mounts and sets. Read as it is; no engine is needed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.config import load_settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONCE = {"passwords"}


def test_the_parts() -> None:
    assert set(SERVICES) == {"undertow", "passwords", "mosquitto", "prometheus", "grafana"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_kept_small_and_pinned(name: str) -> None:
    service = SERVICES[name]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == ("no" if name in ONCE else "unless-stopped")
    if "build" not in service:
        assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+\.\d+", service["image"])
        assert "healthcheck" in service or name in ONCE
    for mount in service.get("volumes", ()):
        source, target, *mode = mount.split(":")
        assert target.startswith("/")
        if source.startswith("."):
            assert (ROOT / "deploy" / source).exists()
            assert mode == ["ro"]
        else:
            assert source in COMPOSE["volumes"]


def test_no_secret_stands_in_the_file() -> None:
    for service in SERVICES.values():
        for key, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|TOKEN|KEY", key):
                assert key.endswith(("_FILE",))
                assert value.startswith("/auth/")


def test_the_service_accepts_its_environment() -> None:
    environment = {
        # What the image sets.
        "UNDERTOW__HTTP__LISTEN": "0.0.0.0:9464",
        **SERVICES["undertow"]["environment"],
    }
    settings = load_settings((ROOT / "configs" / "default.toml",), environment)
    assert settings.mqtt.url == "mqtt://mosquitto:1883"
    assert settings.mqtt.username == "undertow"
    assert settings.mqtt.password_file == Path("/auth/undertow.password")
    assert settings.venues
    assert SERVICES["undertow"]["command"][:3] == ["run", "-c", "/etc/undertow/undertow.toml"]
    assert "../configs/default.toml:/etc/undertow/undertow.toml:ro" in SERVICES["undertow"]["volumes"]


def test_names_that_one_file_uses_of_another() -> None:
    prometheus = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    targets = [c["targets"] for job in prometheus["scrape_configs"] for c in job["static_configs"]]
    assert ["undertow:9464"] in targets
    assert all(job["sample_limit"] for job in prometheus["scrape_configs"] if job["job_name"] == "undertow")
    grafana = ROOT / "deploy" / "grafana" / "provisioning"
    (source,) = yaml.safe_load((grafana / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert source["jsonData"]["timeInterval"] == prometheus["global"]["scrape_interval"]
    (provider,) = yaml.safe_load((grafana / "dashboards" / "undertow.yml").read_text())["providers"]
    folder = provider["options"]["path"]
    assert f"./grafana/dashboards:{folder}:ro" in SERVICES["grafana"]["volumes"]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{folder}/undertow.json"
    assert (ROOT / "deploy" / "grafana" / "dashboards" / "undertow.json").exists()
