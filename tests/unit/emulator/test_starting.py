"""How an emulator is started: its options, its certificates, its tokens, and what it refuses."""

import os
import ssl

import pytest

from rollout.adapters.endpoints.local.folder import locked
from rollout.cli.main import run
from rollout.domain.errors import UsageError
from rollout.emulator import server
from rollout.emulator.certificates import certificates
from rollout.emulator.settings import Registered
from rollout.emulator.tokens import Tokens
from tests.unit.emulator.bench import Bench


@pytest.mark.parametrize(
    "words",
    [
        ["--register", "models/x=y"],
        ["--register", "models/x/1"],
        ["--register", "models/x/1=not-there"],
        ["--register", "jobs/x/1=not-there"],
        ["--quota", "family"],
        ["--quota", "family=many"],
        ["--fault", "nonsense"],
        ["--fault", "503:on=endpoint.pvt"],
        ["--role", "not-there.json"],
        ["--env-file", "not-there/azure.env"],
        ["--azurite", "not-there/azurite-blob"],
        ["--python", "not-there/python"],
        ["--subscription", "mine"],
        ["--workspace", "ws"],
        ["--workspace", "my.workspace"],
    ],
    ids=" ".join,
)
def test_wrong_options_are_told_before_anything_starts(words, tmp_path, capsys):
    code = run(["emulate", "azureml", "--state", str(tmp_path / "state"), *words])

    assert code == 64
    assert capsys.readouterr().err.startswith("Error: ")
    assert not (tmp_path / "state").exists()


def test_nothing_to_stop_is_no_error(tmp_path, capsys):
    code = run(["emulate", "azureml", "--state", str(tmp_path / "state"), "--down"])

    assert code == 0
    assert "there was none" in capsys.readouterr().err
    assert not (tmp_path / "state").exists()


def test_only_what_was_stopped_is_listed(tmp_path, capsys):
    bench = Bench(tmp_path)
    bench.given()
    bench.site.records.save()

    code = run(["emulate", "azureml", "--state", str(bench.settings.state), "--down"])

    assert code == 0
    assert "there was none" in capsys.readouterr().err, "shop is known, and nothing of it ran"


def test_a_living_emulator_is_not_taken_down_but_named(tmp_path, capsys):
    state = tmp_path / "state"
    state.mkdir()
    with locked(state / "emulator.lock") as lock:
        os.write(lock, b"123\n")

        code = run(["emulate", "azureml", "--state", str(state), "--down"])

    assert code == 64
    assert "It is alive (pid 123): end it with Ctrl-C." in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"permissions": []}', '{"actions": "*"}', '{"actions": [1]}'],
)
def test_what_is_no_role_definition_is_told_before_anything_starts(text, tmp_path, capsys):
    role, state = tmp_path / "role.json", tmp_path / "state"
    role.write_text(text)

    code = run(["emulate", "azureml", "--state", str(state), "--role", str(role)])

    said = capsys.readouterr().err
    assert code == 64
    assert f"{role} is no role definition: " in said
    assert "Correct the path of --role." in said
    assert not state.exists()


@pytest.fixture
def started(monkeypatch):
    """An emulator that answers and ends at once."""
    environment = {"AZURE_CLIENT_SECRET": "s3cret"}
    monkeypatch.setattr(server, "run", lambda settings, clock, ready: ready(environment))
    return environment


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_secret_in_a_file_is_not_shown_to_people_too(
    form, started, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)

    code = run(["emulate", "azureml", "--env-file", "azure.env", "-o", form])

    said = capsys.readouterr()
    assert code == 0
    assert (tmp_path / "azure.env").read_text() == "export AZURE_CLIENT_SECRET=s3cret\n"
    assert (tmp_path / "azure.env").stat().st_mode & 0o077 == 0
    assert ("s3cret" in said.out) is (form == "json")
    assert "Clients: . ./azure.env; Ctrl-C ends it." in said.err


def test_without_a_file_the_environment_is_printed(started, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    run(["emulate", "azureml"])

    said = capsys.readouterr()
    assert said.out == "export AZURE_CLIENT_SECRET=s3cret\n"
    assert "Set what is printed. Ctrl-C ends it." in said.err


def test_a_missing_storage_is_told_at_the_start(started, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.prefix", str(tmp_path))

    code = run(["emulate", "azureml"])

    assert code == 0
    assert (
        "No Azurite: deployments with local folders will be refused. "
        "Install it: make .venv/.node, or npm install -g azurite@3.35.0."
    ) in capsys.readouterr().err


def test_two_emulators_do_not_share_a_state(tmp_path, capsys):
    state = tmp_path / "state"
    state.mkdir()
    with locked(state / "emulator.lock"):
        code = run(["emulate", "azureml", "--state", str(state)])

    assert code == 64
    assert "runs with" in capsys.readouterr().err


def test_an_asset_is_spelled_as_the_option_says(tmp_path):
    found = Registered.parse(f"models/weights/1={tmp_path}")

    assert (found.kind, found.name, found.version, found.path) == (
        "models",
        "weights",
        "1",
        tmp_path,
    )
    assert Registered.parse("environments/env/1").path is None
    with pytest.raises(UsageError, match="is no asset"):
        Registered.parse("models//1=x")


def test_certificates_are_made_once_and_are_for_the_loopback_and_the_storage(tmp_path):
    first = certificates(tmp_path / "state")
    kept = first.authority.read_bytes(), first.chain.read_bytes()

    second = certificates(tmp_path / "state")
    trusted = ssl.create_default_context(cafile=str(first.authority))

    assert (second.authority.read_bytes(), second.chain.read_bytes()) == kept
    assert first.key.stat().st_mode & 0o077 == 0
    assert len(trusted.get_ca_certs()) >= 1
    assert first.context().cert_store_stats() is not None


def test_a_token_is_known_again_unless_it_was_touched_or_is_old():
    tokens = Tokens("secret", "https://localhost:1")
    token = tokens.issue("https://x", 1000.0)
    head, claims, signature = token.split(".")

    found = tokens.claims(token, 1001.0)

    assert (found["aud"], found["appidacr"]) == ("https://x", "1")
    assert tokens.claims(token, 1000.0 + 86_400) is None
    assert tokens.claims(f"{head}.{claims}x.{signature}", 1001.0) is None
    assert tokens.claims("nonsense", 1001.0) is None
    assert Tokens("other", "https://localhost:1").claims(token, 1001.0) is None
