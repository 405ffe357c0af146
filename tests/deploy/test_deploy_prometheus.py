"""Prometheus' own tool on the configuration and the rules, and every metric they name looked up in our table."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from monitor.metrics.table import METRICS

FOLDER = Path(__file__).parents[2] / "deploy" / "prometheus"
RULES = yaml.safe_load((FOLDER / "rules.yml").read_text())
EXPORTED = {metric.full_name for metric in METRICS if metric.exported}


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("promtool") is None:
        pytest.fail("promtool is needed: apt-get install prometheus")
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [("check", "config", "prometheus.yml"), ("test", "rules", "rules_test.yml")])
def test_promtool_has_nothing_to_say(arguments: tuple[str, ...]) -> None:
    ran = promtool(*arguments[:-1], str(FOLDER / arguments[-1]))
    assert ran.returncode == 0, ran.stdout + ran.stderr


def alerts() -> list[str]:
    return [rule["alert"] for group in RULES["groups"] for rule in group["rules"] if "alert" in rule]


@pytest.mark.parametrize("name", alerts())
def test_every_alert_is_tested_and_its_test_can_fail(name: str, tmp_path: Path) -> None:
    """With its condition turned round, the rules' own test must fail."""
    rules = yaml.safe_load((FOLDER / "rules.yml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            if rule.get("alert") == name:
                rule["expr"] = f"({rule['expr']}) unless on () vector(1)"
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules))
    shutil.copy(FOLDER / "rules_test.yml", tmp_path)
    ran = promtool("test", "rules", str(tmp_path / "rules_test.yml"))
    assert ran.returncode != 0
    assert f"alertname:{name}" in (ran.stdout + ran.stderr).replace(" ", "")


def test_rules_name_only_what_is_exported() -> None:
    recorded = {rule["record"] for group in RULES["groups"] for rule in group["rules"] if "record" in rule}
    for group in RULES["groups"]:
        for rule in group["rules"]:
            named = set(re.findall(r"\b[a-z_:]*undertow_[a-z0-9_:]+", rule["expr"]))
            assert named or rule["expr"].startswith("up{")
            for metric in named - recorded:
                assert re.sub("_(bucket|sum|count)$", "", metric) in EXPORTED, rule["expr"]
            if "alert" in rule:
                assert rule["labels"]["severity"] in {"warning", "critical"}
                assert rule["annotations"]["summary"]
