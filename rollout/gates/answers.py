"""What an answer says: its body as a value, its prediction as a label, its numbers as sums.

Numbers are counted in buckets of a signed log scale, 5 % wide: bucket 0 holds what is within
``TINY`` of zero, bucket ``n`` above 0 the numbers in ``(TINY * WIDTH**(n - 1), TINY * WIDTH**n]``,
and bucket ``-n`` the negatives of those.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypedDict

from rollout.domain.answers import Said
from rollout.domain.criteria import Custom
from rollout.domain.measure import Sums
from rollout.stats import betting, drift
from rollout.stats.histogram import Histogram

WIDTH = 1.05
TINY = 1e-9
LONGEST_CLASS = 64  # characters; longer text is prose, not a class
CLASSES = 20
OTHER = "(other)"
NUMBERS = "(number)"
LARGEST_BODY = 1 << 20  # bytes; more is not read

_LOG_WIDTH = math.log(WIDTH)
_LOG_TINY = math.log(TINY)
_RARE = 0.01  # of the reference
_SUCCESS = range(200, 300)
_BROKEN = 500
_BUSY = (0, 408, 424, 429)  # no answer, and those that Azure ML gives for a model that is too slow
_LONGEST_INTEGER = 300  # digits; longer ones are read as floats, which are infinite there
_LARGEST = 1e150  # its square is a float

_PATH = re.compile(r"\$?(?:\.[^\W\d][\w-]*|\[\d+\]|\[\*\]|\[\"(?:[^\"\\]|\\.)*\"\])*")
_STEP = re.compile(r"\.([^\W\d][\w-]*)|\[(\d+)\]|\[(\*)\]|\[(\"(?:[^\"\\]|\\.)*\")\]")
_NUMBER = re.compile(r"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*", re.ASCII)

Scalar = str | int | float | bool | None
Step = str | int | None  # a key, a position, any position


class Kind(Enum):
    """How a body is read."""

    JSON = "json"
    TEXT = "text"
    BINARY = "binary"


@dataclass(frozen=True, slots=True)
class Body:
    """A body and its value: of JSON what Python's reader makes of it, of text a ``str``."""

    kind: Kind
    value: object


class Bins(TypedDict):
    """The classes of a prediction, plain JSON.

    ``edges`` are bucket numbers for ``drift.bin_of``; ``classes`` the labels that stay as they are.
    """

    edges: list[int]
    classes: list[str]


def failed(said: Said) -> bool:
    """Whether an answer is an error: none, 5xx, or one that a model too slow or too busy causes."""
    return said.status >= _BROKEN or said.status in _BUSY


def declared(said: Said) -> Kind | None:
    """The kind of body that the content type names; None: there is no content type."""
    name = said.content_type.partition(";")[0].strip().lower()
    if not name:
        return None
    if name == "application/json" or name.endswith("+json"):
        return Kind.JSON
    return Kind.TEXT if name.startswith("text/") else Kind.BINARY


def read(said: Said) -> Body:
    """The body by its content type, or without one by what it looks like.

    A body that is called JSON and is none counts as text, or as binary where it is no UTF-8.

    Args:
        said: An answer whose body is whole.
    """
    kind = declared(said)
    if kind is Kind.BINARY:
        return Body(kind, said.body)
    if kind is Kind.TEXT:
        return Body(kind, said.body.decode("utf-8", "surrogateescape"))
    try:
        return Body(Kind.JSON, json.loads(said.body, parse_int=_integer))
    except (ValueError, RecursionError):
        pass
    try:
        return Body(Kind.TEXT, said.body.decode("utf-8"))
    except UnicodeDecodeError:
        return Body(Kind.BINARY, said.body)


def _integer(digits: str) -> float:
    # Python refuses to read thousands of digits, and floats cannot be compared with them.
    return int(digits) if len(digits) <= _LONGEST_INTEGER else float(digits)


def number_in(text: str) -> float | None:
    """The number that a text is; None: it is none, such as ``1_000`` or ``nan``."""
    return float(text) if _NUMBER.fullmatch(text) else None


def steps_of(path: str) -> tuple[Step, ...]:
    """The steps of a path.

    Raises:
        ValueError: It is none.

    >>> steps_of('$.a[*]["b c"][0]')
    ('a', None, 'b c', 0)
    """
    if not _PATH.fullmatch(path):
        raise ValueError(f"{path!r} is not a path into an answer")
    return tuple(_step(*found) for found in _STEP.findall(path))


def _step(name: str, index: str, anywhere: str, quoted: str) -> Step:
    if anywhere:
        return None
    if index:
        return int(index)
    return name or str(json.loads(quoted))


def scalar_of(said: Said, path: str) -> Scalar:
    """The first scalar at or below a path, in the order of the document.

    Args:
        said: An answer; only one with status 2xx and a whole body says something.
        path: Such as ``$.scores[0]``; ``[*]`` is the first position, empty the whole answer.

    Raises:
        LookupError: The answer has none.
    """
    if said.status not in _SUCCESS or not said.whole or len(said.body) > LARGEST_BODY:
        raise LookupError(path)
    body = read(said)
    if isinstance(body.value, bytes):
        raise LookupError(path)
    if body.kind is Kind.TEXT and isinstance(body.value, str):
        if steps_of(path) or not body.value:
            raise LookupError(path)
        number = number_in(body.value)
        return body.value if number is None else number
    value = body.value
    for step in steps_of(path):
        value = _child(value, step)
    return _first(value)


def _child(value: object, step: Step) -> object:
    if isinstance(step, str):
        if not isinstance(value, dict):
            raise LookupError(step)
        return value[step]
    if not isinstance(value, list):
        raise LookupError(step)
    return value[step or 0]


def _first(value: object) -> Scalar:
    # A stack instead of recursion: the body decides how deep this goes.
    open_: list[Iterator[object]] = [iter((value,))]
    while open_:
        for each in open_[-1]:
            if isinstance(each, dict):
                open_.append(iter(each.values()))
            elif isinstance(each, list):
                open_.append(iter(each))
            elif each is None or isinstance(each, str | int | float):
                return each
            break
        else:
            open_.pop()
    raise LookupError("nothing but empty lists and objects")


def outputs_of(said: Said, path: str) -> str | None:
    """The label of the prediction in an answer.

    Args:
        said: An answer.
        path: Where the prediction stands, as in `scalar_of`.

    Returns:
        ``=text`` for a class, also ``=true``, ``=null`` and ``=NaN``; ``#number`` for the bucket of
        a number; None: no answer with status 2xx, nothing there, or text too long for a class.

    >>> outputs_of(Said(200, b'[{"label": "cat"}]'), "$[0].label"), outputs_of(Said(200, b"1"), "")
    ('=cat', '#425')
    """
    try:
        value = scalar_of(said, path)
    except LookupError:
        return None
    number = _number(value)
    if number is not None and math.isfinite(number):
        return f"#{value_bucket(number)}"
    if not isinstance(value, str):
        return f"={json.dumps(value)}"
    if len(value) > LONGEST_CLASS:
        return None
    return "=" + value.encode("utf-8", "backslashreplace").decode("utf-8")


def value_bucket(number: float) -> int:
    """The bucket of a finite number; it never falls while the number rises.

    >>> value_bucket(0.0), value_bucket(1.0), value_bucket(-1.0), value_bucket(1.06)
    (0, 425, -425, 426)
    """
    size = abs(number)
    if size <= TINY:
        return 0
    # Logarithms apart: the quotient of a large number would be infinite.
    found = math.ceil((math.log(size) - _LOG_TINY) / _LOG_WIDTH - 1e-9)
    return max(found, 1) if number > 0 else -max(found, 1)


def bucket_edges(bucket: int) -> tuple[float, float]:
    """The least and the largest number of a bucket; the end nearer to zero is the next one's.

    >>> low, high = bucket_edges(425)
    >>> low < 1.0 <= high and bucket_edges(-425) == (-high, -low)
    True
    """
    if bucket == 0:
        return -TINY, TINY
    inner, outer = _edge(abs(bucket) - 1), _edge(abs(bucket))
    return (inner, outer) if bucket > 0 else (-outer, -inner)


def _edge(bucket: int) -> float:
    try:
        return math.exp(bucket * _LOG_WIDTH + _LOG_TINY)
    except OverflowError:
        return math.inf


def sums_of(answers: Iterable[Said], custom: Custom) -> Sums:
    """A custom metric over the answers of one deployment in one interval.

    A ratio counts every answer that has a scalar at the path, a mean those that have a number
    there (not NaN). Errors and answers without it are not counted.

    Numbers of a mean are clipped to its bounds (1e150 where it has none), and all moments are of
    the clipped ones. That is safe: whatever the answers hold, the clipped values do lie within the
    bounds, as the proof in `betting` demands, so its guarantees hold as they stand for the mean
    of the clipped values, which is the mean itself as long as the bounds are true. To leave a value
    out instead would let a candidate hide its worst answers.

    Args:
        answers: Of one deployment.
        custom: The metric; a ratio's number must lie strictly beyond ``above`` and ``below``.

    >>> sums_of([Said(200, b"0.9"), Said(200, b"0.2")], Custom("sure", "ratio", "$", above=0.5))
    Sums(count=2, total=1.0, squares=0.0, tally={})
    """
    found = [*_scalars(answers, custom.path)]
    if custom.kind == "ratio":
        return Sums(len(found), float(sum(_hit(value, custom) for value in found)))
    low = -_LARGEST if custom.low is None else custom.low
    high = _LARGEST if custom.high is None else custom.high
    numbers = [number for value in found if (number := _number(value)) is not None]
    clipped = [min(max(number, low), high) for number in numbers if not math.isnan(number)]
    bounded = custom.low is not None and custom.high is not None
    return Sums(
        count=len(clipped),
        total=math.fsum(clipped),
        squares=math.fsum(number * number for number in clipped),
        tally=dict(betting.tally(clipped, low, high)) if bounded else {},
    )


def _scalars(answers: Iterable[Said], path: str) -> Iterator[Scalar]:
    for said in answers:
        try:
            yield scalar_of(said, path)
        except LookupError:
            continue


def _number(value: Scalar) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


def _hit(value: Scalar, custom: Custom) -> bool:
    if custom.equals is not None and not _equals(value, custom.equals):
        return False
    if custom.above is None and custom.below is None:
        return True
    number = _number(value)
    if number is None or math.isnan(number):
        return False
    above = custom.above is None or number > custom.above
    return above and (custom.below is None or number < custom.below)


def _equals(value: Scalar, wanted: str) -> bool:
    if isinstance(value, str):
        return value == wanted
    number = _number(value)
    return json.dumps(value) == wanted if number is None else number == number_in(wanted)


def binned(reference: Mapping[str, int], parts: int = drift.PARTS) -> Bins | None:
    """The classes that a prediction is judged by, drawn from what the baseline answered before.

    Numbers fall into bins of which the baseline had about as many each (`drift.bucket_edges`), or
    into one class where it gave too few to draw edges. Labels stay what they are, at most ``CLASSES``
    with the last one, ``OTHER``, which holds the rare ones, below 1 %, and those never seen.

    Args:
        reference: Label -> answers of the baseline *before* the interval to be judged.
        parts: Number of bins, at least 2.

    Returns:
        To be kept for as long as the classes shall mean the same; None: too few answers.

    >>> binned({"=cat": 600, "=dog": 399, "=eel": 1})
    {'edges': [], 'classes': ['=cat', '=dog']}
    """
    total = sum(reference.values())
    if total < drift.NEEDED:
        return None
    buckets = {int(label[1:]): count for label, count in reference.items() if label[0] == "#"}
    named = sorted(
        (-count, label)
        for label, count in reference.items()
        if label[0] == "=" and count >= _RARE * total
    )
    return Bins(
        edges=list(drift.bucket_edges(_histogram(buckets), parts) or ()),
        classes=[label for _, label in named[: CLASSES - 1]],
    )


def _histogram(buckets: Mapping[int, int]) -> Histogram:
    first, last = min(buckets, default=0), max(buckets, default=-1)
    return Histogram(first, [buckets.get(at, 0) for at in range(first, last + 1)], 0)


def class_of(label: str, bins: Bins) -> str:
    """The class of a label: its own name, ``OTHER``, or the numbers that its bin spans.

    >>> class_of("#425", Bins(edges=[400, 430], classes=[])), class_of("=eel", binned({"=a": 500}))
    ('0.299..1.29', '(other)')
    """
    if label[0] != "#":
        return label if label in bins["classes"] else OTHER
    edges = bins["edges"]
    if not edges:
        return NUMBERS
    at = int(drift.bin_of(int(label[1:]), edges))
    low = _bound(edges[at - 1]) if at else ""
    high = _bound(edges[at]) if at < len(edges) else ""
    return f"{low}..{high}"


def _bound(bucket: int) -> str:
    return "0" if bucket in (-1, 0) else f"{bucket_edges(bucket)[1]:.3g}"


def classed(labels: Mapping[str, int], bins: Bins) -> dict[str, int]:
    """The answers of an interval by class.

    >>> classed({"=a": 3, "=b": 1, "=c": 1}, Bins(edges=[], classes=["=a"]))
    {'=a': 3, '(other)': 2}
    """
    found: Counter[str] = Counter()
    for label, count in labels.items():
        found[class_of(label, bins)] += count
    return dict(found)
