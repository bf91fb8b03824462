"""Views of image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from retailops.cli.views.layout import facts, show, size, table, title

Result = Mapping[str, Any]


def built(console: Console, result: Result) -> None:
    """What it is called, how large it is, what was found in it."""
    state = "known already" if result["reused"] else "pushed" if result["pushed"] else "in this machine's engine alone"
    title(console, result["tag"], state)
    facts(
        console,
        {
            "image": Text(result["image"]),
            "size": _size(result),
            "packages": result["packages"],
            "findings": _findings(result["findings"]) or "not scanned",
        },
    )


def images(console: Console, result: Result) -> None:
    """One line an image, by version."""
    if not result["images"]:
        console.print("No image was pushed yet.")
        return
    made = table("version", "tag", "size", "findings", "digest", numbers=["version", "size"])
    for each in result["images"]:
        digest = Text(each["image"].partition("@")[2], overflow="fold")
        version = str(each["version"] or "jobs")
        made.add_row(version, each["tag"], size(each["bytes"]), _findings(each["findings"]) or "–", digest)
    show(console, made)


def _size(result: Result) -> str:
    parts = {"to pull": result["bytes"], "unpacked": result.get("unpacked_bytes")}
    return ", ".join(f"{size(count)} {name}" for name, count in parts.items() if count)


def _findings(found: Mapping[str, int] | None) -> str:
    return ", ".join(f"{count} {severity.lower()}" for severity, count in sorted((found or {}).items()))
