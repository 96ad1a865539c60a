"""The published schema, and a draft checked against it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path as File
from typing import TYPE_CHECKING, Any, cast

from rollout.planfile import forms, metrics
from rollout.planfile.draft import Draft
from rollout.planfile.misshapen import Misshapen

if TYPE_CHECKING:
    from rollout.planfile.explain import Problem, Refusal

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

NAME = "rollout.v1.schema.json"


def schema_file(package: File = File(__file__).parent) -> File:
    """Where the schema lies: in the package of a wheel, or in the repository beside it."""
    packed = package / "schemas" / NAME
    return packed if packed.is_file() else package.resolve().parents[1] / "schemas" / NAME


def schema() -> dict[str, Any]:
    """The schema of plan files: JSON Schema 2020-12."""
    data: dict[str, Any] = json.loads(schema_file().read_bytes())
    return data


def check(draft: Draft) -> None:
    """Note everything in the draft that the schema refuses."""
    for error in _validator_for(draft).iter_errors(cast("Any", draft.data)):
        from rollout.planfile.explain import explain  # noqa: PLC0415 - a good plan needs none

        for problem in explain(_refusal(draft, error)):
            _note(draft, problem)


def _refusal(draft: Draft, error: ValidationError) -> Refusal:
    from rollout.planfile.explain import Refusal  # noqa: PLC0415 - as above

    path = tuple(error.absolute_path)
    return Refusal(
        path=path,
        keyword=str(error.validator),
        wants=error.validator_value,
        given=error.instance,
        here=error.schema if isinstance(error.schema, dict) else {},
        message=error.message,
        cause=error.cause if isinstance(error.cause, Misshapen) else None,
        written=draft.written.get(path),
    )


def _note(draft: Draft, problem: Problem) -> None:
    if problem.key:
        draft.wrong_key(problem.path, problem.what, problem.do, told=problem.told)
    else:
        draft.wrong(problem.path, problem.what, problem.do)


def _validator_for(draft: Draft) -> Validator:
    """The checker with the plan's own metrics among those that a check may name."""
    own = metrics.own(draft)
    if metrics.readable(draft) and not own:
        return _validator()
    kinds = {
        name: {} if each is None else {"$ref": f"#/$defs/{each.kind}"} for name, each in own.items()
    }
    known = cast("Mapping[str, Any]", _validator().schema)
    return type(_validator())(_naming(known, kinds, closed=metrics.readable(draft)))


def _naming(whole: Mapping[str, Any], kinds: Mapping[str, Any], *, closed: bool) -> dict[str, Any]:
    """The schema with checks of these metrics, and of others only where it is not ``closed``."""
    definitions = whole["$defs"]
    check = {
        **definitions["check"],
        "properties": {**definitions["check"]["properties"], **kinds},
        "additionalProperties": not closed,
    }
    return {**whole, "$defs": {**definitions, "check": check}}


@cache
def _validator() -> Validator:
    """The checker where a plan has no metrics of its own."""
    from jsonschema import Draft202012Validator, validators  # noqa: PLC0415  (150 ms: only if used)
    from jsonschema.exceptions import ValidationError  # noqa: PLC0415

    def in_form(
        _: Validator, form: Mapping[str, object], instance: object, here: Mapping[str, Any]
    ) -> Iterator[ValidationError]:
        if _structured(instance, here) or _no_text(instance, form):
            return
        try:
            forms.check(form, instance)
        except Misshapen as error:
            yield ValidationError(error.what, cause=error)

    extended = validators.extend(  # type: ignore[no-untyped-call]
        Draft202012Validator, {"x-form": in_form}
    )
    return cast("Validator", extended(_naming(schema(), {}, closed=True)))


def _no_text(instance: object, form: Mapping[str, object]) -> bool:
    """Whether ``type`` refuses the value already, before its form could be asked."""
    return form["is"] in forms.TEXT and not isinstance(instance, str)


def _structured(instance: object, here: Mapping[str, Any]) -> bool:
    """Whether the value takes the form's place: ``smoke: {...}``, ``smoke:`` for ``smoke: 20``."""
    allowed = here.get("type", ())
    return (isinstance(instance, dict) and "object" in allowed) or (
        instance is None and "null" in allowed
    )
