"""Each fault that passes, at each operation: the right end, nothing created twice, nothing lost."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.acceptance.azureml.ward import (
    BLUE,
    ENDPOINT,
    OPERATIONS,
    PASSING,
    TOLD,
    Ward,
    kept,
    put_green,
)

pytestmark = pytest.mark.usefixtures("hurried")


@pytest.mark.parametrize("fault", PASSING)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_fault_that_passes_leaves_no_trace(
    ward: Ward, tmp_path: Path, operation: str, fault: str
) -> None:
    work = OPERATIONS[operation]
    ward.arrange(green=work.green)
    before = len(ward.cloud.records())
    ward.cloud.fault({**PASSING[fault], "on": work.on, "skip": work.skip})

    done = ward.apply(tmp_path, list(work.stages))

    ward.cloud.clear()
    assert (done.code, done.outcome) == (0, "completed"), done.run.cause
    seen = ward.seen()
    assert (dict(seen.traffic), dict(seen.mirror)) == (dict(work.traffic), dict(work.mirror))
    assert set(seen.deployments) == set(work.deployments)
    assert put_green(ward.cloud, before) == (operation == "create")
    assert fault not in TOLD or any(TOLD[fault] in each for each in ward.heard)
    kept(ward)


@pytest.mark.parametrize("fault", ["429", "503", "lost", "slow", "fail"])
def test_an_endpoint_is_created_once_through_every_fault(
    ward: Ward, tmp_path: Path, fault: str
) -> None:
    name = f"fresh-{fault}"
    faults = {**PASSING, "fail": {"kind": "fail", "message": "Oops."}}
    file = tmp_path / "endpoint.yml"
    file.write_text(yaml.safe_dump({**ENDPOINT, "name": name}))
    before = len(ward.cloud.records())
    ward.cloud.fault({**faults[fault], "on": "endpoint.put"})

    done = ward.apply(
        tmp_path,
        [{"preflight": {"metrics": False}}],
        name,
        endpoint={"provider": "azureml", "name": name, "file": str(file), **ward.options()},
        baseline={"deployment": BLUE, "file": ward.world.files[BLUE]},
    )

    ward.cloud.clear()
    assert done.code == 0, done.run.cause
    assert dict(ward.seen(name).traffic) == {BLUE: 100}
    taken = [
        each["body"]["properties"].get("traffic")
        for each in ward.cloud.records()[before:]
        if each["operation"] == "endpoint.put" and each["status"] in (0, 200, 201)
    ]
    assert taken.count({}) == (2 if fault == "fail" else 1)
    kept(ward, name)
    endpoint = ward.endpoint(name)
    endpoint.destroy()
    endpoint.close()
