"""The forms of what says when somebody attends: windows, time zones, what is left unattended."""

from __future__ import annotations

from rollout.domain import windows
from rollout.planfile.misshapen import Misshapen
from rollout.planfile.wording import nearest, shown

_SHARES = range(1, 100)  # percent
_LONGEST = 200  # characters; nothing longer is a window


def allowed(value: object) -> str:
    """When stages may begin: ``Mon-Thu 09:00-16:00``; blanks around it do not count.

    Raises:
        Misshapen: as every function of this module does.
    """
    text = str(value).strip()
    try:
        if len(text) > _LONGEST:
            raise ValueError("it is too long")
        windows.parse(text)
    except ValueError as error:
        do = "Write it like Mon-Thu 09:00-16:00, Sat,Sun or 22:00-04:00."
        raise Misshapen(f"{shown(value)} is not a window: {error}.", do) from error
    return text


def time_zone(value: object) -> str:
    """The name of a time zone.

    >>> time_zone("Europe/Vienna")
    'Europe/Vienna'
    """
    name = str(value)
    try:
        windows.zone(name)
    except ValueError as error:
        do = "Write a name such as Europe/Vienna or UTC."
        near = nearest(name, _zones())
        found = f"Did you mean '{near}'?" if near else do
        raise Misshapen(f"there is no time zone {shown(value)}.", found) from error
    return name


def _zones() -> set[str]:
    from zoneinfo import available_timezones  # noqa: PLC0415 - only for a wrong name

    return available_timezones()


def unattended(value: object) -> int | None:
    """The candidate's live percent while nobody guards it; None: whatever it has.

    >>> unattended("refuse"), unattended("5%"), unattended("hold")
    (0, 5, None)
    """
    if value in ("refuse", "hold"):
        return None if value == "hold" else 0
    digits = str(value).removesuffix("%").rstrip(" ")
    whole = digits.isascii() and digits.isdigit() and len(digits) < _LONGEST
    if isinstance(value, bool) or not whole or int(digits) not in _SHARES:
        do = "Write refuse, hold, or a share of 1% to 99%."
        raise Misshapen(f"{shown(value)} cannot stand here.", do)
    return int(digits)
