"""The engine's housekeeping of the access log."""

from pathlib import Path
from typing import cast

import pytest

from rollout.adapters.clock import SystemClock
from rollout.adapters.endpoints.local import rotation
from rollout.adapters.endpoints.local.folder import Folder
from rollout.adapters.endpoints.local.gateway import Gateway
from rollout.adapters.endpoints.local.house import House
from rollout.adapters.endpoints.local.xds import Layout


class Reopening:
    """Stands for an Envoy that opens its log anew with the next request after it was told to.

    Args:
        listens: Whether it can be told.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._told = False
        self.listens = True

    def reopen_logs(self) -> bool:
        """See ``Gateway.reopen_logs``."""
        self._told = self._told or self.listens
        return self.listens

    def write(self) -> None:
        """A request."""
        if self._told:
            self._log.touch()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    made.snapshots.mkdir(parents=True)
    return made


def keep(house: House, envoy: Reopening, *moments: float) -> None:
    for moment in moments:
        house.keep(moment, [], cast(Gateway, envoy))


def test_an_empty_log_says_that_there_was_no_request(folder: Folder) -> None:
    envoy = Reopening(folder.access_log)
    house = House(folder)

    keep(house, envoy, 1.0)
    assert not folder.access_log.exists(), "Envoy may be at work on the old one"
    keep(house, envoy, 2.0)
    assert folder.access_log.exists()

    folder.access_log.unlink()
    keep(house, envoy, 3.0, 4.0)
    assert folder.access_log.exists()


def test_while_envoy_does_not_listen_no_log_is_made_up(folder: Folder) -> None:
    envoy = Reopening(folder.access_log)
    house = House(folder)
    envoy.listens = False

    keep(house, envoy, 1.0, 2.0, 3.0)
    assert not folder.access_log.exists(), "it would be read as no requests"
    envoy.listens = True
    keep(house, envoy, 4.0, 5.0)

    assert folder.access_log.exists()


def test_a_large_log_is_rotated(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "SEGMENT_BYTES", 10)
    folder.access_log.write_text("more than ten bytes\n")
    envoy = Reopening(folder.access_log)

    keep(House(folder), envoy, 1.0)
    envoy.write()

    assert list(rotation.segments(folder.access_log)) == [1]
    assert folder.access_log.stat().st_size == 0


def test_an_envoy_that_does_not_listen_is_not_told(tmp_path: Path) -> None:
    layout = Layout(8700, tmp_path, tmp_path / "a.jsonl", tmp_path / "admin", tmp_path / "shadow")
    gateway = Gateway(Folder(tmp_path), layout, "tag", SystemClock())

    assert gateway.reopen_logs() is False
