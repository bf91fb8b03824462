"""A line that can't be parsed: exit 2, what was meant, where to look; with --json the same in one object."""

from __future__ import annotations

import json

import pytest

WRONG = {
    "trian": ("No such command 'trian'. Did you mean 'train'?", "retailops --help", ""),
    "models lst": ("No such command 'lst'. Did you mean 'list'?", "retailops models --help", "models"),
    "models": ("needs a command: list, show, runs", "retailops models --help", "models"),
    "train --alog xgboost": ("No such option: --alog. Did you mean --algo?", "retailops train --help", "train"),
    "train --jso": ("Did you mean --json?", "retailops train --help", "train"),
    "deploy --version": ("requires an argument", "retailops deploy --help", "deploy"),
    "deploy --version none": ("Invalid value for '--version'", "retailops deploy --help", "deploy"),
    "deploy --version 0": ("greater than or equal to 1", "retailops deploy --help", "deploy"),
    "models show": ("Missing argument 'VERSION'", "retailops models show --help", "models show"),
    "predict rows.csv": ("Missing option", "retailops predict --help", "predict"),
    "data synth --format xml": ("Invalid value for '--format'", "retailops data synth --help", "data synth"),
    "etl rows.csv": ("unexpected extra argument", "retailops etl --help", "etl"),
}


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_line_is_explained(cli, line):
    what, where, _ = WRONG[line]
    done = cli(*line.split())
    assert (done.code, done.out) == (2, "")
    assert what in done.err and f"→ See: {where}" in done.err


# After `deploy --version` the flag would be the version.
IN_JSON = [f"--json {line}" for line in WRONG] + [f"{line} --json" for line in WRONG if line != "deploy --version"]


@pytest.mark.parametrize("line", IN_JSON)
def test_a_wrong_line_is_explained_in_json(cli, line):
    what, where, command = WRONG[line.replace("--json", "").strip()]
    done = cli(*line.split())
    assert (done.code, done.err) == (2, "")
    assert done.document["command"] == command
    assert done.document["error"]["code"] == 2
    assert what in done.document["error"]["what"] and where in done.document["error"]["fix"]


def test_json_has_the_promised_keys_sorted_also_on_failure(cli):
    done = cli("models", "--json")
    assert list(json.loads(done.out)) == ["changes", "command", "error", "ok", "result", "target"]
    assert list(done.document["error"]) == ["code", "fix", "what"]
    assert done.document["ok"] is False and done.document["changes"] == [] and done.document["result"] is None


def test_what_follows_two_dashes_is_no_flag(cli):
    assert cli("train", "--", "--json").err.startswith("error: ")
