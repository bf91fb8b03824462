"""The table of permissions: complete for the templates, fit for IAM, and as narrow as the services let it be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from retailops.targets.aws import permissions, policy
from retailops.targets.aws.names import Names
from retailops.targets.aws.rights import Right
from retailops.targets.aws.settings import Settings
from retailops.targets.aws.terraform_actions import ACTIONS

INFRA = Path(__file__).parents[3] / "templates" / "aws" / "infra"
LONGEST = Names("p" * 32, "e" * 16, "ap-southeast-1", "123456789012")
NAMES = Names("retail-demo", "dev", "ap-southeast-1", "123456789012")


def rights(names: Names = NAMES, **settings: Any) -> list[Right]:
    return permissions.rights(names, Settings(**settings))


def statements(names: Names = NAMES, **settings: Any) -> list[Mapping[str, Any]]:
    documents = policy.documents(rights(names, **settings))
    return [each for document in documents.values() for each in document["Statement"]]


def listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def test_every_type_of_resource_in_the_templates_has_its_actions() -> None:
    text = "\n".join(path.read_text() for path in INFRA.rglob("*.tf"))
    types = set(re.findall(r'^resource "(aws_\w+)"', text, flags=re.MULTILINE))
    assert len(types) > 20
    assert types == set(ACTIONS), "say in terraform_actions.py which rights make and remove each type, and no other"


def test_the_policies_that_the_templates_attach_may_be_attached() -> None:
    text = "\n".join(path.read_text() for path in INFRA.rglob("*.tf"))
    attached = set(re.findall(r'"\w+ (Amazon\w+)"|policy/(Amazon\w+)"', text))
    names = {f"arn:aws:iam::aws:policy/{one or other}" for one, other in attached}
    (allowed,) = [right.conditions["ArnEquals"] for right in rights() if "iam:AttachRolePolicy" in right.actions]
    assert len(names) >= 3 and names == set(allowed["iam:PolicyARN"])


@pytest.mark.parametrize("kind", ACTIONS)
def test_what_makes_and_removes_a_resource_is_in_the_table(kind: str) -> None:
    allowed = {action for right in rights(alarm_email="who@shop.example") for action in right.actions}
    assert set(ACTIONS[kind]) <= allowed


def test_every_action_is_an_operation_of_its_service() -> None:
    """S3 and a few others name their rights unlike their operations; all the rest are held against the SDK."""
    clients = {
        "ce": "ce",
        "elasticloadbalancing": "elbv2",
        "servicequotas": "service-quotas",
        "tag": "resourcegroupstaggingapi",
    }
    by_another_name = {
        "iam": {"PassRole"},
        "kms": {"ReEncryptFrom", "ReEncryptTo"},
        "logs": {"CreateLogDelivery", "DeleteLogDelivery"},
        "sagemaker": {"BatchGetRecord", "DeleteRecord", "InvokeEndpoint", "PutRecord"},
    }
    loader = botocore.session.get_session()
    unknown = []
    for right in rights(alarm_email="who@shop.example"):
        if right.service in ("s3", "budgets"):
            continue
        model = loader.get_service_model(clients.get(right.service, right.service))
        known = set(model.operation_names) | by_another_name.get(right.service, set())
        unknown += [action for action in right.actions if action.partition(":")[2] not in known]
    assert not unknown


@pytest.mark.parametrize("names", [NAMES, LONGEST], ids=["usual", "longest"])
def test_each_document_fits_into_a_managed_policy_and_all_fit_onto_one_role(names: Names) -> None:
    documents = policy.documents(rights(names, alarm_email="who@shop.example"))
    assert len(documents) <= 10  # IAM's default for one role
    assert max(map(policy.length, documents.values())) <= policy.LIMIT
    assert all(document["Version"] == "2012-10-17" for document in documents.values())


def test_an_area_that_is_too_long_is_spread_over_several() -> None:
    many = [
        Right("data", tuple(f"glue:Do{number}{part}" for part in range(40)), (f"arn:aws:glue:::job/{number}",), {})
        for number in range(20)
    ]
    documents = policy.documents(many)
    assert list(documents)[:2] == ["data", "data-2"]
    assert max(map(policy.length, documents.values())) <= policy.LIMIT
    written = [action for each in documents.values() for line in each["Statement"] for action in listed(line["Action"])]
    assert sorted(written) == sorted(action for right in many for action in right.actions)


def test_no_action_is_a_wildcard_and_no_statement_denies_or_trusts() -> None:
    for statement in statements():
        assert not [action for action in listed(statement["Action"]) if "*" in action]
        assert statement["Effect"] == "Allow" and "Principal" not in statement


# What a service lets one do only to everything, and changes something all the same; each held by tags or region.
CHANGES_EVERYTHING = {
    "ecr:GetAuthorizationToken",
    "eks:CreateCluster",
    "glue:CreateSecurityConfiguration",
    "glue:DeleteSecurityConfiguration",
    "kms:CreateKey",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "sns:SetSubscriptionAttributes",
    "sns:Unsubscribe",
}


def test_on_all_resources_one_may_only_look() -> None:
    found = set()
    for statement in statements(alarm_email="who@shop.example"):
        if statement["Resource"] != "*":
            continue
        actions = listed(statement["Action"])
        changing = {
            action for action in actions if not action.partition(":")[2].startswith(("Describe", "List", "Get"))
        }
        found |= changing
        assert not changing or statement.get("Condition")
    assert found <= CHANGES_EVERYTHING


def test_a_role_is_passed_to_named_services_alone() -> None:
    passing = [each for each in statements() if "iam:PassRole" in listed(each["Action"])]
    for each in passing:
        assert each["Resource"] == "arn:aws:iam::123456789012:role/retail-demo-dev-*"
        assert all(name.endswith(".amazonaws.com") for name in each["Condition"]["StringEquals"]["iam:PassedToService"])
    assert passing


def test_what_bears_no_name_of_ours_is_held_by_our_tags() -> None:
    removing = [each for each in statements() if "ec2:DeleteVpc" in listed(each["Action"])]
    (statement,) = removing
    assert statement["Condition"]["StringEquals"] == {
        "aws:ResourceTag/retailops:project": "retail-demo",
        "aws:ResourceTag/retailops:environment": "dev",
    }


def test_an_email_address_alone_asks_for_the_right_to_subscribe() -> None:
    def actions(**settings: Any) -> set[str]:
        return {action for right in rights(**settings) for action in right.actions}

    assert actions(alarm_email="who@shop.example") - actions() == {
        "sns:Subscribe",
        "sns:Unsubscribe",
        "sns:GetSubscriptionAttributes",
        "sns:SetSubscriptionAttributes",
    }


def test_arns_belong_to_their_part_of_the_world() -> None:
    china = rights(Names("retail-demo", "dev", "cn-north-1", "123456789012"))
    arns = [resource for right in china for resource in right.resources if resource != "*"]
    assert arns and all(arn.startswith("arn:aws-cn:") for arn in arns)
