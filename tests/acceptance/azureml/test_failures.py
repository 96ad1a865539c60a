"""What fails, is stuck, stale or refused: the right end, nothing lost, and told why."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from rollout import api
from rollout.domain.errors import NotLoggedIn
from rollout.domain.run import Phase
from tests.acceptance.azureml.ward import (
    BLUE,
    GREEN,
    OPERATIONS,
    PASSING,
    Ward,
    kept,
    put_green,
    stands_in,
)

pytestmark = pytest.mark.usefixtures("hurried")


@pytest.mark.parametrize(
    "stale",
    [{"seconds": 2.0}, {"seconds": 60.0, "alternate": True, "times": 6}],
    ids=["late", "in-turn"],
)
@pytest.mark.parametrize("operation", ["mirror", "shift"])
def test_reads_that_are_stale_for_a_while_are_not_believed(
    ward: Ward, tmp_path: Path, operation: str, stale: dict
) -> None:
    work = OPERATIONS[operation]
    ward.arrange(green=True)
    time.sleep(2.2)  # what was arranged is no news any more
    before = len(ward.cloud.records())
    ward.cloud.fault({"kind": "stale", "on": "endpoint.get", "times": None, **stale})

    done = ward.apply(tmp_path, list(work.stages))

    ward.cloud.clear()
    assert done.code == 0, done.run.cause
    seen = ward.seen()
    assert (dict(seen.traffic), dict(seen.mirror)) == (dict(work.traffic), dict(work.mirror))
    written = [
        each for each in ward.cloud.records()[before:] if each["operation"] == "endpoint.put"
    ]
    assert len(written) == 1
    kept(ward)


def test_a_creation_that_fails_is_rolled_back_with_azure_s_own_words(
    ward: Ward, tmp_path: Path
) -> None:
    ward.arrange(green=False)
    before = len(ward.cloud.records())
    ward.cloud.fault(
        {"kind": "fail", "on": "deployment.put", "code": "ResourceNotReady",
         "message": "User container has crashed or terminated."}
    )  # fmt: skip

    done = ward.apply(tmp_path, [{"create": "candidate"}, {"shift": "100%"}])

    assert (done.code, done.outcome) == (10, "rolled_back")
    assert "ResourceNotReady: User container has crashed" in done.run.cause.text
    assert any("LogsCollected" in each for each in ward.heard)
    seen = ward.seen()
    assert (dict(seen.traffic), dict(seen.mirror)) == ({BLUE: 100}, {})
    assert put_green(ward.cloud, before) == 1
    kept(ward)


@pytest.mark.parametrize("operation", ["create", "scale"])
def test_without_quota_nothing_moves_and_azure_s_code_is_told(
    ward: Ward, tmp_path: Path, operation: str
) -> None:
    work = OPERATIONS[operation]
    ward.arrange(green=work.green)
    ward.cloud.fault({"kind": "quota", "on": "deployment.put", "times": None})

    done = ward.apply(tmp_path, list(work.stages))

    ward.cloud.clear()
    assert done.code == 10, done.run.cause
    assert "quota" in done.run.cause.text.lower()
    seen = ward.seen()
    assert (dict(seen.traffic), seen.deployments[BLUE].instances) == ({BLUE: 100}, 1)
    kept(ward)


@pytest.mark.parametrize("operation", ["mirror", "shift"])
def test_a_split_whose_operation_fails_is_written_again(
    ward: Ward, tmp_path: Path, operation: str
) -> None:
    work = OPERATIONS[operation]
    ward.arrange(green=True)
    ward.cloud.fault(
        {"kind": "fail", "on": "endpoint.put", "code": "InternalServerError", "message": "Oops."}
    )

    done = ward.apply(tmp_path, list(work.stages))

    assert done.code == 0, done.run.cause
    seen = ward.seen()
    assert (dict(seen.traffic), dict(seen.mirror)) == (dict(work.traffic), dict(work.mirror))
    assert any("InternalServerError: Oops." in each for each in ward.heard)
    kept(ward)


def test_a_scaling_that_fails_is_held_with_azure_s_own_words(ward: Ward, tmp_path: Path) -> None:
    ward.arrange(green=True)
    ward.cloud.fault(
        {"kind": "fail", "on": "deployment.put", "code": "OutOfCapacity", "message": "No room."}
    )

    done = ward.apply(tmp_path, list(OPERATIONS["scale"].stages))

    assert done.code == 13, done.run.cause
    assert "OutOfCapacity: No room." in done.run.cause.text
    assert dict(ward.seen().traffic) == {BLUE: 100}
    kept(ward)


def test_peace_that_azure_asks_for_costs_no_attempt(ward: Ward, tmp_path: Path) -> None:
    """Six attempts take a minute; a throttled subscription says for how long it is."""
    ward.arrange(green=True)
    before = len(ward.cloud.records())
    ward.cloud.fault({"kind": "status", "status": 429, "times": 1, "retry_after": 8,
                      "on": "endpoint.put"})  # fmt: skip

    done = ward.apply(tmp_path, [{"shift": "30%"}])

    assert done.code == 0, done.run.cause
    written = [
        each for each in ward.cloud.records()[before:] if each["operation"] == "endpoint.put"
    ]
    assert [each["status"] for each in written] == [429, 201]
    kept(ward)


def test_whoever_is_not_logged_in_is_told_before_anything_is_written_down(
    ward: Ward, tmp_path: Path
) -> None:
    ward.arrange(green=True)
    ward.cloud.fault({"kind": "status", "status": 401, "times": None, "on": "endpoint.get"})

    with pytest.raises(NotLoggedIn, match="AuthenticationFailed") as told:
        ward.apply(tmp_path, [{"shift": "30%"}])

    assert told.value.code == 33
    settings = api.Settings(state=f"sqlite:///{tmp_path}/state.db")
    assert api.history(settings=settings) == ()


def test_a_login_that_ends_on_the_way_is_waited_for(ward: Ward, tmp_path: Path) -> None:
    ward.arrange(green=True)
    fault = {"kind": "status", "status": 401, "times": 6, "on": "endpoint.get"}
    ward.when = (lambda run: stands_in(run, "wait")), lambda: ward.cloud.fault(fault)

    done = ward.apply(tmp_path, [{"shift": "30%"}, {"wait": "3s"}])

    assert ward.when is None
    assert done.code == 0, done.run.cause
    assert any("AuthenticationFailed" in each for each in ward.heard)
    assert dict(ward.seen().traffic) == {BLUE: 70, GREEN: 30}


def test_a_split_that_is_stuck_ends_unverified_and_is_finished_later(
    ward: Ward, tmp_path: Path
) -> None:
    ward.arrange(green=True)
    ward.cloud.fault({"kind": "stuck", "on": "endpoint.put"})

    stages = [{"shift": "30%", "timeout": "2s"}]
    soon = {"verify": {"within": "10s", "smoke": False}}
    done = ward.apply(tmp_path, stages, on_failure=soon)

    assert (done.code, done.outcome) == (11, "rollback_unverified")
    ward.cloud.clear()
    again = ward.apply(tmp_path, stages, on_failure=soon)
    assert again.code == 10, again.run.cause
    seen = ward.seen()
    assert (dict(seen.traffic), dict(seen.mirror)) == ({BLUE: 100}, {})
    kept(ward)


@pytest.mark.parametrize("operation", ["create", "scale", "delete"])
def test_work_on_a_deployment_that_is_stuck_ends_at_the_stage_s_time(
    ward: Ward, tmp_path: Path, operation: str
) -> None:
    work = OPERATIONS[operation]
    ward.arrange(green=work.green)
    before = len(ward.cloud.records())
    ward.cloud.fault({"kind": "stuck", "on": work.on})
    freed = threading.Timer(1.0, ward.cloud.clear)  # the rollback has to wait for it, too
    ward.when = (lambda run: run.phase is Phase.ROLLING_BACK), freed.start

    done = ward.apply(tmp_path, [{**work.stages[0], "timeout": "5s"}, {"wait": "1s"}])

    assert ward.when is None
    freed.join()
    assert done.code == 10, done.run.cause
    assert "within 5s" in done.run.cause.text
    assert put_green(ward.cloud, before) == (operation == "create")
    assert dict(ward.seen().traffic) == {BLUE: 100}
    kept(ward)


def test_a_deletion_that_fails_is_ordered_again(ward: Ward, tmp_path: Path) -> None:
    ward.arrange(green=True)
    ward.cloud.fault({"kind": "fail", "on": "deployment.delete", "message": "Not now."})

    done = ward.apply(tmp_path, list(OPERATIONS["delete"].stages))

    assert done.code == 0, done.run.cause
    assert set(ward.seen().deployments) == {BLUE}
    kept(ward)


@pytest.mark.parametrize("fault", PASSING)
def test_a_rollback_gets_through_every_fault(ward: Ward, tmp_path: Path, fault: str) -> None:
    ward.arrange(green=True)
    ward.cloud.fault({**PASSING[fault], "on": "endpoint.put", "skip": 1})
    stages = [{"shift": "30%"}, {"smoke": {"count": 1, "expect": {"status": 418}}}]

    done = ward.apply(tmp_path, stages)

    ward.cloud.clear()
    assert (done.code, done.outcome) == (10, "rolled_back"), done.run.cause
    seen = ward.seen()
    assert (dict(seen.traffic), dict(seen.mirror)) == ({BLUE: 100}, {})
    kept(ward)


@pytest.mark.parametrize("on", ["endpoint.get", "deployment.list", "operation.get", "keys"])
def test_reads_that_fail_are_asked_again(ward: Ward, tmp_path: Path, on: str) -> None:
    ward.arrange(green=True)
    ward.cloud.fault({"kind": "status", "status": 503, "times": 8, "on": on})

    done = ward.apply(tmp_path, [{"smoke": 3}, {"shift": "30%"}])

    ward.cloud.clear()
    assert done.code == 0, done.run.cause
    assert dict(ward.seen().traffic) == {BLUE: 70, GREEN: 30}


def test_a_model_that_answers_with_errors_is_no_fault_of_azure_s(
    ward: Ward, tmp_path: Path
) -> None:
    ward.arrange(green=True)

    done = ward.apply(
        tmp_path,
        [{"smoke": {"count": 3}}, {"shift": "30%"}],
        requests=[{"only": "green", "raise": True}],
    )

    assert done.code == 10
    assert "424" in done.run.cause.text
    assert dict(ward.seen().traffic) == {BLUE: 100}
