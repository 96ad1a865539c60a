"""Trains the sample models of `plans/` on scikit-learn's diabetes data and writes sample requests.

    .venv/bin/python scripts/train_samples.py

A model is stored as the numbers it learned, in JSON, and not as a pickle: a pickle runs code when
it is opened, and warns or breaks under another scikit-learn than the one that wrote it. A ridge
regression in the units of its inputs is one weight a column, so the scoring scripts need NumPy
only; a server is ready in half the time and takes half the memory of one that imports
scikit-learn (measured in plans/README.md).
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import RepeatedKFold, cross_val_score, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

PLANS = Path(__file__).resolve().parent.parent / "plans"
SEED = 0
HELD_OUT = 0.25  # of the 442 patients; the sample requests ask about these
COLUMNS = {
    "blue": ("age", "sex", "bmi", "bp"),  # what every practice measures itself
    "green": ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"),  # and its laboratory
}

REQUESTS = 50
PATIENTS = (1, 1, 2, 1, 12, 1, 1, 2, 1, 8)  # in a request, over and over: one in five is wide
OFTEN_LEFT_OUT = "s6"  # blood sugar: not every client's laboratory reports it
INCOMPLETE = range(22, REQUESTS, 3)  # the ten requests that leave it out


@dataclass(frozen=True, slots=True)
class Patients:
    """Some patients: ``table`` float64[n, 10], raw units; ``progression`` float64[n], 25..346."""

    columns: tuple[str, ...]
    table: np.ndarray
    progression: np.ndarray

    def only(self, columns: tuple[str, ...]) -> np.ndarray:
        """These columns of the table, in this order."""
        return self.table[:, [self.columns.index(name) for name in columns]]


def split() -> tuple[Patients, Patients]:
    """The patients to learn from, and those held out."""
    data = load_diabetes(scaled=False)
    learn, held, learn_y, held_y = train_test_split(
        data.data, data.target, test_size=HELD_OUT, random_state=SEED
    )
    columns = tuple(data.feature_names)
    return Patients(columns, learn, learn_y), Patients(columns, held, held_y)


def train(name: str, learn: Patients) -> Pipeline:
    """The model ``blue`` or ``green``, fitted."""
    return untrained().fit(learn.only(COLUMNS[name]), learn.progression)


def untrained() -> Pipeline:
    """The regression both models use; what tells them apart is the columns they see."""
    return make_pipeline(StandardScaler(), Ridge(alpha=1.0))


def numbers(name: str, model: Pipeline, learn: Patients) -> dict[str, object]:
    """A fitted model as JSON: weights in the inputs' own units, and what is typical of each input."""
    scaler, ridge = model[0], model[-1]
    weights = ridge.coef_ / scaler.scale_
    typical = np.median(learn.only(COLUMNS[name]), axis=0)
    return {
        "intercept": float(ridge.intercept_ - weights @ scaler.mean_),
        "weights": dict(zip(COLUMNS[name], weights.tolist(), strict=True)),
        "typical": dict(zip(COLUMNS[name], map(plain, typical.tolist()), strict=True)),
    }


def requests(held: Patients) -> list[dict[str, object]]:
    """Request bodies about the held-out patients, in turn.

    The first 20 are complete, as requests are that people pick by hand for a smoke test.
    """
    rows = cycle(range(len(held.table)))
    bodies = []
    for i in range(REQUESTS):
        left_out = OFTEN_LEFT_OUT if i in INCOMPLETE else None
        size = PATIENTS[i % len(PATIENTS)]
        bodies.append({"data": [patient(held, row, left_out) for row in islice(rows, size)]})
    return bodies


def patient(held: Patients, row: int, left_out: str | None) -> dict[str, float]:
    """One patient's columns by name, all but ``left_out``."""
    values = zip(held.columns, held.table[row].tolist(), strict=True)
    return {name: plain(value) for name, value in values if name != left_out}


def plain(value: float) -> float:
    """Whole numbers without their `.0`, as people write them.

    >>> plain(59.0), plain(32.1)
    (59, 32.1)
    """
    return int(value) if value == int(value) else value


def write(plans: Path) -> None:
    """Write both models and the sample requests below ``plans``."""
    learn, held = split()
    for name in COLUMNS:
        path = plans / "models" / name / "model" / "model.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(numbers(name, train(name, learn), learn), indent=2) + "\n")
    bodies = requests(held)
    (plans / "requests.jsonl").write_text("".join(json.dumps(body) + "\n" for body in bodies))
    sample = {"data": bodies[2]["data"]}
    (plans / "sample-request.json").write_text(json.dumps(sample, indent=2) + "\n")


def errors(name: str) -> tuple[float, float, float]:
    """Mean absolute errors of a model: held out, held out without blood sugar, cross-validated.

    The last uses the patients to learn from only; it is steadier, the first two are one split.
    """
    learn, held = split()
    columns = COLUMNS[name]
    model = train(name, learn)
    filled = held.only(columns).copy()
    if OFTEN_LEFT_OUT in columns:
        at = columns.index(OFTEN_LEFT_OUT)
        filled[:, at] = np.median(learn.only(columns)[:, at])
    folds = RepeatedKFold(n_splits=5, n_repeats=5, random_state=SEED)
    scores = cross_val_score(
        untrained(),
        learn.only(columns),
        learn.progression,
        scoring="neg_mean_absolute_error",
        cv=folds,
    )
    return (
        float(mean_absolute_error(held.progression, model.predict(held.only(columns)))),
        float(mean_absolute_error(held.progression, model.predict(filled))),
        float(-scores.mean()),
    )


def main() -> int:
    """Write everything and print how good the models are."""
    write(PLANS)
    learn, held = split()
    guess = np.full_like(held.progression, np.median(learn.progression))
    print(f"{len(learn.table)} patients to learn from, {len(held.table)} held out, seed {SEED}")
    print(f"{'mean absolute error':22}{'held out':>10}{'without s6':>12}{'5 x 5 folds':>13}")
    print(f"{'always the median':22}{mean_absolute_error(held.progression, guess):10.2f}")
    for name, columns in COLUMNS.items():
        label = f"{name} ({len(columns)} columns)"
        complete, without, folds = errors(name)
        print(f"{label:22}{complete:10.2f}{without:12.2f}{folds:13.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
