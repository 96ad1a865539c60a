"""What a deployment answered lately, from the access log: for whoever wants to know before a rollout."""

from __future__ import annotations

import contextlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from rollout.adapters.endpoints.local import rotation
from rollout.adapters.endpoints.local.entries import Line, judge
from rollout.adapters.endpoints.local.xds import LIVE, cluster_name
from rollout.domain.measure import NEVER, Arm, bucket_of


def batches(
    access_log: Path, deployment: str, *, moment: float, seconds: float, batch: float
) -> tuple[Arm, ...]:
    """The live answers of a deployment in batches, oldest first.

    Args:
        access_log: The growing segment; finished ones lie beside it.
        deployment: Its name.
        moment: The present, Unix seconds.
        seconds: How far back.
        batch: Length of a batch, seconds.

    Returns:
        As many batches as the log still covers, the present one left out; an empty one stands for
        a time without requests.
    """
    since = moment - seconds
    counted: dict[int, list[Line]] = defaultdict(list)
    for line in _lines(access_log, deployment, since):
        counted[int((line.ended - since) // batch)].append(line)
    last = int(seconds // batch)
    known = [at for at in counted if at < last]
    return tuple(_arm(counted.get(at, [])) for at in range(min(known), last)) if known else ()


def _lines(access_log: Path, deployment: str, since: float) -> Iterator[Line]:
    cluster = cluster_name(deployment, LIVE)
    named, arms = f'"{cluster}"'.encode(), {cluster: "baseline"}
    for path in (*rotation.segments(access_log).values(), access_log):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < since:
                continue
            with path.open("rb") as file:
                for line in file:
                    # Most lines of a busy log are others': not parsed.
                    if named in line and (found := judge(line, arms, since)) is not None:
                        yield found


def _arm(lines: list[Line]) -> Arm:
    latency = Counter(NEVER if each.failed else bucket_of(each.seconds) for each in lines)
    return Arm(len(lines), sum(each.failed for each in lines), dict(latency))
