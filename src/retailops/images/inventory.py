"""Floor 3, images: the bill of materials of the machine that this runs on, as CycloneDX 1.5: run inside an image.

python -m retailops.images.inventory FILE
"""

from __future__ import annotations

import json
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

_DPKG = Path("/var/lib/dpkg/status")


def document() -> dict[str, Any]:
    """What is installed, sorted; no date and no serial number, so that the same contents give the same document."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "name": "retailops", "version": metadata.version("retailops")}
        },
        "components": sorted(_python() + _debian(_DPKG), key=lambda each: str(each["bom-ref"])),
    }


def _python() -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for each in metadata.distributions():
        name = re.sub(r"[-_.]+", "-", each.metadata["Name"]).lower()
        purl = f"pkg:pypi/{name}@{each.version}"
        licences = [{"expression": text} for text in each.metadata.get_all("License-Expression") or []]
        found[purl] = {"type": "library", "name": name, "version": each.version, "purl": purl, "bom-ref": purl}
        if licences:
            found[purl]["licenses"] = licences
    return list(found.values())


def _debian(status: Path) -> list[dict[str, Any]]:
    """The packages of the base; none where there is no dpkg."""
    if not status.exists():
        return []
    found = []
    for paragraph in status.read_text(encoding="utf-8").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if re.match(r"[A-Z][\w-]*: ", line))
        if fields.get("Status", "").endswith(" installed"):
            name, version = fields["Package"], fields["Version"]
            purl = f"pkg:deb/debian/{name}@{version.replace('+', '%2B')}?arch={fields['Architecture']}"
            found.append({"type": "library", "name": name, "version": version, "purl": purl, "bom-ref": purl})
    return found


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(document(), indent=1) + "\n", encoding="utf-8")
