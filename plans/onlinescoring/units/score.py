"""A bad candidate: numbers that look right and are not.

A conversion of the body mass index is made twice, so that everybody counts as heavier than they
are. Each answer is a plausible number of the right shape; only their distribution is another one.
"""

import json
import os
import time
from pathlib import Path

import numpy as np

TWICE = 1.15


def init():
    """Load the model; called once, before the first request."""
    global model
    path = Path(os.environ["AZUREML_MODEL_DIR"]) / "model" / "model.json"
    model = json.loads(path.read_text())


def run(raw_data):
    """Answer one request: a list of numbers, in the order of the patients."""
    patients = look_up(json.loads(raw_data)["data"])
    weights = model["weights"]
    table = [[patient[name] for name in weights] for patient in patients]
    scores = model["intercept"] + np.array(table) @ np.array(list(weights.values()))
    return scores.tolist()


def look_up(patients):
    """Complete patients from the feature store: one trip. A stand-in, see sound/score.py."""
    time.sleep(float(os.environ.get("FEATURE_STORE_MS", "4")) / 1000)
    whole = [{**model["typical"], **patient} for patient in patients]
    return [{**patient, "bmi": patient["bmi"] * TWICE} for patient in whole]
