"""Floor 4, aws: the way into our EKS cluster."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from retailops.targets.aws.inventory.account import unless_gone
from retailops.targets.aws.session import Session, translated
from retailops.tools import kube

_SECONDS = 60  # a token's web address is good for this long; EKS takes the token itself for a quarter of an hour


def described(session: Session) -> dict[str, Any] | None:
    """Our cluster as EKS describes it; None when there is none, or the one of that name isn't ours."""
    name = session.names.prefix
    found: dict[str, Any] | None = None
    with translated(f"Asking for the cluster {name}"), unless_gone():
        found = session.client("eks").describe_cluster(name=name)["cluster"]
    if found is None:
        return None
    tags = found.get("tags", {})
    own = session.names.tags("")
    return found if all(tags.get(key) == value for key, value in own.items()) else None


@contextmanager
def connected(session: Session, cluster: dict[str, Any]) -> Iterator[kube.Cluster]:
    """Its Kubernetes API, with tokens of the current credentials, made anew before they run out."""
    certificate = cluster.get("certificateAuthority", {}).get("data", "")
    with kube.connect(cluster["endpoint"], certificate, lambda: token(session, cluster["name"])) as found:
        yield found


def token(session: Session, name: str) -> str:
    """What EKS takes as proof of who we are: the address of a signed call to STS that it makes in our place."""
    sts = session.client("sts")
    events = sts.meta.events
    events.register("provide-client-params.sts.GetCallerIdentity", _take_name)
    events.register("before-sign.sts.GetCallerIdentity", _put_name)
    with translated("Signing a token for the cluster"):
        address = sts.generate_presigned_url(
            "get_caller_identity", Params={_NAME: name}, ExpiresIn=_SECONDS, HttpMethod="GET"
        )
    return "k8s-aws-v1." + base64.urlsafe_b64encode(address.encode()).decode().rstrip("=")


_NAME = "ClusterName"
_HEADER = "x-k8s-aws-id"


def _take_name(*, params: dict[str, Any], context: dict[str, Any], **rest: object) -> None:
    """The name isn't a parameter of the call: it travels as a header, and is signed with it."""
    if _NAME in params:
        context[_NAME] = params.pop(_NAME)


def _put_name(*, request: Any, **rest: object) -> None:
    if _NAME in request.context:
        request.headers[_HEADER] = request.context[_NAME]
