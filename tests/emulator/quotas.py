"""Service Quotas beyond the few that moto knows: AWS's own default values, which a test may raise or lower."""

from __future__ import annotations

import json
from typing import Any

from emulator.server import Request, Response

DEFAULTS = {
    "L-0263D0A3": ("ec2", "EC2-VPC Elastic IPs", 5),
    "L-1216C47A": ("ec2", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", 32),
    "L-34B43A08": ("ec2", "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests", 32),
    "L-1194D53C": ("eks", "Clusters", 100),
}

SAGEMAKER = [
    ("ml.m5.large for endpoint usage", 4),
    ("ml.m5.large for training job usage", 4),
    ("ml.m5.large for spot training job usage", 4),
]


def quota(request: Request) -> Response | None:
    if not request.target.endswith("ServiceQuotasV20190624.GetServiceQuota"):
        return None
    code = str(json.loads(request.body)["QuotaCode"])
    return answer(code, DEFAULTS[code][2]) if code in DEFAULTS else None


def answer(code: str, value: float) -> Response:
    """What GetServiceQuota says of one quota."""
    service, name, _ = DEFAULTS.get(code, ("vpc", code, 0))
    described: dict[str, Any] = {"QuotaCode": code, "QuotaName": name, "ServiceCode": service, "Value": value}
    return Response(json.dumps({"Quota": described}).encode(), 200, {"Content-Type": "application/x-amz-json-1.1"})


def listed(request: Request) -> Response | None:
    """SageMaker's are known by their names alone, and there are so many that they come in pages."""
    if not request.target.endswith("ServiceQuotasV20190624.ListServiceQuotas"):
        return None
    page = int(json.loads(request.body).get("NextToken", "0"))
    name, value = SAGEMAKER[page]
    body: dict[str, Any] = {"Quotas": [{"QuotaCode": f"L-SAGEMAK{page}", "QuotaName": name, "Value": value}]}
    if page + 1 < len(SAGEMAKER):
        body["NextToken"] = str(page + 1)
    return Response(json.dumps(body).encode(), 200, {"Content-Type": "application/x-amz-json-1.1"})


HOOKS = [quota, listed]
