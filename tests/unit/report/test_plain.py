from __future__ import annotations

from rollout.domain import events as e
from rollout.domain.run import Split
from rollout.ports.observer import Alert, Appended, Waiting, Watched
from rollout.report.plain import HEARTBEAT, Lines
from rollout.report.rows import spell
from tests.unit.report.runs import RUNNING, START, running

RUN = running()


class Heard:
    def __init__(self, *, wordy: bool = False) -> None:
        self.lines: list[str] = []
        self.observer = Lines(lambda made: self.lines.append(spell(made)), wordy=wordy)

    def saw(self, *notices: Appended | Waiting | Watched | Alert) -> list[str]:
        for each in notices:
            self.observer.saw(each)
        return self.lines


def test_an_event_is_a_line_with_time_and_run() -> None:
    event = e.SetPointReached("shift-10", Split({"blue": 90, "green": 10}))

    told = Heard().saw(Appended(event, RUN, START + 0.25))

    assert told == ["2027-01-15T08:00:00.250Z r-7f3a stage shift-10: read back blue 90 green 10"]


def test_waiting_is_told_once_with_its_command() -> None:
    waits = [Waiting(RUN, "approval", None, START + each) for each in range(5)]

    told = Heard().saw(*waits)

    assert len(told) == 1
    assert told[0].endswith("Give it: rollout approve r-7f3a")


def test_what_runners_do_for_themselves_is_told_on_demand() -> None:
    notices = (
        Waiting(RUN, "provisioning", None, START),
        Appended(e.OwnerTook(2, "ada@desk pid 7"), RUN, START),
    )

    assert Heard().saw(*notices) == []
    assert len(Heard(wordy=True).saw(*notices)) == 2


def test_silence_is_broken_by_a_heartbeat() -> None:
    looks = [Watched(RUN, RUNNING, START + 1 + each * 10.0) for each in range(65)]

    told = Heard().saw(Appended(e.OwnerTook(1, "ada"), RUN, START), *looks)

    beats = [each for each in told if "still here" in each]
    assert len(beats) == int(640 / HEARTBEAT)


def test_an_alert_is_not_repeated_until_something_happens() -> None:
    alert = Alert(RUN, "The endpoint cannot be read.", START)
    event = Appended(e.StagePassed("x"), RUN, START)

    told = Heard().saw(alert, alert, event, alert)

    assert [each.rsplit("r-7f3a ", 1)[1] for each in told] == [
        "The endpoint cannot be read.",
        "stage x passed",
        "The endpoint cannot be read.",
    ]
