"""The Terraform of aws, before it meets an account: form, meaning to the real provider, choices, policies, checkov."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
INFRA = ROOT / "templates" / "aws" / "infra"
CASES = Path(__file__).parent / "terraform"
FILES = sorted(INFRA.glob("*.tf"))

# AWS knows no narrower resource for these.
UNBOUND = re.compile(r"^[a-z0-9-]+:(?:Describe|List|Get)[A-Za-z]+$|^cloudwatch:PutMetricData$")
ATTACHED = {"AmazonEKSClusterPolicy", "AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"}
ROLE_POLICY_LIMIT = 10_240  # characters of a role's inline policies, without white space


@dataclass(frozen=True)
class Module:
    """A working copy of the module with its tests, and the provider in it."""

    folder: Path
    environment: dict[str, str]

    def terraform(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["terraform", *words],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
        )


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory, terraform_environment: dict[str, str]) -> Module:
    folder = tmp_path_factory.mktemp("infra")
    for path in FILES:
        shutil.copy(path, folder)
    shutil.copytree(CASES, folder / "tests")
    made = Module(folder, terraform_environment)
    done = made.terraform("init", "-backend=false", "-input=false", "-no-color")
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture(scope="module")
def events(module: Module) -> list[dict[str, Any]]:
    """What `terraform test` tells, of all its files."""
    done = module.terraform("test", "-json", "-verbose")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    problems = [each["diagnostic"]["summary"] for each in found if each["type"] == "diagnostic"]
    assert found, done.stderr
    assert done.returncode == 0, f"{problems}\n{done.stdout[-3000:]}"
    return found


@dataclass(frozen=True)
class Statement:
    """One statement of a policy, and where it stands."""

    address: str
    body: dict[str, Any]

    def listed(self, field: str) -> list[str]:
        value = self.body.get(field, [])
        return value if isinstance(value, list) else [value]


@pytest.fixture(scope="module")
def resources(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every resource of the stack as it comes."""
    (state,) = (each["test_state"] for each in events if each.get("@testrun") == "as_it_comes" and "test_state" in each)
    found: list[dict[str, Any]] = state["root_module"]["resources"]
    return found


@pytest.fixture(scope="module")
def allowed(resources: list[dict[str, Any]]) -> list[Statement]:
    """Every statement that allows something, of identity and resource policies and of trust."""
    return [each for each in _statements(resources) if each.body["Effect"] == "Allow"]


def _statements(resources: list[dict[str, Any]]) -> Iterator[Statement]:
    for resource in resources:
        for field in ("policy", "assume_role_policy"):
            text = resource["values"].get(field)
            document = json.loads(text) if isinstance(text, str) and text.startswith("{") else {}
            for body in document.get("Statement", []):
                yield Statement(resource["address"], body)


def test_the_module_is_formatted(module: Module) -> None:
    done = module.terraform("fmt", "-check", "-recursive", "-diff")
    assert done.returncode == 0, done.stdout


def test_there_is_one_provider_and_a_backend_that_the_runner_fills() -> None:
    text = "".join(path.read_text() for path in FILES)
    assert re.findall(r'source\s+= "([^"]+)"', (INFRA / "main.tf").read_text()) == ["hashicorp/aws"]
    assert 'backend "s3" {}' in text
    assert set(re.findall(r'^resource "([a-z]+)_', text, re.MULTILINE)) == {"aws"}


def test_every_variable_and_output_says_what_it_is() -> None:
    for name in ("variables.tf", "output.tf"):
        blocks = re.findall(
            r'^(?:variable|output) "(\w+)" \{\n(.*?)^\}', (INFRA / name).read_text(), re.DOTALL | re.MULTILINE
        )
        assert len(blocks) > 15
        assert not [noun for noun, body in blocks if not re.search(r'description\s+= ".{10,}\."', body)]


@pytest.mark.slow
def test_the_real_provider_finds_the_module_valid(module: Module) -> None:
    done = module.terraform("validate", "-json")
    told = json.loads(done.stdout)
    assert told["valid"] and told["warning_count"] == 0, told["diagnostics"]


@pytest.mark.slow
def test_each_choice_builds_what_it_says_and_wrong_ones_are_refused(events: list[dict[str, Any]]) -> None:
    told = [each["test_run"] for each in events if each["type"] == "test_run"]
    runs = {each["run"]: each["status"] for each in told if each["progress"] == "complete"}
    texts = [path.read_text() for path in CASES.glob("*.tftest.hcl")]
    written = {run for text in texts for run in re.findall(r'^run "(\w+)"', text, re.MULTILINE)}
    assert set(runs) == written
    assert set(runs.values()) == {"pass"}
    variables = set(re.findall(r'^variable "(\w+)" \{\n(?:(?!^\}).*\n)*?  validation', _variables(), re.MULTILINE))
    assert {f"refuses_{name}" for name in variables} <= written


def _variables() -> str:
    return (INFRA / "variables.tf").read_text()


@pytest.mark.slow
def test_no_policy_allows_an_action_by_wildcard(allowed: list[Statement]) -> None:
    assert len(allowed) > 60
    wild = [each for each in allowed if any("*" in action for action in each.listed("Action"))]
    # The account's own IAM decides about a key, but about that one key alone.
    assert {each.address.partition("[")[0] for each in wild} == {"aws_kms_key_policy.main"}
    assert all(each.listed("Action") == ["kms:*"] and "*" not in each.listed("Resource")[0] for each in wild)


@pytest.mark.slow
def test_a_resource_is_a_wildcard_only_where_aws_knows_no_other(allowed: list[Statement]) -> None:
    everywhere = [each for each in allowed if "*" in each.listed("Resource")]
    loose = [
        (each.address, action)
        for each in everywhere
        for action in each.listed("Action")
        if not UNBOUND.match(action) or (action == "cloudwatch:PutMetricData" and "Condition" not in each.body)
    ]
    assert everywhere
    assert not loose


@pytest.mark.slow
def test_what_another_service_may_do_is_bound_to_this_account(allowed: list[Statement]) -> None:
    given = [each for each in allowed if "Service" in each.body.get("Principal", {}) and "Resource" in each.body]
    assert len(given) > 10
    loose = [(each.address, each.body["Principal"]) for each in given if "Condition" not in each.body]
    # EventBridge meets no condition in a topic's policy: with one, a failed training would be told to nobody.
    assert loose == [("aws_sns_topic_policy.alarms", {"Service": "events.amazonaws.com"})]
    assert not [each.address for each in allowed if each.body.get("Principal") in ("*", {"AWS": "*"})]


@pytest.mark.slow
def test_a_pod_may_take_its_own_role_only(allowed: list[Statement]) -> None:
    webs = [each for each in allowed if each.listed("Action") == ["sts:AssumeRoleWithWebIdentity"]]
    subjects = [value for each in webs for name, value in _equal(each).items() if name.endswith(":sub")]
    assert len(subjects) == len(set(subjects)) == len(webs) == 5
    assert all(re.fullmatch(r"system:serviceaccount:[a-z-]+:[a-z-]+", subject) for subject in subjects)


def _equal(statement: Statement) -> dict[str, str]:
    found: dict[str, str] = statement.body["Condition"]["StringEquals"]
    return found


@pytest.mark.slow
def test_roles_fit_into_iam(resources: list[dict[str, Any]]) -> None:
    policies = [each for each in resources if each["type"] == "aws_iam_role_policy"]
    assert len(policies) == 7
    longest = max(len(re.sub(r"\s", "", each["values"]["policy"])) for each in policies)
    assert longest < ROLE_POLICY_LIMIT
    attached = [each for each in resources if each["type"] == "aws_iam_role_policy_attachment"]
    names = {each["values"]["policy_arn"].rpartition("/")[2] for each in attached}
    assert names == ATTACHED | {"AmazonEKS_CNI_Policy"}


def test_every_skip_of_checkov_says_why() -> None:
    skips = re.findall(r"#checkov:skip=(.*)", "".join(path.read_text() for path in FILES))
    assert all(re.fullmatch(r"CKV2?_AWS_\d+:[A-Z].{30,}", skip) for skip in skips)


@pytest.mark.slow
def test_checkov_finds_nothing() -> None:
    program = os.environ.get("RETAILOPS_CHECKOV") or str(ROOT / ".venv" / "checkov" / "bin" / "checkov")
    if not Path(program).exists():
        pytest.skip("checkov isn't there, so nothing looked for its 150 mistakes; `make checkov` makes it")
    command = [program, "--directory", str(INFRA), "--framework", "terraform", "--skip-download", "--output", "json"]
    done = subprocess.run(command, capture_output=True, text=True)
    told = json.loads(done.stdout)
    assert [f"{each['check_id']} {each['resource']}" for each in told["results"]["failed_checks"]] == []
    assert told["summary"]["parsing_errors"] == 0
    assert told["summary"]["passed"] > 100
    assert all(each["check_result"]["suppress_comment"] for each in told["results"]["skipped_checks"])
