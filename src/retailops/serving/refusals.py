"""What the server says when it can't answer. A refusal never repeats what was sent: nothing of it reaches a log."""

from __future__ import annotations

import re

import msgspec

_PLACE = re.compile(r" - at `(?P<place>\$[\w.\[\]]*)`$")
# The decoder's own sentences that speak of our schema alone; every other one is replaced.
_OURS = re.compile(
    r"Expected `[\w |]+`(, got `\w+`| of length [<>=]+ \d+| [<>=]+ -?[\d.e+]+)"
    r"|Object missing required field `\w+`"
    r"|Number out of range"
)


class Refused(Exception):
    """A request that gets an error for an answer. `close`: the connection is of no more use."""

    def __init__(self, status: int, what: str, fix: str, *, close: bool = False, allow: str = "") -> None:
        super().__init__(what)
        self.status = status
        self.what = what
        self.fix = fix
        self.close = close
        self.allow = allow

    @property
    def body(self) -> bytes:
        """`{"error": {"what": …, "fix": …}}`"""
        return msgspec.json.encode({"error": {"what": self.what, "fix": self.fix}})


def malformed(error: Exception) -> Refused:
    """400: the body isn't JSON."""
    byte = re.search(r"\(byte (\d+)\)$", str(error))
    where = f" at byte {byte.group(1)}" if byte else ""
    fix = "Send one JSON object in UTF-8; NaN and Infinity aren't JSON."
    return Refused(400, f"The body isn't valid JSON{where}.", fix)


def invalid(error: msgspec.ValidationError) -> Refused:
    """422: JSON, but not what the schema asks for."""
    text = str(error)
    place = _PLACE.search(text)
    at = f" at {place.group('place')}" if place else ""
    said = _OURS.match(text)
    if said:
        what = f"{said.group(0).replace('`', '')}{at}."
    elif text.startswith("Object contains unknown field"):
        what = f"There is a field{at} that the schema doesn't have."
    else:
        what = f"A value{at} isn't what the schema asks for."
    return Refused(422, what, "The fields and their limits are at /docs.")
