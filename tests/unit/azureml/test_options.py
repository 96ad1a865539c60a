"""What a plan says of an endpoint in Azure becomes a place, a kind and a credential."""

from __future__ import annotations

import pytest

from rollout.adapters.endpoints.azureml.options import Options, options_findings, read_options
from rollout.adapters.endpoints.azureml.place import Place
from rollout.domain.errors import EndpointRefused

ID = "01234567-89ab-cdef-0123-456789abcdef"
LEAST = {"subscription": ID, "resource_group": "rg-ml", "workspace": "mlw-prod"}


def test_the_least_has_defaults() -> None:
    options = read_options(LEAST)

    assert options == Options(ID, "rg-ml", "mlw-prod", None, None, "default", None)
    assert options.place("my-endpoint") == Place(ID, "rg-ml", "mlw-prod", "my-endpoint")


def test_everything_is_kept() -> None:
    options = read_options(
        {
            **LEAST,
            "kind": "kubernetes",
            "cloud": "AzureChinaCloud",
            "credential": "managed_identity",
            "client_id": ID,
        }
    )

    assert (options.kind, options.cloud) == ("kubernetes", "AzureChinaCloud")
    assert (options.credential, options.client_id) == ("managed_identity", ID)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"subscription": "my-subscription"}, "subscription"),
        ({"subscription": f"{ID}0"}, "subscription"),
        ({"subscription": None}, "subscription"),
        ({"resource_group": "rg."}, "resource_group"),
        ({"resource_group": "a/b"}, "resource_group"),
        ({"resource_group": "a" * 91}, "resource_group"),
        ({"resource_group": ""}, "resource_group"),
        ({"workspace": "ab"}, "workspace"),
        ({"workspace": "-abc"}, "workspace"),
        ({"workspace": "a" * 34}, "workspace"),
        ({"workspace": "abc\n"}, "workspace"),
        ({"kind": "managd"}, "kind"),
        ({"kind": ["managed"]}, "kind"),
        ({"cloud": "azurecloud"}, "cloud"),
        ({"credential": "key"}, "credential"),
        ({"client_id": "me"}, "client_id"),
        ({"client_id": ID, "credential": "cli"}, "client_id"),
        ({"port": 80}, "port"),
    ],
)
def test_what_cannot_be_is_found_at_its_place(changes: dict[str, object], path: str) -> None:
    options = {**LEAST, **changes}

    assert [found[0] for found in options_findings(options)] == [(path,)]
    with pytest.raises(EndpointRefused, match=f"endpoint.{path}: "):
        read_options(options)


@pytest.mark.parametrize("group", ["a", "rg_(x).y-1", "groupe-é", "a" * 90])
def test_resource_groups_have_azures_names(group: str) -> None:
    assert read_options({**LEAST, "resource_group": group}).resource_group == group


def test_everything_that_is_missing_is_told_at_once() -> None:
    assert [found[1] for found in options_findings({})] == [
        "'subscription' is missing.",
        "'resource_group' is missing.",
        "'workspace' is missing.",
    ]
