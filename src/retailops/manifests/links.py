"""Checks of references: what one object says of another must be there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from retailops.manifests.lint import Problem
from retailops.manifests.objects import Object, Objects, Pods, dig, name_of, namespace_of, place_of

_VARIABLE = re.compile(r"(?<!\$)\$\((\w+)\)")
_SOURCES = (("configMapRef", "ConfigMap"), ("secretRef", "Secret"))
_KEYS = (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret"))


def own_pods(objects: Objects) -> Iterator[Problem]:
    for pods in objects.pods():
        wanted = dig(pods.owner, "spec", "selector", "matchLabels", default={})
        if not wanted.items() <= pods.labels.items():
            what = f"its selector {dict(wanted)} doesn't match its own pods {dict(pods.labels)}"
            yield Problem(place_of(pods.owner, "spec.selector"), what, "Give both the same labels.")


def service_selector(objects: Objects) -> Iterator[Problem]:
    for each in objects.of("Service"):
        wanted = dig(each, "spec", "selector", default={})
        if not objects.selected(wanted, namespace_of(each)):
            what = f"{dict(wanted)} matches no pods here"
            yield Problem(place_of(each, "spec.selector"), what, "Take labels of the Deployment's pods.")


def target_port(objects: Objects) -> Iterator[Problem]:
    for each in objects.of("Service"):
        pods = objects.selected(dig(each, "spec", "selector", default={}), namespace_of(each))
        for port in dig(each, "spec", "ports", default=[]):
            wanted = port.get("targetPort", port.get("port"))
            if pods and not any(one.has_port(wanted) for one in pods):
                what = f"no container of its pods has the port {wanted!r}"
                yield Problem(place_of(each, "spec.ports.targetPort"), what, "Take a port's name from the container.")


def ingress_backend(objects: Objects) -> Iterator[Problem]:
    for each in objects.of("Ingress"):
        for rule in dig(each, "spec", "rules", default=[]):
            for path in dig(rule, "http", "paths", default=[]):
                yield from _backend(objects, each, dig(path, "backend", "service", default={}))


def _backend(objects: Objects, ingress: Object, wanted: Object) -> Iterator[Problem]:
    where = place_of(ingress, "spec.rules.http.paths.backend")
    service = objects.find("Service", wanted.get("name"), namespace_of(ingress))
    if service is None:
        yield Problem(where, f"there is no Service {wanted.get('name')!r}", "Name one of this set.")
        return
    port = dig(wanted, "port", default={})
    key, value = ("name", port.get("name")) if "name" in port else ("port", port.get("number"))
    if not any(one.get(key) == value for one in dig(service, "spec", "ports", default=[])):
        what = f"Service {wanted.get('name')} has no port {value!r}"
        yield Problem(where, what, "Take a port's name from the Service.")


def network_policy(objects: Objects) -> Iterator[Problem]:
    for each in objects.of("NetworkPolicy"):
        wanted = dig(each, "spec", "podSelector", "matchLabels", default={})
        pods = objects.selected(wanted, namespace_of(each))
        if wanted and not pods:
            what = f"{dict(wanted)} matches no pods here, so nothing is guarded"
            yield Problem(place_of(each, "spec.podSelector"), what, "Take labels of the Deployment's pods.")
        for rule in dig(each, "spec", "ingress", default=[]):
            for port in rule.get("ports") or []:
                if pods and not any(one.has_port(port.get("port")) for one in pods):
                    what = f"no container of its pods has the port {port.get('port')!r}, so nobody gets in"
                    yield Problem(place_of(each, "spec.ingress.ports"), what, "Take a port's name from the container.")


def service_account(objects: Objects) -> Iterator[Problem]:
    for pods in objects.pods():
        name = pods.spec.get("serviceAccountName", "default")
        if name != "default" and objects.find("ServiceAccount", name, namespace_of(pods.owner)) is None:
            what = f"there is no ServiceAccount {name!r}, so no pod can be made"
            yield Problem(place_of(pods.owner, "spec.template.spec.serviceAccountName"), what, "Name one of this set.")


def config_reference(objects: Objects) -> Iterator[Problem]:
    for pods in objects.pods():
        for kind, wanted, key in _references(pods):
            found = objects.find(kind, wanted.get("name", wanted.get("secretName")), namespace_of(pods.owner))
            if wanted.get("optional"):
                continue
            if found is None:
                what = f"there is no {kind} {wanted.get('name', wanted.get('secretName'))!r}"
                yield Problem(place_of(pods.owner, "spec.template.spec"), what, "Name one of this set.")
            elif key and key not in dig(found, "data", default={}):
                what = f"{kind} {name_of(found)} has no key {key!r}"
                yield Problem(place_of(pods.owner, "spec.template.spec"), what, "Take a key that is in it.")


def _references(pods: Pods) -> Iterator[tuple[str, Object, str]]:
    """Kind, reference and key (empty = all of it)."""
    for container in pods.containers:
        for source in container.get("envFrom") or []:
            yield from ((kind, source[word], "") for word, kind in _SOURCES if word in source)
        for variable in container.get("env") or []:
            source = variable.get("valueFrom") or {}
            yield from ((kind, source[word], source[word].get("key", "")) for word, kind in _KEYS if word in source)
    for volume in pods.spec.get("volumes") or []:
        yield from ((kind, volume[word], "") for word, kind in (("configMap", "ConfigMap"),) if word in volume)
        yield from ((kind, volume[word], "") for word, kind in (("secret", "Secret"),) if word in volume)


def argument_variable(objects: Objects) -> Iterator[Problem]:
    """`$(NAME)` of nothing isn't empty: it stays as it is, and the program gets it literally."""
    for pods in objects.pods():
        for container in pods.containers:
            known = _variables(objects, container, namespace_of(pods.owner))
            for word in [*(container.get("command") or []), *(container.get("args") or [])]:
                for name in _VARIABLE.findall(str(word)):
                    if name not in known:
                        where = place_of(pods.owner, f"container {container.get('name')} {word}")
                        yield Problem(where, f"no variable {name} is set", "Put it into the ConfigMap.")


def _variables(objects: Objects, container: Object, namespace: object) -> set[str]:
    known = {str(each.get("name")) for each in container.get("env") or []}
    for source in container.get("envFrom") or []:
        for word, kind in _SOURCES:
            found = objects.find(kind, dig(source, word, "name"), namespace)
            known |= {source.get("prefix", "") + key for key in dig(found, "data", default={})}
    return known


def volumes(objects: Objects) -> Iterator[Problem]:
    for pods in objects.pods():
        known = {each.get("name") for each in pods.spec.get("volumes") or []}
        for container in pods.containers:
            for mount in container.get("volumeMounts") or []:
                if mount.get("name") not in known:
                    where = place_of(pods.owner, f"container {container.get('name')} volumeMounts")
                    yield Problem(where, f"there is no volume {mount.get('name')!r}", "Add it to the pod's volumes.")


def spread(objects: Objects) -> Iterator[Problem]:
    for pods in objects.pods():
        for each in pods.spec.get("topologySpreadConstraints") or []:
            wanted = dig(each, "labelSelector", "matchLabels", default={})
            if not wanted or not wanted.items() <= pods.labels.items():
                where = place_of(pods.owner, "spec.template.spec.topologySpreadConstraints")
                yield Problem(where, f"{dict(wanted)} doesn't match its own pods", "Take the pods' labels.")
