"""Endpoints that are stopped and removed at the end, whatever happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.local.world import World


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    made: list[World] = []

    def make(name: str = "ep", **options: object) -> World:
        made.append(World(tmp_path, name=name, options=dict(options)))
        return made[-1]

    yield make
    for world in made:
        world.endpoint().destroy()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    world = make_world()
    world.write("blue")
    world.write("green")
    return world
