"""Azure ML's YAML, read for this machine; and the copies that are taken of its files."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rollout.adapters.endpoints.local import snapshot
from rollout.adapters.endpoints.local.endpoint_file import endpoint_findings, read_auth_mode
from rollout.adapters.endpoints.local.options import options_findings, read_options
from rollout.adapters.endpoints.local.specification import (
    Specification,
    file_findings,
    read_deployment,
)
from rollout.domain.errors import EndpointRefused


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "model-1" / "model").mkdir(parents=True)
    (tmp_path / "model-1" / "model" / "weights.pkl").write_bytes(b"1")
    (tmp_path / "model-1" / "code").mkdir()
    (tmp_path / "model-1" / "code" / "score.py").write_text("def init(): pass\n")
    (tmp_path / "azure").mkdir()
    path = tmp_path / "azure" / "blue.yml"
    path.write_text(
        """
        $schema: https://azuremlschemas.azureedge.net/latest/managedOnlineDeployment.schema.json
        name: blue
        endpoint_name: my-endpoint
        model: {path: ../model-1/model/}
        code_configuration: {code: ../model-1/code/, scoring_script: score.py}
        environment: {conda_file: conda.yml, image: mcr.microsoft.com/x}
        environment_variables: {LEVEL: 3, NAME: x}
        instance_type: Standard_DS3_v2
        instance_count: 2
        request_settings: {request_timeout_ms: 9000, max_concurrent_requests_per_instance: 4}
        readiness_probe: {initial_delay: 5, period: 2, failure_threshold: 10}
        """
    )
    return path


def changed(file: Path, **values: object) -> str:
    data = yaml.safe_load(file.read_text())
    data.update(values)
    file.write_text(yaml.safe_dump(data))
    return str(file)


def test_a_managed_deployment_is_read(file: Path) -> None:
    found = read_deployment(str(file), {})

    root = file.parents[1] / "model-1"
    assert found == Specification(
        model=root / "model",
        code=root / "code",
        scoring_script="score.py",
        environment={"LEVEL": "3", "NAME": "x"},
        instances=2,
        timeout_ms=9000,
        start_seconds=25.0,
        ignored=(
            "environment",
            "instance_type",
            "request_settings.max_concurrent_requests_per_instance",
        ),
    )
    assert file_findings(str(file), {}) == []
    assert Specification.from_json(found.to_json()) == found


def test_azures_defaults_apply(file: Path) -> None:
    data = yaml.safe_load(file.read_text())
    for key in ("request_settings", "readiness_probe", "instance_count", "model"):
        del data[key]
    file.write_text(yaml.safe_dump(data))

    found = read_deployment(str(file), {})

    assert (found.timeout_ms, found.start_seconds, found.instances) == (5000, 300.0, 1)
    assert found.model is None


@pytest.mark.parametrize(
    "overrides",
    [
        {"instance_count": 5, "request_settings.request_timeout_ms": 1500},
        {"instance_count": 5, "request_settings": {"request_timeout_ms": 1500}},
    ],
)
def test_overrides_replace_values(file: Path, overrides: dict[str, object]) -> None:
    found = read_deployment(str(file), overrides)

    assert (found.instances, found.timeout_ms) == (5, 1500)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"model": "azureml:credit:3"}, "asset in the cloud"),
        ({"model": {"path": "azureml://datastores/x"}}, "asset in the cloud"),
        ({"model": {"path": "../nowhere"}}, "is not there"),
        ({"model": {"name": "x"}}, "model has no path"),
        ({"code_configuration": {"code": "azureml:c:1", "scoring_script": "s"}}, "asset in the"),
        ({"code_configuration": {"code": "nope", "scoring_script": "s"}}, "is not a folder"),
        ({"code_configuration": {"code": ".", "scoring_script": "s.py"}}, "is not there"),
        ({"code_configuration": None}, "no code and scoring_script"),
        ({"code_configuration": "x"}, "not a mapping"),
        ({"instance_count": 0}, "instance_count is 0"),
        ({"instance_count": "two"}, "instance_count is 'two'"),
        ({"instance_count": True}, "instance_count is true"),
        ({"instance_count": 51}, "instance_count is 51"),
        ({"request_settings": {"request_timeout_ms": 1.5}}, "request_timeout_ms is 1.5"),
        ({"environment_variables": {"A": [1]}}, "environment_variables.A"),
        ({"environment_variables": ["A"]}, "not a mapping"),
        ({"request_settings": {"request_timeout_ms": 999}}, "request_timeout_ms is 999"),
        ({"request_settings": {"request_timeout_ms": 180_001}}, "request_timeout_ms is 180001"),
        ({"environment_variables": {"A": "x\0"}}, "environment_variables.A holds"),
        ({"environment_variables": {"A-B": "x"}}, "environment_variables.A-B cannot"),
        ({"environment_variables": {"1": "x"}}, "environment_variables.1 cannot"),
        ({"environment_variables": {5: "x"}}, "environment_variables.5 cannot"),
        ({"model": {"path": "x" * 5000}}, "is not there"),
        ({"model": {"path": "a\0b"}}, "is not there"),
        ({"code_configuration": {"code": "x" * 5000, "scoring_script": "s"}}, "is not a folder"),
        ({"readiness_probe": {"initial_delay": 10**400}}, "initial_delay is 1000"),
        ({"liveness_probe": {"period": 0}}, "liveness_probe.period is 0"),
    ],
)
def test_what_cannot_run_here_is_found(file: Path, values: dict[str, object], text: str) -> None:
    path = changed(file, **values)

    findings = file_findings(path, {})

    assert [each for each in findings if text in each.what]
    assert all(each.do.endswith(".") for each in findings)
    with pytest.raises(EndpointRefused, match=r"blue\.yml"):
        read_deployment(path, {})


def test_all_findings_come_at_once(file: Path) -> None:
    path = changed(file, instance_count=0, model="azureml:m:1", code_configuration={})

    assert len(file_findings(path, {})) == 3


@pytest.mark.parametrize(
    ("text", "what"), [("- a\n", "no mapping"), ("a: [", "not YAML"), ("\0", "not YAML")]
)
def test_a_file_that_is_none_is_a_finding(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "x.yml"
    path.write_text(text)

    assert what in file_findings(str(path), {})[0][0]
    assert "cannot be read" in file_findings(str(tmp_path / "no.yml"), {})[0][0]


@pytest.mark.parametrize(
    "text",
    [
        "name: 2024-02-30\n",
        f"name: {'9' * 5000}\n",
        "name: 0x_\n",
        "[" * 3000,
        'name: "\\UFFFFFFFF"\n',
        'a: !!int ""\n',
        "a: !!bool x\n",
        "a: !!timestamp x\n",
    ],
    ids=["date", "digits", "hexadecimal", "depth", "character", "int", "bool", "timestamp"],
)
def test_yaml_that_pyyaml_stumbles_over_is_a_finding(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.yml"
    path.write_text(text)

    assert "is not YAML" in file_findings(str(path), {})[0][0]
    assert "is not YAML" in endpoint_findings(str(path))[0][0]
    with pytest.raises(EndpointRefused, match="is not YAML"):
        read_auth_mode(str(path))


def test_numbers_that_python_does_not_spell_are_findings(file: Path) -> None:
    huge = f"0x{'f' * 5000}"
    file.write_text(
        f"? {huge}\n: 1\ninstance_count: {huge}\nenvironment_variables: {{A: {huge}}}\n"
    )

    found = [each.what for each in file_findings(str(file), {})]

    assert "instance_count is a very large number." in found
    assert "Azure ML's deployments have no key a very large number." in found


def test_an_unknown_key_is_told_with_the_nearest(file: Path) -> None:
    path = changed(file, instance_cuont=2)

    (found,) = file_findings(path, {})

    assert found.what == "Azure ML's deployments have no key 'instance_cuont'."
    assert found.do == "Did you mean 'instance_count'?"


def test_the_files_name_is_the_plans(file: Path) -> None:
    assert file_findings(str(file), {}, name="blue") == []
    assert file_findings(str(file), {"name": "green"}, name="green") == []

    (found,) = file_findings(str(file), {}, name="green")

    assert found.what == "name is 'blue', and the plan names the deployment 'green'."


def test_an_endpoint_file_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "endpoint.yml"

    for text, what in (
        ("auth_mode: kye\n", "auth_mode is 'kye'."),
        ("auth_mode: [key]\n", "auth_mode is a list."),
        ("- a\n", "holds no mapping"),
    ):
        path.write_text(text)
        assert what in endpoint_findings(str(path))[0][0]
    path.write_text("auth_mode: key\n")
    assert endpoint_findings(str(path)) == []


def test_a_finding_has_the_place_in_its_file_or_none_where_the_plan_says_it(file: Path) -> None:
    file.write_text(
        "name: blue\n"
        "code_configuration: {code: ../model-1/code, scoring_script: scroe.py}\n"
        "request_settings:\n"
        "  request_timeout_ms: 999999\n"
        "instance_cuont: 2\n"
    )

    found = file_findings(str(file), {"instance_count": 0})
    by_plan = file_findings(str(file), {"request_settings.request_timeout_ms": 5})

    assert {(each.path, each.place) for each in found} == {
        (("code_configuration", "scoring_script"), (2, 61)),
        (("request_settings", "request_timeout_ms"), (4, 23)),
        (("instance_cuont",), (5, 1)),
        (("instance_count",), None),
    }
    assert (("request_settings", "request_timeout_ms"), None) in [each[2:] for each in by_plan]
    with pytest.raises(EndpointRefused, match=r"blue\.yml:4:23: request_settings.request_timeout"):
        read_deployment(str(file), {})


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("name: blue\nmodel: [\n", (3, 1), "this is not YAML: while parsing a flow node"),
        ("a: 1\nb: c: d\n", (2, 5), "this is not YAML: mapping values are not allowed here."),
        ("a: 1\nb: 2024-02-30\n", (2, 4), "this is not YAML: day is out of range for month."),
        ("a: 1\nbc: \0\n", (2, 5), "this is not YAML: the character U+0000 may not stand in it."),
        ("name: a\nx: 1\nname: b\n", (3, 1), "the key 'name' is written twice in one mapping"),
        ("model: {path: a, path: b}\n", (1, 18), "the key 'path' is written twice in one mapping"),
        ("\n- a\n", (2, 1), "the file holds no mapping."),
    ],
)
def test_what_is_wrong_with_the_text_has_its_place(
    tmp_path: Path, text: str, place: tuple[int, int], what: str
) -> None:
    path = tmp_path / "x.yml"
    path.write_text(text)

    for found in (file_findings(str(path), {})[0], endpoint_findings(str(path))[0]):
        assert found.place == place
        assert found.what.startswith(what)
        assert "<unicode string>" not in found.what
        assert "\n" not in found.what


def test_what_a_mapping_takes_over_may_be_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "x.yml"
    path.write_text("tags: &some {a: 1}\nproperties:\n  <<: *some\n  a: 2\n")

    assert endpoint_findings(str(path)) == []


def test_an_endpoint_file_has_the_keys_that_azure_knows(tmp_path: Path) -> None:
    path = tmp_path / "endpoint.yml"
    path.write_text(
        "$schema: https://azuremlschemas.azureedge.net/latest/managedOnlineEndpoint.schema.json\n"
        "name: my-endpoint\nauth_mode: key\ntags: {}\nidentity: {type: system_assigned}\n"
        "public_network_access: disabled\nmirror_traffic: {}\ntraffic: {}\nlocation: here\n"
    )
    assert endpoint_findings(str(path)) == []

    path.write_text("name: my-endpoint\nauth_mdoe: key\n")

    assert endpoint_findings(str(path)) == [
        (
            "Azure ML's endpoints have no key 'auth_mdoe'.", "Did you mean 'auth_mode'?",
            ("auth_mdoe",), (2, 1),
        ),
    ]  # fmt: skip


def test_options_name_the_plans_deployments() -> None:
    options = {"python": {"gren": "python3", "blue": "python3"}, "memory": {"nope": "400MB"}}

    assert options_findings(options) == []
    assert options_findings(options, deployments=["blue", "green"]) == [
        (("python", "gren"), "'gren' is no deployment of this plan.", "Did you mean 'green'?"),
        (("memory", "nope"), "'nope' is no deployment of this plan.", "Write blue or green."),
    ]


def test_the_authentication_of_an_endpoint_file(tmp_path: Path) -> None:
    path = tmp_path / "endpoint.yml"
    path.write_text("name: x\nauth_mode: aad_token\n")

    assert read_auth_mode(str(path)) == "aad_token"
    assert read_auth_mode(None) == "key"
    path.write_text("auth_mode: none\n")
    with pytest.raises(EndpointRefused, match="auth_mode is 'none'"):
        read_auth_mode(str(path))


def test_the_digest_sees_content_and_names_and_nothing_else(file: Path) -> None:
    root = file.parents[1] / "model-1"
    weights, score = root / "model" / "weights.pkl", root / "code" / "score.py"
    found = read_deployment(str(file), {})
    first = snapshot.digest_of(found)

    weights.touch()
    (root / "code" / "__pycache__").mkdir()
    (root / "code" / "__pycache__" / "score.pyc").write_bytes(b"x")
    same = found._replace(instances=7, ignored=())
    assert snapshot.digest_of(same) == first

    seen = {first}
    for other in (
        found._replace(timeout_ms=1),
        found._replace(environment={}),
        found._replace(memory=10**9),
        found._replace(model=None),
    ):
        seen.add(snapshot.digest_of(other))
    score.write_text("def init(): ...\n")
    seen.add(snapshot.digest_of(found))
    weights.rename(weights.with_name("other.pkl"))
    seen.add(snapshot.digest_of(found))
    assert len(seen) == 7


def test_the_signature_changes_with_the_files(file: Path) -> None:
    found = read_deployment(str(file), {})
    before = snapshot.signature_of(found)

    (found.code / "more.py").write_text("")

    assert snapshot.signature_of(found) != before


def test_a_copy_is_laid_out_as_in_azure_and_never_changes(file: Path, tmp_path: Path) -> None:
    found = read_deployment(str(file), {})
    (found.code / "loop").symlink_to(found.code)
    digest = snapshot.digest_of(found)
    taken = tmp_path / "snapshots" / digest

    snapshot.take(found, digest, tmp_path / "snapshots")
    (found.code / "score.py").write_text("broken")
    snapshot.take(found, digest, tmp_path / "snapshots")

    assert (snapshot.model_folder(taken) / "model" / "weights.pkl").read_bytes() == b"1"
    assert (snapshot.code_folder(taken) / "score.py").read_text() == "def init(): pass\n"
    assert [path.name for path in (tmp_path / "snapshots").iterdir()] == [digest]


def test_a_single_model_file_lies_beside_nothing(file: Path, tmp_path: Path) -> None:
    path = changed(file, model={"path": "../model-1/model/weights.pkl"})
    found = read_deployment(path, {})
    digest = snapshot.digest_of(found)

    snapshot.take(found, digest, tmp_path / "snapshots")

    folder = snapshot.model_folder(tmp_path / "snapshots" / digest)
    assert [path.name for path in folder.iterdir()] == ["weights.pkl"]


def test_files_that_changed_since_the_digest_are_refused(file: Path, tmp_path: Path) -> None:
    found = read_deployment(str(file), {})
    digest = snapshot.digest_of(found)
    (found.code / "score.py").write_text("changed")

    with pytest.raises(EndpointRefused, match="changed while"):
        snapshot.take(found, digest, tmp_path / "snapshots")

    assert list((tmp_path / "snapshots").iterdir()) == []


def test_options_of_all_and_of_one_deployment(file: Path) -> None:
    found = read_deployment(str(file), {})
    options = read_options(
        {"port": 9000, "python": "python3", "memory": {"green": "400MB", "blue": "1GiB"}}
    )

    blue, red = options.applied(found, "blue"), options.applied(found, "red")

    assert options.port == 9000
    assert blue.python == red.python
    assert Path(blue.python or "").is_absolute()
    assert (blue.memory, red.memory) == (2**30, None)
    assert read_options({"port": "auto"}).port is None


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"port": 80}, ("port",)),
        ({"port": "8700"}, ("port",)),
        ({"port": True}, ("port",)),
        ({"python": "/no/such/python"}, ("python",)),
        ({"python": {"blue": "/no/such/python"}}, ("python", "blue")),
        ({"python": 3}, ("python",)),
        ({"python": "~no-such-user/python"}, ("python",)),
        ({"memory": "9" * 400 + "MB"}, ("memory",)),
        ({"memory": "lots"}, ("memory",)),
        ({"memory": {"green": "1MB"}}, ("memory", "green")),
        ({"colour": "blue"}, ("colour",)),
    ],
)
def test_wrong_options_are_found_at_their_place(
    options: dict[str, object], path: tuple[str, ...]
) -> None:
    assert [found[0] for found in options_findings(options)] == [path]
    with pytest.raises(EndpointRefused, match="endpoint." + ".".join(path)):
        read_options(options)
