"""Floor 4, aws, inventory: IAM, which is free, and keeps its doors open until it is gone."""

from __future__ import annotations

from collections.abc import Iterable

from retailops.targets.aws.inventory.account import Account, is_gone
from retailops.targets.aws.inventory.kind import Kind, look, names, plain_tags


def _providers(account: Account) -> Iterable[str]:
    """A cluster's provider has a name that says nothing: its tags alone tell whose it is."""
    from botocore.exceptions import ClientError

    iam = account.client("iam")
    for arn in account.ask("iam", "list_open_id_connect_providers", "OpenIDConnectProviderList[].Arn"):
        try:
            found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
        except ClientError as problem:
            if is_gone(problem):
                continue
            raise
        if account.has_own_tags(plain_tags(found.get("Tags"))):
            yield arn


ACCESS = (
    Kind(
        "OIDC provider",
        look(
            "iam",
            "get_open_id_connect_provider",
            "{tags: Tags, detail: Url}",
            OpenIDConnectProviderArn="{id}",
        ),
        _providers,
        services=("iam",),
        terraform="aws_iam_openid_connect_provider",
        arn=r"^(arn:[^:]+:iam::\d+:oidc-provider/.+)$",
        remove="iam delete-open-id-connect-provider --open-id-connect-provider-arn",
        by_name=False,
    ),
    Kind(
        "instance profile",
        look("iam", "get_instance_profile", "InstanceProfile.{tags: Tags}", InstanceProfileName="{id}"),
        names("iam", "list_instance_profiles", "InstanceProfiles[].InstanceProfileName"),
        services=("iam",),
        terraform="aws_iam_instance_profile",
        arn=r":iam::\d+:instance-profile/(?:.+/)?([^/]+)$",
        remove="iam delete-instance-profile --instance-profile-name",
    ),
    Kind(
        "IAM role",
        look("iam", "get_role", "Role.{tags: Tags}", RoleName="{id}"),
        names("iam", "list_roles", "Roles[].RoleName"),
        services=("iam",),
        terraform="aws_iam_role",
        arn=r":iam::\d+:role/(?:.+/)?([^/]+)$",
        remove="iam delete-role --role-name {id}  (after its policies are detached)",
    ),
    Kind(
        "IAM policy",
        look("iam", "get_policy", "Policy.{name: PolicyName, tags: Tags}", PolicyArn="{id}"),
        names("iam", "list_policies", "Policies[].Arn", Scope="Local"),
        services=("iam",),
        terraform="aws_iam_policy",
        arn=r"^(arn:[^:]+:iam::\d+:policy/.+)$",
        remove="iam delete-policy --policy-arn",
    ),
)
