"""A bad candidate: right answers, and 2 MB more memory for every request.

To show later how sure an answer was, it makes thousands of slightly varied copies of the patients
and keeps them for an audit page. The page was never built, so nothing takes them out again. A
smoke test sees nothing; a replica dies when its memory is full, and again after every restart.
"""

import json
import os
import time
from pathlib import Path

import numpy as np

COPIES = 25_000  # rows of ten float64 columns: 2 MB a request
audit = []


def init():
    """Load the model; called once, before the first request."""
    global model, variation
    path = Path(os.environ["AZUREML_MODEL_DIR"]) / "model" / "model.json"
    model = json.loads(path.read_text())
    variation = np.random.default_rng(0).normal(1.0, 0.02, (COPIES, len(model["weights"])))


def run(raw_data):
    """Answer one request: a list of numbers, in the order of the patients."""
    patients = look_up(json.loads(raw_data)["data"])
    weights = model["weights"]
    table = np.array([[patient[name] for name in weights] for patient in patients])
    copies = np.resize(table, variation.shape)  # the patients, over and over
    copies *= variation
    audit.append(copies)
    return (model["intercept"] + table @ np.array(list(weights.values()))).tolist()


def look_up(patients):
    """Complete patients from the feature store: one trip. A stand-in, see sound/score.py."""
    time.sleep(float(os.environ.get("FEATURE_STORE_MS", "4")) / 1000)
    return [{**model["typical"], **patient} for patient in patients]
