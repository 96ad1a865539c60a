"""Promises about the product as a whole: no secret anywhere, the tutorial, the Python interface."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from rollout import api
from tests.acceptance.conftest import ROOT, Site

# Plans as users have them, which expect a machine that is not too busy: one after another.
pytestmark = [pytest.mark.xdist_group("promises"), pytest.mark.timeout(900)]


def test_the_endpoint_s_key_is_nowhere_but_in_its_own_files(site: Site) -> None:
    plan = "plans/bad-shape.yaml"
    done = site.rollout("apply", plan, "--auto-approve", "-v")
    endpoint = site.endpoint(plan)
    key = endpoint.key_value()
    endpoint.close()
    events = site.rollout("events", "-o", "json")
    shown = site.rollout("show")

    lines = [_words(each) for each in psutil.process_iter()]
    files = [path for path in site.folder.rglob("*") if path.is_file()]
    with_key = [path for path in files if key.encode() in path.read_bytes()]

    assert len(key) >= 32
    assert with_key  # where it must be: the endpoint cannot work without it
    assert any(str(site.folder) in said for said in lines)  # its processes were looked at
    for said in (done.stdout, done.stderr, events.stdout, shown.stdout, *lines):
        assert key not in said
    assert {path.name for path in with_key} <= {"keys.json"} | {
        path.name for path in with_key if "xds" in path.parts
    }
    assert all(path.stat().st_mode & 0o077 == 0 for path in with_key)


def _words(process: psutil.Process) -> str:
    """How it was called; nothing where it is gone or not ours."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_the_tutorial_s_commands_work_as_written(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    part = readme.split("<!-- tutorial")[1].split("<!-- end of tutorial -->")[0]
    blocks = re.findall(r"```sh\n(.*?)```", part, re.DOTALL)
    shutil.copytree(ROOT / "plans", tmp_path / "plans")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/bin").symlink_to(Path(sys.executable).parent)
    script = tmp_path / "tutorial.sh"
    script.write_text("set -e\n" + "\n".join(blocks))

    done = subprocess.run(
        ["sh", str(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=850,
        check=False,
        env={k: v for k, v in os.environ.items() if not k.startswith("ROLLOUT")},
    )

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert len(blocks) >= 4


def test_a_script_drives_a_rollout_through_the_python_interface(site: Site) -> None:
    page = (ROOT / "docs/python.md").read_text(encoding="utf-8")
    script = re.search(r"```python\n(.*?)```", page, re.DOTALL)[1]
    (site.folder / "drive.py").write_text(script)
    site.plans += ["plans/bad-errors.yaml", "plans/safe-rollout.yaml"]

    done = subprocess.run(
        [sys.executable, "drive.py"],
        cwd=site.folder,
        env=site.environment,
        capture_output=True,
        text=True,
        timeout=850,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "rolled_back 10" in done.stdout
    assert api.history(site.settings)[0].plan == "bad-errors"


def test_python_page_has_one_script() -> None:
    page = (ROOT / "docs/python.md").read_text(encoding="utf-8")

    assert page.count("```python") == 1
    assert textwrap.dedent(page) == page


def test_the_demo_promotes_the_good_candidate_and_rolls_the_bad_one_back(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "plans", tmp_path / "plans")
    (tmp_path / "scripts").mkdir()
    demo = shutil.copy(ROOT / "scripts/demo.py", tmp_path / "scripts/demo.py")

    done = subprocess.run(
        [sys.executable, demo],
        cwd=tmp_path,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=850,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert re.search(r"good candidate +completed .* requests, 0 failed for clients", done.stdout)
    assert re.search(r"bad candidate +rolled_back ", done.stdout)
