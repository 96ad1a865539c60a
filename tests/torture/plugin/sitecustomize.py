"""Puts the fake endpoint in the local one's place, in every process that has this folder in its path.

A plan may name only providers whose keys and files can be checked, so the fake one takes a name.
"""

from __future__ import annotations

from rollout.wiring import plugs

plugs.BUILT_IN["rollout.endpoints"]["local"] = "torture_endpoint:build"
