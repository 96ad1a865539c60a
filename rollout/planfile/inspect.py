"""Everything that is wrong with a plan file, at once; no plan is made of it yet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rollout.domain.diagnostics import Diagnostic, Place
from rollout.planfile import bodies, rules, schema, substitute, text
from rollout.planfile.draft import Draft
from rollout.planfile.provider import Providers
from rollout.planfile.substitute import Inputs
from rollout.planfile.wording import ROOT, shown


def inspect(
    path: Path,
    *,
    variables: Mapping[str, str],
    environment: Mapping[str, str],
    providers: Providers | None = None,
) -> tuple[tuple[Draft, tuple[bytes, ...]] | None, tuple[Diagnostic, ...]]:
    """A checked draft with its request bodies, or None and what is wrong, sorted by place.

    Args:
        path: As the user typed it; findings name it so.
        variables: Values for the plan's variables, by name.
        environment: For ``${env.X}``, and ``ROLLOUT_VAR_x`` for the variable ``x``.
        providers: Ask the endpoint's adapter about its own keys and files; None: nobody is asked.
    """
    document = text.read(path)
    if not isinstance(document.data, dict):
        return None, document.findings or (_no_mapping(document),)
    draft = Draft(document)
    substitute.fill(draft, Inputs(variables, environment))
    rules.set_apart(draft)
    schema.check(draft)
    rules.check(draft, providers)
    requests = bodies.gather(draft)
    return (None, draft.findings) if draft.findings else ((draft, requests), ())


def _no_mapping(document: text.Document) -> Diagnostic:
    place = Place(document.file, 1, 1)
    do = "Begin with 'apiVersion: rollout/v1'."
    if document.data is None:
        return Diagnostic(place, ROOT, "the file is empty.", do)
    what = f"a plan is a mapping; {shown(document.data)} stands here."
    return Diagnostic(document.value(()), ROOT, what, do)
