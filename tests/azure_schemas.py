"""JSON Schemas of Azure's bodies, derived from the models that the SDK itself was generated with.

They know names, types, enumerations, what is required and what is read-only; they know no rule about
values, such as that traffic sums to 100. Made anew from the installed SDK at every run, so they are
never older than it. ``azure.ai.ml._restclient`` is private: with another SDK this may need work.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import json
import re
import sys
import types
import typing
import warnings
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from jsonschema import Draft202012Validator

Json = dict[str, typing.Any]

REQUEST, RESPONSE = "request", "response"

_MODELS = "azure.ai.ml._restclient.arm_ml_service.models"
_ERRORS = 400
_EACH = "each "  # of a list
_BY_OPERATION = {
    "endpoint.list": (None, f"{_EACH}OnlineEndpoint"),
    "endpoint.get": (None, "OnlineEndpoint"),
    "endpoint.put": ("OnlineEndpoint", "OnlineEndpoint"),
    "keys": (None, "EndpointAuthKeys"),
    "token": (None, "EndpointAuthToken"),
    "deployment.list": (None, f"{_EACH}OnlineDeployment"),
    "deployment.get": (None, "OnlineDeployment"),
    "deployment.put": ("OnlineDeployment", "OnlineDeployment"),
    "deployment.logs": ("DeploymentLogsRequest", "DeploymentLogs"),
    "workspace.get": (None, "Workspace"),
    "usage.list": (None, f"{_EACH}Usage"),
    "size.list": (None, "VirtualMachineSizeListResult"),
    "store.get": (None, "Datastore"),
    "store.secrets": (None, "DatastoreSecrets"),
    "asset.upload": ("PendingUploadRequestDto", "PendingUploadResponseDto"),
}
_ASSETS = {"models": "ModelVersion", "environments": "EnvironmentVersion", "codes": "CodeVersion"}


def different(records: Iterable[Mapping[str, typing.Any]]) -> list[Mapping[str, typing.Any]]:
    """One of each kind of recorded call: pollers ask the same thousands of times."""
    told = ("operation", "url", "status", "body", "reply")
    return list({json.dumps([each[key] for key in told]): each for each in records}.values())


def problems(record: Mapping[str, typing.Any]) -> Iterator[str]:
    """What is wrong with the bodies of a recorded call; calls without a model are not judged."""
    request, response = _models_of(record)
    if request is not None and record["body"] is not None:
        yield from errors(request, REQUEST, record["body"])
    if response is None or record["reply"] is None:
        return
    if record["status"] >= _ERRORS:
        yield from errors("ErrorResponse", RESPONSE, record["reply"])
        return
    many = response.startswith(_EACH)
    for reply in record["reply"]["value"] if many else [record["reply"]]:
        yield from errors(response.removeprefix(_EACH), RESPONSE, reply)


def errors(model: str, mode: str, body: object) -> list[str]:
    """What is wrong with a body.

    Args:
        model: The SDK's name of it: ``OnlineEndpoint``.
        mode: ``request``: nothing unknown or read-only may be in it; or ``response``.
        body: Plain data.
    """
    found = validator(model, mode).iter_errors(body)
    return [f"{model} {mode} {'.'.join(map(str, e.absolute_path))}: {e.message}" for e in found]


@cache
def validator(model: str, mode: str) -> Draft202012Validator:
    """The validator of a model's bodies."""
    return Draft202012Validator(schema(model, mode))


def schema(model: str, mode: str) -> Json:
    """The schema of a model's bodies."""
    deriving = _Deriving(mode)
    top = deriving.model(getattr(_models(), model))
    return {"$schema": Draft202012Validator.META_SCHEMA["$id"], **top, "$defs": deriving.defined}


class _Deriving:
    """Collects definitions while models are visited."""

    def __init__(self, mode: str) -> None:
        self._mode = mode
        self.defined: Json = {}

    def model(self, model: type) -> Json:
        """A reference to a model's definition."""
        name = model.__name__
        if name not in self.defined:
            self.defined[name] = {}  # models may hold themselves
            kinds = _kinds(model)
            self.defined[name] = self._union(kinds) if kinds else self._object(model)
        return {"$ref": f"#/$defs/{name}"}

    def _union(self, kinds: Mapping[str, type]) -> Json:
        """A model with a discriminator: what it is decides what is in it."""
        named = next(iter(kinds.values()))
        at = next(f._rest_name for f in _fields(named).values() if f._is_discriminator)
        choices = [
            {"if": {"properties": {at: {"const": kind}}}, "then": self.model(model)}
            for kind, model in kinds.items()
        ]
        known = {"type": "object", "properties": {at: {"enum": sorted(kinds)}}, "required": [at]}
        return {"allOf": [known, *choices]}

    def _object(self, model: type) -> Json:
        properties: Json = {}
        required: list[str] = []
        for name, field in _fields(model).items():
            seen = field._visibility or ["read", "create"]
            read_only = seen == ["read"]
            if read_only if self._mode == REQUEST else "read" not in seen:
                continue
            hint = _hint(model, name)
            made = self.type(hint)
            # Replies have null for whatever is not there.
            properties[field._rest_name] = _or_null(made) if self._mode == RESPONSE else made
            if not read_only and not _optional(hint):
                required.append(field._rest_name)
        found: Json = {"type": "object", "properties": properties, "required": required}
        return found | ({"additionalProperties": False} if self._mode == REQUEST else {})

    def type(self, hint: object) -> Json:
        """The schema of an annotation."""
        origin, inner = typing.get_origin(hint), typing.get_args(hint)
        match origin:
            case typing.Union | types.UnionType:
                return self._either([each for each in inner if each is not type(None)])
            case typing.Literal:
                return {"enum": [getattr(each, "value", each) for each in inner]}
            case _ if origin is list:
                return {"type": "array", "items": self.type(inner[0])}
            case _ if origin is dict:
                return {"type": "object", "additionalProperties": self.type(inner[1])}
            case _:
                return self._plain(hint)

    def _either(self, hints: Iterable[object]) -> Json:
        """One of several; ``Union[str, SomeEnum]`` is that enumeration."""
        hints = list(hints)
        enums = [each for each in hints if inspect.isclass(each) and issubclass(each, enum.Enum)]
        found = [self.type(each) for each in enums or hints]
        return found[0] if len(found) == 1 else {"anyOf": found}

    def _plain(self, hint: object) -> Json:
        if hint is typing.Any or not inspect.isclass(hint):
            return {}
        if _is_model(hint):
            return self.model(hint)
        if issubclass(hint, enum.Enum):
            # The SDK sends some of them as a file spells them, in lower case.
            values = [each.value for each in hint]
            sent = [value.lower() for value in values] if self._mode == REQUEST else []
            return {"enum": [*values, *sent]}
        for kind, name in ((bool, "boolean"), (int, "integer"), (float, "number")):
            if issubclass(hint, kind):
                return {"type": name}
        return {"type": "string"}  # a text, a time, a duration


def _models_of(record: Mapping[str, typing.Any]) -> tuple[str | None, str | None]:
    operation = record["operation"]
    if operation in ("asset.get", "asset.put"):
        kind = re.search(r"/(models|environments|codes)/", record["url"], re.IGNORECASE)
        name = _ASSETS[kind[1].lower()]
        # Of code the SDK sends a number among properties that its own model says are texts.
        sent = operation == "asset.put" and name != "CodeVersion"
        return (name if sent else None), name
    return _BY_OPERATION.get(operation, (None, None))


@cache
def _models() -> types.ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what the SDK itself imports
        return importlib.import_module(_MODELS)


def _is_model(hint: type) -> bool:
    """Whether it is one of the SDK's; its base is the same for all."""
    return any(each.__module__.endswith("model_base") for each in hint.__mro__[1:])


def _fields(model: type) -> Mapping[str, typing.Any]:
    if "_attr_to_rest_field" not in vars(model):
        model.__new__(model)  # the SDK fills it in when the first one is made
    return model._attr_to_rest_field


def _kinds(model: type) -> Mapping[str, type]:
    """The kinds of a model with a discriminator; empty: it is one of them, or has none."""
    known = getattr(model, "__mapping__", {})
    return {
        getattr(kind, "value", kind): each
        for kind, each in known.items()
        if each is not model and issubclass(each, model)
    }


def _hint(model: type, name: str) -> object:
    """The annotation of a field, with the names in it looked up where it was written."""
    for each in model.__mro__:
        text = inspect.get_annotations(each).get(name)
        if text is None:
            continue
        known = {**vars(typing), **vars(sys.modules[each.__module__]), "_models": _models()}
        return _resolved(eval(text, known) if isinstance(text, str) else text, known)  # noqa: S307
    return typing.Any


def _resolved(hint: object, known: Mapping[str, object]) -> object:
    """The same with names in quotes looked up."""
    if isinstance(hint, typing.ForwardRef | str):
        name = hint.__forward_arg__ if isinstance(hint, typing.ForwardRef) else hint
        return eval(name, dict(known))  # noqa: S307
    inner = typing.get_args(hint)
    if not inner or typing.get_origin(hint) is typing.Literal:
        return hint
    found = tuple(_resolved(each, known) for each in inner)
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return typing.Union[found]  # noqa: UP007 - of a tuple
    return origin[found if len(found) > 1 else found[0]]


def _optional(hint: object) -> bool:
    return type(None) in typing.get_args(hint)


def _or_null(made: Json) -> Json:
    return {"anyOf": [made, {"type": "null"}]} if made else made
