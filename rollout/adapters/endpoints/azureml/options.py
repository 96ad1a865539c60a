"""What a plan may say of an endpoint in Azure: where it lies, what runs it, who asks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rollout.adapters.endpoints.azureml import cloud, credentials
from rollout.adapters.endpoints.azureml.kinds import KINDS
from rollout.adapters.endpoints.azureml.limits import Limits, read_limits
from rollout.adapters.endpoints.azureml.place import Place
from rollout.domain.errors import EndpointRefused
from rollout.planfile.wording import listed, meant, shown

Finding = tuple[tuple[str, ...], str, str]

CLOUDS = tuple(cloud.KNOWN)
CREDENTIALS = credentials.CHOICES
KNOWN = (
    "subscription", "resource_group", "workspace", "kind", "cloud", "credential", "client_id",
)  # fmt: skip
_CHOICES = {"kind": KINDS, "cloud": CLOUDS, "credential": CREDENTIALS}
_WITHOUT_CLIENT = ("cli", "environment")  # whose client is found elsewhere


@dataclass(frozen=True, slots=True)
class Options:
    """The options, read.

    Args:
        subscription: Its id.
        resource_group: Its name.
        workspace: Name of the Azure ML workspace.
        kind: ``managed`` or ``kubernetes``; None: as the plan's files say.
        cloud: ``AzureCloud``, ``AzureUSGovernment`` or ``AzureChinaCloud``; None: the one that
            ``ARM_CLOUD_METADATA_URL`` describes, else ``AzureCloud``.
        credential: Whose tokens are used: one of ``CREDENTIALS``.
        client_id: Of a user-assigned or federated identity; None: the only or the usual one.
    """

    subscription: str
    resource_group: str
    workspace: str
    kind: str | None = None
    cloud: str | None = None
    credential: str = "default"
    client_id: str | None = None

    def place(self, endpoint_name: str) -> Place:
        """The address of an endpoint of this workspace."""
        return Place(self.subscription, self.resource_group, self.workspace, endpoint_name)


def options_findings(options: Mapping[str, object], limits: Limits | None = None) -> list[Finding]:
    """What is wrong with the options: (path below endpoint, what, do), all at once.

    Args:
        options: As the plan has them.
        limits: Azure's rules for names; None: those in force.
    """
    rules = read_limits() if limits is None else limits
    return [
        *_strangers(options),
        *_places(options, rules),
        *_choices(options),
        *_client(options, rules),
    ]


def read_options(options: Mapping[str, object]) -> Options:
    """The options of a checked plan.

    Raises:
        EndpointRefused: one of them cannot be.
    """
    for path, what, do in options_findings(options):
        where = ".".join(("endpoint", *path))
        raise EndpointRefused(f"{where}: {what}", do=do)
    return Options(**{name: str(value) for name, value in options.items()})


def _strangers(options: Mapping[str, object]) -> Iterator[Finding]:
    for name in options:
        if name not in KNOWN:
            what = f"The provider azureml has no option {shown(name)}."
            do = "Remove it, or name the provider that has it."
            yield (name,), what, meant(name, KNOWN, otherwise=do)


def _places(options: Mapping[str, object], limits: Limits) -> Iterator[Finding]:
    for name, pattern, noun, do in (
        (
            "subscription", limits.guid_pattern, "the id of a subscription",
            "Write it like 00000000-0000-0000-0000-000000000000; 'az account show' tells yours.",
        ),
        (
            "resource_group", limits.resource_group_pattern, "the name of a resource group",
            "Use up to 90 letters, digits, '_', '-', '.' and parentheses, and no '.' at the end.",
        ),
        (
            "workspace", limits.workspace_pattern, "the name of an Azure ML workspace",
            "Use 3 to 33 letters, digits, '-' and '_', and begin with a letter or a digit.",
        ),
    ):  # fmt: skip
        if name not in options:
            yield (), f"'{name}' is missing.", f"Add '{name}: ...', {noun}."
        else:
            yield from _text((name,), options[name], pattern, noun, do)


def _choices(options: Mapping[str, object]) -> Iterator[Finding]:
    for name, known in _CHOICES.items():
        value = options.get(name, known[0])
        if value not in known:
            do = f"Write {listed(known)}."
            do = meant(value, known, otherwise=do) if isinstance(value, str) else do
            yield (name,), _unknown(value), do


def _unknown(value: object) -> str:
    """As the plan's schema says it, so that it is told once."""
    return f"{shown(value)} {'is not known' if isinstance(value, str) else 'cannot stand'} here."


def _client(options: Mapping[str, object], limits: Limits) -> Iterator[Finding]:
    if "client_id" not in options:
        return
    credential = options.get("credential", CREDENTIALS[0])
    if credential in _WITHOUT_CLIENT:
        what = f"the credential {credential} takes no client_id."
        others = listed([each for each in CREDENTIALS if each not in _WITHOUT_CLIENT])
        yield ("client_id",), what, f"Remove it, or write 'credential: ...' with {others}."
    do = "Write the client id of the identity, like 00000000-0000-0000-0000-000000000000."
    noun = "the client id of an identity"
    yield from _text(("client_id",), options["client_id"], limits.guid_pattern, noun, do)


def _text(
    path: tuple[str, ...], value: object, pattern: str, noun: str, do: str
) -> Iterator[Finding]:
    if isinstance(value, str) and not re.fullmatch(pattern, value):
        yield path, f"{shown(value)} is not {noun}.", do
    elif not isinstance(value, str):
        stands = "it is empty" if value is None else f"{shown(value)} stands here"
        yield path, f"{stands}; it must be text.", do
