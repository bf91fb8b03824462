"""What is counted in a bill is what the templates make."""

from __future__ import annotations

import re
from pathlib import Path

from retailops.targets.aws import rent

INFRA = Path(__file__).parents[3] / "templates" / "aws" / "infra"


def resources(kind: str) -> list[str]:
    """The bodies of all resources of a kind."""
    text = "\n".join(file.read_text(encoding="utf-8") for file in sorted(INFRA.glob("*.tf")))
    return re.findall(rf'^resource "{kind}" "\w+" {{\n(.*?)^}}', text, flags=re.DOTALL | re.MULTILINE)


def test_the_keys_are_counted() -> None:
    (key,) = resources("aws_kms_key")
    assert "for_each = local.key_services" in key
    (services,) = re.findall(
        r"^  key_services = {\n(.*?)^  }", (INFRA / "keys.tf").read_text(), re.DOTALL | re.MULTILINE
    )
    assert len(re.findall(r"^    \w+ += ", services, re.MULTILINE)) == rent.KEYS


def test_the_metrics_that_alarms_look_at_are_counted() -> None:
    alarms = resources("aws_cloudwatch_metric_alarm")
    assert alarms
    several = [re.findall(r"for_each = { (.+) }\n", alarm) for alarm in alarms if "metric_query" in alarm]
    looked_at = sum(len(names[0].split(",")) for names in several) + len(alarms) - len(several)
    assert looked_at == rent.ALARMED


def test_the_dashboards_and_their_own_metrics_are_counted() -> None:
    assert len(resources("aws_cloudwatch_dashboard")) == rent.DASHBOARDS
    text = (INFRA / "watch.tf").read_text(encoding="utf-8")
    names = set(re.findall(r'local\.namespace, "(\w+)"', text))
    (labels,) = re.findall(r'for label in \[(.+?)\] : \[local\.namespace, "Predictions"', text)
    assert len(names - {"Predictions"}) + len(labels.split(",")) == rent.METRICS


def test_the_glue_job_that_no_command_starts_and_no_line_is_for_is_the_smallest() -> None:
    (job,) = resources("aws_glue_job")
    assert re.search(r'worker_type += "G\.1X"', job) and re.findall(r"number_of_workers += (\d+)", job) == ["2"]


def test_what_is_paid_by_the_hour_goes_when_parked() -> None:
    text = (INFRA / "network.tf").read_text(encoding="utf-8") + (INFRA / "nodes.tf").read_text(encoding="utf-8")
    assert text.count("!var.parked") >= 3  # NAT, base nodes, spot nodes
    (endpoints,) = [each for each in resources("aws_vpc_endpoint") if "interface_endpoints" in each]
    assert "for_each = var.parked ? [] : var.interface_endpoints" in endpoints


def test_nothing_dear_is_made_that_no_line_is_for() -> None:
    kinds = set(re.findall(r'^resource "(\w+)"', "\n".join(f.read_text() for f in INFRA.glob("*.tf")), re.MULTILINE))
    dear = r"_(?:db_|rds|instance$|lb$|opensearch|elasticache|redshift|mq_|msk|vpn|transit_gateway|sagemaker_endpoint$)"
    assert not [kind for kind in kinds if re.search(dear, kind)]
