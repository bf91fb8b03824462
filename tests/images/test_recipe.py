"""What goes into an image: exactly the pinned wheels, ours, the bundle; and the key that names all of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest

import retailops
from retailops.errors import NotReady, TargetFailed
from retailops.images import inventory, pins, recipe, wheel
from retailops.images.recipe import Recipe
from retailops.ports import ModelVersion

ROOT = Path(__file__).parents[2]
Version = Callable[[int], ModelVersion]
PIN = re.compile(r"^(\S+)==(\S+) \\\n    --hash=sha256:[0-9a-f]{64}$", re.MULTILINE)


def pinned(name: str) -> dict[str, str]:
    text = pins.file(name).read_text()
    found = dict(PIN.findall(text))
    assert len(found) == text.count("==") > 10, "a line without its hash"
    return {plain(each): version for each, version in found.items()}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", ["serving", "worker"])
def test_an_image_holds_the_versions_that_were_tested(name: str) -> None:
    tested = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines())
    tested = {plain(each): version for each, version in tested.items()}
    wrong = {each: version for each, version in pinned(name).items() if tested.get(each) != version}
    assert not wrong, "write them anew: make pins"


def needed(names: list[str]) -> set[str]:
    """Distributions that these ask for on Linux, themselves included, as they are installed here."""
    from packaging.requirements import Requirement

    found: set[str] = set()
    waiting = [Requirement(name) for name in names]
    while waiting:
        requirement = waiting.pop()
        name = plain(requirement.name)
        there = {"sys_platform": "linux", "platform_system": "Linux", "extra": ""}
        if name in found or (requirement.marker and not requirement.marker.evaluate(there)):
            continue
        found.add(name)
        waiting += [Requirement(text) for text in metadata.requires(name) or []]
    return found


@pytest.mark.parametrize("name", ["serving", "worker"])
@pytest.mark.skipif(sys.platform != "linux" or sys.version_info[:2] != (3, 11), reason="images are Linux, Python 3.11")
def test_an_image_holds_what_its_packages_need_and_nothing_else(name: str) -> None:
    assert set(pinned(name)) == needed(pins.requirements(name)), "write them anew: make pins"


LOADED = """
import json, sys, urllib.request
from threading import Timer
from retailops.serving.process import Options, serve
from pathlib import Path

def ready(url):
    def ask():
        for page in ("/docs", "/openapi.json", "/metrics", "/model", "/readyz"):
            urllib.request.urlopen(url + page).read()
        body = Path(sys.argv[3]).read_bytes()
        request = urllib.request.Request(url + "/predict", body, {"Content-Type": "application/json"})
        urllib.request.urlopen(request).read()
        names = sorted({name.partition(".")[0] for name in sys.modules})
        Path(sys.argv[2], "loaded.json").write_text(json.dumps(names))
        import os, signal
        os.kill(os.getpid(), signal.SIGINT)
    Timer(0.5, ask).start()

serve(Options(Path(sys.argv[1]), 1, Path(sys.argv[2]), port=0), ready)
"""


def test_the_server_loads_exactly_the_packages_of_its_image(bundle_folder: Path, tmp_path: Path) -> None:
    body = tmp_path / "body.json"
    body.write_text(json.dumps(json.loads((bundle_folder / "golden.json").read_text())[0]["basket"]))
    command = [sys.executable, "-c", LOADED, str(bundle_folder), str(tmp_path), str(body)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (tmp_path / "loaded.json").exists(), done.stderr
    loaded = set(json.loads((tmp_path / "loaded.json").read_text()))
    owners = metadata.packages_distributions()
    # A namespace has several owners, one of which is enough; setuptools comes with a .pth file of this environment.
    used = [{plain(each) for each in owners[name]} for name in loaded & set(owners)]
    there = set(pinned("serving")) | {"retailops", "setuptools"}
    assert [each for each in used if not each & there] == [], "loaded, and not in the image"
    assert set(pins.SERVING) <= set.union(*used), "more is listed than is loaded"


def test_the_wheel_is_whole_installs_and_is_the_same_twice(tmp_path: Path) -> None:
    made = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        made.append(wheel.pack(tmp_path / name).read_bytes())
    assert made[0] == made[1]
    path = tmp_path / "first" / f"retailops-{retailops.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(path) as packed:
        names = packed.namelist()
    for wanted in (
        "serving/app.py",
        "templates/api.html",
        "templates/docker/serving.txt",
        "retail/sql/gold.sql",
        "py.typed",
    ):
        assert f"retailops/{wanted}" in names
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".so"))]
    place = tmp_path / "place"
    options = ["--quiet", "--no-index", "--no-deps", "--no-compile", "--disable-pip-version-check", f"--target={place}"]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(path)], check=True)
    asked = [
        sys.executable,
        "-P",
        "-c",
        "import retailops.serving as s, importlib.metadata as m; print(s.__file__, m.version('retailops'))",
    ]
    done = subprocess.run(asked, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(place)})
    assert done.stdout.split() == [str(place / "retailops/serving/__init__.py"), retailops.__version__]


def test_the_key_names_bundle_version_base_and_sources(version: Version, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Recipe(version(1), "python:3.11", "sha256:a")
    assert made.key == Recipe(version(1), "python:3.11", "sha256:a").key
    other_bundle = replace(version(1), run=replace(version(1).run, bundle_hash="f" * 64))
    others = {
        made.key,
        Recipe(version(2), "python:3.11", "sha256:a").key,
        Recipe(other_bundle, "python:3.11", "sha256:a").key,
        Recipe(version(1), "python:3.11", "sha256:b").key,
        Recipe(None, "python:3.11", "sha256:a").key,
    }
    monkeypatch.setattr(wheel, "sources", lambda: iter([("serving/app.py", Path(__file__))]))
    others.add(Recipe(version(1), "python:3.11", "sha256:a").key)
    assert len(others) == 6


def test_tags_are_what_a_registry_takes_and_begin_with_their_version(version: Version) -> None:
    model = version(12)
    tag = Recipe(model, "python:3.11", "sha256:a").tag
    assert re.fullmatch(rf"v12-{model.run.bundle_hash[:8]}-[0-9a-f]{{12}}", tag) and tag.startswith(recipe.alias(model))
    worker = Recipe(None, "python:3.11", "sha256:a").tag
    assert worker.startswith(f"worker-{retailops.__version__}-") and re.fullmatch(r"[\w][\w.-]{0,127}", worker)


def test_labels_lead_back_to_the_data(version: Version) -> None:
    labels = Recipe(version(3), "python:3.11", "sha256:a").labels
    assert labels["org.opencontainers.image.version"] == retailops.__version__
    assert labels["retailops.bundle"] == version(3).run.bundle_hash and labels["retailops.dataset"] == "dataset-1"


def test_a_bundle_that_was_changed_after_registering_is_refused(
    version: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pins, "download", lambda name, folder: [sys.executable, "-c", ""])
    other = replace(version(1), run=replace(version(1).run, bundle_hash="f" * 64))
    with pytest.raises(TargetFailed, match="isn't the one that was registered"):
        Recipe(other, "python:3.11", "sha256:a").lay(tmp_path)


@pytest.mark.parametrize(
    ("script", "error", "words"),
    [
        ("import sys; sys.exit('python: No module named pip')", NotReady, "no pip"),
        (
            "import sys; sys.exit('ERROR: No matching distribution found for x==1')",
            TargetFailed,
            "No matching distribution",
        ),
    ],
)
def test_what_pip_cannot_fetch_is_told(
    version: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, error: type[Exception], words: str
) -> None:
    monkeypatch.setattr(pins, "download", lambda name, folder: [sys.executable, "-c", script])
    with pytest.raises(error, match=words):
        Recipe(version(1), "python:3.11", "sha256:a").lay(tmp_path)


def test_the_bill_of_materials_names_what_is_installed() -> None:
    made = inventory.document()
    assert made["bomFormat"] == "CycloneDX" and made["specVersion"] == "1.5"
    purls = [each["purl"] for each in made["components"]]
    assert len(purls) == len(set(purls)) and f"pkg:pypi/numpy@{metadata.version('numpy')}" in purls
    assert purls == sorted(purls) and json.dumps(made) == json.dumps(inventory.document())


def test_the_bill_of_materials_knows_debians_packages(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text(
        "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9+deb12u10\nDescription: C\n"
        " more: lines\n\nPackage: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n"
    )
    (found,) = inventory._debian(status)
    assert found["purl"] == "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64"
