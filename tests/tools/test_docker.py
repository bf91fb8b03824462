"""The docker command: what it is asked, what becomes of its refusals, and passwords that nobody sees.

A stand-in program on the PATH plays docker and writes down how it was called; the real one is in tests/images.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from retailops.errors import NotReady, RetailOpsError, TargetFailed
from retailops.progress import Silent
from retailops.tools import scanners
from retailops.tools.docker import Docker

DIGEST = "sha256:" + "a" * 64
Played = Callable[..., Docker]

PROGRAM = """#!{python}
import json, os, sys
words, given = sys.argv[1:], sys.stdin.read() if "--password-stdin" in sys.argv else ""
config = words[1] if words[0] == "--config" else ""
seen = dict(words=words, given=given, config=config, files=sorted(os.listdir(config)) if config else [])
open({log!r}, "a").write(json.dumps(seen) + "\\n")
for mark, (code, out, err) in json.load(open({script!r})).items():
    if mark in " ".join(words):
        sys.stdout.write(out); sys.stderr.write(err); sys.exit(code)
sys.exit(0)
"""


class Stage(Silent):
    """A progress that remembers."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def stage(self, text: str, total: int | None = None, unit: str = "") -> None:
        self.told.append((text, total))

    def advance(self, done: int, doing: str = "") -> None:
        self.told.append((done, doing))


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Played:
    """Docker, with a program that answers (exit code, stdout, stderr) to the first mark in its words."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))

    def play(answers: dict[str, tuple[int, str, str]], name: str = "docker") -> Docker:
        script = tmp_path / f"{name}.json"
        script.write_text(json.dumps(answers))
        program = folder / name
        program.write_text(PROGRAM.format(python=sys.executable, log=str(tmp_path / "calls"), script=str(script)))
        program.chmod(0o755)
        return Docker(tmp_path / "docker.log")

    return play


def calls(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]


def test_without_docker_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotReady, match="no docker on the PATH"):
        Docker(tmp_path / "log").require()


REFUSALS = [
    ("Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?", NotReady, "no engine"),
    ("permission denied while trying to connect to the Docker daemon socket", NotReady, "no right to the engine"),
    ("denied: requested access to the resource is denied", TargetFailed, "refused"),
    ("no basic auth credentials", TargetFailed, "refused"),
    (
        "tag invalid: The image tag 'v1' already exists and cannot be overwritten: the repository is immutable.",
        TargetFailed,
        "tag taken",
    ),
    ('Get "https://r.example/v2/": dial tcp: lookup r.example: no such host', TargetFailed, "unreachable"),
    ('Get "https://r.example/v2/": http: server gave HTTP response to HTTPS client', TargetFailed, "insecure"),
    ("toomanyrequests: You have reached your pull rate limit.", TargetFailed, "rate limit"),
    ("manifest for a/b:1 not found: manifest unknown: manifest unknown", TargetFailed, "unknown image"),
]


@pytest.mark.parametrize(("says", "error", "cause"), REFUSALS)
def test_a_refusal_says_what_to_do(played: Played, says: str, error: type[RetailOpsError], cause: str) -> None:
    docker = played({"push": (1, "The push refers to repository [r.example/a]\n", f"{says}\n")})
    with pytest.raises(error) as caught:
        docker.push("r.example/a:1", Silent())
    assert caught.value.details["cause"] == cause and caught.value.fix and says.partition(":")[0] in caught.value.what


def test_a_build_that_fails_shows_the_last_words_of_its_step(played: Played, tmp_path: Path) -> None:
    said = "Step 1/3 : FROM x\nStep 2/3 : RUN pip\n\x1b[91mERROR: wheel not found\n\x1b[0mnon-zero code: 1\n"
    docker = played({"buildx version": (1, "", "unknown command"), "build": (1, said, "")})
    progress = Stage()
    with pytest.raises(TargetFailed) as caught:
        docker.build(tmp_path, "a:1", {}, {}, progress)
    assert "  ERROR: wheel not found" in caught.value.what and "\x1b" not in caught.value.what
    assert str(tmp_path / "docker.log") in caught.value.fix
    assert progress.told == [("building", 3), (0, "FROM"), (1, "RUN")]


def test_buildx_is_used_when_it_is_there_with_fixed_dates(played: Played, tmp_path: Path) -> None:
    said = "#5 [packages 2/3] COPY wheels /wheels\n#5 DONE 0.1s\n#6 [system 2/2] RUN rm\n"
    docker = played({"buildx version": (0, "github.com/docker/buildx v0.20", ""), "buildx build": (0, said, "")})
    progress = Stage()
    docker.build(tmp_path, "a:1", {"BASE": "python:3"}, {"k": "v"}, progress)
    words = calls(tmp_path)[-1]["words"]
    assert words[:2] == ["buildx", "build"] and "--network=none" in words and "--build-arg=BASE=python:3" in words
    assert "--label=k=v" in words and any("SOURCE_DATE_EPOCH" in word for word in words)
    assert progress.told == [("building", None), (1, "COPY"), (2, "RUN")]


def test_a_push_gives_the_digest_and_counts_layers(played: Played, tmp_path: Path) -> None:
    lines = (
        "aaaaaaaaaaaa: Preparing\nbbbbbbbbbbbb: Preparing\naaaaaaaaaaaa: Layer already exists\nbbbbbbbbbbbb: Pushed\n"
    )
    docker = played(
        {"push": (0, f"{lines}v1: digest: {DIGEST} size: 951\n", ""), "manifest": (1, "", "no such manifest: a:1")}
    )
    progress = Stage()
    assert docker.push("a:1", progress).digest == DIGEST
    assert progress.told[-1] == (2, "")


def test_the_registry_is_asked_for_digest_and_size(played: Played, tmp_path: Path) -> None:
    manifest = {"config": {"size": 10}, "layers": [{"size": 200}, {"size": 3000}]}
    told = json.dumps({"Descriptor": {"digest": DIGEST}, "SchemaV2Manifest": manifest})
    found = played({"manifest": (0, told, "")}).pushed("localhost:5000/a:1")
    assert found is not None and (found.digest, found.bytes) == (DIGEST, 3210)
    assert "--insecure" in calls(tmp_path)[-1]["words"]
    assert played({"manifest": (1, "", "no such manifest: r.example/a:1")}).pushed("r.example/a:1") is None
    assert "--insecure" not in calls(tmp_path)[-1]["words"]


def test_a_password_is_in_no_argument_no_log_and_no_folder_afterwards(played: Played, tmp_path: Path) -> None:
    mine = tmp_path / "config"
    (mine / "contexts").mkdir(parents=True)
    (mine / "config.json").write_text(
        json.dumps({"auths": {"mine.example": {"auth": "c2Vj"}}, "currentContext": "lab"})
    )
    docker = played({"push": (0, f"v1: digest: {DIGEST} size: 1\n", ""), "manifest": (1, "", "no such manifest")})
    with docker.logged_in("https://r.example", "AWS", "swordfish") as inside:
        inside.push("r.example/a:1", Silent())
        folder = Path(calls(tmp_path)[0]["config"])
        assert json.loads((folder / "config.json").read_text()) == {"currentContext": "lab"}
    login = calls(tmp_path)[0]
    assert login["given"] == "swordfish" and login["files"] == ["config.json", "contexts"]
    assert all("swordfish" not in " ".join(each["words"]) for each in calls(tmp_path))
    assert all(each["config"] == str(folder) for each in calls(tmp_path))
    assert not folder.exists() and "swordfish" not in (tmp_path / "docker.log").read_text()
    assert (mine / "contexts").is_dir() and "c2Vj" in (mine / "config.json").read_text()


TRIVY = {
    "Results": [
        {"Vulnerabilities": [{"VulnerabilityID": "CVE-1", "PkgName": "a", "Severity": "CRITICAL"}] * 2},
        {"Vulnerabilities": [{"VulnerabilityID": "CVE-2", "PkgName": "b", "Severity": "LOW"}]},
        {"Target": "no faults here"},
    ]
}
GRYPE = {
    "matches": [
        {"vulnerability": {"id": "CVE-1", "severity": "Critical"}, "artifact": {"name": "a"}},
        {"vulnerability": {"id": "CVE-2", "severity": "Low"}, "artifact": {"name": "b"}},
    ]
}


@pytest.mark.parametrize(("scanner", "answer"), [("trivy", TRIVY), ("grype", GRYPE)])
def test_a_scanner_of_this_machine_is_read(played: Played, scanner: str, answer: Any) -> None:
    """Their documented output; neither can be had with its data here."""
    assert scanners.installed() is None
    played({"a:1": (0, json.dumps(answer), "")}, scanner)
    assert scanners.installed() == scanner
    assert scanners.findings(scanner, "a:1") == {"CRITICAL": 1, "LOW": 1}
    played({"a:1": (1, "", "database can't be fetched")}, scanner)
    with pytest.raises(TargetFailed, match="database can't be fetched"):
        scanners.findings(scanner, "a:1")
