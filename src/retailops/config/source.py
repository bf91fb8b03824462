"""retail.yaml as text: plain values, and the line and column of every key and value.

YAML 1.2 scalars: `owner: no` is text and `1e-3` a number. No tags, no merge keys; size, depth and aliases are bounded.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Keys = tuple[str | int, ...]
MAX_BYTES = 1_000_000
MAX_NODES = 20_000
MAX_DEPTH = 20
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Problem:
    """One mistake: where (`retail.yaml:LINE:COL`, a variable, a flag), at which key, and what is wrong."""

    where: str
    key: str
    what: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.key, self.what) if part)


@dataclass
class Source:
    """A parsed file: `values` as plain dicts, lists and scalars, and 1-based places of keys and values."""

    name: str
    values: dict[str, Any] = field(default_factory=dict)
    key_places: dict[Keys, tuple[int, int]] = field(default_factory=dict)
    value_places: dict[Keys, tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, place: tuple[int, int], keys: Keys, what: str) -> None:
        line, column = place
        self.problems.append(Problem(f"{self.name}:{line}:{column}", dotted(keys), what, line, column))


class _Loader(yaml.SafeLoader):
    """SafeLoader that resolves scalars as YAML 1.2 does."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^[-+]?[0-9]+$", list("-+0123456789")),
    (
        "float",
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(_TAG + _tag, re.compile(_pattern), _first)


def read(path: Path, name: str) -> Source:
    """The file's contents; whatever keeps it from being read as one mapping is in `problems`."""
    source = Source(name)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        source.problems.append(Problem(name, "", f"can't be read: {(error.strerror or str(error)).lower()}"))
        return source
    if len(data) > MAX_BYTES:
        source.problems.append(Problem(name, "", "larger than 1 MB; this file holds settings, not data"))
        return source
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        start = data.rfind(b"\n", 0, error.start) + 1
        line = data.count(b"\n", 0, error.start) + 1
        source.problem((line, error.start - start + 1), (), "not UTF-8 text; save the file as UTF-8")
        return source
    _parse(text, source)
    return source


def parse_value(text: str) -> tuple[Any, str]:
    """A value given outside the file, read as YAML: (value, "") or (None, what is wrong)."""
    source = Source("")
    try:
        node = yaml.compose(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError):
        return None, f"{shown(text)} can't be read as a YAML value"
    value = None if node is None else _Walk(source).value(node, ())
    return (None, source.problems[0].what) if source.problems else (value, "")


def _parse(text: str, source: Source) -> None:
    try:
        node = yaml.compose(text, Loader=_Loader)
        if node is None:
            source.problem((1, 1), (), "nothing in it")
            return
        if not isinstance(node, yaml.MappingNode):
            source.problem(_place(node), (), "must be a mapping, `key: value` lines, at the top")
            return
        source.values = _Walk(source).value(node, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        source.problem((mark.line + 1, mark.column + 1) if mark else (1, 1), (), _syntax(error))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - text.rfind("\n", 0, error.position)
        code = error.character if isinstance(error.character, int) else ord(error.character)
        source.problem((line, column), (), f"the character U+{code:04X} isn't allowed in YAML")
    except RecursionError:
        source.problem((1, 1), (), f"nested deeper than {MAX_DEPTH} levels")


def _syntax(error: yaml.MarkedYAMLError) -> str:
    """The parser's complaint, in words for somebody who writes YAML twice a year."""
    problem = error.problem or "can't be parsed"
    if "'\\t'" in problem:
        return "a tab: YAML is indented with spaces only"
    if "mapping values are not allowed" in problem:
        return "a `:` where no key can be: check the indentation, or put quotes around text with a colon in it"
    if "single document" in str(error):
        return "a second document begins here (`---`); one file holds one"
    if "undefined alias" in problem:
        return f"{problem}; text that begins with * needs quotes"
    context = f" ({error.context})" if error.context else ""
    return f"not valid YAML: {problem}{context}"


class _TooMuch(Exception):
    pass


class _Walk:
    """Turns nodes into values, noting places; counts every visit, so a bomb of aliases ends early."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.visits = 0

    def value(self, node: yaml.Node, keys: Keys) -> Any:
        try:
            return self._value(node, keys)
        except _TooMuch as error:
            self.source.problem(_place(node), keys, str(error))
            return {}

    def _value(self, node: yaml.Node, keys: Keys) -> Any:
        self.visits += 1
        if self.visits > MAX_NODES:
            raise _TooMuch(f"more than {MAX_NODES} values once its aliases (*name) are expanded")
        if len(keys) > MAX_DEPTH:
            raise _TooMuch(f"nested deeper than {MAX_DEPTH} levels")
        self.source.value_places[keys] = _place(node)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, keys)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(below, (*keys, index)) for index, below in enumerate(node.value)]
        return self._scalar(node, keys)

    def _mapping(self, node: yaml.MappingNode, keys: Keys) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, below in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.source.problem(_place(key), keys, "a key must be a word, not a list or a mapping")
                continue
            name = str(key.value)
            path = (*keys, name)
            if name == "<<":
                self.source.problem(_place(key), keys, "merge keys (<<) aren't read; write the keys out")
            elif name in found:
                line, column = self.source.key_places[path]
                self.source.problem(_place(key), path, f"written twice; the first is on line {line}, column {column}")
            else:
                self.source.key_places[path] = _place(key)
                found[name] = self._value(below, path)
        return found

    def _scalar(self, node: yaml.Node, keys: Keys) -> Any:
        tag, text = node.tag.removeprefix(_TAG), str(node.value)
        try:
            if tag == "float" and not math.isfinite(float(re.sub(r"\.(?=[inIN])", "", text))):
                raise ValueError
            return _SCALARS[tag](text)
        except KeyError:
            self.source.problem(
                _place(node), keys, f"the tag {node.tag.replace(_TAG, '!!')} isn't read; write a plain value"
            )
        except ValueError:
            self.source.problem(_place(node), keys, f"{shown(text)} isn't a finite number")
        return None


_SCALARS: dict[str, Any] = {
    "null": lambda _: None,
    "bool": lambda text: text.lower() == "true",
    "int": int,
    "float": float,
    "str": str,
}


def _place(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def dotted(keys: Keys) -> str:
    """("train", "algorithms", 0) → `train.algorithms[0]`."""
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


def shown(value: Any) -> str:
    """A value as a person would point at it, short."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (dict, list)):
        return "a section" if isinstance(value, dict) else "a list"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:50] + "…" + text[-1]
