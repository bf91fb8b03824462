"""Which rights a piece of work really needs: every request to the emulator, told as IAM's actions.

    with recorded(aws) as actions:
        ...                # retailops, Terraform, anything
    assert actions <= allowed

Most services call an action as they call the operation. S3 doesn't; neither do a few others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import botocore.session

from emulator.server import Emulator, Request

_SERVICES = {"tagging": "tag", "monitoring": "cloudwatch"}  # as signed → as IAM calls it
_MODELS = {  # of REST protocols
    "tagging": ("resourcegroupstaggingapi",),
    "sagemaker": ("sagemaker-featurestore-runtime", "sagemaker-runtime"),
}
_UNCHECKED = {"sts:GetCallerIdentity"}  # always allowed
_ACTIONS = {
    "budgets:CreateBudget": "budgets:ModifyBudget",
    "budgets:CreateNotification": "budgets:ModifyBudget",
    "budgets:CreateSubscriber": "budgets:ModifyBudget",
    "budgets:DeleteBudget": "budgets:ModifyBudget",
    "budgets:UpdateBudget": "budgets:ModifyBudget",
    "budgets:DescribeBudgets": "budgets:ViewBudget",
    "budgets:DescribeBudget": "budgets:ViewBudget",
    "budgets:DescribeNotificationsForBudget": "budgets:ViewBudget",
    "budgets:DescribeSubscribersForNotification": "budgets:ViewBudget",
    "s3:CopyObject": "s3:PutObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:DeleteBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:DeleteBucketOwnershipControls": "s3:PutBucketOwnershipControls",
    "s3:DeleteBucketTagging": "s3:PutBucketTagging",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:DeletePublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:GetBucketAccelerateConfiguration": "s3:GetAccelerateConfiguration",
    "s3:GetBucketCors": "s3:GetBucketCORS",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:GetBucketLifecycle": "s3:GetLifecycleConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "s3:GetBucketReplication": "s3:GetReplicationConfiguration",
    "s3:GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:ListParts": "s3:ListMultipartUploadParts",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:PutBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:PutBucketNotificationConfiguration": "s3:PutBucketNotification",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
}

_OF_UPLOADS = {
    "DELETE": "AbortMultipartUpload",
    "GET": "ListParts",
    "POST": "CompleteMultipartUpload",
    "PUT": "UploadPart",
}


@contextmanager
def recorded(aws: Emulator) -> Iterator[set[str]]:
    """The set fills as requests come; work on it after the block."""
    actions: set[str] = set()

    def note(request: Request) -> None:
        actions.add(action(request))

    aws.answer(note)
    try:
        yield actions
    finally:
        aws.hooks.remove(note)
        actions -= _UNCHECKED


def action(request: Request) -> str:
    """The right that AWS would look for."""
    service = request.service
    operation = request.target.rpartition(".")[2] or request.form.get("Action", "") or _rest(request)
    name = f"{_SERVICES.get(service, service)}:{operation}"
    return _ACTIONS.get(name, name)


def _rest(request: Request) -> str:
    """The operation by method and path, as the SDK's model of the service has them; the longest query wins."""
    query = set(parse_qs(request.query, keep_blank_values=True))
    fitting = [
        (len(wanted), name)
        for model in _MODELS.get(request.service, (request.service,))
        for method, path, wanted, name in _operations(model)
        if method == request.method and path.fullmatch(request.path) and wanted <= query
    ]
    if not fitting:
        return f"{request.method} {request.path}"
    best = max(count for count, _ in fitting)
    names = sorted({name for count, name in fitting if count == best}, key=len)
    return _among(request, query, names)


def _among(request: Request, query: set[str], names: list[str]) -> str:
    """Operations that share their address: S3's buckets and objects, and what only a header or a parameter tells."""
    if request.service != "s3":
        return names[0]
    if "uploadId" in query:
        return _OF_UPLOADS[request.method]
    if "PutObject" in names or "CopyObject" in names:
        return "CopyObject" if "X_AMZ_COPY_SOURCE" in request.headers else "PutObject"
    if "ListObjects" in names:
        return "ListObjectsV2"
    return next((name for name in names if not name.endswith(("Deprecated",))), names[0])


@cache
def _operations(service: str) -> list[tuple[str, re.Pattern[str], set[str], str]]:
    model: Any = botocore.session.get_session().get_service_model(service)
    found = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        path, _, query = http["requestUri"].partition("?")
        wanted = {part.partition("=")[0] for part in query.split("&") if part}
        # What may hold a slash: what is marked with a plus, and ARNs.
        slashed = re.sub(r"\\\{(?:\w+\\\+|\w*[Aa]rn)\\\}", ".+", re.escape(path))
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", slashed)
        if service == "s3":
            pattern = pattern if "Key" in path else pattern + "/?"
        found.append((http["method"], re.compile(pattern), wanted - {"x-id"}, name))
    return found
