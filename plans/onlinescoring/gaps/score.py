"""A bad candidate: answers null for a patient of whom something is missing.

The trip to the feature store was "not needed any more", so what a client leaves out stays NaN, and
NaN became null on its way out. Status 200 each time, and the smoke test's requests are complete.
"""

import json
import math
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
    """Answer one request: a list of numbers, in the order of the patients, with holes."""
    time.sleep(float(os.environ.get("FEATURE_STORE_MS", "4")) / 1000)
    patients = json.loads(raw_data)["data"]
    weights = model["weights"]
    table = [[patient.get(name, math.nan) for name in weights] for patient in patients]
    scores = model["intercept"] + np.array(table) @ np.array(list(weights.values()))
    return [None if math.isnan(score) else score for score in scores.tolist()]
