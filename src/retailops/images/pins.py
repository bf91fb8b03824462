"""Floor 3, images: exactly which wheels an image is made of: versions and hashes, resolved once and kept.

    python -m retailops.images.pins constraints.txt      # after a change of dependencies

writes templates/docker/*.txt. What is built later resolves nothing: another image comes of another file alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import metadata, resources
from pathlib import Path

# All that serving/ imports; a test starts the server and compares.
SERVING = ("fastapi", "httptools", "msgspec", "numpy", "onnxruntime", "pydantic", "uvicorn", "uvloop")
# What runs in an image, whatever machine it is built on: Debian 12 on x86-64, Python 3.11.
_PLATFORM = (
    "--only-binary=:all:",
    "--implementation=cp",
    "--python-version=3.11",
    *("--abi=cp311", "--abi=abi3", "--abi=none"),
    *(f"--platform=manylinux_{glibc}_x86_64" for glibc in ("2_28", "2_27", "2_24", "2_17")),
    "--platform=manylinux2014_x86_64",
)
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")


def file(name: str) -> Path:
    """The pins of an image: `serving` or `worker`."""
    return Path(str(resources.files("retailops.templates").joinpath("docker", f"{name}.txt")))


def download(name: str, folder: Path) -> list[str]:
    """The command that fetches the wheels of an image, each held against its hash."""
    return [
        *PIP,
        "download",
        "--no-deps",
        "--require-hashes",
        *_PLATFORM,
        f"--dest={folder}",
        f"--requirement={file(name)}",
    ]


def requirements(name: str) -> list[str]:
    """What an image is asked to hold; what that needs in turn comes with it."""
    if name == "serving":
        return list(SERVING)
    return [
        text
        for text in metadata.requires("retailops") or []
        if "extra ==" not in text and "darwin'" not in text.replace("!= 'darwin'", "")
    ]


def resolved(wanted: Sequence[str], constraints: Path) -> str:
    """Lines of a requirements file: name, version and hash of each wheel, by name."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        words = ["install", "--dry-run", "--ignore-installed", "--quiet", f"--target={folder}/nothing"]
        subprocess.run(
            [*PIP, *words, *_PLATFORM, f"--report={report}", f"--constraint={constraints}", *wanted], check=True
        )
        found = json.loads(report.read_text())["install"]
    lines = [
        f"{each['metadata']['name']}=={each['metadata']['version']} \\\n"
        f"    --hash=sha256:{each['download_info']['archive_info']['hashes']['sha256']}\n"
        for each in found
    ]
    return "".join(sorted(lines, key=str.lower))


if __name__ == "__main__":
    for image in ("serving", "worker"):
        file(image).write_text(resolved(requirements(image), Path(sys.argv[1])), encoding="utf-8")
