"""``rollout doctor``: whether the ground is fit for a plan."""

from __future__ import annotations

import click

from rollout import api
from rollout.cli.exits import Exit
from rollout.cli.options import Given, verb
from rollout.cli.output import Output
from rollout.cli.settings import settings
from rollout.ports.doctor import State, logged_in
from rollout.report.doctor import doctor_data, doctor_rows

_WORDS = {Exit.OK: "good", Exit.PREFLIGHT: "bad", Exit.LOGIN: "not_logged_in"}


@verb(
    "rollout doctor plans/safe-rollout.yaml",
    "rollout doctor plan.yaml -o json",
    shows=("output", "var", "var_file"),
)
@click.argument("plan")
def doctor(given: Given, plan: str) -> int:
    """Look at what a plan stands on: login, permissions, quota, metrics, clock, versions.

    Nothing is changed. Ends with 0 where nothing is wrong, 32 where something is, 33 where nobody is
    logged in. What could not be looked at is marked with a question mark and fails nothing.
    """
    signs = api.doctor(plan, settings(given))
    code = Exit.OK
    if not logged_in(signs):
        code = Exit.LOGIN
    elif any(each.state is State.BAD for each in signs):
        code = Exit.PREFLIGHT
    data = {"outcome": _WORDS[code], "code": int(code), "signs": doctor_data(signs)}
    Output(given).show(data, doctor_rows(signs))
    return code
