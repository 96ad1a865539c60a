"""What is recorded tells everything but secrets."""

import json

from rollout.emulator.recording import Recording
from rollout.emulator.wire import Asked, Reply


def recorded(tmp_path, asked, reply, **rest):
    path = tmp_path / "deep" / "record.jsonl"
    recording = Recording(path)
    recording.take(asked, asked.path, reply, **{"lost": False, **rest})
    recording.close()
    return json.loads(path.read_text())


def test_bodies_are_there_and_keys_are_not(tmp_path):
    asked = Asked("keys", "POST", "/k", body=b'{"expirableSecret": true}')
    found = recorded(tmp_path, asked, Reply(200, {"primaryKey": "a", "nested": [{"key": "b"}]}))

    assert found["body"] == {"expirableSecret": True}
    assert found["reply"] == {"primaryKey": "REDACTED", "nested": [{"key": "REDACTED"}]}
    assert "lost" not in found


def test_tokens_are_in_no_header_and_no_form(tmp_path):
    asked = Asked(
        "identity.token",
        "POST",
        "/t",
        headers={"authorization": "Bearer secret", "user-agent": "sdk"},
        body=b"client_id=me&client_secret=hush&scope=x",
    )
    found = recorded(tmp_path, asked, Reply(200, {"access_token": "secret"}), lost=True)

    assert found["headers"] == {"user-agent": "sdk"}
    assert found["body"] == "client_id=me&client_secret=REDACTED&scope=x"
    assert found["reply"] == {"access_token": "REDACTED"}
    assert found["lost"] is True
