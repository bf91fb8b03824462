"""Checks of names, namespaces and labels."""

from __future__ import annotations

import re
from collections.abc import Iterator

from retailops.manifests.lint import Problem
from retailops.manifests.objects import Object, Objects, dig, name_of, namespace_of, place_of

_WITHOUT_NAMESPACE = ("Namespace", "ClusterRole", "ClusterRoleBinding", "IngressClass", "PriorityClass")
_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_DNS_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")


def one_namespace(objects: Objects) -> Iterator[Problem]:
    """Everything stands in the namespace that the set brings along, so that it goes with it."""
    made = {name_of(each) for each in objects.of("Namespace")}
    for each in objects:
        if each.get("kind") not in _WITHOUT_NAMESPACE and made and namespace_of(each) not in made:
            what = f"namespace {namespace_of(each)} isn't one that this set makes"
            yield Problem(place_of(each, "metadata.namespace"), what, f"Write {min(made)}.")


def names(objects: Objects) -> Iterator[Problem]:
    """Services and namespaces are DNS labels; everything else is at least a DNS name."""
    for each in objects:
        rule = _DNS_LABEL if each.get("kind") in ("Service", "Namespace") else _DNS_NAME
        if not rule.fullmatch(str(name_of(each))):
            what = f"{name_of(each)!r} can't be a name"
            yield Problem(place_of(each, "metadata.name"), what, "Take lower-case letters, digits and hyphens.")


def labels(objects: Objects) -> Iterator[Problem]:
    for each in objects:
        for path in (("metadata", "labels"), ("spec", "template", "metadata", "labels")):
            yield from _label_values(each, path)


def _label_values(found: Object, path: tuple[str, ...]) -> Iterator[Problem]:
    for key, value in dig(found, *path, default={}).items():
        if not isinstance(value, str) or not _LABEL_VALUE.fullmatch(value):
            what = f"{value!r} can't be the value of label {key}"
            fix = "Take at most 63 letters, digits, hyphens, underscores and dots, as text."
            yield Problem(place_of(found, ".".join(path)), what, fix)


def twice(objects: Objects) -> Iterator[Problem]:
    """Of two objects of one name the later would silently replace the earlier."""
    seen = set()
    for each in objects:
        key = (each.get("kind"), namespace_of(each), name_of(each))
        if key in seen:
            yield Problem(place_of(each), "it is there twice", "Leave one of them out, or give it another name.")
        seen.add(key)
