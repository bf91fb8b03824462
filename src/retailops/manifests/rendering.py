"""Templates are YAML with `${name}` in it, filled in as text: a reader finds their comments in what is applied.

`key: ${name}` gets the value as YAML of its own type, maps and lists in lines of their own; elsewhere in a line
`${name}` is text. A line whose value is None falls away, and with it the comment right above it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

from retailops.ports import Manifest

_NAME = re.compile(r"\$\{(\w+)\}")
_WHOLE = re.compile(r"(?:: |- )\$\{(\w+)\}$")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./:@-]*[A-Za-z0-9]")
_INSIDE = re.compile(r"[A-Za-z0-9_./:@-]*")  # whatever stands around it, these can't end it
_NOT_TEXT = {"true", "false", "yes", "no", "on", "off", "null"}  # what YAML 1.1 reads as something else


def render(folder: str, files: Iterable[str], values: Mapping[str, Any]) -> tuple[Manifest, ...]:
    """The templates `files` of templates/<folder>, filled in; numbered, since `kubectl apply -f` goes by the name.

    `ingress-plain.yaml` becomes `NN-ingress.yaml`: what comes after the first hyphen tells variants apart.
    """
    import yaml

    place = resources.files("retailops.templates").joinpath(folder)
    made = []
    for number, file in enumerate(files):
        text = fill(place.joinpath(file).read_text(encoding="utf-8"), values)
        kind = file.removesuffix(".yaml").partition("-")[0]
        objects = tuple(yaml.safe_load_all(text))
        made.append(Manifest(f"{number:02}-{kind}.yaml", text, objects))
    return tuple(made)


def fill(template: str, values: Mapping[str, Any]) -> str:
    """The text with its values. KeyError for a name that has none."""
    lines: list[str] = []
    for line in template.splitlines():
        if any(values[name] is None for name in _NAME.findall(line)):
            while lines and _is_comment(lines[-1]) and _indent(lines[-1]) == _indent(line):
                lines.pop()
            continue
        whole = _WHOLE.search(line)
        if whole:
            start = line[: -len(f"${{{whole.group(1)}}}")]
            lines += _written(start, values[whole.group(1)])
        else:
            lines.append(_NAME.sub(lambda found: _inside(values[found.group(1)]), line))
    return "\n".join(lines) + "\n"


def _written(start: str, value: Any) -> list[str]:
    """Lines: the value behind `key: `, or below it."""
    import yaml

    if isinstance(value, dict | list) and value:
        below = yaml.dump(value, Dumper=_plain_dumper(), sort_keys=False, default_flow_style=False, width=1000)
        return [start.rstrip(), *(" " * (_indent(start) + 2) + line for line in below.splitlines())]
    return [start + _scalar(value)]


def _plain_dumper() -> Any:
    """A dumper that writes a value that comes twice out twice, without an anchor."""
    import yaml

    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    return Plain


def _scalar(value: Any) -> str:
    """YAML of the value on one line: plain where that reads as the same text, else quoted."""
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT:
            return value
        if '"' in value and "'" not in value and value.isprintable():
            return f"'{value}'"
    return json.dumps(value, ensure_ascii=False)  # which YAML contains


def _inside(value: Any) -> str:
    text = str(value)
    if not _INSIDE.fullmatch(text):
        raise ValueError(f"{text!r} can't stand inside other text of a manifest")
    return text


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
