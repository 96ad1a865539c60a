"""Azure ML's own files are refused offline where, and only where, Azure would refuse them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rollout.adapters.endpoints.azureml import deployment_file, endpoint_file
from rollout.adapters.endpoints.azureml.deployment_file import deployment_findings
from rollout.adapters.endpoints.azureml.endpoint_file import endpoint_findings
from rollout.adapters.endpoints.azureml.kinds import KUBERNETES, MANAGED, kind_of_plan
from rollout.adapters.endpoints.azureml.limits import read_limits
from rollout.domain.plan import DeploymentRef, EndpointRef, Plan
from rollout.planfile import azure_yaml

MACHINE = "name: blue\nendpoint_name: my-endpoint\ninstance_type: Standard_DS3_v2\n"
CLUSTER = "name: blue\nendpoint_name: my-endpoint\ntype: kubernetes\n"

# What azure-ai-ml 1.35.2 itself asks of marshmallow.
pytestmark = pytest.mark.filterwarnings("ignore::marshmallow.warnings.Marshmallow4Warning")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_text("1")
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "score.py").write_text("")
    (tmp_path / "conda.yaml").write_text("name: x\n")
    return tmp_path


def found(folder: Path, text: str, *, kind: str = MANAGED, **overrides: object) -> list[str]:
    """What is told about a deployment's file."""
    file = folder / "blue.yml"
    file.write_text(text)
    source, limits = azure_yaml.read(str(file)), read_limits({})
    findings = deployment_findings(source, overrides, folder, name="blue", kind=kind, limits=limits)
    return [each.what for each in findings]


def loaded(folder: Path, text: str) -> object:
    """What Azure's own loader makes of a deployment's file."""
    from azure.ai.ml import load_online_deployment  # noqa: PLC0415 - heavy

    file = folder / "blue.yml"
    file.write_text(text)
    return load_online_deployment(file)


GOOD = [
    MACHINE,
    MACHINE + "model: azureml:credit:3\nenvironment: azureml:sklearn@latest\n",
    MACHINE + "model: azureml://registries/azureml/models/m/versions/1\n",
    MACHINE + "model: {path: ./model}\nenvironment: {image: x, conda_file: conda.yaml}\n",
    MACHINE + "code_configuration: {code: code/, scoring_script: score.py}\n",
    MACHINE + "request_settings: {request_timeout_ms: 180000, max_queue_wait_ms: 0}\n",
    MACHINE + "scale_settings: {type: default}\ninstance_count: 50\n",
    MACHINE + "egress_public_network_access: disabled\nenvironment_variables: {A: 1}\n",
    CLUSTER + "request_settings: {request_timeout_ms: 300000}\nresources: {}\n",
    CLUSTER + "scale_settings: {type: target_utilization, min_instances: 1, max_instances: 3}\n",
    CLUSTER + "instance_type: small\nliveness_probe: {}\n",
]


@pytest.mark.parametrize("text", GOOD, ids=range(len(GOOD)))
def test_what_azure_loads_is_not_refused(folder: Path, text: str) -> None:
    kind = KUBERNETES if "kubernetes" in text else MANAGED

    assert type(loaded(folder, text)).__name__ == f"{kind.capitalize()}OnlineDeployment"
    assert found(folder, text, kind=kind) == []


BAD = [
    "name: blue\nendpoint_name: my-endpoint\n",
    MACHINE + "model: ./model\n",
    MACHINE + "instance_cuont: 2\n",
    MACHINE + "resources: {}\n",
    MACHINE + "environment: sklearn\n",
    MACHINE + "environment: {image: x, conda_file: nowhere.yaml}\n",
    MACHINE + "request_settings: {request_timeout_sm: 1000}\n",
    MACHINE + "liveness_probe: {treshold: 1}\n",
    MACHINE + "scale_settings: {type: utilization}\n",
    CLUSTER + "egress_public_network_access: disabled\n",
]


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_what_azures_loader_refuses_is_refused_offline(folder: Path, text: str) -> None:
    from marshmallow import ValidationError  # noqa: PLC0415 - the SDK's own, heavy

    kind = KUBERNETES if "kubernetes" in text else MANAGED

    assert len(found(folder, text, kind=kind)) == 1
    with pytest.raises(ValidationError):
        loaded(folder, text)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("request_timeout_ms", 500), ("request_timeout_ms", 1500), ("max_queue_wait_ms", 100)],
)
def test_parts_of_a_second_are_refused_because_the_sdk_loses_them(
    folder: Path, setting: str, value: int
) -> None:
    text = MACHINE + f"request_settings: {{{setting}: {value}}}\n"

    (told,) = found(folder, text)

    assert told.startswith(f"request_settings.{setting} is {value}: Azure's SDK loses parts of")


@pytest.mark.parametrize("key", ["model", "environment", "code"])
def test_a_registered_asset_names_its_version(folder: Path, key: str) -> None:
    def told_of(asset: str) -> list[str]:
        code = f"code_configuration: {{code: '{asset}', scoring_script: score.py}}\n"
        return found(folder, MACHINE + (code if key == "code" else f"{key}: {asset}\n"))

    assert told_of("azureml:own-model") == ["azureml:own-model has no version."]
    for good in (
        "azureml:own-model:1",
        "azureml:own-model@latest",
        "azureml://registries/azureml/models/m/versions/1",
        "azureml:/subscriptions/s/resourceGroups/r/x/models/m/versions/1",
        "/subscriptions/s/resourceGroups/r/x/models/m/versions/1",
    ):
        assert told_of(good) == []


def test_what_the_plan_sets_counts(folder: Path) -> None:
    text = MACHINE.replace("instance_type: Standard_DS3_v2\n", "")
    good = {"instance_type": "Standard_F4s_v2", "request_settings": {"request_timeout_ms": 9000}}

    assert found(folder, text, **good) == []
    assert found(folder, text, instance_type="x", instance_count=51) == ["instance_count is 51."]


def test_a_kubernetes_deployment_says_so_in_the_word_that_the_loader_reads(folder: Path) -> None:
    schema = "$schema: https://x/kubernetesOnlineDeployment.schema.json\n"
    text = schema + CLUSTER.replace("type: kubernetes\n", "")

    told = found(folder, text, kind=KUBERNETES, type="kubernetes")

    assert told == ["without 'type: kubernetes' Azure's loader takes it for a managed deployment."]


@pytest.mark.parametrize(
    ("kind", "text", "told"),
    [
        (MANAGED, "name: x\nauth_mode: aad_token\npublic_network_access: disabled\n", []),
        (KUBERNETES, "name: x\ncompute: azureml:k\n", []),
        (KUBERNETES, "name: x\n", ["a Kubernetes endpoint needs the cluster that it runs on."]),
        (
            MANAGED,
            "name: x\ncompute: azureml:k\n",
            ["compute makes it a kubernetes endpoint, and the plan's is managed."],
        ),
        (MANAGED, "name: x\ntraffic: {}\nmirror_traffic:\n", []),
        (
            MANAGED,
            "name: x\ntraffic: {blue: 100}\n",
            ["'traffic' would be ignored: the plan's stages own the split."],
        ),
        (MANAGED, "name: x\ntype: managed\n", ["Azure ML's endpoints have no key 'type'."]),
        (MANAGED, "name: x\npublic_network_access: Enabled\n", []),
        (MANAGED, "name: x\npublic_network_access: off\n", ["public_network_access is false."]),
        (
            MANAGED,
            "name: x\npublic_network_access: no_way\n",
            ["public_network_access is 'no_way'."],
        ),
    ],
    ids=[
        "managed",
        "kubernetes",
        "no-cluster",
        "cluster",
        "no-split",
        "split",
        "type",
        "network",
        "network-switch",
        "network-word",
    ],
)
def test_an_endpoints_file_is_of_the_plans_kind_and_leaves_the_split_to_it(
    tmp_path: Path, kind: str, text: str, told: list[str]
) -> None:
    file = tmp_path / "endpoint.yml"
    file.write_text(text)

    assert [each.what for each in endpoint_findings(azure_yaml.read(str(file)), kind)] == told


@pytest.mark.parametrize(
    ("kind", "module", "name"),
    [
        (MANAGED, deployment_file, "deployment"),
        (KUBERNETES, deployment_file, "deployment"),
        (MANAGED, endpoint_file, "endpoint"),
        (KUBERNETES, endpoint_file, "endpoint"),
    ],
    ids=["managed-deployment", "kubernetes-deployment", "managed-endpoint", "kubernetes-endpoint"],
)
def test_the_keys_are_those_of_the_sdk(kind: str, module: Any, name: str) -> None:
    from azure.ai.ml._schema._deployment.online import online_deployment  # noqa: PLC0415
    from azure.ai.ml._schema._endpoint.online import online_endpoint  # noqa: PLC0415

    schemas = {"deployment": online_deployment, "endpoint": online_endpoint}[name]
    schema = getattr(schemas, f"{kind.capitalize()}Online{name.capitalize()}Schema")
    theirs = set(schema(context={"base_path": Path()}).fields) - {"schema_ignored"}

    assert module.KEYS[kind] == theirs | {"$schema"}


def test_the_kind_of_a_plan_is_its_own_word_then_its_files(tmp_path: Path) -> None:
    for name, text in (
        ("managed.yml", "name: x\n$schema: https://x/managedOnlineEndpoint.schema.json\n"),
        ("cluster.yml", "name: x\ncompute: azureml:k\n"),
        ("blue.yml", "name: blue\ntype: kubernetes\n"),
    ):
        (tmp_path / name).write_text(text)

    def kind(file: str | None, deployment: str | None, **options: object) -> str:
        endpoint = EndpointRef(
            "azureml", "x", None if file is None else str(tmp_path / file), options
        )
        blue = None if deployment is None else str(tmp_path / deployment)
        return kind_of_plan(
            Plan("x", endpoint, DeploymentRef("blue", blue), DeploymentRef("green"), ())
        )

    assert kind(None, None) == MANAGED
    assert kind("cluster.yml", None) == KUBERNETES
    assert kind(None, "blue.yml") == KUBERNETES
    assert kind("managed.yml", "blue.yml") == MANAGED
    assert kind("cluster.yml", None, kind="managed") == MANAGED
