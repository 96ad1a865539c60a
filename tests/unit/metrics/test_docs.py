"""The page on Prometheus shows plans that are valid."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from rollout import api

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/prometheus.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```yaml\n(metrics:.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("at", range(2), ids=["local", "other"])
def test_what_the_page_says_of_metrics_can_stand_in_the_sample_plan(tmp_path: Path, at: int):
    shutil.copytree(ROOT / "plans", tmp_path, dirs_exist_ok=True)
    plan = tmp_path / "safe-rollout.yaml"
    data = yaml.safe_load(plan.read_text())
    plan.write_text(yaml.safe_dump({**data, **yaml.safe_load(SNIPPETS[at])}))

    found = api.validate(
        plan, api.Settings(environment={"PROMETHEUS_URL": "https://p.example.com"})
    )

    assert [str(each) for each in found] == []


def test_the_page_names_every_key():
    told = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))

    assert told == {
        "address", "requests", "errors", "latency", "unit", "delay", "token", "username",
    }  # fmt: skip
