"""Floor 4, aws, inventory: catalogue, queries, alarms and events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from retailops.targets.aws.inventory.account import Account, unless_gone
from retailops.targets.aws.inventory.kind import Facts, Kind, flat, gone_is_none, look, names

_BY_ARN = ("list_tags_for_resource", "ResourceArn", "Tags")
_BY_ARN_LOUD = ("list_tags_for_resource", "ResourceARN", "Tags")


def _glue(thing: str, operation: str, argument: str, key: str) -> Any:
    """Glue tells tags by an ARN that it doesn't tell."""

    def looking(account: Account, id: str) -> Facts | None:
        glue, own = account.client("glue"), account.names
        found = getattr(glue, operation)(**{argument: id})[key]
        partition = glue.meta.partition
        arn = f"arn:{partition}:glue:{own.region}:{own.account}:{thing}/{id}"
        return {"name": found["Name"], "tags": glue.get_tags(ResourceArn=arn)["Tags"]}

    return gone_is_none(looking)


def _workgroup(account: Account, id: str) -> Facts | None:
    athena, own = account.client("athena"), account.names
    athena.get_work_group(WorkGroup=id)
    arn = f"arn:{athena.meta.partition}:athena:{own.region}:{own.account}:workgroup/{id}"
    return {"tags": athena.list_tags_for_resource(ResourceARN=arn)["Tags"]}


def _glue_security(account: Account, id: str) -> Facts | None:
    account.client("glue").get_security_configuration(Name=id)
    return {}


def trail(account: Account, id: str) -> Facts | None:
    trails = account.client("cloudtrail")
    for found in trails.describe_trails(trailNameList=[id], includeShadowTrails=False)["trailList"]:
        tags = trails.list_tags(ResourceIdList=[found["TrailARN"]])["ResourceTagList"]
        written = f"writes to {found['S3BucketName']}"
        return {"arn": found["TrailARN"], "tags": tags[0]["TagsList"] if tags else None, "detail": written}
    return None


def _budget(account: Account, id: str) -> Facts | None:
    account.client("budgets").describe_budget(AccountId=account.names.account, BudgetName=id)
    return {}


FEATURE_DATABASE = "sagemaker_featurestore"  # SageMaker's own, one an account


def feature_tables(account: Account) -> list[str]:
    """Tables that SageMaker made for feature groups, with their data in a bucket of ours."""
    tables: list[Any] = []
    with unless_gone():
        pages = account.client("glue").get_paginator("get_tables").paginate(DatabaseName=FEATURE_DATABASE)
        tables = [table for page in pages for table in page["TableList"]]
    gold = f"s3://{account.names.bucket('gold')}/"
    return [each["Name"] for each in tables if each.get("StorageDescriptor", {}).get("Location", "").startswith(gold)]


def _feature_table(account: Account, id: str) -> Facts | None:
    account.client("glue").get_table(DatabaseName=FEATURE_DATABASE, Name=id)
    return {"tags": account.own_tags}  # it has none of its own: the place of its data says whose it is


def _dashboards(account: Account) -> Iterable[str]:
    found = account.ask(
        "cloudwatch",
        "list_dashboards",
        "DashboardEntries[].DashboardName",
        DashboardNamePrefix=account.prefix,
    )
    return [each for each in found if account.is_named_ours(each)]


CATALOGUE = (
    Kind(
        "feature table",
        gone_is_none(_feature_table),
        feature_tables,
        services=("glue",),
        remove=f"glue delete-table --database-name {FEATURE_DATABASE} --name",
        swept=True,
    ),
    Kind(
        "Glue job",
        _glue("job", "get_job", "JobName", "Job"),
        names("glue", "list_jobs", "JobNames[]"),
        services=("glue",),
        terraform="aws_glue_job",
        arn=r":glue:.*:job/(.+)$",
        remove="glue delete-job --job-name",
    ),
    Kind(
        "Glue trigger",
        _glue("trigger", "get_trigger", "Name", "Trigger"),
        names("glue", "list_triggers", "TriggerNames[]"),
        services=("glue",),
        terraform="aws_glue_trigger",
        arn=r":glue:.*:trigger/(.+)$",
        remove="glue delete-trigger --name",
    ),
    Kind(
        "Glue workflow",
        _glue("workflow", "get_workflow", "Name", "Workflow"),
        names("glue", "list_workflows", "Workflows[]"),
        services=("glue",),
        terraform="aws_glue_workflow",
        arn=r":glue:.*:workflow/(.+)$",
        remove="glue delete-workflow --name",
    ),
    Kind(
        "Glue security configuration",
        gone_is_none(_glue_security),
        names("glue", "get_security_configurations", "SecurityConfigurations[].Name"),
        services=("glue",),
        terraform="aws_glue_security_configuration",
        remove="glue delete-security-configuration --name",
    ),
    Kind(
        "Glue database",
        _glue("database", "get_database", "Name", "Database"),
        names("glue", "get_databases", "DatabaseList[].Name"),
        services=("glue",),
        terraform="aws_glue_catalog_database",
        arn=r":glue:.*:database/(.+)$",
        remove="glue delete-database --name",
    ),
    Kind(
        "Athena workgroup",
        gone_is_none(_workgroup),
        names("athena", "list_work_groups", "WorkGroups[].Name"),
        services=("athena",),
        terraform="aws_athena_workgroup",
        arn=r":athena:.*:workgroup/(.+)$",
        remove="athena delete-work-group --recursive-delete-option --work-group",
    ),
)

WATCH = (
    Kind(
        "EventBridge rule",
        look("events", "describe_rule", "{arn: Arn, detail: ScheduleExpression}", _BY_ARN_LOUD, Name="{id}"),
        names("events", "list_rules", "Rules[].Name", NamePrefix="{prefix}"),
        services=("events",),
        terraform="aws_cloudwatch_event_rule",
        arn=r":events:.*:rule/(.+)$",
        remove="events delete-rule --force --name {id}  (after aws events remove-targets)",
    ),
    Kind(
        "alarm",
        look(
            "cloudwatch",
            "describe_alarms",
            "[MetricAlarms, CompositeAlarms][]|[0].{arn: AlarmArn, name: AlarmName}",
            _BY_ARN_LOUD,
            AlarmNames=["{id}"],
            AlarmTypes=["MetricAlarm", "CompositeAlarm"],
        ),
        names(
            "cloudwatch",
            "describe_alarms",
            "[MetricAlarms, CompositeAlarms][][].AlarmName",
            AlarmNamePrefix="{prefix}",
            AlarmTypes=["MetricAlarm", "CompositeAlarm"],
        ),
        services=("cloudwatch",),
        terraform="aws_cloudwatch_metric_alarm",
        arn=r":cloudwatch:.*:alarm:(.+)$",
        price=flat("cloudwatch.alarm"),
        remove="cloudwatch delete-alarms --alarm-names",
        swept=True,  # an endpoint's; the others are Terraform's
    ),
    Kind(
        "dashboard",
        look("cloudwatch", "get_dashboard", "{name: DashboardName}", DashboardName="{id}"),
        _dashboards,
        services=("cloudwatch",),
        terraform="aws_cloudwatch_dashboard",
        arn=r":cloudwatch:.*:dashboard/(.+)$",
        price=flat("cloudwatch.dashboard"),
        remove="cloudwatch delete-dashboards --dashboard-names",
    ),
    Kind(
        "SNS topic",
        look("sns", "get_topic_attributes", "Attributes.{arn: TopicArn, name: TopicArn}", _BY_ARN, TopicArn="{id}"),
        names("sns", "list_topics", "Topics[].TopicArn"),
        services=("sns",),
        terraform="aws_sns_topic",
        arn=r"^(arn:[^:]+:sns:[^:]*:\d+:[^:]+)$",
        remove="sns delete-topic --topic-arn",
    ),
    Kind(
        "CloudTrail trail",
        gone_is_none(trail),
        names("cloudtrail", "describe_trails", "trailList[].Name", includeShadowTrails=False),
        services=("cloudtrail",),
        terraform="aws_cloudtrail",
        arn=r":cloudtrail:.*:trail/(.+)$",
        remove="cloudtrail delete-trail --name",
    ),
    Kind(
        "budget",
        gone_is_none(_budget),
        names("budgets", "describe_budgets", "Budgets[].BudgetName", AccountId="{account}"),
        services=("budgets",),
        terraform="aws_budgets_budget",
        arn=r":budgets:.*:budget/(.+)$",
        remove="budgets delete-budget --account-id {account} --budget-name {id}",
    ),
)
