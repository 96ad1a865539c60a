"""The sample models, scripts and requests do what plans/README.md says of them."""

from __future__ import annotations

import importlib.util
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from scripts import train_samples

PLANS = train_samples.PLANS
BODIES = (PLANS / "requests.jsonl").read_text().splitlines()
WIDE = 8  # patients in a request

Load = Callable[[str, str], ModuleType]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Gives a scoring script as a server has it before `init`, with the model folder it gets."""
    monkeypatch.setenv("FEATURE_STORE_MS", "0")
    monkeypatch.setenv("AZUREML_MODEL_DIR", str(tmp_path))

    def load(script: str, model: str) -> ModuleType:
        folder = tmp_path / "model"
        shutil.copytree(PLANS / "models" / model / "model", folder, dirs_exist_ok=True)
        path = PLANS / "onlinescoring" / script / "score.py"
        spec = importlib.util.spec_from_file_location(f"score_{script}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def started(load: Load) -> Load:
    def started(script: str, model: str) -> ModuleType:
        module = load(script, model)
        module.init()
        return module

    return started


def patients(body: str) -> list[dict[str, float]]:
    return json.loads(body)["data"]


def complete(body: str) -> bool:
    return all(set(train_samples.COLUMNS["green"]) <= set(each) for each in patients(body))


def test_training_again_gives_the_committed_files(tmp_path: Path) -> None:
    train_samples.write(tmp_path)

    for name in train_samples.COLUMNS:
        path = Path("models") / name / "model" / "model.json"
        again, committed = (json.loads((at / path).read_text()) for at in (tmp_path, PLANS))
        assert again["intercept"] == pytest.approx(committed["intercept"], rel=1e-6)
        assert again["weights"] == pytest.approx(committed["weights"], rel=1e-6)
        assert again["typical"] == committed["typical"]
    for name in ("requests.jsonl", "sample-request.json"):
        assert (tmp_path / name).read_text() == (PLANS / name).read_text()


@pytest.mark.parametrize("name", ["blue", "green"])
def test_a_script_scores_as_the_scikit_learn_model_it_came_from(name: str, started: Load) -> None:
    learn, held = train_samples.split()
    rows = [dict(zip(held.columns, row, strict=True)) for row in held.table.tolist()]

    scores = started("sound", name).run(json.dumps({"data": rows}))

    model = train_samples.train(name, learn)
    expected = model.predict(held.only(train_samples.COLUMNS[name]))
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-6)


def test_green_is_better_than_blue_even_without_what_clients_leave_out() -> None:
    blue, green = (train_samples.errors(name) for name in ("blue", "green"))

    assert all(ours < 0.95 * theirs for ours, theirs in zip(green, blue, strict=True))


@pytest.mark.parametrize("name", ["blue", "green"])
def test_the_sound_script_answers_every_request_with_a_number_each(
    name: str, started: Load
) -> None:
    sound = started("sound", name)

    for body in [*BODIES, (PLANS / "sample-request.json").read_text()]:
        scores = sound.run(body)
        assert len(scores) == len(patients(body))
        assert all(isinstance(score, float) and 0 < score < 400 for score in scores)


def test_errors_fails_on_a_fifth_of_the_requests_and_on_none_of_the_first_twenty(
    started: Load,
) -> None:
    errors, sound = started("errors", "green"), started("sound", "green")

    failed = []
    for at, body in enumerate(BODIES):
        if complete(body):
            assert errors.run(body) == sound.run(body)
        else:
            failed.append(at)
            with pytest.raises(KeyError, match="s6"):
                errors.run(body)

    assert len(failed) == len(BODIES) / 5
    assert min(failed) >= 20


def test_slow_takes_a_second_trip_for_wide_requests(
    started: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, sound = started("slow", "green"), started("sound", "green")
    trips: list[float] = []
    monkeypatch.setattr(time, "sleep", trips.append)

    for body in BODIES:
        trips.clear()
        scores = slow.run(body)
        assert len(trips) == (2 if len(patients(body)) >= WIDE else 1)
        trips.clear()
        assert scores == pytest.approx(sound.run(body))
        assert len(trips) == 1


def test_one_request_in_five_is_wide() -> None:
    assert sum(len(patients(body)) >= WIDE for body in BODIES) == len(BODIES) / 5


def test_crash_does_not_find_its_model(load: Load) -> None:
    with pytest.raises(FileNotFoundError, match=r"model\.json"):
        load("crash", "green").init()


def test_broken_fails_on_every_request(started: Load) -> None:
    broken = started("broken", "green")

    for body in BODIES:
        with pytest.raises(KeyError, match="input_data"):
            broken.run(body)


def test_leak_keeps_two_megabytes_of_every_request(started: Load) -> None:
    leak, sound = started("leak", "green"), started("sound", "green")

    answers = [leak.run(body) for body in BODIES[:10]]

    assert answers == [sound.run(body) for body in BODIES[:10]]
    assert sum(copies.nbytes for copies in leak.audit) == 10 * 2_000_000


def test_shape_answers_an_object_with_the_right_numbers(started: Load) -> None:
    shape, sound = started("shape", "green"), started("sound", "green")

    for body in BODIES:
        assert shape.run(body) == {"predictions": sound.run(body)}


def test_gaps_answers_null_for_a_fifth_of_the_requests_and_for_none_of_the_first_twenty(
    started: Load,
) -> None:
    gaps = started("gaps", "green")

    holes = [None in gaps.run(body) for body in BODIES]

    assert holes == [not complete(body) for body in BODIES]
    assert sum(holes) == len(BODIES) / 5
    assert not any(holes[:20])


def test_units_answers_numbers_of_the_right_shape_that_are_too_high(started: Load) -> None:
    sound, units = started("sound", "green"), started("units", "green")

    pairs = [(sound.run(body), units.run(body)) for body in BODIES]

    assert all(len(right) == len(high) for right, high in pairs)
    assert all(
        0 < more - one < 60 for right, high in pairs for one, more in zip(right, high, strict=True)
    )


def test_the_samples_stay_small() -> None:
    files = [
        path for path in PLANS.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]

    assert sum(path.stat().st_size for path in files) < 500_000
