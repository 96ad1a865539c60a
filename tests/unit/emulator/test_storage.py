"""Uploads: where they go, what is found again, and what is said where there is no storage."""

import asyncio
from pathlib import Path

import pytest

from rollout.emulator import azurite
from rollout.emulator.settings import Registered
from rollout.emulator.tunnel import Tunnel
from rollout.emulator.wire import Refusal, Reply
from tests.unit.emulator.bench import Bench, code


def message(reply: Reply) -> str:
    return reply.body["error"]["message"]


def tunnelled(head: bytes, port: int | None) -> bytes:
    """What a client of the tunnel gets that sends ``head`` and then ``ping``."""

    async def echo(reader, writer):
        writer.write(b"echo " + await reader.read(4))
        writer.close()

    async def talk() -> bytes:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        there = server.sockets[0].getsockname()[1]
        tunnel = Tunnel(lambda: port and there)
        own = await tunnel.open(0)
        reader, writer = await asyncio.open_connection("127.0.0.1", own)
        writer.write(head + b"ping")
        found = await reader.read()
        writer.close()
        tunnel.close()
        server.close()
        return found

    return asyncio.run(talk())


def test_the_proxy_leads_accounts_to_the_storage():
    head = b"CONNECT me.blob.core.windows.test:443 HTTP/1.1\r\nHost: x\r\n\r\n"

    assert tunnelled(head, 1) == b"HTTP/1.1 200 OK\r\n\r\necho ping"


@pytest.mark.parametrize(
    ("head", "port"),
    [
        (b"CONNECT example.test:443 HTTP/1.1\r\n\r\n", 1),
        (b"CONNECT me.blob.core.windows.test.example.test:443 HTTP/1.1\r\n\r\n", 1),
        (b"CONNECT me.blob.core.windows.test:443 HTTP/1.1\r\n\r\n", None),
        (b"GET http://me.blob.core.windows.test/ HTTP/1.1\r\n\r\n", 1),
        (b"\r\n\r\n", 1),
    ],
    ids=["elsewhere", "disguised", "no storage", "no tunnel", "nonsense"],
)
def test_the_proxy_leads_nowhere_else(head, port):
    assert tunnelled(head, port).startswith(b"HTTP/1.1 403 ")


def test_the_program_is_taken_from_where_it_is(tmp_path, monkeypatch):
    own = tmp_path / "env/node/node_modules/.bin/azurite-blob"
    own.parent.mkdir(parents=True)
    own.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.prefix", str(tmp_path / "nowhere"))

    nowhere = azurite.find(None)
    monkeypatch.setattr("sys.prefix", str(tmp_path / "env"))
    beside = azurite.find(None)
    monkeypatch.setenv("PATH", str(own.parent))
    monkeypatch.setattr("sys.prefix", str(tmp_path / "nowhere"))

    assert nowhere is None
    assert Path(beside) == own
    assert Path(azurite.find(None)) == own
    assert azurite.find(str(own)) == str(own)


def test_an_upload_to_a_storage_that_is_gone_is_refused_for_good(tmp_path):
    bench = Bench(tmp_path, azurite=str(tmp_path / "missing"))

    reply = bench.arm("POST", "/codes/c/versions/1/startPendingUpload", {})
    secrets = bench.arm("POST", "/datastores/workspaceblobstore/listSecrets", {})

    assert {code(reply), code(secrets)} == {"EmulatorStorageUnavailable"}
    assert (reply.status, secrets.status) == (400, 400), "no client tries again"
    assert f"{tmp_path / 'missing'}, which --azurite names, is not there." in message(reply)


def test_an_upload_where_no_storage_is_found_is_told_how_to_get_one(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.prefix", str(tmp_path))

    reply = Bench(tmp_path).arm("POST", "/codes/c/versions/1/startPendingUpload", {})

    assert reply.status == 400
    assert message(reply).endswith("or npm install -g azurite@3.35.0.")


def test_a_registered_folder_is_used_where_it_lies(tmp_path):
    (tmp_path / "model").mkdir()
    bench = Bench(tmp_path)
    library = bench.site.library
    library.register(Registered.parse(f"models/weights/1={tmp_path / 'model'}"), 0.0)
    identity = f"{bench.settings.workspace_id}/models/Weights/versions/1"

    found = library.find("models", identity)

    assert library.files(found) == (tmp_path / "model", 0)
    assert library.find("models", f"azureml:{identity}") == found
    with pytest.raises(Refusal, match="was not found"):
        library.find("codes", identity)


def test_a_code_put_twice_is_the_same_code(tmp_path):
    bench = Bench(tmp_path)
    body = {"properties": {"codeUri": "https://x/c/src", "properties": {"hash_version": 202208}}}

    first = bench.arm("PUT", "/codes/c/versions/1", body)
    second = bench.arm("PUT", "/codes/c/versions/1", body)
    listed = bench.arm("GET", "/codes/c/versions?hash=other")

    assert (first.status, second.status) == (201, 200)
    assert first.body["properties"]["properties"] == {"hash_version": "202208"}
    assert listed.body["value"] == []
