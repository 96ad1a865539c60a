"""Scores how far diabetes will have progressed in a year. Blue and green share this script.

A request is {"data": [{"age": 59, "sex": 2, "bmi": 32.1, ...}, ...]}, a patient each; the answer
is a list with a number for each, from 25 to about 350. What a client leaves out is filled in from
the feature store, in one trip for the whole request.
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
    """Answer one request: a list of numbers, in the order of the patients."""
    patients = look_up(json.loads(raw_data)["data"])
    weights = model["weights"]
    table = [[patient[name] for name in weights] for patient in patients]
    scores = model["intercept"] + np.array(table) @ np.array(list(weights.values()))
    return scores.tolist()


def look_up(patients):
    """Complete patients from the feature store: one trip, however many they are.

    A stand-in, so that the sample needs no store: the trip is a wait, which costs no processor
    time, and the answer is what is typical of the patients the model learned from.
    """
    time.sleep(float(os.environ.get("FEATURE_STORE_MS", "4")) / 1000)
    return [{**model["typical"], **patient} for patient in patients]
