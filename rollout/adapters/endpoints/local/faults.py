"""Faults ordered on purpose, to see a rollout notice them."""

from __future__ import annotations

from typing import cast

from rollout.adapters.endpoints.local.plane import ControlPlane
from rollout.domain.errors import EndpointRefused

SHOWN_BY_SERVERS = ("error", "delay", "hang", "crash")
KINDS = (*SHOWN_BY_SERVERS, "kill-server", "kill-envoy", "none")


def order(plane: ControlPlane, body: dict[str, object]) -> None:
    """Inject one fault, or take all of a deployment away again.

    Raises:
        EndpointRefused: the fault is unknown, or the deployment is.
    """
    kind, deployment = str(body["kind"]), str(body.get("deployment") or "")
    percent, seconds = float(cast(float, body["percent"])), float(cast(float, body["seconds"]))
    if kind not in KINDS:
        raise EndpointRefused(f"There is no fault '{kind}'.", do=f"Use one of {', '.join(KINDS)}.")
    if not 0 <= percent <= 100 or not 0 <= seconds <= 3600:  # noqa: PLR2004 -- percents; an hour
        raise EndpointRefused(
            f"A fault of {percent:g} % or {seconds:g} s is not possible.",
            do="Give 0 to 100 percent, and at most an hour.",
        )
    if kind == "kill-envoy":
        plane.kill_envoy()
    elif kind == "kill-server":
        plane.kill_server(deployment)
    else:
        plane.show_fault(
            deployment, {} if kind == "none" else {kind: {"percent": percent, "seconds": seconds}}
        )
