"""What breaks: the runner in every stage, Envoy, a replica, the port, the metrics."""

import json
import signal
import socket
import time
from collections import Counter

import psutil
import pytest

from rollout.domain.endpoint import PutDeployment, Seen
from rollout.domain.events import Intended, OwnerTook
from rollout.domain.run import Phase
from tests.acceptance.conftest import Site
from tests.acceptance.ports import own_port
from tests.acceptance.test_rollouts import up
from tests.acceptance.traffic import Traffic

PATIENCE = 240  # seconds for what a runner still has to do, however busy the machine is
pytestmark = pytest.mark.timeout(900)
LONG_CANARY = {"gates__canary__min_duration": "2m"}  # so that it is still there to be disturbed


def test_a_runner_killed_in_every_stage_ends_as_an_undisturbed_one(site: Site) -> None:
    plan = site.brief(
        "plans/safe-rollout.yaml",
        stages__1__scale__instances=3,
        stages__3__smoke__count=300,  # long enough to be seen
    )
    killed: list[str] = []
    clients: Traffic | None = None

    runner = site.start("apply", plan, "--auto-approve")
    while runner.poll() is None:
        stage = site.stage()
        if stage in ("", "over", *killed):
            time.sleep(0.005)
            continue
        runner.send_signal(signal.SIGKILL)
        runner.wait()
        killed.append(stage)
        if clients is None and stage not in ("preflight", "bootstrap"):
            clients = site.traffic(plan, 50)
            clients.__enter__()
        runner = site.start("apply", plan, "--auto-approve")
    assert clients is not None
    clients.stop()

    assert runner.returncode == 0, (site.folder / "runner.out").read_text()[-3000:]
    assert killed == [stage.id for stage in site.run().stages]
    assert clients.failed() == []
    assert site.run().phase is Phase.COMPLETED
    events = [entry.event for entry in site.events()]
    creates = [e for e in events if isinstance(e, Intended) and isinstance(e.effect, PutDeployment)]
    assert Counter(e.effect.name for e in creates)["green"] <= 2  # the second found it there
    assert sum(isinstance(event, OwnerTook) for event in events) == len(killed)
    endpoint = site.endpoint(plan)
    seen = endpoint.observe()
    endpoint.close()
    assert (dict(seen.traffic), set(seen.deployments)) == ({"green": 100}, {"green"})


def test_envoy_and_a_replica_die_and_the_rollout_goes_on(site: Site) -> None:
    plan = site.brief(
        "plans/safe-rollout.yaml", stages__1__scale__instances=3, endpoint__port=own_port()
    )
    up(site, plan)

    with site.traffic(plan, 50) as clients:
        runner = site.start("apply", plan, "--auto-approve")
        site.wait(lambda: site.stage().startswith("mirror"))
        process_named(site, "envoy").kill()
        site.wait(lambda: site.stage().startswith("shift-10"))
        process_named(site, "gunicorn", deployment="blue").kill()
        site.wait(lambda: restarts(site, "server", "blue") >= 1)
        runner.wait(PATIENCE)
    clients.stop()

    run = site.run()
    paused_with_reason = run.phase in (Phase.HELD, Phase.PAUSED) and run.cause is not None
    assert run.phase is Phase.COMPLETED or paused_with_reason, run
    assert restarts(site, "envoy") == 1
    assert len(clients.failed()) < len(clients.answers) * 0.05
    late = clients.answers[-1].at - 5
    assert [each for each in clients.failed() if each.at > late] == []


def restarts(site: Site, role: str, deployment: str | None = None) -> int:
    """How often a process of the endpoint was started again."""
    processes = json.loads(site.rollout("local", "ps", "diabetes", "-o", "json").stdout)
    found = [each for each in processes if (each["role"], each["deployment"]) == (role, deployment)]
    return max((each["restarts"] for each in found), default=0)


def process_named(site: Site, kind: str, deployment: str = "") -> psutil.Process:
    """A process of this site's endpoint, found from outside by its environment."""
    for process in psutil.process_iter():
        try:
            words = " ".join(process.cmdline())
            tag = process.environ().get("ROLLOUT_TAG", "")
            home = str(site.folder)
            mine = home in words or home in tag or home in process.environ().get("AML_APP_ROOT", "")
        except psutil.Error:
            continue
        fits = ("envoy" in words) if kind == "envoy" else ("serve.py" in words)
        if mine and fits and deployment in tag and "engine" not in words:
            return process
    return pytest.fail(f"no {kind} of {site.folder}")


def test_a_second_runner_is_refused_while_the_first_is_alive(site: Site) -> None:
    plan = site.quick("plans/safe-rollout.yaml", load={"rps": 30})
    runner = site.start("apply", plan, "--auto-approve")
    site.wait(lambda: site.stage().startswith("mirror"))

    second = site.rollout("apply", plan, "--auto-approve")

    assert second.returncode == 30, second.stderr
    assert str(runner.pid) in second.stderr
    assert runner.poll() is None


def test_interrupted_and_terminated_runs_go_on_later(site: Site) -> None:
    plan = site.brief("plans/safe-rollout.yaml", load={"rps": 30}, **LONG_CANARY)
    runner = site.start("apply", plan, "--auto-approve")
    site.wait(lambda: site.stage().startswith("mirror"))

    runner.send_signal(signal.SIGINT)

    assert runner.wait(PATIENCE) == 130
    runner = site.start("apply", plan, "--auto-approve")
    site.wait(lambda: site.stage().startswith("shift-10"))
    runner.send_signal(signal.SIGTERM)
    assert runner.wait(PATIENCE) == 143
    aborted = site.rollout("abort", "-m", "enough")
    assert aborted.returncode == 14, aborted.stderr
    assert site.run().phase is Phase.ROLLED_BACK


@pytest.mark.parametrize(
    ("candidate", "left"), [("delete", {"green"}), ("keep", {"green", "crash"})]
)
def test_an_aborted_create_does_not_wait_for_a_candidate_that_hangs(
    site: Site, candidate: str, left: set[str]
) -> None:
    (site.folder / "plans/onlinescoring/crash/score.py").write_text(
        "import time\n\n\ndef init():\n    time.sleep(600)\n\n\ndef run(data):\n    return data\n"
    )
    plan = site.quick("plans/bad-crash.yaml", on_failure={"candidate": candidate})
    up(site, plan)
    runner = site.start("apply", plan, "--auto-approve")
    site.wait(lambda: site.stage() == "create-candidate" and site.run().intent is not None)
    site.wait(lambda: "crash" in observed(site, plan).deployments)

    assert site.rollout("abort", "-m", "it hangs").returncode == 0

    assert runner.wait(PATIENCE) == 14, (site.folder / "runner.out").read_text()[-3000:]
    assert site.run().phase is Phase.ROLLED_BACK
    assert set(observed(site, plan).deployments) == left


def observed(site: Site, plan: str) -> Seen:
    """The plan's endpoint as it is."""
    endpoint = site.endpoint(plan)
    try:
        return endpoint.observe()
    finally:
        endpoint.close()


def test_a_taken_port_is_a_clear_error(site: Site) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        plan = site.change("plans/safe-rollout.yaml", endpoint__port=port)

        done = site.rollout("apply", plan, "--auto-approve")

    assert done.returncode == 32, (done.returncode, done.stderr)
    said = done.stdout + done.stderr
    assert str(port) in said
    assert "Traceback" not in said


def test_orders_from_another_process(site: Site) -> None:
    plan = site.brief("plans/safe-rollout.yaml", load={"rps": 30})
    data = (site.folder / plan).read_text()
    text = data.replace("- shift: 100%", "- approve: {author: true}\n- shift: 100%")
    (site.folder / plan).write_text(text)
    runner = site.start("apply", plan, "--auto-approve")
    site.wait(lambda: site.stage().startswith("mirror"))

    assert site.rollout("pause").returncode == 0
    site.wait(lambda: site.run().phase is Phase.PAUSED)
    assert site.rollout("status", "--detailed-exitcode").returncode == 23
    assert site.rollout("resume").returncode == 0
    site.wait(lambda: site.stage().startswith("approve"))
    site.wait(lambda: site.rollout("status", "--detailed-exitcode").returncode == 21)
    assert site.rollout("approve", "-m", "looks good").returncode == 0

    assert runner.wait(PATIENCE) == 0, (site.folder / "runner.out").read_text()[-3000:]
    undone = site.rollout("undo")
    assert undone.returncode != 0  # blue is deleted: it must say so
    assert "blue" in undone.stderr


def test_a_change_by_hand_holds_the_run(site: Site) -> None:
    plan = site.brief("plans/safe-rollout.yaml", load={"rps": 30}, **LONG_CANARY)
    runner = site.start("apply", plan, "--auto-approve")
    site.wait(lambda: site.stage().startswith("shift-10"))
    site.wait(lambda: site.run().share == 10)
    endpoint = site.endpoint(plan)

    from rollout.domain.endpoint import SetSplit  # noqa: PLC0415

    endpoint.perform(SetSplit({"blue": 50, "green": 50}), run="somebody")
    endpoint.close()

    site.wait(lambda: site.rollout("status", "--detailed-exitcode").returncode == 31)
    assert runner.poll() is None  # green has users, so its guard stays
    runner.send_signal(signal.SIGTERM)
    assert runner.wait(PATIENCE) == 31
    assert "blue 50 green 50" in (site.folder / "runner.out").read_text()
    left = site.rollout("apply", plan, "--auto-approve", "--on-hold", "leave")
    assert left.returncode == 31, left.stderr
    done = site.rollout("abort")
    assert done.returncode == 14, done.stderr
    endpoint = site.endpoint(plan)
    assert dict(endpoint.observe().traffic) == {"blue": 100}
    endpoint.close()
