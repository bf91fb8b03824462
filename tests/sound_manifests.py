"""Manifests as retailops renders them, for tests: the whole set on EKS, or on another cluster."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from retailops import config as configuration
from retailops import targets
from retailops.config import Config
from retailops.manifests import Objects, problems
from retailops.ports import Manifest, ModelVersion, Run
from retailops.targets.aws import workload
from retailops.targets.aws.session import Session

IMAGE = f"123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/retail-demo-dev@sha256:{'a' * 64}"
CERTIFICATE = "arn:aws:acm:ap-southeast-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
WAF = f"arn:aws:wafv2:ap-southeast-1:123456789012:regional/webacl/api/{CERTIFICATE[-36:]}"
MODEL = ModelVersion(3, Run("r1", "xgboost", "d1", Path("bundle"), "c" * 64, "2026-11-26T00:00:00Z", {}, {}))
EVERYTHING = {
    "host": "api.example.org",
    "ingress": {"public": True, "certificate_arn": CERTIFICATE, "waf_arn": WAF, "access_logs": True},
}


def written(ingress: Mapping[str, Any] | None = None, **kubernetes: Any) -> str:
    """Sections of retail.yaml; JSON is YAML."""
    deploy = {"kubernetes": {"image": IMAGE, **kubernetes}}
    return f"deploy: {json.dumps(deploy)}\naws: {json.dumps({'ingress': dict(ingress or {})})}\n"


def rendered(config: Config) -> tuple[Manifest, ...]:
    session = Session(config)
    session.__dict__["account"] = "123456789012"
    return workload.rendered(session, MODEL, config.deploy.kubernetes.image or IMAGE)


def objects_of(manifests: Iterable[Manifest]) -> list[Mapping[str, Any]]:
    return [each for manifest in manifests for each in manifest.objects]


def on_eks(folder: Path) -> list[Mapping[str, Any]]:
    """The whole set, everything switched on. `folder` gets the retail.yaml."""
    path = folder / "retail.yaml"
    path.write_text(f"version: 1\ntarget: aws\n{written(**EVERYTHING)}")
    return objects_of(
        rendered(configuration.load(path, targets=targets.settings(), algorithms=["xgboost"], environ={}))
    )


def lint(objects: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    return {
        name: f"{one.where}: {one.what}. {one.fix}" for name, one in problems(Objects(objects), workload.AWS_CHECKS)
    }
