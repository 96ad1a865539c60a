"""The reference pages are what the product says of itself, and every link leads somewhere."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("plans/*.md")])


def reference():
    spec = importlib.util.spec_from_file_location(
        "make_reference", ROOT / "scripts/make_reference.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_of_the_plan_file_is_fresh():
    made = reference()

    assert made.PLAN_FILE.read_text(encoding="utf-8") == made.plan_file()


def test_the_reference_of_the_commands_is_fresh():
    made = reference()

    assert made.COMMANDS.read_text(encoding="utf-8") == made.commands()


def test_the_page_of_azures_limits_is_fresh():
    made = reference()

    assert made.LIMITS.read_text(encoding="utf-8") == made.limits()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#\s]+)", re.sub(r"`[^`\n]+`", "", text))

    missing = [
        link for link in links if "://" not in link and not (page.parent / link).resolve().exists()
    ]

    assert missing == []


def test_the_table_of_exit_codes_agrees_with_the_code():
    from rollout.cli.exits import Exit  # noqa: PLC0415

    text = (ROOT / "docs/reference/exit-codes.md").read_text(encoding="utf-8")
    told = {
        int(code) for row in re.findall(r"^\| ([\d, ]+) \|", text, re.M) for code in row.split(",")
    }

    assert {int(code) for code in Exit} == told
