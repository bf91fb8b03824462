"""retail.yaml: defaults, places of mistakes, overrides, origins, the template and the schema."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from retailops import config as rooms
from retailops import targets
from retailops.config import Config, Folder, Section, load, schema
from retailops.errors import ConfigError, Unsupported

ALGORITHMS = ["decision_tree", "random_forest", "logistic_regression", "xgboost"]
ROOT = Path(__file__).parents[1]


def read(folder: Path, text: str | bytes, **changes: Any) -> Config:
    path = folder / "retail.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(path, **{"targets": targets.settings(), "algorithms": ALGORITHMS, "environ": {}, **changes})


def refusal(folder: Path, text: str | bytes, **changes: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        read(folder, text, **changes)
    return caught.value.what.replace(f"{folder}/", "")


def test_a_file_with_only_its_version_gives_every_default(tmp_path: Path) -> None:
    config = read(tmp_path, "version: 1\n")
    assert config.gates.model_dump() == {
        "accuracy": 0.75,
        "macro_f1": 0.70,
        "precision": 0.65,
        "pricing_error": -0.10,
        "p95_ms": 200,
        "throughput_rps": 100,
        "approval": "optional",
    }
    assert (config.target, config.data.input, config.data.synthetic.baskets) == ("local", None, 40_000)
    assert config.train.algorithms == tuple(ALGORITHMS)
    assert config.settings("local").workspace == tmp_path / ".retailops"
    assert (config.path, config.folder) == (tmp_path / "retail.yaml", tmp_path)


def test_the_template_is_the_defaults_and_the_file_at_the_root(tmp_path: Path) -> None:
    template = files("retailops.templates").joinpath("retail.yaml").read_text()
    assert template == (ROOT / "retail.yaml").read_text()
    written, default = read(tmp_path, template), read(tmp_path, "version: 1\n")
    assert written.model_dump() == default.model_dump()
    unwritten = [key for key in written.flat() if written.origin(key) == "default"]
    assert unwritten == [], "every key is shown in the template"


def test_the_schema_describes_every_key_and_names_targets_and_algorithms() -> None:
    document = schema(targets.settings(), ALGORITHMS)
    sections = [document, *document["$defs"].values()]
    assert [name for each in sections for name, key in each["properties"].items() if "description" not in key] == []
    assert all(each["additionalProperties"] is False for each in sections)
    assert document["properties"]["target"]["enum"] == list(targets.TARGETS)
    assert document["$defs"]["Train"]["properties"]["algorithms"]["items"]["enum"] == ALGORITHMS
    assert {"enum": ["leanings", "seed"], "type": "string"} in document["properties"]["features"]["anyOf"]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = (
        "gates:\n  acuracy: 0.9\n  macro_f1: 1.5\ndeploy: {port: eighty}\ntrain:\n  algorithms: [xgbost]\ntarget: gcp\n"
    )
    assert refusal(tmp_path, text, environ={"RETAILOPS_GATES__PRECISION": "high"}).splitlines() == [
        "retail.yaml:2:3: gates.acuracy: unknown key; did you mean 'accuracy'?",
        "retail.yaml:3:13: gates.macro_f1: must be at most 1, not 1.5",
        "retail.yaml:4:16: deploy.port: must be a whole number, not 'eighty'",
        "retail.yaml:6:16: train.algorithms[0]: unknown algorithm 'xgbost'; did you mean 'xgboost'?",
        "retail.yaml:7:9: target: 'gcp' isn't a target of this version, which has: local, aws",
        "env RETAILOPS_GATES__PRECISION: gates.precision: must be a number, not 'high'",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1:1: nothing in it"),
        ("# a comment\n", "1:1: nothing in it"),
        ("- a\n", "1:1: must be a mapping"),
        ("just text\n", "1:1: must be a mapping"),
        ("gates:\n\taccuracy: 1\n", "2:1: a tab"),
        ("gates:\n  accuracy: 0.8\n   macro_f1: 0.7\n", "3:12: a `:` where no key can be"),
        ("target: 'local\n", "not valid YAML: found unexpected end of stream"),
        ("a: 1\n---\nb: 2\n", "2:1: a second document"),
        ("version: 1\nversion: 1\n", "2:1: version: written twice; the first is on line 1, column 1"),
        ("? [a]\n: 1\n", "a key must be a word"),
        ("gates: {<<: {accuracy: 1}}\n", "1:9: gates: merge keys"),
        ("target: *missing\n", "1:9: found undefined alias 'missing'; text that begins with * needs quotes"),
        ("target: !!python/name:os.system x\n", "1:9: target: the tag !!python/name:os.system isn't read"),
        ("target: \x01\n", "1:9: the character U+0001"),
        ("gates: {accuracy: .nan}\n", "1:19: gates.accuracy: '.nan' isn't a finite number"),
        ("gates: {p95_ms: -.inf}\n", "1:17: gates.p95_ms: '-.inf' isn't a finite number"),
        ("gates: {p95_ms: 1e999}\n", "1:17: gates.p95_ms: '1e999' isn't a finite number"),
        ("train: {seed: " + "9" * 5000 + "}\n", "isn't a finite number"),
        ("etl: {threads: '2'}\n", "1:16: etl.threads: must be a whole number, not '2'"),
        ("etl: {threads: 1.5}\n", "must be a whole number, not 1.5"),
        ("etl: {threads: }\n", "1:15: etl.threads: must be a whole number, not nothing"),
        ("gates: {accuracy: true}\n", "must be a number, not true"),
        ("gates: {pricing_error: -2}\n", "must be at least -1, not -2"),
        ("deploy: {host: 'a b'}\n", "1:16: deploy.host: 'a b' isn't possible here"),
        ("project: {name: Shop_1}\n", "lower-case letters, digits and single hyphens"),
        ("project: {owner: 3}\n", "must be text, not 3; put quotes around it"),
        ("data: [a]\n", "1:7: data: must be a section with keys under it, not a list"),
        ("train: {algorithms: xgboost}\n", "must be a list like [a, b], not 'xgboost'"),
        ("train: {algorithms: []}\n", "must have at least 1 entry"),
        ("train: {algorithms: [xgboost, xgboost]}\n", "1:31: train.algorithms[1]: 'xgboost' is named twice"),
        ("train: {params: {xgbost: {a: 1}}}\n", "1:18: train.params.xgbost: unknown algorithm 'xgbost'; did you mean"),
        ("features: sead\n", "1:11: features.set: must be 'leanings' or 'seed', not 'sead'; did you mean 'seed'?"),
        ("target: locl\n", "did you mean 'local'?"),
        ("version: 2\n", "1:10: version: must be 1, not 2"),
        ("port: 80\n", "1:1: port: unknown key here; did you mean 'deploy.port'?"),
        ("awz: {region: x}\n", "1:1: awz: unknown key; did you mean 'aws'"),
        (b"target: \xff\n", "1:9: not UTF-8 text"),
        ("target: local\n".encode("utf-16"), "1:1: not UTF-8 text"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str | bytes, expected: str) -> None:
    told = refusal(tmp_path, text)
    assert expected in told
    assert told.startswith("retail.yaml:")
    assert len(told.splitlines()) == 1, "one mistake, one line"


def test_a_bomb_of_aliases_and_a_tower_of_brackets_end_at_once(tmp_path: Path) -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for name, before in zip("bcdefghij", "abcdefghi", strict=True):
        bomb += f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    assert "once its aliases" in refusal(tmp_path, bomb)
    assert "nested deeper" in refusal(tmp_path, "a: &a [*a]\n")
    assert "nested deeper" in refusal(tmp_path, "[" * 20_000)


def test_a_file_larger_than_a_megabyte_is_not_parsed(tmp_path: Path) -> None:
    assert "larger than 1 MB" in refusal(tmp_path, "#" * 1_000_001)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="retailops init"):
        load(None, targets={}, algorithms=[], environ={})
    with pytest.raises(ConfigError, match="is a directory"):
        load(tmp_path, targets={}, algorithms=[], environ={})


@pytest.mark.parametrize("key", ["password", "secret", "token", "aws_access_key_id", "awsSecretAccessKey", "api-key"])
def test_a_secret_is_refused_with_advice_and_never_echoed(tmp_path: Path, key: str) -> None:
    for text in (
        f"aws: {{{key}: hunter2}}\n",
        f"{key}: hunter2\n",
        f"train: {{params: {{xgboost: {{{key}: hunter2}}}}}}\n",
    ):
        told = refusal(tmp_path, text)
        assert "looks like a secret" in told
        assert "credential chain" in told
        assert "hunter2" not in told


def test_words_that_older_yaml_turns_into_something_else_stay_text(tmp_path: Path) -> None:
    config = read(tmp_path, "project: {owner: no}\ngates: {p95_ms: 1.5e2}\n")
    assert (config.project.owner, config.gates.p95_ms) == ("no", 150)
    assert read(tmp_path, "project: {owner: 2024-01-01}\n").project.owner == "2024-01-01"


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbfversion: 1\r\netl:\r\n  threads: 3\r\n").etl.threads == 3


def test_a_section_with_every_key_commented_out_is_its_defaults(tmp_path: Path) -> None:
    assert read(tmp_path, "gates:\n#  accuracy: 0.9\nlocal:\n").gates.accuracy == 0.75


def test_features_can_be_named_in_short(tmp_path: Path) -> None:
    config = read(tmp_path, "version: 1\nfeatures: seed\n", environ={"RETAILOPS_FEATURES__FOLDS": "3"})
    assert (config.features.set, config.features.folds, config.features.sweeps) == ("seed", 3, 14)
    assert config.origin("features.set").endswith("retail.yaml:2")
    assert read(tmp_path, "features: {folds: 4}\n", environ={"RETAILOPS_FEATURES": "seed"}).features.folds == 4


def test_a_flag_beats_a_variable_beats_the_file_beats_the_default(tmp_path: Path) -> None:
    text = "gates:\n  accuracy: 0.8\n  macro_f1: 0.8\n  precision: 0.8\n"
    environ = {"RETAILOPS_GATES__MACRO_F1": "0.9", "RETAILOPS_GATES__PRECISION": "0.9"}
    config = read(tmp_path, text, environ=environ, overrides={"gates.precision": "0.95"})
    gates = config.gates
    assert (gates.accuracy, gates.macro_f1, gates.precision, gates.p95_ms) == (0.8, 0.9, 0.95, 200)
    origins = [config.origin(f"gates.{key}") for key in ("accuracy", "macro_f1", "precision", "p95_ms")]
    assert origins[0].endswith("retail.yaml:2")
    assert origins[1:] == ["env RETAILOPS_GATES__MACRO_F1", "--precision", "default"]


def test_an_unknown_variable_is_named_and_the_switches_are_left_alone(tmp_path: Path) -> None:
    switches = dict.fromkeys(rooms.NOT_OVERRIDES, "1")
    assert read(tmp_path, "version: 1\n", environ=switches).version == 1
    told = refusal(tmp_path, "version: 1\n", environ={"RETAILOPS_GATES__ACURACY": "1", "RETAILOPS_GATES": "1"})
    assert told.splitlines() == [
        "env RETAILOPS_GATES: gates: is a section; set one of its keys",
        "env RETAILOPS_GATES__ACURACY: gates.acuracy: sets nothing: unknown key; did you mean 'gates.accuracy'?",
    ]


def test_variables_are_read_by_the_type_of_their_key(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        "version: 1\n",
        environ={
            "RETAILOPS_PROJECT__OWNER": "007",
            "RETAILOPS_TRAIN__MAX_BASKETS": "2000",
            "RETAILOPS_TRAIN__TEST_WEEKS": "",
            "RETAILOPS_TRAIN__ALGORITHMS": "xgboost, decision_tree",
            "RETAILOPS_TRAIN__PARAMS__XGBOOST__MAX_DEPTH": "4",
        },
    )
    assert config.project.owner == "007"
    assert (config.train.max_baskets, config.train.test_weeks) == (2000, None)
    assert config.train.algorithms == ("xgboost", "decision_tree")
    assert config.train.params == {"xgboost": {"max_depth": 4}}
    assert config.origin("train.params.xgboost.max_depth") == "env RETAILOPS_TRAIN__PARAMS__XGBOOST__MAX_DEPTH"
    told = refusal(tmp_path, "version: 1\n", environ={"RETAILOPS_ETL__THREADS": "[", "RETAILOPS_GATES__P95_MS": ".nan"})
    assert "env RETAILOPS_ETL__THREADS: etl.threads: '[' can't be read" in told
    assert "env RETAILOPS_GATES__P95_MS: gates.p95_ms: '.nan' isn't a finite number" in told


def test_paths_in_the_file_start_at_its_folder_and_those_of_flags_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    config = read(tmp_path, "data: {input: weeks}\nlocal: {workspace: ../w}\n")
    assert config.data.input == tmp_path / "weeks"
    assert config.settings("local").workspace == tmp_path / "../w"
    assert read(tmp_path, "version: 1\n", overrides={"data.input": "weeks"}).data.input == here / "weeks"


def test_a_config_cannot_be_changed(tmp_path: Path) -> None:
    config = read(tmp_path, "version: 1\n")
    with pytest.raises(ValueError, match="frozen"):
        config.gates.accuracy = 0.1


def test_flat_is_ordered_and_leaves_other_targets_out_unless_written(tmp_path: Path) -> None:
    class Moon(Section):
        crater: Folder = Path("tycho")

    both = {**targets.settings(), "moon": Moon}
    keys = list(read(tmp_path, "train: {params: {xgboost: {eta: 0.1}}}\n", targets=both).flat())
    assert keys[:3] == ["version", "project.name", "project.environment"]
    assert {"train.params.xgboost.eta", "local.workspace"} <= set(keys)
    assert "moon.crater" not in keys
    written = read(tmp_path, "moon: {crater: here}\n", targets=both)
    assert written.flat()["moon.crater"] == str(tmp_path / "here")
    json.dumps(written.flat())


def test_a_target_that_this_version_lacks_is_unsupported(tmp_path: Path) -> None:
    config = read(tmp_path, "target: moon\n", targets={**targets.settings(), "moon": Section})
    with pytest.raises(Unsupported, match=r"no target 'moon'; it has: local"):
        targets.open_target(config)


def test_importing_config_stays_cheap() -> None:
    code = "import sys, retailops.config; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"pydantic", "yaml"} <= set(loaded)
    assert not {"numpy", "pandas", "duckdb", "typer", "rich", "sqlalchemy", "matplotlib"} & set(loaded)
