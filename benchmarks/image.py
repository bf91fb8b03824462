"""How large the images are: what a node pulls, what it unpacks to, and what of that are Python packages.

    python -m benchmarks.image [--json]

Beside the API's image stands the one that jobs run in: what the API would carry along if it were served with the
libraries that it was trained with. What is pulled is what a registry has: it is measured when RETAILOPS_TEST_REGISTRY
names one (host:port) that may be pushed to.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measuring import Bar, report
from benchmarks.serving import train

from retailops import config as configuration
from retailops import targets
from retailops.errors import RetailOpsError
from retailops.ports import Image, ModelVersion, Run
from retailops.progress import SILENT
from retailops.retail.bundle import Bundle

PACKAGES_MB, PULLED_MB = 200, 200
_SIZES = "du --bytes --summarize /retailops/lib/python3*/site-packages/*"


def main() -> None:
    parser = argparse.ArgumentParser(description="How large the images are.")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        try:
            found, why = measured(Path(temporary)), ""
        except RetailOpsError as problem:  # no docker, no engine, no base
            found, why = {}, problem.what
    api = found.get("API", {})
    unknown = "" if api.get("pulled_mb") else why or "RETAILOPS_TEST_REGISTRY names no registry"
    report(
        [
            Bar("Python packages in the API's image", api.get("packages_mb"), PACKAGES_MB, "at most", "MB", why),
            Bar(
                "the API's image to pull, system and model included",
                api.get("pulled_mb"),
                PULLED_MB,
                "at most",
                "MB",
                unknown,
            ),
        ],
        found,
        as_json=given.json,
    )


def measured(folder: Path) -> dict[str, Any]:
    """Image → its figures."""
    registry = os.environ.get("RETAILOPS_TEST_REGISTRY", "")
    repository = f"{registry}/benchmarks/image" if registry else ""
    file = folder / "retail.yaml"
    file.write_text(f"project: {{name: benchmark}}\ndeploy: {{kubernetes: {{registry: '{repository}'}}}}\n")
    config = configuration.load(file, targets=targets.settings(), algorithms=["xgboost"], environ={})
    images = targets.open_target(config).images
    bundle = Bundle.open(train(folder))
    run = Run("benchmark", "xgboost", "", bundle.folder, bundle.hash, "2026-01-01T00:00:00Z", {}, {})
    return {
        "API": figures(images.build(ModelVersion(1, run), SILENT)),
        "jobs": figures(images.build(None, SILENT)),
    }


def figures(image: Image) -> dict[str, Any]:
    def asked(*words: str) -> str:
        return subprocess.run(["docker", *words], capture_output=True, text=True, check=True).stdout

    sizes = asked("run", "--rm", "--network=none", "--entrypoint=sh", image.reference, "-c", _SIZES)
    packages = {Path(name).name: int(size) / 1e6 for size, name in (line.split() for line in sizes.splitlines())}
    largest = sorted(packages, key=lambda name: -packages[name])[:5]
    unpacked = asked("image", "inspect", "--format", "{{.Size}}", image.reference)
    return {
        "pulled_mb": round(image.bytes / 1e6, 1) or None,
        "unpacked_mb": round(int(unpacked) / 1e6, 1),
        "packages": image.detail["packages"],
        "packages_mb": round(sum(packages.values()), 1),
        "largest": {name: round(packages[name], 1) for name in largest},
    }


if __name__ == "__main__":
    main()
