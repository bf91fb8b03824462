"""Real images: built by a real engine, in a real registry, run as Kubernetes runs them."""

from __future__ import annotations

import csv
import http.client
import json
import re
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from clusters import Docker, until
from retailops import config as configuration
from retailops import targets
from retailops.images.registry import RegistryImages
from retailops.ports import ModelVersion
from retailops.progress import Silent
from retailops.retail import etl
from retailops.retail.predictor import Prediction, Predictor, disagrees

pytestmark = pytest.mark.slow

Version = Callable[[int], ModelVersion]
# What templates/aws/k8s says of a pod, in docker's words.
POD = ["--read-only", "--tmpfs=/tmp:mode=1777", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--memory=512m"]


class Told(Silent):
    """The stages of a command."""

    def __init__(self) -> None:
        self.stages: list[str] = []

    def stage(self, text: str, total: int | None = None, unit: str = "") -> None:
        self.stages.append(text.partition(" ")[0])


@pytest.fixture(scope="module")
def images(docker: Docker, registry: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryImages]:
    """A repository of this run alone."""
    folder = tmp_path_factory.mktemp("images")
    file = folder / "retail.yaml"
    repository = f"{registry}/tests/images-{secrets.token_hex(4)}"
    file.write_text(f"project: {{name: tests-images}}\ndeploy: {{kubernetes: {{registry: '{repository}'}}}}\n")
    config = configuration.load(file, targets=targets.settings(), algorithms=["xgboost"], environ={})
    made = targets.open_target(config).images
    assert isinstance(made, RegistryImages)
    yield made
    # By their names, since other images may stand on what is behind them.
    for shape in ("{{.Repository}}:{{.Tag}}", "{{.Repository}}@{{.Digest}}"):
        for name in docker.run("images", "--digests", "--format", shape, repository).split():
            if "<none>" not in name:
                docker.run("rmi", name)


@contextmanager
def running(docker: Docker, image: str, *words: str) -> Iterator[tuple[str, int]]:
    """(container, port) of a server on this machine's own network."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--detach", "--network=host", *POD]
    container = docker.run("run", *options, image, "serve", f"--port={port}", "--host=127.0.0.1", *words).strip()
    try:
        yield container, port
    finally:
        docker.run("rm", "--force", container)


def ask(port: int, path: str, body: Any = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST" if body else "GET", path, json.dumps(body) if body else None)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    except OSError as problem:
        return 0, str(problem)
    finally:
        connection.close()


def test_the_pulled_image_answers_golden_rows_read_only_without_rights_in_its_memory(
    docker: Docker, images: RegistryImages, version: Version
) -> None:
    import msgspec

    model = version(3)
    built = images.build(model, Silent())
    (told,) = json.loads(docker.run("image", "inspect", built.reference))
    docker.run("rmi", "--force", told["Id"])
    docker.run("pull", "--quiet", built.reference)  # by digest, as a node does
    bundle = model.run.bundle
    predictor = Predictor.open(bundle, 3)
    with running(docker, built.reference) as (container, port):
        until(lambda: ask(port, "/readyz")[0] == 200, 60, "the server")
        _, card = ask(port, "/model")
        assert (card["model_version"], card["bundle_hash"]) == (3, model.run.bundle_hash)
        for row in predictor.golden:
            status, answer = ask(port, "/predict?explain=features", row["basket"])
            assert status == 200
            assert not disagrees(row, msgspec.convert(answer, Prediction), answer["features"], predictor.feature_names)
        (told,) = json.loads(docker.run("inspect", container))
        assert told["Config"]["User"] == "10001:10001" and told["HostConfig"]["ReadonlyRootfs"]
        docker.run("stop", "--time=30", container)
        (told,) = json.loads(docker.run("inspect", container))
        assert (told["State"]["ExitCode"], told["State"]["OOMKilled"]) == (0, False)


INSIDE = """
import importlib.util, json, os, shutil, sys
found = {name: shutil.which(name) for name in ("python", "sleep", "pip", "pip3", "gcc", "cc", "make", "ld")}
modules = {name: importlib.util.find_spec(name) is not None for name in ("pip", "setuptools", "ensurepip", "wheel")}
print(json.dumps({"programs": found, "modules": modules, "uid": os.getuid(), "prefix": sys.prefix,
    "writable": [each for each in ("/", "/retailops", "/bundle", "/usr") if os.access(each, os.W_OK)],
    "sbom": json.load(open("/retailops/sbom.cdx.json"))}))
"""


def test_nothing_inside_installs_or_compiles_and_a_bill_of_materials_is_there(
    docker: Docker, images: RegistryImages, version: Version
) -> None:
    built = images.build(version(3), Silent())
    told = json.loads(docker.run("run", "--rm", "--network=none", *POD, built.reference, "python", "-c", INSIDE))
    programs = told["programs"]
    assert programs.pop("python") == "/retailops/bin/python" and programs.pop("sleep")
    assert not any(programs.values()) and not any(told["modules"].values())
    asked = "import importlib.util as u; print(*map(u.find_spec, ('ensurepip', 'pip', 'setuptools')))"
    words = ["run", "--rm", "--network=none", built.reference, "/usr/local/bin/python", "-c", asked]
    assert docker.run(*words).split() == ["None"] * 3, "the base's own Python has them still"
    assert told["uid"] == 10001 and told["writable"] == []
    purls = {each["purl"].partition("@")[0] for each in told["sbom"]["components"]}
    python = {each for each in purls if each.startswith("pkg:pypi/")}
    assert {"pkg:pypi/retailops", "pkg:pypi/onnxruntime", "pkg:deb/debian/libc6"} <= purls
    assert len(python) == built.detail["packages"]


def test_the_python_packages_of_the_api_take_at_most_200_mb(
    docker: Docker, images: RegistryImages, version: Version
) -> None:
    built = images.build(version(3), Silent())
    told = docker.run("run", "--rm", "--network=none", built.reference, "du", "--summarize", "--bytes", "/retailops")
    assert int(told.split()[0]) <= 200e6
    assert built.bytes < 200e6  # compressed, the system included


def test_the_same_contents_twice_are_built_and_pushed_once(
    docker: Docker, images: RegistryImages, version: Version
) -> None:
    first = images.build(version(4), Silent())
    progress = Told()
    second = images.build(version(4), progress)
    assert second.reference == first.reference and second.detail["reused"] is True
    assert not {"building", "pushing", "fetching"} & set(progress.stages)
    found = images.find(version(4))
    assert found is not None and found.reference == first.reference
    assert images.find(version(99)) is None


@pytest.mark.thorough
def test_two_builds_from_nothing_give_the_same_layers(
    docker: Docker, images: RegistryImages, version: Version, tmp_path: Path
) -> None:
    """The engine's old builder dates an image's configuration, so the digest is another; buildx dates it 1980."""
    recipe = images._maker.recipe(version(5), Silent())
    layers = []
    for name in ("first", "second"):
        context = tmp_path / name
        context.mkdir(mode=0o700)
        recipe.lay(context)
        tag = f"retailops/tests-images:{name}-{secrets.token_hex(4)}"
        arguments = [f"--build-arg={key}={value}" for key, value in recipe.arguments.items()]
        docker.run("build", "--no-cache", "--network=none", f"--tag={tag}", *arguments, context)
        (told,) = json.loads(docker.run("image", "inspect", tag))
        layers.append(told["RootFS"]["Layers"])
        docker.run("rmi", "--force", tag)
    assert layers[0] == layers[1]


@pytest.mark.thorough
def test_the_worker_does_an_etl_as_kubernetes_and_as_sagemaker_run_it(
    docker: Docker, images: RegistryImages, synthetic_csvs: Path, tmp_path: Path
) -> None:
    """Through a volume of the engine, which may be another machine's: files go in and out by `docker cp`."""
    built = images.build(None, Silent())
    small = tmp_path / "input"
    small.mkdir()
    week = min(synthetic_csvs.glob("*.csv"))
    with week.open(newline="") as source, (small / week.name).open("w", newline="") as target:
        rows = csv.reader(source)
        csv.writer(target).writerows(row for number, row in zip(range(2000), rows, strict=False))
    (small / "parameters.json").write_text('{"threads": 1, "memory_mb": 300}')
    here = etl.run(small / week.name, tmp_path / "here", etl.EtlOptions(threads=1, memory_mb=300), Silent())
    words = [
        "etl",
        "--input=raw=/opt/ml/in/" + week.name,
        "--parameters=/opt/ml/in/parameters.json",
        "--output=/opt/ml/out/x",
    ]
    for user, options in (("10001", POD), ("0", ["--memory=1g"])):
        volume = docker.run("volume", "create").strip()
        box = docker.run(
            "create", f"--volume={volume}:/opt/ml", "--entrypoint=sh", "--user=0", built.reference, "-c", _OPEN
        )
        try:
            docker.run("cp", f"{small}/.", f"{box.strip()}:/opt/ml/in")
            docker.run("start", "--attach", box.strip())
            run = ["run", "--rm", "--network=none", f"--user={user}", f"--volume={volume}:/opt/ml", "--memory-swap=-1"]
            worker = ["--entrypoint=python", built.reference, "-P", "-m", "retailops.worker"]
            docker.run(*run, *options[:-1], "--memory=1g", *worker, *words)
            docker.run("cp", f"{box.strip()}:/opt/ml/out/x/result.json", tmp_path / f"{user}.json")
        finally:
            docker.run("rm", "--force", box.strip())
            docker.run("volume", "rm", volume)
        assert json.loads((tmp_path / f"{user}.json").read_text())["dataset"] == here.version


_OPEN = "mkdir -p /opt/ml/out && chmod 777 /opt/ml/out && chmod -R a+rX /opt/ml/in"


def test_the_workers_entry_point_is_the_one_that_jobs_are_ordered_with(docker: Docker, images: RegistryImages) -> None:
    from retailops.targets.aws.orders import IMAGE

    built = images.build(None, Silent())
    (told,) = json.loads(docker.run("image", "inspect", built.reference))
    assert tuple(told["Config"]["Entrypoint"]) == IMAGE and told["Config"]["User"] == ""
    assert re.fullmatch(r"[0-9a-f]{12}", told["Config"]["Labels"]["retailops.key"])
