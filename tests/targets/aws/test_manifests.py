"""The manifests of the API: valid for every Kubernetes of EKS, and each fault is noticed as the table says."""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from broken_manifests import BROKEN, Broken, page
from retailops import manifests
from retailops.config import Config
from retailops.errors import ConfigError
from retailops.manifests import PRE_STOP_S, Objects, proved
from retailops.manifests.objects import dig
from retailops.ports import Manifest
from retailops.serving import server
from retailops.serving.__main__ import _options
from retailops.targets.aws import workload
from retailops.targets.aws.kubernetes_versions import READ, SUPPORT
from retailops.targets.aws.session import Session
from sound_manifests import CERTIFICATE, EVERYTHING, IMAGE, MODEL, WAF, lint, objects_of, rendered, written

VERSIONS = [version for version, support in SUPPORT.items() if f"{support.standard}" > READ]
ROOT = Path(__file__).parents[3]
TEMPLATES = ROOT / "templates" / "aws" / "k8s"

Configured = Callable[[str], Config]


@functools.cache
def _schema_fault(text: str, version: str) -> str:
    try:
        judged = kubernetes_validate.validate(json.loads(text), version, strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as fault:
        return str(fault.message)
    assert judged == version, "judged by another version's schema"
    return ""


def schema_fault(found: Mapping[str, Any], version: str) -> str:
    """What the schema of this version says; empty = nothing. An object that it doesn't know is a fault too."""
    return _schema_fault(json.dumps(found), version)


SETS = {
    "eks": written(**EVERYTHING),
    "elsewhere": written(context="kind-here", host="api.example.org", tls_secret="api", ingress_class="nginx"),
}


def test_every_version_in_standard_support_is_judged_by() -> None:
    assert len(VERSIONS) >= 3
    assert set(VERSIONS) <= {".".join(each.split(".")[:2]) for each in kubernetes_validate.utils.all_versions()}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("text", SETS.values(), ids=SETS)
def test_the_set_is_valid(configured: Configured, text: str, version: str) -> None:
    for found in objects_of(rendered(configured(text))):
        assert not schema_fault(found, version), found["kind"]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.fault)
def test_a_fault_is_caught_by_whom_the_table_says(secure: list[Mapping[str, Any]], broken: Broken) -> None:
    found = broken.applied(secure)
    assert verdicts(broken, found, VERSIONS[-1]) == set(broken.by) - {"api"}
    if "lint" in broken.by:
        assert broken.check in lint(found)


@pytest.mark.slow
def test_every_version_says_the_same_of_a_fault(secure: list[Mapping[str, Any]]) -> None:
    for broken in BROKEN:
        found = broken.applied(secure)
        for version in VERSIONS:
            assert verdicts(broken, found, version) == set(broken.by) - {"api"}, (broken.fault, version)


def test_the_page_of_faults_is_current_and_nobody_overlooks_one() -> None:
    assert (ROOT / "docs" / "manifests.md").read_text(encoding="utf-8") == page(), "run: make reference"
    assert all(broken.by for broken in BROKEN)


def verdicts(broken: Broken, objects: list[dict[str, Any]], version: str) -> set[str]:
    """Who noticed, really asked."""
    changed = [each for each in objects if each["kind"] == broken.kind]
    by_schema = any(schema_fault(each, version) for each in changed)
    return ({"schema"} if by_schema else set()) | ({"lint"} if lint(objects) else set())


def test_the_table_of_faults_is_long_enough_and_leaves_no_check_out() -> None:
    ours = [broken for broken in BROKEN if set(broken.by) & {"schema", "lint"}]
    assert len(ours) >= 23 and len({broken.fault for broken in BROKEN}) == len(BROKEN)
    tested = {broken.check for broken in BROKEN}
    assert {check.name for check in workload.AWS_CHECKS} - tested == {"twice"}, "it has a test of its own"


def test_a_sound_set_has_no_problem_and_its_faults_are_told_all_at_once(secure: list[Mapping[str, Any]]) -> None:
    assert lint(secure) == {}
    faulty = secure
    for broken in (each for each in BROKEN if each.fault in ("an image by tag", "an HPA of nothing")):
        faulty = broken.applied(faulty)
    with pytest.raises(ConfigError) as caught:
        proved([Manifest("all.yaml", "", tuple(faulty))], workload.AWS_CHECKS)
    text = str(caught.value)
    assert "Deployment retailops/api container api" in text and "has no digest" in text
    assert "HorizontalPodAutoscaler retailops/api spec.scaleTargetRef" in text and "'apy'" in text
    assert {each["check"] for each in caught.value.details["problems"]} == {"digest", "autoscaler target"}


def test_what_is_rendered_has_passed_the_lint(configured: Configured) -> None:
    session = Session(configured(written()))
    session.__dict__["account"] = "1234"  # so that the role's ARN is none
    with pytest.raises(ConfigError, match="IRSA role"):
        workload.rendered(session, MODEL, IMAGE)


def test_an_object_that_is_there_twice_is_told(secure: list[Mapping[str, Any]]) -> None:
    assert "twice" in lint([*secure, secure[0]])


def test_elsewhere_nothing_of_aws_is_left(configured: Configured) -> None:
    found = rendered(configured(SETS["elsewhere"]))
    code = "\n".join(re.sub(r"^\s*#.*", "", manifest.text, flags=re.MULTILINE) for manifest in found)
    code = code.replace(IMAGE, "")
    assert not re.search(r"amazonaws|elbv2|\balb\b|\barn:", code)
    assert "namespace: retail-demo-dev" in code and "egress: []" in code
    (ingress,) = (each for each in objects_of(found) if each["kind"] == "Ingress")
    assert ingress["spec"]["ingressClassName"] == "nginx"
    assert ingress["spec"]["tls"] == [{"hosts": ["api.example.org"], "secretName": "api"}]
    alone = objects_of(rendered(configured(written(context="kind-here"))))
    assert "Ingress" not in {each["kind"] for each in alone}


def test_the_names_are_those_that_the_infrastructure_trusts(secure: list[Mapping[str, Any]]) -> None:
    account = Objects(secure).of("ServiceAccount")[0]["metadata"]
    identity = (TEMPLATES.parent / "infra" / "identity.tf").read_text()
    assert f'account = "{account["namespace"]}:{account["name"]}"' in identity
    assert account["annotations"]["eks.amazonaws.com/role-arn"].endswith(":role/retail-demo-dev-api")


def test_the_server_takes_its_arguments_from_the_config_map(configured: Configured) -> None:
    config = configured(written() + "monitor: {retention_days: 9}\n")
    found = Objects(objects_of(rendered(config)))
    data = found.of("ConfigMap")[0]["data"]
    (container,) = found.pods()[0].containers
    assert container["command"] == ["python", "-m", "retailops.serving"]
    options = _options([re.sub(r"\$\((\w+)\)", lambda name: data[name.group(1)], each) for each in container["args"]])
    deploy, limits = config.deploy, options.limits
    assert (options.version, options.retention_days, options.host, options.port) == (3, 9, "0.0.0.0", 8080)
    assert (limits.max_lines, limits.max_baskets) == (deploy.max_lines, deploy.max_baskets)
    assert (limits.max_body, limits.body_timeout_s) == (deploy.max_body_kb * 1024, deploy.body_timeout_s)
    mounts = {each["mountPath"] for each in container["volumeMounts"]}
    assert str(options.log_folder) in mounts, "the root can't be written"


def test_a_pod_has_time_to_leave_and_the_balancer_ends_idle_connections_first(
    secure: list[Mapping[str, Any]],
) -> None:
    spec = Objects(secure).pods()[0].spec
    (container,) = spec["containers"]
    drain = next(int(each.partition("=")[2]) for each in container["args"] if each.startswith("--drain-s="))
    journal_s = 10  # twice the 5 s of Journal.close
    assert spec["terminationGracePeriodSeconds"] >= PRE_STOP_S + drain + server._FINISH_S + journal_s
    assert container["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", str(PRE_STOP_S)]
    assert workload.IDLE_S < server._KEEP_ALIVE_S
    assert workload.DEREGISTRATION_S <= PRE_STOP_S


def test_what_is_probed_is_what_the_server_answers(secure: list[Mapping[str, Any]]) -> None:
    from retailops.serving import app

    routes = set(re.findall(r'@app\.get\("(/\w+)"', Path(app.__file__).read_text()))
    (container,) = Objects(secure).pods()[0].containers
    asked = {dig(container, f"{name}Probe", "httpGet", "path") for name in ("startup", "readiness", "liveness")}
    annotated = Objects(secure).of("Ingress")[0]["metadata"]["annotations"]
    assert asked == {"/healthz", "/readyz"} <= routes
    assert annotated["alb.ingress.kubernetes.io/healthcheck-path"] == "/readyz"


def test_a_changed_limit_makes_another_config_map_and_so_another_pod(configured: Configured) -> None:
    first = Objects(objects_of(rendered(configured(written()))))
    other = Objects(objects_of(rendered(configured(written().replace('{"kub', '{"max_lines": 9, "kub')))))
    names = [each.of("ConfigMap")[0]["metadata"]["name"] for each in (first, other)]
    assert names[0] != names[1]
    assert [each.pods()[0].containers[0]["envFrom"][0]["configMapRef"]["name"] for each in (first, other)] == names


def test_every_template_is_rendered_and_reads_as_yaml_of_its_own() -> None:
    used = {*manifests.FILES, "ingress.yaml", "ingress-plain.yaml"}
    jobs = {"etl-job.yaml", "etl-token.yaml"}  # rendered in tests/batch
    assert {path.name for path in TEMPLATES.glob("*.yaml")} == used | jobs


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("deploy: {kubernetes: {image: 'registry.example.org/api:1'}}", "deploy.kubernetes.image"),
        ("deploy: {kubernetes: {replicas_min: 9}}", "replicas_max is at least replicas_min"),
        ("deploy: {kubernetes: {replicas_min: 1}}", "deploy.kubernetes.replicas_min"),
        ("deploy: {kubernetes: {tls_secret: api}}", "set host too"),
        ("aws: {ingress: {public: true}}", "needs a certificate"),
        (f"aws: {{region: eu-west-1, ingress: {{certificate_arn: '{CERTIFICATE}'}}}}", "its own region's"),
        ("aws: {ingress: {cidrs: [10.0.0.0/33]}}", "must be a network"),
    ],
)
def test_a_config_that_can_only_fail_is_refused(configured: Configured, text: str, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(text)
    assert why in caught.value.what


SWITCHES: dict[str, list[dict[str, Any]]] = {
    "place": [{}, {"context": "kind-here"}],
    "host": [{}, {"host": "api.example.org"}, {"host": "null"}, {"host": "api.example.org", "tls_secret": "on"}],
    "class": [{}, {"ingress_class": "no"}],
    "size": [{}, {"cpu": 0.1, "memory_mb": 256, "replicas_min": 9, "replicas_max": 9}],
}
INGRESSES: list[dict[str, Any]] = [
    {**access, **waf, **logs, **cidrs}
    for access, waf, logs, cidrs in itertools.product(
        [{}, {"certificate_arn": CERTIFICATE}, {"certificate_arn": CERTIFICATE, "public": True}],
        [{}, {"waf_arn": WAF}],
        [{}, {"access_logs": True}],
        [{}, {"cidrs": ["10.0.0.0/8", "2001:db8::/32"]}],
    )
]


@pytest.mark.slow
def test_every_combination_of_switches_gives_a_valid_set(configured: Configured) -> None:
    seen = 0
    for switches in itertools.product(*SWITCHES.values()):
        chosen = {key: value for each in switches for key, value in each.items()}
        for ingress in INGRESSES if "context" not in chosen else INGRESSES[:1]:
            found = rendered(configured("project: {owner: 'A, B = C: #1'}\n" + written(ingress, **chosen)))
            seen += 1
            faults = [schema_fault(each, version) for each in objects_of(found) for version in VERSIONS]
            assert not any(faults), chosen
    assert seen == 16 * len(INGRESSES) + 16
