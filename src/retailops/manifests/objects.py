"""Kubernetes objects as they are written, with the few questions that checks ask of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]
_WITH_PODS = ("Deployment", "StatefulSet", "DaemonSet", "Job")


@dataclass(frozen=True)
class Pods:
    """An object that makes pods, and the template that it makes them from."""

    owner: Object

    @property
    def template(self) -> Object:
        return _mapping(self.owner, "spec", "template")

    @property
    def spec(self) -> Object:
        return _mapping(self.template, "spec")

    @property
    def labels(self) -> Mapping[str, str]:
        return _mapping(self.template, "metadata", "labels")

    @property
    def containers(self) -> list[Object]:
        return [*dig(self.spec, "initContainers", default=[]), *dig(self.spec, "containers", default=[])]

    def has_port(self, port: str | int) -> bool:
        """Whether a container has this port, by name or by number."""
        key = "containerPort" if isinstance(port, int) else "name"
        return any(each.get(key) == port for one in self.containers for each in one.get("ports") or [])


class Objects:
    """All objects of one rendering."""

    def __init__(self, objects: Iterable[Object]) -> None:
        self._all = list(objects)

    def __iter__(self) -> Iterator[Object]:
        return iter(self._all)

    def of(self, *kinds: str) -> list[Object]:
        return [each for each in self._all if each.get("kind") in kinds]

    def find(self, kind: str, name: object, namespace: object = None) -> Object | None:
        """The object of that name; in that namespace, where one is given."""
        for each in self.of(kind):
            if name_of(each) == name and (namespace is None or namespace_of(each) == namespace):
                return each
        return None

    def pods(self) -> list[Pods]:
        return [Pods(each) for each in self.of(*_WITH_PODS)]

    def selected(self, labels: Mapping[str, str], namespace: object) -> list[Pods]:
        """The pods of a namespace that carry all these labels; no labels select nothing here."""
        return [
            each
            for each in self.pods()
            if labels and namespace_of(each.owner) == namespace and labels.items() <= each.labels.items()
        ]


def dig(found: Any, *path: str, default: Any = None) -> Any:
    """The value below `path`, or `default` where it is missing.

    Nor is it taken where `default` is a map or a list and it isn't: that it is wrong, the schema says.
    """
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    misfit = isinstance(default, dict | list) and not isinstance(found, type(default))
    return default if found is None or misfit else found


def _mapping(found: Object, *path: str) -> Mapping[str, Any]:
    below = dig(found, *path)
    return below if isinstance(below, Mapping) else {}


def name_of(found: Object) -> Any:
    return dig(found, "metadata", "name", default="")


def namespace_of(found: Object) -> Any:
    return dig(found, "metadata", "namespace", default="default")


def place_of(found: Object, path: str = "") -> str:
    """`Deployment retailops/api spec.template`, as problems say it."""
    space = "" if found.get("kind") == "Namespace" else f"{namespace_of(found)}/"
    return f"{found.get('kind', 'object')} {space}{name_of(found)}{f' {path}' if path else ''}"
