"""The house rules that no linter checks."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "rollout").rglob("*.py"))
MOST_LINES = 400
FORBIDDEN = ("utils", "helpers", "common", "misc", "manager", "base")


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_short_and_says_what_it_is(module):
    source = module.read_text(encoding="utf-8")

    assert source.count("\n") <= MOST_LINES, "split it: one module, one reason to change"
    assert ast.get_docstring(ast.parse(source)), "first line: what this module is for"
    assert module.stem not in FORBIDDEN


def test_every_adapter_is_under_the_independence_contract():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = config["tool"]["importlinter"]["contracts"]
    listed = next(each["modules"] for each in contracts if each["type"] == "independence")

    adapters = ROOT / "rollout/adapters"
    single = [path.stem for path in adapters.glob("*.py") if path.stem != "__init__"]
    packaged = [
        f"{path.parent.name}.{path.stem}"
        for path in adapters.glob("*/*")
        if path.stem not in ("__init__", "__pycache__") and (path.suffix == ".py" or path.is_dir())
        if path.parent.name != "load"  # stands behind no port; endpoints share it
        if path.stem not in ("forks", "hours")  # the same, for stores
    ]

    assert sorted(listed) == sorted(f"rollout.adapters.{name}" for name in [*single, *packaged])


def test_nothing_committed_names_a_path_of_a_machine():
    suspicious = ("/" + "root/", "/" + "work/")
    texts = [
        path
        for folder in ("rollout", "docs", "plans", "schemas", "scripts", "benchmarks")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".md", ".yaml", ".yml", ".json", ".txt"}
    ]

    found = [
        str(path.relative_to(ROOT))
        for path in texts
        for word in suspicious
        if word in path.read_text(encoding="utf-8")
    ]

    assert found == []


def test_the_table_of_built_in_adapters_is_what_the_package_declares():
    from rollout.wiring.plugs import BUILT_IN  # noqa: PLC0415

    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    assert config["project"]["entry-points"] == BUILT_IN
