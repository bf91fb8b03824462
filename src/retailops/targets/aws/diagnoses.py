"""Floor 4, aws: the one table of what AWS says in anger, the cause behind it, and the next step.

Three places read it: a refused call of the SDK (session.py: `CODE: message`, or the class of a failure to connect and
what it says), a diagnostic of Terraform (infra.py) and the end of a job (job_endings.py). The first rule that fits
counts, so what is particular stands before what is general.
"""

from __future__ import annotations

from retailops.errors import ConfigError, RetailOpsError, UsageError
from retailops.tools.diagnosis import Rule

_AGAIN = "then run this again: it goes on where it stopped."

# Who one is, and whether AWS believes it.
_IDENTITY = (
    Rule(
        r"RequestTimeTooSkewed|Signature expired|Signature not yet current",
        "This machine's clock is wrong by minutes: set it (it should follow NTP), then run this again.",
        cause="clock",
    ),
    Rule(
        r"ExpiredToken|RequestExpired|TokenRefreshRequired|UnauthorizedSSOToken|LoginRefreshRequired|"
        r"[Tt]oken (included in the request is|has|you provided has) expired|"
        r"Session token not found or invalid|refresh cached SSO token failed|InvalidGrantException",
        f"The credentials have expired: log in anew (aws sso login), {_AGAIN}",
        cause="expired",
    ),
    Rule(
        r"InvalidClientTokenId|UnrecognizedClient|InvalidAccessKeyId|SignatureDoesNotMatch|InvalidSignature|"
        r"AuthFailure(?!\.)|IncompleteSignature|MissingAuthenticationToken|InvalidIdentityToken|"
        r"NoCredentials|PartialCredentials|CredentialRetrieval|ProfileNotFound|ConfigNotFound|TokenRetrieval|"
        r"SSOTokenLoad|LoginTokenLoad|NoAuthToken|[Nn]o valid credential sources|failed to get shared config profile|"
        r"no EC2 IMDS role found|failed to refresh cached credentials",
        "There are no credentials that AWS accepts: log in (aws sso login, or aws configure), or set AWS_PROFILE; "
        "then: retailops doctor",
        cause="credentials",
    ),
    Rule(
        r"explicit deny in a (service|resource) control policy|BlockedByOrganizationPolicy",
        "A rule of the organisation forbids it, which no right of this account's can undo: ask who runs the AWS "
        "organisation, or set another aws.account or aws.region.",
        cause="organisation",
    ),
    Rule(
        r"OptInRequired|PendingVerification|SubscriptionRequired|not subscribed to|being validated|AccountProblem|"
        r"account is currently blocked",
        "AWS hasn't enabled this account, or this region for it: see its mail and the billing page of the account, or "
        "set another aws.region; then run this again.",
        cause="account",
    ),
)
# What AWS runs for us, and on what.
_WORK = (
    Rule(
        r"[Cc]ould not assume role|unable to (perform: sts:AssumeRole|assume (the )?role)|trust relationship|"
        r"cannot be assumed|role .*does not exist or cannot be assumed",
        f"A role of the project isn't there, or not as this version needs it: retailops infra up; {_AGAIN}",
        cause="role",
    ),
    Rule(
        r"Invalid principal in policy|InsufficientS3BucketPolicy|The role with name .* cannot be found|"
        r"Invalid IAM Instance Profile",
        "What was made a moment ago isn't known everywhere in AWS yet: run this again in a minute, it goes on.",
        cause="not yet",
    ),
    Rule(
        r"(?i)cannot pull|repository of your image|image URI|find repository|requested image .*not found|"
        r"manifest .*unknown|RepositoryNotFound|ImageNotFound|access denied for repository|no basic auth credentials",
        "The image of jobs can't be had. Build it: retailops image build --worker; or name another with aws.image in "
        "retail.yaml; then run this again.",
        cause="image",
    ),
    Rule(
        r"No S3 objects found|NoSuchKey|[Cc]ould not find .*s3://",
        "What should be read isn't on S3 any more: run the step that makes it again (for data: retailops etl).",
        cause="input",
    ),
    Rule(
        r"KMSInvalidState|KMS\.Disabled|^DisabledException|is pending deletion|KeyUnavailable|KMSKeyNotAccessible",
        "The key that the data is encrypted with is disabled, or about to be deleted: enable it, or cancel its "
        "deletion, in KMS (aws kms cancel-key-deletion); then run this again.",
        cause="key",
    ),
)
_RIGHTS = (
    Rule(
        r"UnauthorizedOperation|UnauthorizedException|AccessDenied|[Aa]ccess [Dd]enied|not authorized to perform|"
        r"AuthorizationError|AuthFailure\.|Forbidden\b|^403\b|"
        r"[Ii]nsufficient (Lake Formation )?permission|[Nn]ot authorized to",
        "A right is missing: retailops doctor names it, and retailops doctor --policy prints all that are needed; "
        + _AGAIN,
        cause="rights",
    ),
)
# How much there is, and how much one may have of it.
_AMOUNT = (
    Rule(
        r"Throttl|RequestLimitExceeded|TooManyRequests|Rate exceeded|SlowDown|[Rr]educe your request rate",
        "Too many calls at once in this account: run this again in a minute, it goes on.",
        cause="throttled",
    ),
    Rule(
        r"UnsupportedAvailabilityZone|NotAvailableInZone|sufficient capacity to support the cluster",
        "The zone has no room for it, or doesn't offer it: change aws.zones or aws.region, or run this again later.",
        cause="zone",
    ),
    Rule(
        r"InsufficientFreeAddresses|not have enough (free|available) (IP )?addresses|InvalidSubnet\.Range|"
        r"InvalidSubnet\.Conflict|InvalidVpc\.Range",
        "The network has no addresses left for this: set a larger aws.vpc_cidr.",
        cause="addresses",
        error=ConfigError,
    ),
    Rule(
        r"Insufficient(Instance|Host|Reserved\w*)?Capacity|UnfulfillableCapacity|CapacityError|"
        r"not have sufficient .*capacity",
        "AWS has no machine of this type free at this moment: run this again later, or name further aws.nodes.types; "
        + _AGAIN,
        cause="capacity",
    ),
    Rule(
        r"InvalidInstanceType|Ec2InstanceTypeDoesNotExist|instance types? (.*)?(do|does) not exist|"
        r"is not available in this region|requested configuration is currently not supported|"
        r"[Ii]nstanceType' failed to satisfy constraint|instance type .*is not supported",
        "AWS has no machine of this type in this region: change aws.nodes.types, aws.jobs.instance, "
        "aws.training.instance or aws.endpoint.instance in retail.yaml.",
        cause="machine",
        error=ConfigError,
    ),
    Rule(
        r"LimitExceeded|QuotaExceeded|CountExceeded|TooManyBuckets|maximum number of (?!attempts)|reached your quota|"
        r"[Cc]annot exceed quota|service limit",
        f"A quota of the account is used up: retailops doctor shows which and how to raise it; {_AGAIN}",
        cause="quota",
    ),
    Rule(
        r"unsupported Kubernetes version|UnsupportedKubernetesVersion",
        "Set aws.kubernetes to a version that EKS supports: retailops doctor lists them.",
        cause="version",
        error=ConfigError,
    ),
    Rule(
        r"NodeCreationFailure|Unhealthy nodes|AsgInstanceLaunchFailures|Node Group .*CREATE_FAILED",
        "The nodes didn't come up: other aws.nodes.types have more capacity, and nodes without a way out of the "
        f"network can't join; {_AGAIN}",
        cause="nodes",
    ),
    Rule(
        r"InsufficientNumberOfReplicas|last state: 'DEGRADED'|unexpected state 'DEGRADED'",
        f"An add-on of the cluster waits for nodes to run on: see that they are ready, {_AGAIN}",
        cause="add-on",
    ),
)
# What is there already, still, or not any more.
_STATE = (
    Rule(
        r"BucketAlreadyExists\b",
        "A bucket of this name belongs to another account: choose another project.name.",
        cause="taken",
        error=ConfigError,
    ),
    Rule(
        r"OperationAborted|ConcurrentModification|ConcurrentRunsExceeded|ResourceInUseException: .*(cannot|currently)|"
        r"EntityTemporarilyUnmodifiable|ResourcePropagationDelay|not in Active State|ConditionalRequestConflict|"
        r"IncorrectState|in-progress endpoint|(update|operation|rotation).* in progress",
        f"Another operation on the same thing isn't done yet: wait a minute, {_AGAIN}",
        cause="busy",
    ),
    Rule(
        r"DependencyViolation|DeleteConflict|has dependencies|nodegroups attached|InvalidIPAddress\.InUse|"
        r"still contains Model Packages",
        "Something that isn't of this project still uses it, often a load balancer or a network interface: "
        "retailops teardown waits for those; run it again.",
        cause="in use",
    ),
    Rule(
        r"(Bucket|Repository)NotEmpty|still contains images|[Ww]ork[Gg]roup .*is not empty",
        "Something was written to it meanwhile: run retailops teardown again, it empties it first.",
        cause="not empty",
    ),
    Rule(
        r"AlreadyExists|already exists|BucketAlreadyOwnedByYou|ResourceInUse|\.Duplicate\b",
        "It stands already without being in the state: the rest of a run that was cut off. "
        "Remove it (retailops teardown lists it), then run this again.",
        cause="exists",
    ),
    Rule(
        r"RegionDisabled|PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraint|ServiceNotInRegion|"
        r"UnknownEndpoint|BucketRegionError|incorrect region|InvalidRegion|UnknownRegion|^301\b",
        "That is in another region, or the region isn't one that this account uses: correct aws.region in retail.yaml.",
        cause="region",
        error=ConfigError,
    ),
    Rule(
        r"NoSuchBucket|NoSuchEntity|EntityNotFound|ResourceNotFound|\.NotFound\b|NotFoundException|^404\b|"
        r"[Uu]nable to verify/create output bucket|No output location provided|[Cc]ould not find|"
        r"(resource|was) not found",
        f"Something that retailops builds isn't there: retailops infra up makes it again; {_AGAIN}",
        cause="missing",
    ),
    Rule(
        r"does not have the expected content",
        "Terraform's state on S3 isn't what was written last: run this again in a minute; if it stays, its bucket "
        "keeps earlier versions.",
        cause="state",
    ),
)
# What lies between here and there, and AWS itself.
_WAY = (
    Rule(
        r"SSLError|SSL validation failed|certificate verify failed|x509:",
        "Something on the way to AWS shows a certificate that this machine doesn't trust: let AWS_CA_BUNDLE name the "
        "certificates of your company's proxy, then run this again.",
        cause="certificate",
    ),
    Rule(
        r"(Endpoint|Proxy)ConnectionError|ConnectionClosed|ConnectTimeout|ReadTimeout|HTTPClientError|"
        r"ResponseStreaming|IncompleteRead|^ConnectionError|RequestTimeout\b|MetadataRetrieval|"
        r"[Uu]nable to execute (HTTP )?request|allow outbound traffic",
        f"AWS can't be reached, or the connection broke: check the network, {_AGAIN}",
        cause="network",
    ),
    Rule(
        r"BadDigest|ContentSHA256Mismatch|FlexibleChecksum|ChecksumError|InvalidDigest",
        "What arrived isn't what was sent: run this again, only that part is sent anew.",
        cause="checksum",
    ),
    Rule(
        r"InternalServer|InternalError|InternalFailure|InternalService|KMSInternal|ServiceUnavailable|ServiceFailure|"
        r"ServerException|internal error|DependencyTimeout|^50[0-4]\b",
        "AWS failed, not this project: run this again in a few minutes; if it stays, see the AWS Health Dashboard.",
        cause="service",
    ),
    Rule(
        r"ParamValidation|MissingParameter|UnknownParameter|UnsupportedOperation|NotImplemented|NotSupported|Malformed|EntityToo",
        "AWS doesn't understand what retailops asked for: please report it, with the log.",
        cause="bug",
        error=RetailOpsError,
    ),
    Rule(
        r"mismatched input|SYNTAX_ERROR|COLUMN_NOT_FOUND|TYPE_MISMATCH|line \d+:\d+:",
        "Correct the query: the two numbers are its line and column.",
        cause="query",
        error=UsageError,
    ),
    Rule(
        r"Validation(Error|Exception)|InvalidParameter|InvalidInput|InvalidRequest|InvalidArgument|IllegalArgument",
        "AWS doesn't take what it was asked for, and says which part of it: when that comes from retail.yaml, correct "
        "it there; else please report it. Asking again won't help.",
        cause="request",
    ),
)

RULES = (*_IDENTITY, *_WORK, *_RIGHTS, *_AMOUNT, *_STATE, *_WAY)

# What SageMaker says of an endpoint that didn't come up, or was taken back; RULES come after them.
HOSTING = (
    Rule(
        r"ping health check",
        "The server in the image didn't become ready: its log says why, retailops logs has all of it.",
        cause="not ready",
    ),
    Rule(
        r"(?i)\balarms?\b",
        "The new version failed or was slow while it was watched: compare gates.p95_ms and monitor.max_error_rate "
        "with what CloudWatch shows of its configuration; then deploy another version.",
        cause="alarm",
    ),
    Rule(
        r"(?i)\bimage\b|\bECR\b|\brepository\b",
        "The image can't be pulled: retailops image build makes it, and retailops infra up the role that pulls it.",
        cause="image",
    ),
    Rule(
        r"(?i)capacity",
        "AWS has no machine of this type free at this moment: deploy again later, or set another "
        "aws.endpoint.instance.",
        cause="capacity",
    ),
)

# What only the end of a job can mean; `{section}` is its part of retail.yaml. RULES come after them.
JOBS = (
    Rule(
        r"MaxRuntimeExceeded|exceeded max(imum)? (allowed )?run ?time",
        "Raise {section}.max_minutes in retail.yaml, or choose a faster {section}.instance; then run it again.",
        "The job took longer than it may.",
        cause="time",
    ),
    Rule(
        r"MaxWaitTimeExceeded|max(imum allowed)? wait time",
        "Set aws.training.spot: false, or allow more minutes; then run it again.",
        "No spare capacity came free in the time that aws.training.max_wait_minutes allows.",
        cause="wait",
    ),
    Rule(
        r"CapacityError|[Ii]nsufficient ?([Ii]nstance )?[Cc]apacity",
        "Try again later, or choose another {section}.instance in retail.yaml.",
        "AWS has no machine of this type free at this moment.",
        cause="capacity",
    ),
    Rule(
        r"(?i)trust relationship|sts:AssumeRole|(could not|unable to) assume (the )?role",
        "Bring the roles to what this version needs: retailops infra up; then run it again.",
        "SageMaker may not work as the job's role.",
        cause="role",
    ),
    Rule(
        r"(?i)CannotPull|pull.*(image|container)|image.*(not exist|not found|no access)|repository.*not exist|"
        r"manifest.*unknown|\bECR\b|access denied for repository",
        "Build it: retailops image build --worker; or name another with aws.image in retail.yaml. Then run it again.",
        "SageMaker can't load the image that jobs run in.",
        cause="image",
    ),
    Rule(
        r"(?i)OutOfMemory|out of memory|bad_alloc|more memory|exit code:? ?137|SIGKILL",
        "Choose a bigger {section}.instance, or lower etl.memory_mb or train.max_baskets; then run it again.",
        "The job was killed, as happens when memory runs out.",
        cause="memory",
    ),
    Rule(
        r"(?i)no space left|disk (is )?full|ENOSPC|(insufficient|not enough) disk space",
        "Raise {section}.volume_gb in retail.yaml; then run it again.",
        "The job's disk is full.",
        cause="disk",
    ),
    Rule(
        r"(?i)no S3 objects found|NoSuchKey|NoSuchBucket|HeadObject|\b404\b",
        "Run the step that makes it again: retailops etl",
        "An input of the job isn't on S3 any more.",
        cause="input",
    ),
    Rule(
        r"(?i)AccessDenied|access denied|not authorized|403 Forbidden|\bKMS\b",
        "Bring the roles to what this version needs: retailops infra up; then run it again.",
        "The job's role may not do what the job needs.",
        cause="role",
    ),
    Rule(r"InternalServerError", "Run the same command again.", "SageMaker failed, not the job.", cause="service"),
    Rule(
        r"AlgorithmError|ExecuteUserScriptError",
        "Run the same command again; if it stays, the log has the whole story.",
        "The job's program ended by itself, without its result.",
        cause="program",
    ),
)
