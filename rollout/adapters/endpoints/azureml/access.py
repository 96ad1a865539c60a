"""Everything that talks to Azure for one plan, each made when it is first needed."""

from __future__ import annotations

import os
import shlex
from functools import cached_property
from typing import TYPE_CHECKING

from rollout.adapters.endpoints.azureml import cloud as clouds, measuring, sdk
from rollout.adapters.endpoints.azureml.arm import ML
from rollout.adapters.endpoints.azureml.kinds import kind_of_plan
from rollout.adapters.endpoints.azureml.limits import read_limits
from rollout.adapters.endpoints.azureml.loading import loads
from rollout.adapters.endpoints.azureml.metering import Meter, read_meter
from rollout.adapters.endpoints.azureml.options import Options, read_options
from rollout.adapters.endpoints.azureml.place import Cloud, Place
from rollout.domain.errors import EndpointRefused
from rollout.domain.plan import Plan
from rollout.ports.clock import Clock

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from rollout.adapters.endpoints.azureml.client import Client
    from rollout.adapters.endpoints.azureml.ground import Ground
    from rollout.adapters.endpoints.azureml.prober import Prober, Secret
    from rollout.adapters.endpoints.azureml.source import Source
    from rollout.adapters.endpoints.azureml.writing import Writer

_KEY_SECONDS = 300.0  # a key that somebody has made anew is asked for within this time
_EARLY_SECONDS = 60.0  # before its end a token is asked for anew


class Access:
    """The way to one endpoint; nothing of Azure is imported before something is asked for.

    Args:
        plan: The checked plan.
        clock: Time.
    """

    def __init__(self, plan: Plan, clock: Clock) -> None:
        self._plan = plan
        self._clock = clock
        self.options: Options = read_options(plan.endpoint.options)
        self.meter: Meter = read_meter(plan.metrics)
        self.place: Place = self.options.place(plan.endpoint.name)

    @property
    def file(self) -> str:
        """The plan's file, as a command is typed."""
        return shlex.quote(self._plan.file or "PLAN")

    @cached_property
    def cloud(self) -> Cloud:
        """Which cloud."""
        return clouds.find(self.options.cloud, os.environ)

    @cached_property
    def credential(self) -> TokenCredential:
        """Whose tokens."""
        from rollout.adapters.endpoints.azureml.credentials import credential  # noqa: PLC0415

        sdk.installed()
        options = self.options
        return credential(options.credential, self.cloud, client_id=options.client_id)

    @cached_property
    def client(self) -> Client:
        """Azure's SDK."""
        from rollout.adapters.endpoints.azureml.client import Client  # noqa: PLC0415

        return Client(self.place, self.cloud, self.credential)

    @cached_property
    def writer(self) -> Writer:
        """Orders."""
        from rollout.adapters.endpoints.azureml.writing import Writer  # noqa: PLC0415

        return Writer(self.client, self.place, read_limits(), self.file)

    @cached_property
    def prober(self) -> Prober:
        """Requests of our own."""
        from rollout.adapters.endpoints.azureml.prober import Prober  # noqa: PLC0415

        return Prober(self._secret, self._clock)

    @cached_property
    def source(self) -> Source:
        """Measurements."""
        return measuring.source(
            self.meter, self.place, self.cloud, self.credential, lambda: self.location
        )

    @cached_property
    def kind(self) -> str:
        """``managed`` or ``kubernetes``."""
        return kind_of_plan(self._plan)

    @cached_property
    def location(self) -> str:
        """The workspace's region."""
        found = self.client.get(self.place.workspace_id, ML)
        if found is None:
            raise EndpointRefused(
                f"There is no workspace '{self.place.workspace}' in '{self.place.resource_group}'.",
                do=f"Correct endpoint.workspace; look: rollout doctor {self.file}",
            )
        return str(found["location"])

    @property
    def ground(self) -> Ground:
        """What pre-checks and doctor look at."""
        from rollout.adapters.endpoints.azureml.credentials import who  # noqa: PLC0415
        from rollout.adapters.endpoints.azureml.ground import Ground  # noqa: PLC0415

        return Ground(
            plan=self._plan,
            place=self.place,
            kind=self.kind,
            arm=self.client,
            login=lambda: who(self.credential, self.cloud.management_scope),
            loads=lambda: loads(self._plan),
            arrives=lambda: self.source.arrives(moment=self._clock.now()),
            metrics=self.meter.provider,
            quota=read_limits().quota,
        )

    @property
    def uri(self) -> str:
        """Where clients send their requests.

        Raises:
            EndpointRefused: the endpoint has no address.
        """
        properties = self.client.answer(self.place.endpoint_id).get("properties", {})
        if known := properties.get("scoringUri"):
            return str(known)
        found = self.client.endpoint()
        if found is None or not found.scoring_uri:
            raise EndpointRefused(
                f"The endpoint '{self.place.endpoint}' does not exist, or has no address yet.",
                do=f"Create it: rollout apply {self.file}",
            )
        return str(found.scoring_uri)

    def close(self) -> None:
        """Let go of connections."""
        for name in ("prober", "source", "client"):
            if name in self.__dict__:
                self.__dict__.pop(name).close()
        self.__dict__.pop("writer", None)

    def _secret(self) -> Secret:
        from rollout.adapters.endpoints.azureml.prober import Secret  # noqa: PLC0415

        found = self.client.keys()
        if getattr(found, "primary_key", None):
            return Secret(found.primary_key, self._clock.now() + _KEY_SECONDS)
        # A token, of Azure ML (to be renewed hours before its end) or of the identity platform.
        until = getattr(found, "refresh_after_time_utc", 0) or getattr(found, "expiry_time_utc", 0)
        return Secret(found.access_token, float(until) - _EARLY_SECONDS if until else None)
