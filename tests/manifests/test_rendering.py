"""How templates are filled in: types, lines that fall away, and what must not get in."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from retailops.manifests.rendering import fill, render


def read(template: str, **values: Any) -> Any:
    return yaml.safe_load(fill(template, values))


@pytest.mark.parametrize(
    "value",
    [
        "api", "7", 7, 0.5, True, "true", "no", "on", "null", "y", "1e5", "0x1f", "010", "2026-11-26", "12:30", "~", "",
        "a: b", "a #b", "*a", "&a", "- a", "{a}", "it's \"so\"", '[{"HTTP": 80}]', "Ünïcode", "a\nb", "a:", ":", "@a",
        "100m", "512Mi", "x" * 300, [], {}, ["a", {"b": "no"}], {"a": {"b": ["1", 1]}},
    ],
)  # fmt: skip
def test_a_value_is_read_back_as_it_was(value: object) -> None:
    assert read("outer:\n  key: ${x}\n  other: 1\n", x=value) == {"outer": {"key": value, "other": 1}}


def test_a_line_without_value_falls_away_with_its_comment_and_no_other() -> None:
    text = fill("# kept\na:\n  # kept too\n  b: 1\n  # goes\n  # goes too\n  c: ${x}\n  d: ${y}\n", {"x": None, "y": 2})
    assert text == "# kept\na:\n  # kept too\n  b: 1\n  d: 2\n"


def test_inside_other_text_only_what_cannot_end_it_gets_in() -> None:
    assert read('args: ["--n=${x}", $(NAME)]', x=3) == {"args": ["--n=3", "$(NAME)"]}
    with pytest.raises(ValueError, match="can't stand inside"):
        fill('args: ["--n=${x}"]', {"x": '3", "--host=0.0.0.0'})


def test_a_name_without_value_is_an_error() -> None:
    with pytest.raises(KeyError):
        fill("a: ${nobody}", {})


def test_files_are_numbered_so_that_the_namespace_comes_first() -> None:
    labels = {"a": "b"}
    values = {"namespace": "shop", "prefix": "shop", "readiness_gate": None, "labels": labels, "role_arn": None}
    first, second = render("aws/k8s", ["namespace.yaml", "serviceaccount.yaml"], values)
    assert (first.file, second.file) == ("00-namespace.yaml", "01-serviceaccount.yaml")
    assert first.objects == tuple(yaml.safe_load_all(first.text))
    assert "annotations" not in second.objects[0]["metadata"]
    assert second.text.startswith("# Who the API is")
