"""Where things are, and who asks."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

STATE = "sqlite:///.rollout/state.db"
HOME = ".rollout/local"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are, and who asks.

    Args:
        state: URL of the store that keeps the journals.
        home: Folder of the local endpoints.
        variables: Values for the plan's ``variables``.
        environment: What ``${env.X}`` sees.
        user: Who starts runs and orders; None: the user of this process.
    """

    state: str = field(default_factory=lambda: os.environ.get("ROLLOUT_STATE", STATE))
    home: Path = field(default_factory=lambda: Path(os.environ.get("ROLLOUT_HOME", HOME)))
    variables: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    user: str | None = field(
        default_factory=lambda: os.environ.get("ROLLOUT_USER", "").strip() or None
    )

    @property
    def who(self) -> str:
        """The name that orders are signed with."""
        return self.user or _user()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"uid {os.getuid()}"
