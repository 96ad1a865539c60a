"""Answers in the access log: the script by which Envoy puts them there, and how they are read."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping

from rollout.adapters.endpoints.local.xds import TYPE, Json
from rollout.domain.answers import Said

FILTER = "envoy.filters.http.lua"
MOST_BYTES = 16 * 1024
LOGGED = "%DYNAMIC_METADATA(rollout:answer)%"

_WHOLE, _NONE = "whole", "-"
_ENCODED = frozenset({"gzip", "x-gzip", "deflate"})
_ANY_HEADER = 47  # zlib's own number for: gzip or zlib, see what it is

# body() would hold an answer back until all of it is there, and would answer 500 in its place where
# it is larger than a buffer; with bodyChunks() each piece goes on to the client at once.
_SCRIPT = """
local media = "^%s*([%w!#$&^_.+-]+/[%w!#$&^_.+-]+)"

function envoy_on_response(handle)
  local route = handle:filterContext()
  if os.time() >= route:get("until") then return end
  local most, parts, size, kept = route:get("most"), {}, 0, "whole"
  for chunk in handle:bodyChunks() do
    local length = chunk:length()
    if size + length > most then length, kept = most - size, "cut" end
    if length > 0 then
      parts[#parts + 1] = chunk:getBytes(0, length)
      size = size + length
    end
    if kept == "cut" then break end
  end
  local headers = handle:headers()
  local content_type = string.match(headers:get("content-type") or "", media) or "-"
  local coding = headers:get("content-encoding") or "identity"
  coding = string.match(coding, "^%s*([%w-]+)%s*$") or "-"
  local body = handle:base64Escape(table.concat(parts))
  local answer = kept .. " " .. content_type .. " " .. coding .. " " .. body
  handle:streamInfo():dynamicMetadata():set("rollout", "answer", answer)
end
"""


def capture_filter() -> Json:
    """The filter of a listener; it costs nothing on a route that does not switch it on."""
    return {
        "name": FILTER,
        "disabled": True,
        "typed_config": {
            "@type": TYPE + "envoy.extensions.filters.http.lua.v3.Lua",
            "default_source_code": {"inline_string": _SCRIPT},
        },
    }


def captured(until: int) -> Json:
    """What a route says so that answers are kept until then, Unix seconds; 0: they are not.

    Envoy itself looks at the time, so that it ends also where no engine lives to end it.
    """
    if not until:
        return {}
    here = {
        "@type": TYPE + "envoy.config.route.v3.FilterConfig",
        "config": {
            "@type": TYPE + "envoy.extensions.filters.http.lua.v3.LuaPerRoute",
            "filter_context": {"until": until, "most": MOST_BYTES},
        },
    }
    return {"typed_per_filter_config": {FILTER: here}}


def read_answer(entry: Mapping[str, object]) -> Said | None:
    """The answer in a line of the access log; None: it has none, or one that cannot be read.

    >>> read_answer({"status": 200, "answer": "whole Text/Plain identity aGk="})
    Said(status=200, body=b'hi', content_type='text/plain', whole=True)
    """
    parts = str(entry.get("answer") or "").split(" ")
    if len(parts) != 4:  # noqa: PLR2004 -- as the script writes them
        return None
    kept, content_type, coding, text = parts
    try:
        found = _decoded(base64.b64decode(text, validate=True), coding)
    except (binascii.Error, zlib.error):
        return None
    if found is None:
        return None
    body, ended = found
    content_type = "" if content_type == _NONE else content_type.lower()
    status = entry.get("status")
    return Said(
        status=status if isinstance(status, int) else 0,
        body=body,
        content_type=content_type,
        whole=kept == _WHOLE and ended,
    )


def _decoded(data: bytes, coding: str) -> tuple[bytes, bool] | None:
    """The first bytes of what was encoded, and whether they are all; None: unknown coding."""
    coding = coding.lower()
    if coding == "identity" or not data:
        return data, True
    if coding not in _ENCODED:
        return None
    stream = zlib.decompressobj(_ANY_HEADER)
    body = stream.decompress(data, MOST_BYTES)
    return body, stream.eof
