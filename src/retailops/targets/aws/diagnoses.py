"""Floor 4, aws: what AWS refuses while Terraform works, and the next step for each."""

from __future__ import annotations

from retailops.errors import ConfigError
from retailops.tools.diagnosis import Rule

RULES = (
    Rule(
        r"UnauthorizedOperation|AccessDenied|not authorized to perform|AuthorizationError",
        "A right is missing: retailops doctor names it, and retailops doctor --policy prints all that are needed. "
        "Then run this again: it goes on.",
    ),
    Rule(
        r"ExpiredToken|security token included in the request is expired",
        "The credentials have expired: log in anew (aws sso login), then run this again: it goes on.",
    ),
    Rule(
        r"No valid credential sources|InvalidClientTokenId|UnrecognizedClient",
        "There are no credentials that AWS accepts: aws sso login, or set AWS_PROFILE; then: retailops doctor",
    ),
    Rule(
        r"LimitExceeded|QuotaExceeded|VcpuLimitExceeded|TooManyBuckets|maximum number of",
        "A quota of the account is used up: retailops doctor shows which and how to raise it. "
        "Then run this again: it goes on.",
    ),
    Rule(
        r"UnsupportedAvailabilityZoneException|does not currently have sufficient capacity",
        "The zone has no capacity for this now: run this again later, or change aws.zones or aws.region.",
    ),
    Rule(
        r"unsupported Kubernetes version|UnsupportedKubernetesVersion",
        "Set aws.kubernetes to a version that EKS supports: retailops doctor lists them.",
        error=ConfigError,
    ),
    Rule(
        r"InsufficientInstanceCapacity|NodeCreationFailure|Unhealthy nodes",
        "The nodes didn't come up: other aws.nodes.types have more capacity; then run this again: it goes on.",
    ),
    Rule(
        r"BucketAlreadyExists\b",
        "A bucket of this name belongs to another account: choose another project.name.",
        error=ConfigError,
    ),
    Rule(
        r"AlreadyExists|already exists|BucketAlreadyOwnedByYou|ResourceInUse",
        "It stands already without being in the state: the rest of a run that was cut off. "
        "Remove it (retailops teardown lists it), then run this again.",
    ),
    Rule(
        r"BucketNotEmpty",
        "Something was written to the bucket meanwhile: run retailops teardown again, it empties it first.",
    ),
    Rule(
        r"DependencyViolation",
        "Something that isn't of this project still uses it, often a load balancer or a network interface: "
        "retailops teardown waits for those; run it again.",
    ),
    Rule(
        r"Throttling|RequestLimitExceeded|Rate exceeded|SlowDown",
        "Too many calls at once in this account: run this again in a minute, it goes on.",
    ),
)
