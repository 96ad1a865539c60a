"""Errors a person is meant to read, each with what to do next and the exit code it ends in.

* ``RolloutError``
    + ``UsageError``          64  the call must change, or needs an answer nobody can give
    + ``PlanInvalid``         65  the plan file must change
    + ``EndpointError``        1  the endpoint did not do what was asked
        - ``EndpointRefused``  1  it said no; asking again gives the same answer
        - ``EndpointAway``     1  it could not be reached, or is busy; try again
            . ``NotLoggedIn`` 33  it does not know who asks
    + ``StoreError``           1  the journal could not be read or written
        - ``NewerJournal``     1  a newer version of this program wrote it
    + ``Locked``              30  another runner holds the endpoint
    + ``Fenced``              30  another runner took the endpoint over from us
    + ``Drifted``             31  somebody changed the endpoint by hand
    + ``PreflightFailed``     32  a check before the start failed; nothing was touched
    + ``Unguarded``           11  nobody guards a candidate, and nobody will
"""

from __future__ import annotations

import re

from rollout.domain.diagnostics import Diagnostic

_GOING_ON = re.compile(r", then:? rollout apply .*$")


class RolloutError(Exception):
    """An expected failure: what happened, and what to do about it.

    Args:
        what: One sentence with the values that matter.
        do: The next command or edit for the reader; never empty.
    """

    code = 1

    def __init__(self, what: str, *, do: str) -> None:
        super().__init__(what)
        self.what = what
        self.do = do

    def __str__(self) -> str:
        return f"{self.what} {self.do}"

    @property
    def kept(self) -> str:
        """What is kept of it in a journal: the repair, but not the command for now.

        >>> RolloutError("Port 80 is taken.", do="Free it, then: rollout apply p.yaml").kept
        'Port 80 is taken. Free it.'
        """
        return f"{self.what} {_GOING_ON.sub('.', self.do)}"


class UsageError(RolloutError):
    """The command was called in a way that cannot work."""

    code = 64


class PlanInvalid(RolloutError):
    """The plan has findings; all of them are in ``findings``, sorted by place."""

    code = 65

    def __init__(self, findings: tuple[Diagnostic, ...]) -> None:
        count = "1 finding" if len(findings) == 1 else f"{len(findings)} findings"
        super().__init__(f"The plan has {count}.", do="Correct the file and validate it again.")
        self.findings = findings


class EndpointError(RolloutError):
    """The endpoint did not do what was asked."""


class EndpointRefused(EndpointError):
    """The endpoint said no; the same call would be refused again."""


class EndpointAway(EndpointError):
    """The endpoint could not be reached or is busy; the same call may work later."""


class NotLoggedIn(EndpointAway):
    """The endpoint does not know who asks; a login may mend it while a run waits."""

    code = 33


class StoreError(RolloutError):
    """The journal could not be read or written."""


class NewerJournal(StoreError):
    """A newer version of this program wrote the journal: nothing is guessed, nothing is appended."""


class Locked(RolloutError):
    """Another runner holds the endpoint."""

    code = 30


class Fenced(RolloutError):
    """Another runner took the endpoint over; this one must stop at once."""

    code = 30


class Drifted(RolloutError):
    """The endpoint is not as the last run left it, or as the plan expects it."""

    code = 31


class Unguarded(RolloutError):
    """A superseded run left a candidate, and its successor never began."""

    code = 11


class PreflightFailed(RolloutError):
    """A check before the start failed; nothing was touched."""

    code = 32
