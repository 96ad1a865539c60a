"""The shared options as the Python interface takes them."""

from __future__ import annotations

from pathlib import Path

from rollout import api
from rollout.cli.options import Given
from rollout.domain.errors import UsageError


def settings(given: Given) -> api.Settings:
    """Where things are, from the options; the environment and the defaults fill the gaps.

    Raises:
        UsageError: a file with variables cannot be used.
    """
    used = api.Settings(variables=_variables(given))
    return api.Settings(
        state=given.state or used.state,
        home=Path(given.home) if given.home else used.home,
        variables=used.variables,
        environment=used.environment,
    )


def _variables(given: Given) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in given.files:
        found |= _read(Path(name))
    return found | given.variables


def _read(file: Path) -> dict[str, str]:
    from rollout.planfile import text  # noqa: PLC0415 - yaml, only where a file is given

    document = text.read(file)
    if document.findings:
        raise UsageError(f"{document.findings[0]}", do="Correct the file of --var-file.")
    data = document.data if document.data is not None else {}
    if not isinstance(data, dict):
        raise UsageError(
            f"{file} is no mapping of names to values.", do="Write lines such as `instances: 2`."
        )
    return {str(name): _scalar(file, str(name), value) for name, value in data.items()}


def _scalar(file: Path, name: str, value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return str(value)
        case _:
            raise UsageError(
                f"{name} in {file} is no text, number, true or false.", do="Give it one value."
            )
