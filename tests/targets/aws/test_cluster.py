"""The way into the cluster: whose it is, and the token that EKS takes."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, urlsplit

from emulator import Emulator
from emulator.estate import Estate
from emulator.planting import PREFIX
from retailops.targets.aws import cluster
from retailops.targets.aws.session import Session


def test_a_token_is_the_address_of_a_call_to_sts_signed_with_the_cluster_s_name(swift: Session) -> None:
    made = cluster.token(swift, PREFIX)
    scheme, _, rest = made.partition(".")
    assert scheme == "k8s-aws-v1" and "=" not in rest
    address = urlsplit(base64.urlsafe_b64decode(rest + "=" * (-len(rest) % 4)).decode())
    query = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert query["Action"] == "GetCallerIdentity"
    assert query["X-Amz-SignedHeaders"] == "host;x-k8s-aws-id"
    assert query["X-Amz-Expires"] == "60"
    assert "ClusterName" not in query


def test_a_token_of_another_cluster_is_another(swift: Session) -> None:
    assert cluster.token(swift, PREFIX) != cluster.token(swift, f"{PREFIX}2")


def test_no_cluster_is_none_and_another_s_of_our_name_is_none_of_ours(swift: Session, aws: Emulator) -> None:
    assert cluster.described(swift) is None
    Estate(aws).cluster("http://127.0.0.1:9")
    found = cluster.described(swift)
    assert found is not None and found["endpoint"] == "http://127.0.0.1:9"
    eks = aws.client("eks")
    eks.tag_resource(resourceArn=found["arn"], tags={"retailops:environment": "dev2"})
    assert cluster.described(swift) is None
