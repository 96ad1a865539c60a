"""Durations as options take them."""

from __future__ import annotations

import click

from rollout.domain.units import parse_duration


class Span(click.ParamType[float]):
    """A duration as plans write it; seconds."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds from ``10m``."""
        try:
            return value if isinstance(value, float) else parse_duration(str(value))
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)
