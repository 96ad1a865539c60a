"""A bad candidate: does not start.

The model is looked for directly in AZUREML_MODEL_DIR, as on the author's machine. A deployment
puts the registered folder itself there, so the file is at model/model.json: FileNotFoundError
before the first request.
"""

import json
import os
from pathlib import Path

import numpy as np


def init():
    """Load the model; called once, before the first request."""
    global model
    path = Path(os.environ["AZUREML_MODEL_DIR"]) / "model.json"
    model = json.loads(path.read_text())


def run(raw_data):
    """Answer one request: a list of numbers, in the order of the patients."""
    weights = model["weights"]
    patients = [{**model["typical"], **patient} for patient in json.loads(raw_data)["data"]]
    table = [[patient[name] for name in weights] for patient in patients]
    scores = model["intercept"] + np.array(table) @ np.array(list(weights.values()))
    return scores.tolist()
