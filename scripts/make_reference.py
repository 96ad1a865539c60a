"""Writes the reference: plan-file.md from the schema, commands.md from the commands, limits.md from data.

`python scripts/make_reference.py` writes; a test compares what stands there with what would be
written, so the reference cannot drift from the product.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PLAN_FILE = ROOT / "docs/reference/plan-file.md"
COMMANDS = ROOT / "docs/reference/commands.md"
LIMITS = ROOT / "docs/azureml/limits.md"


def plan_file() -> str:
    """The reference of the plan file, as Markdown."""
    schema = json.loads((ROOT / "schemas/rollout.v1.schema.json").read_text(encoding="utf-8"))
    lines = [
        "# The plan file",
        "",
        "Made from `schemas/rollout.v1.schema.json` by `scripts/make_reference.py`; do not edit.",
        "",
        schema["description"],
        "",
        "A complete example is [plans/safe-rollout.yaml](../../plans/safe-rollout.yaml).",
        "",
        "| key | meaning | values |",
        "|---|---|---|",
    ]
    return "\n".join([*lines, *_rows(schema, schema, "")]) + "\n"


def _rows(node: Mapping[str, Any], schema: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, held in node.get("properties", {}).items():
        yield from _row(held, schema, f"{path}.{name}" if path else name)
    for pattern, held in node.get("patternProperties", {}).items():
        label = re.sub(r"[^a-z_-].*", "", pattern.removeprefix("^"))
        yield from _row(held, schema, f"{path}.{label}*" if path else f"{label}*")
    other = node.get("additionalProperties")
    for held in other.get("anyOf", ()) if isinstance(other, Mapping) else ():
        # Any name, and what it may hold depends on the kind that it has elsewhere.
        yield from _row(held, schema, f"{path}.{held['$ref'].rsplit('/', 1)[-1].upper()}")


def _row(node: Mapping[str, Any], schema: Mapping[str, Any], path: str) -> Iterator[str]:
    whole = _resolved(node, schema)
    text = whole.get("description", "").replace("|", "\\|")
    yield f"| `{path}` | {text} | {_values(whole)} |"
    yield from _rows(whole, schema, path)
    inner = whole.get("items") or whole.get("additionalProperties")
    if isinstance(inner, Mapping):
        held = _resolved(inner, schema)
        mark = "[]" if "items" in whole else ".NAME"
        yield from _rows(held, schema, path + mark)


def _resolved(node: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    ref = node.get("$ref")
    base = schema["$defs"][ref.rsplit("/", 1)[-1]] if ref else {}
    return {**base, **node}


def _values(node: Mapping[str, Any]) -> str:
    parts = []
    if "enum" in node:
        parts.append(" or ".join(f"`{value}`" for value in node["enum"]))
    if "default" in node:
        parts.append(f"default `{json.dumps(node['default'])}`".replace('"', ""))
    elif "examples" in node and "enum" not in node:
        parts.append(f"such as `{json.dumps(node['examples'][0])}`".replace('"', ""))
    return ", ".join(parts)


def limits() -> str:
    """Azure ML's limits, as Markdown."""
    from rollout.adapters.endpoints.azureml.limits import OVERRIDE, read_limits  # noqa: PLC0415

    found = read_limits({})
    lines = [
        "# Limits of Azure ML",
        "",
        "Made from `rollout/adapters/endpoints/azureml/limits.yaml` by `scripts/make_reference.py`; do not edit.",
        "Plans are checked against these by `validate`, `plan` and `preflight`. Microsoft changes them, and grants",
        f"exceptions: `{OVERRIDE}=FILE` puts the rows of a file of the same form over them.",
        "",
        f"Version {found.version}.",
        "",
        "| name | value | what it limits | source |",
        "|---|---|---|---|",
    ]
    for name, row in found.rows.items():
        value = getattr(found, name)
        shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        cells = (f"`{name}`", f"`{shown}`", row.about, row.source)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def commands() -> str:
    """The reference of the command line, as Markdown."""
    import click  # noqa: PLC0415 - only this half needs it

    from rollout.cli.main import cli  # noqa: PLC0415

    lines = [
        "# Commands",
        "",
        "Made from the commands' own help by `scripts/make_reference.py`; do not edit.",
        "What an exit code means: [exit codes](exit-codes.md).",
        "",
    ]
    front = click.Context(cli, info_name="rollout", terminal_width=100, **cli.context_settings)
    with front as context:
        lines += ["```", cli.get_help(context), "```", ""]
        for path, command in _all(cli, context, ()):
            with click.Context(
                command,
                parent=context,
                info_name=" ".join(path),
                terminal_width=100,
                **command.context_settings,
            ) as inner:
                lines += [f"## rollout {' '.join(path)}", "", "```"]
                lines += [command.get_help(inner), "```", ""]
    return "\n".join(line.rstrip() for line in "\n".join(lines).splitlines()) + "\n"


def _all(group: Any, context: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name), command
        if hasattr(command, "list_commands"):
            yield from _all(command, context, (*path, name))


if __name__ == "__main__":
    PLAN_FILE.write_text(plan_file(), encoding="utf-8")
    COMMANDS.write_text(commands(), encoding="utf-8")
    LIMITS.write_text(limits(), encoding="utf-8")
