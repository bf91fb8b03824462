"""Floor 4, aws: what the manifests say on EKS, or on another cluster that serves this account's models."""

from __future__ import annotations

import json
from typing import Any

from retailops import manifests
from retailops.manifests import CHECKS, Check
from retailops.ports import Manifest, ModelVersion
from retailops.targets.aws.balancing import balancer_annotations
from retailops.targets.aws.pod_identity import role_arns
from retailops.targets.aws.rights import partition
from retailops.targets.aws.session import Session

NAMESPACE = "retailops"  # templates/aws/infra/identity.tf lets retailops:api take the API's role
AWS_CHECKS = (*CHECKS, Check("IRSA role", role_arns), Check("ALB annotation", balancer_annotations))

# The server keeps an idle connection for 30 s (serving/server.py): the balancer has to be the one that ends it.
IDLE_S = 20
# Longer than preStop makes no sense: then the pod goes whether the balancer is done or not.
DEREGISTRATION_S = manifests.PRE_STOP_S


_NAMES = {
    "to": [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        }
    ],
    "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
}
NAMES_AND_HTTPS: list[dict[str, Any]] = [
    _NAMES,
    {"ports": [{"port": 443, "protocol": "TCP"}]},
]  # whom pods with a role may call: AWS


def rendered(session: Session, model: ModelVersion, image: str) -> tuple[Manifest, ...]:
    """The manifests of a version, which have passed the lint."""
    if session.config.deploy.kubernetes.context:
        return manifests.proved(manifests.elsewhere(session.config, model, image), AWS_CHECKS)
    values = manifests.values(session.config, model, image, NAMESPACE) | _on_eks(session)
    files = (*manifests.FILES, "ingress.yaml")
    return manifests.proved(manifests.render(manifests.FOLDER, files, values), AWS_CHECKS)


def _on_eks(session: Session) -> dict[str, Any]:
    names, settings = session.names, session.settings
    return _balancer(session) | {
        "readiness_gate": "enabled",
        "role_arn": f"arn:{partition(names.region)}:iam::{names.account}:role/{names.prefix}-api",
        "callers": [{"ipBlock": {"cidr": settings.vpc_cidr}}],  # where the balancer's addresses are
        "called": NAMES_AND_HTTPS,
    }


def _balancer(session: Session) -> dict[str, Any]:
    # Tags without the owner: the controller splits this annotation at commas, and a person's words may hold some.
    ingress, secure = session.settings.ingress, bool(session.settings.ingress.certificate_arn)
    inbound = ingress.cidrs or (() if ingress.public else (session.settings.vpc_cidr,))
    attributes = {
        "idle_timeout.timeout_seconds": str(IDLE_S),
        "routing.http.drop_invalid_header_fields.enabled": "true",
        "access_logs.s3.enabled": str(ingress.access_logs).lower(),
    }
    if ingress.access_logs:
        attributes |= {"access_logs.s3.bucket": session.names.bucket("logs"), "access_logs.s3.prefix": "api"}
    targets = {
        "deregistration_delay.timeout_seconds": str(DEREGISTRATION_S),
        "load_balancing.algorithm.type": "least_outstanding_requests",
    }
    return {
        "scheme": "internet-facing" if ingress.public else "internal",
        "listen_ports": json.dumps([{"HTTP": 80}, {"HTTPS": 443}] if secure else [{"HTTP": 80}]),
        "certificate_arn": ingress.certificate_arn or None,
        "ssl_policy": "ELBSecurityPolicy-TLS13-1-2-2021-06" if secure else None,
        "ssl_redirect": "443" if secure else None,
        "inbound_cidrs": ",".join(inbound) or None,
        "balancer_attributes": _joined(attributes),
        "target_attributes": _joined(targets),
        "waf_arn": ingress.waf_arn or None,
        "tags": _joined(session.names.tags("")),
    }


def _joined(pairs: dict[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in pairs.items())
