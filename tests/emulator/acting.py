"""Being somebody in the emulated account: a user or a role with policies that are really stored there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from emulator import Emulator

Documents = Mapping[str, Mapping[str, Any]]

_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}


class Actor:
    """Makes principals, and lets this process be one of them."""

    def __init__(self, aws: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
        self._aws = aws
        self._environment = monkeypatch

    def user(self, documents: Documents) -> None:
        """Be a user whose managed policies these are."""
        iam = self._aws.client("iam")
        iam.create_user(UserName="somebody")
        for name in self._stored(documents):
            iam.attach_user_policy(UserName="somebody", PolicyArn=name)
        key = iam.create_access_key(UserName="somebody")["AccessKey"]
        self._environment.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        self._environment.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        self._environment.delenv("AWS_SESSION_TOKEN")

    def role(self, documents: Documents, *, path: str = "/", boundary: Mapping[str, Any] | None = None) -> None:
        """Be in a session of a role whose managed policies these are."""
        iam, sts = self._aws.client("iam"), self._aws.client("sts")
        limit = {"PermissionsBoundary": self._stored({"boundary": boundary})[0]} if boundary else {}
        made = iam.create_role(RoleName="builder", Path=path, AssumeRolePolicyDocument=json.dumps(_TRUST), **limit)
        for name in self._stored(documents):
            iam.attach_role_policy(RoleName="builder", PolicyArn=name)
        opened = sts.assume_role(RoleArn=made["Role"]["Arn"], RoleSessionName="here")["Credentials"]
        self._environment.setenv("AWS_ACCESS_KEY_ID", opened["AccessKeyId"])
        self._environment.setenv("AWS_SECRET_ACCESS_KEY", opened["SecretAccessKey"])
        self._environment.setenv("AWS_SESSION_TOKEN", opened["SessionToken"])

    def _stored(self, documents: Documents) -> list[str]:
        iam = self._aws.client("iam")
        return [
            iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(document))["Policy"]["Arn"]
            for name, document in documents.items()
        ]


def without(documents: Documents, action: str) -> dict[str, Any]:
    """The same documents, but for one action."""
    kept: dict[str, Any] = json.loads(json.dumps(documents))
    found = False
    for document in kept.values():
        for statement in document["Statement"]:
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            found = found or action in actions
            statement["Action"] = [each for each in actions if each != action]
        document["Statement"] = [each for each in document["Statement"] if each["Action"]]
    assert found, f"{action} isn't in the policy"
    return kept
