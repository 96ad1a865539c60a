"""The folder of an endpoint, where the system does not let us use it: said with its path."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollout.adapters.endpoints.local.client import Client
from rollout.adapters.endpoints.local.folder import Folder, homes_of, key_of, locked, read_json
from rollout.domain.errors import EndpointRefused
from tests.fakes.clock import FakeClock

# A file where a folder must be, and a folder where a file must be: refused to root as well, whom
# no right to write stops.


def test_an_engine_that_can_have_no_folder_is_refused_with_the_path(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("no folder")
    folder = Folder(tmp_path / "home" / "ep")

    with pytest.raises(EndpointRefused) as refused:
        folder.make()

    assert refused.value.what == f"{folder.path} cannot be used: Not a directory."
    assert "--home DIR" in refused.value.do


def test_an_engine_that_can_have_no_log_is_not_started(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.engine_log.mkdir()

    with pytest.raises(EndpointRefused, match=r"engine\.log cannot be used: Is a directory\."):
        Client(folder, FakeClock()).call("GET", "/v1/endpoint")


def test_files_that_cannot_be_opened_are_refused_with_the_path(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.desired.mkdir()
    folder.lock.mkdir()

    with pytest.raises(EndpointRefused, match=r"spec\.json cannot be used"):
        read_json(folder.desired)
    with pytest.raises(EndpointRefused, match=r"engine\.lock cannot be used"), locked(folder.lock):
        pass


def test_whether_an_endpoint_is_there_may_be_unknowable(tmp_path: Path) -> None:
    folder = Folder(tmp_path / ("x" * 300))

    with pytest.raises(EndpointRefused, match=r"spec\.json cannot be used: File name too long"):
        assert folder.is_used


def test_a_home_is_found_by_the_key_however_it_is_spelled(tmp_path: Path) -> None:
    home = tmp_path / "Ada" / ".rollout"
    home.mkdir(parents=True)

    assert homes_of(key_of(home, "Churn"), "Churn") == (home,)
    assert homes_of(key_of(home, "churn"), "iris") == ()
    assert homes_of(key_of(tmp_path / "eve", "churn"), "churn") == ()
    assert homes_of("fake/churn", "churn") == ()


def test_of_two_homes_with_one_key_both_are_found(tmp_path: Path) -> None:
    for name in ("Ada", "ada"):
        (tmp_path / name).mkdir(exist_ok=True)

    found = homes_of(key_of(tmp_path / "ada", "churn"), "churn")

    assert set(found) == set(tmp_path.iterdir())
