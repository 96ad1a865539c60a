"""A bad candidate: right numbers in another shape.

The answer became an object, "so that we can add the model's version later". Clients read a list,
and break; the endpoint itself sees nothing but status 200.
"""

import json
import os
import time
from pathlib import Path

import numpy as np


def init():
    """Load the model; called once, before the first request."""
    global model
    path = Path(os.environ["AZUREML_MODEL_DIR"]) / "model" / "model.json"
    model = json.loads(path.read_text())


def run(raw_data):
    """Answer one request: an object with the numbers, in the order of the patients."""
    patients = look_up(json.loads(raw_data)["data"])
    weights = model["weights"]
    table = [[patient[name] for name in weights] for patient in patients]
    scores = model["intercept"] + np.array(table) @ np.array(list(weights.values()))
    return {"predictions": scores.tolist()}


def look_up(patients):
    """Complete patients from the feature store: one trip. A stand-in, see sound/score.py."""
    time.sleep(float(os.environ.get("FEATURE_STORE_MS", "4")) / 1000)
    return [{**model["typical"], **patient} for patient in patients]
