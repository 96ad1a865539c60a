"""A bad candidate: fails on every fifth request.

The author found that the feature store costs 4 ms a request, and that every request in the test
set was complete without it. So the trip went. But one client in five has no laboratory that
reports blood sugar, and leaves `s6` out: KeyError, status 500.
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
    patients = json.loads(raw_data)["data"]
    weights = model["weights"]
    table = [[patient[name] for name in weights] for patient in patients]
    scores = model["intercept"] + np.array(table) @ np.array(list(weights.values()))
    return scores.tolist()
