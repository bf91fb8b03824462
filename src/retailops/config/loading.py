"""From a file, the environment and flags to one Config, or to one error that lists everything wrong."""

from __future__ import annotations

import os
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError, create_model

from retailops.config.sections import Config, Section
from retailops.config.source import Keys, Problem, Source, dotted, parse_value, read, shown
from retailops.config.wording import NO_SECRETS, leaves, looks_secret, meant, section_at, unknown_key, wrong_value
from retailops.errors import ConfigError

PREFIX = "RETAILOPS_"
# What the command line and the project's own tests read from the environment.
_OTHERS = ("CONFIG", "DEBUG", "REAL_DATA", "TERRAFORM_MIRROR", "CHECKOV", "SPARK", "TEST_REGISTRY", "TEST_SERVICES")
NOT_OVERRIDES = frozenset(f"{PREFIX}{name}" for name in _OTHERS)


def load(
    path: Path | None,
    *,
    targets: Mapping[str, type[BaseModel]],
    algorithms: Sequence[str],
    overrides: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Config:
    """Read `path` (None = ./retail.yaml), lay `RETAILOPS_SECTION__KEY` variables over it, then flags.

    targets     name → settings model; each is a section of the file
    algorithms  names that `train.algorithms` and `train.params` may use
    overrides   dotted key → text, from flags; `train.algorithms` takes `a,b`
    environ     None = the process environment
    Relative paths start at the file's folder, those of flags and variables at the working folder.
    Raises ConfigError with one line a problem; `details["problems"]` has them apart.
    """
    path = Path("retail.yaml") if path is None else path
    if not path.exists():
        raise ConfigError(f"{path} doesn't exist.", "Run: retailops init")
    model = _document(targets)
    layers = _Layers(read(path, _name(path)), model)
    if layers.tree:
        layers.expand_shorthands()
        layers.environment(os.environ if environ is None else environ)
        layers.flags(overrides or {})
        layers.check_names(targets, algorithms)
        layers.check_secrets()
    config = layers.validate(path.resolve()) if layers.tree else None
    if layers.problems or config is None:
        raise _refusal(layers.problems)
    return config


def schema(targets: Mapping[str, type[BaseModel]], algorithms: Sequence[str]) -> dict[str, Any]:
    """The file's JSON schema (draft 2020-12), for editors."""
    document = _document(targets)
    found = _tidy(document.model_json_schema(mode="validation"))
    found = {"$schema": "https://json-schema.org/draft/2020-12/schema", **found, "title": "retail.yaml"}
    found["description"] = "The one file that the retailops commands read."
    found["properties"]["target"]["enum"] = list(targets)
    train = found["$defs"]["Train"]["properties"]
    train["algorithms"]["items"]["enum"] = list(algorithms)
    train["params"]["propertyNames"] = {"enum": list(algorithms)}
    for name in document.model_fields:
        section = found["properties"][name]
        if "$ref" in section:  # a section may stand empty, every key of it commented out
            section["anyOf"] = [{"$ref": section.pop("$ref")}, {"type": "null"}]
    names = found["$defs"]["Features"]["properties"]["set"]["enum"]
    found["properties"]["features"]["anyOf"].insert(1, {"enum": names, "type": "string"})
    return found


def _tidy(node: Any) -> Any:
    """Without the titles and empty defaults that pydantic makes up: an editor would show them with the description."""
    if isinstance(node, list):
        return [_tidy(each) for each in node]
    if not isinstance(node, dict):
        return node
    made_up = {key for key in ("title", "default") if isinstance(node.get(key), str if key == "title" else dict)}
    return {key: _tidy(value) for key, value in node.items() if key not in made_up}


def _document(targets: Mapping[str, type[BaseModel]]) -> type[Config]:
    """Config with a section for each target."""
    sections: dict[str, Any] = {
        name: (settings, Field(default={}, validate_default=True, description=f"Used when the target is {name}."))
        for name, settings in targets.items()
    }
    return create_model("RetailYaml", __base__=Config, **sections)


def _name(path: Path) -> str:
    """The path as errors print it: short when it lies below the working folder."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_absolute() and path.is_relative_to(here) else str(path)


def _refusal(problems: list[Problem]) -> ConfigError:
    ordered = sorted(dict.fromkeys(problems), key=lambda each: (each.line == 0, each.line, each.column))
    return ConfigError(
        "\n".join(str(problem) for problem in ordered),
        "Correct that, then check it with: retailops config validate",
        details={"problems": [asdict(problem) for problem in ordered]},
    )


class _Layers:
    """The file's values with variables and flags laid over them, knowing where each came from."""

    def __init__(self, source: Source, model: type[Config]) -> None:
        self.source = source
        self.model = model
        self.tree = source.values
        self.problems = source.problems
        self.given: dict[Keys, str] = {}  # set from outside the file → "env NAME" or "--flag"

    def expand_shorthands(self) -> None:
        """`features: seed` becomes `features: {set: seed}`, at the same place."""
        for name, value in list(self.tree.items()):
            section = section_at(self.model, (name,))
            short = section.SHORTHAND if section and issubclass(section, Section) else None
            if short and isinstance(value, str):
                self.tree[name] = {short: value}
                self.source.value_places[(name, short)] = self.source.value_places[(name,)]

    def environment(self, environ: Mapping[str, str]) -> None:
        for variable in sorted(environ):
            if variable.startswith(PREFIX) and variable not in NOT_OVERRIDES:
                keys = tuple(variable.removeprefix(PREFIX).lower().split("__"))
                self.override(keys, environ[variable], f"env {variable}")

    def flags(self, overrides: Mapping[str, str]) -> None:
        for key, text in overrides.items():
            keys = tuple(key.split("."))
            self.override(keys, text, "--" + keys[-1].replace("_", "-"))

    def override(self, keys: tuple[str, ...], text: str, origin: str) -> None:
        """Put one value, given as text, into the tree; an unknown key or unreadable text is a problem."""
        section = section_at(self.model, keys)
        if section and issubclass(section, Section) and section.SHORTHAND:
            keys, section = (*keys, section.SHORTHAND), None
        if section:
            self.problems.append(Problem(origin, dotted(keys), "is a section; set one of its keys"))
            return
        annotation = _annotation(self.model, keys)
        if annotation is None:
            known = meant(".".join(keys), leaves(self.model))
            what = NO_SECRETS if looks_secret(keys[-1]) else f"sets nothing: unknown key{known}"
            self.problems.append(Problem(origin, dotted(keys), what))
            return
        value, wrong = _from_text(text, annotation)
        if wrong:
            self.problems.append(Problem(origin, dotted(keys), wrong))
            return
        place = self.tree
        for key in keys[:-1]:
            below = place.get(key)
            if below is None:
                below = place[key] = {}
            if not isinstance(below, dict):  # the file is wrong there already, and will be told so
                return
            place = below
        place[keys[-1]] = value
        for below_key in [each for each in self.given if each[: len(keys)] == keys]:
            del self.given[below_key]
        self.given[keys] = origin

    def check_names(self, targets: Mapping[str, object], algorithms: Sequence[str]) -> None:
        """Names that only the caller knows: the target's and the algorithms'."""
        target = self.tree.get("target", "local")
        if isinstance(target, str) and target not in targets:
            what = f"{shown(target)} isn't a target of this version, which has: {', '.join(targets)}"
            self.report(("target",), what + meant(target, targets))
        train = self.tree.get("train")
        if not isinstance(train, dict):
            return
        chosen: list[Any] = train["algorithms"] if isinstance(train.get("algorithms"), list) else []
        for index, name in enumerate(chosen):
            if isinstance(name, str) and name not in algorithms:
                self.report(("train", "algorithms", index), self._no_algorithm(name, algorithms))
            elif name in chosen[:index]:
                self.report(("train", "algorithms", index), f"{shown(name)} is named twice")
        params = train.get("params")
        for name in params if isinstance(params, dict) else ():
            if name not in algorithms and not looks_secret(name):
                self.report(("train", "params", name), self._no_algorithm(name, algorithms), at_key=True)

    @staticmethod
    def _no_algorithm(name: str, algorithms: Sequence[str]) -> str:
        return f"unknown algorithm {shown(name)}{meant(name, algorithms) or '; there are: ' + ', '.join(algorithms)}"

    def check_secrets(self) -> None:
        """Keys that sound like a secret, at any depth, unless the file's shape declares them."""
        for keys in self.source.key_places:
            if looks_secret(str(keys[-1])) and _annotation(self.model, tuple(map(str, keys))) in (None, Any):
                self.report(keys, NO_SECRETS, at_key=True)

    def report(self, keys: Keys, what: str, *, at_key: bool = False) -> None:
        """Add a problem at the nearest known place of `keys`: variable, flag, value, key, or the section around it.

        A key that already has a problem keeps that one: the second would be its echo.
        """
        if any(problem.key == dotted(keys) for problem in self.problems):
            return
        places = self.source.key_places if at_key else self.source.value_places
        for length in range(len(keys), -1, -1):
            near = keys[:length]
            if near in self.given:
                self.problems.append(Problem(self.given[near], dotted(keys), what))
                return
            place = places.get(near) or self.source.value_places.get(near)
            if place:
                self.source.problem(place, keys, what)
                return
        self.problems.append(Problem(self.source.name, dotted(keys), what))

    def validate(self, path: Path) -> Config | None:
        """The config, or None with the reasons in `problems`."""
        try:
            context = {"path": path, "folder": path.parent, "origins": self.origins()}
            return self.model.model_validate(self.tree, context=context)
        except ValidationError as found:
            for error in found.errors(include_url=False):
                keys: Keys = error["loc"]
                if error["type"] == "extra_forbidden":
                    self.report(keys, unknown_key(keys, self.model), at_key=True)
                else:
                    self.report(keys, wrong_value(error, self._description(keys)))
            return None

    def _description(self, keys: Keys) -> str | None:
        section = section_at(self.model, keys[:-1])
        field = section.model_fields.get(str(keys[-1])) if section and keys else None
        return field.description if field else None

    def origins(self) -> dict[str, str]:
        """Dotted key → where its value came from; keys left at their default aren't there."""
        found = {
            dotted(keys): f"{self.source.name}:{line}"
            for keys, (line, _) in self.source.value_places.items()
            if keys and not any(isinstance(key, int) for key in keys)
        }
        for keys, (line, _) in self.source.key_places.items():
            found[dotted(keys)] = f"{self.source.name}:{line}"
        return found | {dotted(keys): origin for keys, origin in self.given.items()}


def _annotation(model: type[BaseModel], keys: tuple[str, ...]) -> Any | None:
    """The type of the value that `keys` names; None when there is no such key. Below a free mapping anything goes."""
    for depth in range(len(keys)):
        section = section_at(model, keys[:depth])
        if section is None:
            above = section_at(model, keys[: depth - 1])
            field = above.model_fields[keys[depth - 1]] if above else None
            return Any if field and typing.get_origin(field.annotation) is dict and len(keys) == depth + 2 else None
        if keys[depth] not in section.model_fields:
            return None
    section = section_at(model, keys[:-1])
    return section.model_fields[keys[-1]].annotation if section else None


def _kinds(annotation: Any) -> set[Any]:
    """The plain types in an annotation: `Annotated[Path, …] | None` → {Path, NoneType}."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _kinds(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return set().union(*(_kinds(each) for each in typing.get_args(annotation)))
    return {origin or annotation}


def _from_text(text: str, annotation: Any) -> tuple[Any, str]:
    """A value from a flag or variable: text stays text where the key takes text, everything else is YAML."""
    kinds = _kinds(annotation)
    if types.NoneType in kinds and text.strip().lower() in {"", "~", "null"}:
        return None, ""
    if Path in kinds:
        return str(Path.cwd() / Path(text).expanduser()), ""
    if str in kinds:
        return text, ""
    if tuple in kinds and not text.lstrip().startswith("["):
        return [each.strip() for each in text.split(",") if each.strip()], ""
    return parse_value(text)
