"""The constant names of what happens, for logs and for scripts that read them; they never change."""

from __future__ import annotations

from collections.abc import Mapping

from rollout.domain import events as e

WAITING = "run.waiting"
WATCHED = "gate.watched"
ALERT = "run.alert"

NAMES: Mapping[type, str] = {
    e.RunStarted: "run.started",
    e.OwnerTook: "owner.took",
    e.SplitCaptured: "split.captured",
    e.Intended: "effect.intended",
    e.EffectFailed: "effect.failed",
    e.SetPointReached: "setpoint.reached",
    e.PreflightChecked: "preflight.checked",
    e.SmokeTested: "smoke.tested",
    e.ObservationBegan: "observation.began",
    e.Measured: "gate.judged",
    e.ExposureCounted: "exposure.counted",
    e.StagePassed: "stage.passed",
    e.Held: "run.held",
    e.RollbackBegan: "rollback.began",
    e.RollbackProbed: "rollback.probed",
    e.RollbackUnverified: "rollback.unverified",
    e.LogsCollected: "logs.collected",
    e.AnswersDiffered: "answers.differed",
    e.RolledBack: "rollback.done",
    e.Ended: "run.ended",
    e.LooseCallFound: "call.loose",
    e.LateCallLanded: "call.landed",
    e.Audited: "run.audited",
    e.LeaveBegan: "leave.began",
    e.ShareLowered: "share.lowered",
    e.ShareRestored: "share.restored",
    e.Unwatched: "time.unwatched",
    e.Left: "owner.left",
    e.Pruned: "journal.pruned",
    e.Approved: "order.approved",
    e.Rejected: "order.rejected",
    e.PauseOrdered: "order.paused",
    e.ResumeOrdered: "order.resumed",
    e.AbortOrdered: "order.aborted",
    e.RetryOrdered: "order.retried",
    e.Superseded: "order.superseded",
}


def name(event: e.Event) -> str:
    """The event's dotted name.

    >>> name(e.StagePassed("shift-10"))
    'stage.passed'
    """
    return NAMES[type(event)]
