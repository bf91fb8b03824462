"""Floor 3, images: retailops itself as a wheel, made of what is installed: a user has no checkout to build from."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterator
from importlib import metadata, resources
from pathlib import Path

import retailops

_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can tell
_LEFT_OUT = {"__pycache__", ".ruff_cache", ".mypy_cache"}
_WHEEL = "Wheel-Version: 1.0\nGenerator: retailops\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def pack(folder: Path) -> Path:
    """Write the wheel into `folder`. The same sources give the same bytes."""
    name = f"retailops-{retailops.__version__}"
    path = folder / f"{name}-py3-none-any.whl"
    contents = {f"retailops/{place}": file.read_bytes() for place, file in sources()}
    contents[f"{name}.dist-info/METADATA"] = _metadata().encode()
    contents[f"{name}.dist-info/WHEEL"] = _WHEEL.encode()
    record = f"{name}.dist-info/RECORD"
    lines = [f"{place},sha256={_digest(content)},{len(content)}\n" for place, content in contents.items()]
    contents[record] = ("".join(lines) + f"{record},,\n").encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as written:
        for place, content in contents.items():
            entry = zipfile.ZipInfo(place, _DATE)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            written.writestr(entry, content)
    return path


def sources() -> Iterator[tuple[str, Path]]:
    """(place below the package, file), sorted. In a checkout the templates lie outside of the package's own folder."""
    package = Path(str(resources.files("retailops")))
    templates = Path(str(resources.files("retailops.templates")))
    found = {f"templates/{place}": file for place, file in _files(templates)}
    found |= {place: file for place, file in _files(package) if not place.startswith("templates/")}
    yield from sorted(found.items())


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for file in folder.rglob("*"):
        place = file.relative_to(folder)
        if file.is_file() and not _LEFT_OUT & set(place.parts) and file.suffix != ".pyc":
            yield place.as_posix(), file


def _metadata() -> str:
    """Core metadata; without the README, which is no part of what runs."""
    try:
        text = metadata.distribution("retailops").read_text("METADATA") or ""
    except metadata.PackageNotFoundError:
        text = f"Metadata-Version: 2.1\nName: retailops\nVersion: {retailops.__version__}\n"
    return text.partition("\n\n")[0].rstrip() + "\n"


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
