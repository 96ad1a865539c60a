"""No secret gets into an address of a store, so none is ever shown."""

from __future__ import annotations

import pytest

from rollout.cli.main import run
from rollout.domain.addresses import refuse_secrets
from rollout.domain.errors import UsageError
from rollout.wiring import plugs

SECRET = [
    "postgresql://ada:s3cret@host/db",
    "postgres://ada:s3c/ret@host/db",
    "postgresql://ada:@host/db",
    "postgresql://host/db?user=ada&password=s3cret",
    "postgresql://host/db?sslpassword=s3cret",
    "postgresql://host/db?%70assword=s3cret",
    "postgresql://host/db?user=ada&ssl%50assword=s3cret",
    "PostgreSQL://ada:s3cret@host/db",
    "host=db password=s3cret",
    "host=db password=s3cret options=a://b",
    "s3cret",
    "az://account:s3cret@container/prefix",
    "az://container/prefix?sv=2026&sig=s3cret",
    "s3://s3cret@bucket/prefix",
    "gs://bucket/prefix#s3cret",
    "az://container/prefix;AccountKey=s3cret",
    "az://container;AccountKey=s3cret",
    "az://container:s3cret/prefix",
    "az://container/AccountKey=s3cret",
    "az://container/s3cret@x",
    "az://container/../s3cret",
    "az://container/a s3cret",
    "az://container/prefix%3Fsig=s3cret",
    "s3://bucket/prefix,secret=s3cret",
    "sqlite:///a.db?key=s3cret",
    "sqlite:///a.db;key=s3cret",
    "sqlite:///a.db#password=s3cret",
    "sqlite://ada:s3cret@host/a.db",
    "postgresql://host/db#s3cret",
    "postgresql://ada:s3cret/db",
    "postgresql://one:5432,ada:s3cret",
    "postgresql://host:54321234s3cret/db",
    "postgresql://ada%3As3cret%40host/db",
    "postgresql://ada%3As3cret@host/db",
    "postgresql://host/db;password=s3cret",
    "postgresql://host/db?options=-cmy.password%3Ds3cret",
    "redis://ada:s3cret@host/db",
    "https://account.blob.core.windows.net/container?sv=2026&sig=s3cret",
]


@pytest.mark.parametrize("url", SECRET)
def test_a_secret_in_an_address_is_refused_and_not_repeated(url):
    for use in (plugs.store, refuse_secrets):
        with pytest.raises(UsageError) as caught:
            use(url)

        assert "s3c" not in str(caught.value)


@pytest.mark.parametrize("url", SECRET)
@pytest.mark.parametrize("command", [["status"], ["validate", "plan.yaml"], ["apply", "plan.yaml"]])
def test_no_command_repeats_a_secret(url, command, capsys, monkeypatch):
    assert run([*command, "--state", url]) == 64
    assert run(["--state", url, *command]) == 64
    monkeypatch.setenv("ROLLOUT_STATE", url)
    assert run(command) == 64

    shown = "".join(capsys.readouterr())
    assert "s3c" not in shown
    assert "--state" in shown


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///.rollout/state.db", "postgresql://ada@host:5432/db", "postgresql:///db",
        "postgresql://one:5432,two:5433/db?target_session_attrs=read-write", "az://journals/prod",
        "postgresql://host/db?passfile=/run/pgpass&application_name=token",
    "postgresql://host/db?options=-csearch_path%3Drollout", "s3://journals/a/b", "gs://journals",
        "postgresql://host/db?sslkey=/run/key.pem", "postgresql://[::1]:5432,two/db",
        "postgresql://ada%40tenant@%2Frun%2Fpg:5432/a%23b", "s3://a.b_c/env=prod/x.y/",
        "sqlite:////srv/a:b/c@d#e.db", "sqlite:////srv/key=1/a.db", "redis://host:6379/a?key=b",
    ],
)  # fmt: skip
def test_an_address_without_secrets_is_accepted(url):
    refuse_secrets(url)


def test_a_store_whose_package_is_missing_says_what_to_install(monkeypatch):
    for kind, package, extra in (
        ("postgresql", "psycopg", "postgres"),
        ("az", "obstore", "objects"),
    ):
        module = plugs.BUILT_IN["rollout.stores"][kind].partition(":")[0]
        missing = ModuleNotFoundError(f"No module named {package!r}", name=package)

        def without(name, missing=missing, module=module):
            assert name == module
            raise missing

        monkeypatch.setattr(plugs, "import_module", without)

        with pytest.raises(UsageError, match=rf"pip install 'rollout\[{extra}\]'"):
            plugs.store(f"{kind}://place/prefix")
