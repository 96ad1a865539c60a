"""A bad candidate: starts, and fails on every request.

Written against MLflow's request format, in which the patients stand under `input_data`. The
clients of this endpoint send `data`: KeyError, status 500, always.
"""

import json
import os
from pathlib import Path

import numpy as np


def init():
    """Load the model; called once, before the first request."""
    global model
    path = Path(os.environ["AZUREML_MODEL_DIR"]) / "model" / "model.json"
    model = json.loads(path.read_text())


def run(raw_data):
    """Answer one request: a list of numbers, in the order of the patients."""
    weights = model["weights"]
    patients = [{**model["typical"], **patient} for patient in json.loads(raw_data)["input_data"]]
    table = [[patient[name] for name in weights] for patient in patients]
    scores = model["intercept"] + np.array(table) @ np.array(list(weights.values()))
    return scores.tolist()
