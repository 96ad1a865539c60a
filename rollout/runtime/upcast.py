"""Bodies of journal entries of older versions as this version writes them; the log stays as it is.

Each step is a pure function of one body, from its version to the next. A body is what the JSON of
an entry reads as; a step changes the event, the state and the plan in a ``RunStarted`` alike.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from rollout.domain.codec import TAG
from rollout.domain.errors import NewerJournal
from rollout.domain.run import Run

VERSION = 2

Body = Mapping[str, Any]

# Since which version a run's state has a field; all others it always had.
_SINCE = dict.fromkeys(
    (
        "ceiling",
        "collected",
        "crashes",
        "first",
        "gone",
        "landed",
        "leftover",
        "loose",
        "misses",
        "next_check",
        "restores",
        "sought",
        "steady",
        "supersedes",
        "uncounted",
        "undoes",
        "unread",
        "values",
        "waits",
        "windows",
    ),
    2,
)


def current(body: Body) -> Body:
    """The body as this version would have written it.

    Raises:
        NewerJournal: a newer version wrote it; nothing of it is guessed.
        ValueError: no version wrote it.
    """
    version = body["v"]
    if version > VERSION:
        raise NewerJournal(
            f"The journal was written by a newer rollout (event version {version}, this one knows "
            f"up to {VERSION}).",
            do="Upgrade this one: pip install --upgrade rollout. Nothing was changed.",
        )
    if version < 1:
        raise ValueError(f"there was no version {version}")
    for step in _STEPS[version - 1 :]:
        body = step(body)
    return body


def known(run: Run, version: int) -> Mapping[str, object]:
    """What a version knew of a state: a later one's fold may set fields that it never wrote."""
    names = (each.name for each in fields(run))
    return {name: getattr(run, name) for name in names if _SINCE.get(name, 1) <= version}


def _approvals_of_the_author(body: Body) -> Body:
    """1 to 2: an approval stage says whether its author's word counts; before, it always did.

    >>> old = {"v": 1, "event": {}, "state": {"stages": [{"work": {"is": "Approve"}}]}}
    >>> _approvals_of_the_author(old)["state"]["stages"]
    [{'work': {'is': 'Approve', 'author': True}}]
    """
    event = body["event"]
    if event.get(TAG) == "RunStarted":
        source = json.dumps(_with_author(json.loads(event["source"])), separators=(",", ":"))
        event = {**event, "run": _with_author(event["run"]), "source": source}
    return {**body, "v": 2, "event": event, "state": _with_author(body["state"])}


def _with_author(held: Mapping[str, Any]) -> Mapping[str, Any]:
    """A run or a plan, by its stages; one without stages stays as it is."""
    if "stages" not in held:
        return held
    return {**held, "stages": [_stage(each) for each in held["stages"]]}


def _stage(stage: Mapping[str, Any]) -> Mapping[str, Any]:
    work = stage["work"]
    return {**stage, "work": {**work, "author": True}} if work.get(TAG) == "Approve" else stage


_STEPS: tuple[Callable[[Body], Body], ...] = (_approvals_of_the_author,)
