"""Training: a dataset in; for each algorithm a bundle, judged on later weeks than it learned from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retailops.errors import DataError, RetailOpsError
from retailops.progress import Progress
from retailops.retail import algorithms, golden, split, tables
from retailops.retail import bundle as bundles
from retailops.retail import leanings as leaning_module
from retailops.retail.card import model_card
from retailops.retail.checkpoint import NOWHERE, Checkpoint, digest
from retailops.retail.classifier import Classifier
from retailops.retail.columns import LABELS
from retailops.retail.dataset import Dataset
from retailops.retail.drift import reference
from retailops.retail.encoder import Encoder, as_matrix
from retailops.retail.kept import FOLDER, Kept
from retailops.retail.leanings import Leanings
from retailops.retail.scorecard import Scorecard, majority, score
from retailops.retail.tables import Baskets
from retailops.retail.team import ALONE, Team

# ONNX computes in float32: how far its probabilities may lie from the native model's.
ONNX_TOLERANCE = 1e-4
# The seed-feature baseline reads nine coarse columns; more baskets than this don't change its figures.
BASELINE_BASKETS = 60_000
LEARNED = "learned"  # what the leanings are kept as

LeaningsLearned = tuple[Leanings, NDArray[np.float64], dict[str, float], dict[str, Any]]


@dataclass(frozen=True)
class TrainOptions:
    """What of retail.yaml decides a training; together with the dataset's version it names the result."""

    algorithms: tuple[str, ...] = algorithms.NAMES
    feature_set: str = "leanings"
    folds: int = 5
    sweeps: int = 14
    test_weeks: int | None = None
    max_baskets: int | None = None
    seed: int = 7
    threads: int = 2
    params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Sides:
    """The labelled baskets, divided by time: what is learned from, and what it is judged on."""

    training: Baskets
    train_y: NDArray[np.int64]
    test: Baskets
    test_y: NDArray[np.int64]
    split: dict[str, Any]


@dataclass(frozen=True)
class Learned:
    """What was learned of the training side: the encoder, and the features of its baskets, out of fold."""

    encoder: Encoder
    x: NDArray[np.float64]
    likelihoods: dict[str, float] | None  # of the line weights, held out, a basket; None without leanings
    products: dict[str, Any] | None  # what the leanings are of; None without


@dataclass(frozen=True)
class Study:
    """What every algorithm of one training shares: the two sides of the split, encoded."""

    dataset: Dataset
    options: TrainOptions
    split: dict[str, Any]
    encoder: Encoder
    products: dict[str, Any] | None  # what the leanings are of; None without
    train_x: NDArray[np.float64]
    train_y: NDArray[np.int64]
    test: Baskets
    test_x: NDArray[np.float64]
    test_y: NDArray[np.int64]
    coverage: float  # share of the test lines whose product was seen in training
    baselines: dict[str, Scorecard]
    likelihoods: dict[str, float] | None  # of the line weights, held out, a basket; None without leanings


def job(inputs: Mapping[str, Path], output: Path, parameters: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """The worker's entry: inputs["dataset"] is a dataset folder; bundles go to output/<algorithm>.

    parameters["checkpoints"] is a folder that outlives an interruption; without it that is one beside the output.
    parameters["hosts"] is the file of a team, when several machines do this at the same time.
    """
    given = {**parameters, "algorithms": tuple(parameters["algorithms"])}
    folder = Path(given.pop("checkpoints", output.with_name(FOLDER)))
    hosts = given.pop("hosts", None)
    team = Team.read(Path(hosts)) if hosts else ALONE
    return train(Dataset.open(inputs["dataset"]), output, TrainOptions(**given), progress, folder, team)


def train(
    dataset: Dataset,
    output: Path,
    options: TrainOptions,
    progress: Progress,
    folder: Path | None = None,
    team: Team = ALONE,
) -> dict[str, Any]:
    """Train every algorithm of the options and write their bundles.

    How far it has come is kept in `folder`: the leanings, finished algorithms, and what there is of the one under way.
    What is found there of the same data and options is gone on from, to the same bundles; in the end it is taken away.
    In a team every machine learns the same, fits each model together with the others, and the leader alone writes.

    Returns {"runs": {algorithm: {"bundle", "hash", "parameters", "scorecard"}}, "baselines", "split", "leanings"}.
    DataError when the dataset has no labels or too few weeks, Unsupported for what a team can't train.
    """
    fits = {name: fitting(name, team) for name in options.algorithms}
    kept = Kept(folder, decisive(dataset, options), progress, writes=team.leads)
    everything = read(dataset, options.threads, progress)
    study = prepare(dataset, everything, options, progress, kept.checkpoint(LEARNED, {}))
    runs = {}
    for name in options.algorithms:
        progress.stage(f"training {name}")
        runs[name] = _train_one(name, study, output / name, kept, fits[name])
    kept.clear()
    return {
        "runs": runs,
        "baselines": study.baselines,
        "split": study.split,
        "leanings": {**describe(study.encoder.leanings), "likelihoods": study.likelihoods}
        if study.encoder.leanings
        else None,
    }


def fitting(name: str, team: Team) -> Callable[..., Any]:
    """How an algorithm is fitted: alone, or with the others of a team. Unsupported for what a team can't train."""
    return algorithms.load(name).fit if team.size == 1 else partial(algorithms.together(name), team=team)


def decisive(dataset: Dataset, options: TrainOptions) -> dict[str, Any]:
    """What decides all that a training learns, besides an algorithm's own parameters."""
    chosen = {name: value for name, value in asdict(options).items() if name not in ("algorithms", "threads", "params")}
    return {"dataset": dataset.version, "options": chosen}


def read(dataset: Dataset, threads: int, progress: Progress) -> Baskets:
    """The baskets of a dataset to learn from. DataError when it has no labels."""
    if not dataset.labelled:
        raise DataError(f"Dataset {dataset.version} has no labels.", "Training needs the price-sensitivity column.")
    progress.stage("reading the dataset")
    return tables.read(dataset, threads=threads)


def prepare(
    dataset: Dataset,
    everything: Baskets,
    options: TrainOptions,
    progress: Progress,
    checkpoint: Checkpoint = NOWHERE,
) -> Study:
    """Split by time, learn the leanings out of fold, encode both sides, and score the baselines."""
    sides = divide(everything, options)
    training, train_y, test, test_y = sides.training, sides.train_y, sides.test, sides.test_y
    learned = learn(training, train_y, options, progress, checkpoint)
    test_leanings, coverage = _apply(learned.encoder.leanings, test)
    test_x = learned.encoder.matrix(test.gold, test_leanings)
    progress.stage("scoring the baselines")
    return Study(
        dataset=dataset,
        options=options,
        split=sides.split,
        encoder=learned.encoder,
        products=learned.products,
        train_x=learned.x,
        train_y=train_y,
        test=test,
        test_x=test_x,
        test_y=test_y,
        coverage=coverage,
        baselines={
            "majority": majority(train_y, test_y, test.gold["spend_pence"]),
            "seed_features": _seed_baseline(training, train_y, test, test_y, options),
        },
        likelihoods=learned.likelihoods,
    )


def divide(everything: Baskets, options: TrainOptions) -> Sides:
    """The two sides of the split by time; unclassified baskets are on neither. DataError when a side is too poor."""
    sides = split.by_time(everything.gold["shop_week"], everything.gold["shop_day"], options.test_weeks)
    classes = everything.classes
    labelled = classes >= 0
    train_mask = _sample(~sides.test & labelled, options)
    test_mask = sides.test & labelled
    ids = everything.gold["basket_id"]
    split.refuse_shared_baskets(ids[train_mask], ids[test_mask])
    train_y, test_y = classes[train_mask], classes[test_mask]
    _require_classes(train_y, test_y)
    counts = {
        "train_baskets": len(train_y),
        "test_baskets": len(test_y),
        "unclassified_baskets": int((~labelled).sum()),
    }
    training, test = everything.take(train_mask), everything.take(test_mask)
    return Sides(training, train_y, test, test_y, {**sides.describe(), **counts})


def learn(
    training: Baskets,
    y: NDArray[np.int64],
    options: TrainOptions,
    progress: Progress,
    checkpoint: Checkpoint = NOWHERE,
) -> Learned:
    """Leanings and encoder of the training side, and its features from leanings that never saw the basket's label."""
    leanings, features, likelihoods, products = None, None, None, None
    if options.feature_set == "leanings":
        found = _recalled(checkpoint) or _learn(training, y, options, progress, checkpoint)
        leanings, features, likelihoods, products = found
    progress.stage("encoding features")
    encoder = Encoder.fit(training.gold, options.feature_set, leanings)
    return Learned(encoder, encoder.matrix(training.gold, features), likelihoods, products)


def _sample(mask: NDArray[np.bool_], options: TrainOptions) -> NDArray[np.bool_]:
    """At most max_baskets of the mask, drawn at random with the seed."""
    chosen = np.flatnonzero(mask)
    if options.max_baskets is None or len(chosen) <= options.max_baskets:
        return mask
    drawn = np.random.default_rng(options.seed).choice(chosen, options.max_baskets, replace=False)
    sampled = np.zeros_like(mask)
    sampled[drawn] = True
    return sampled


def _require_classes(train_y: NDArray[np.int64], test_y: NDArray[np.int64]) -> None:
    missing = [label for index, label in enumerate(LABELS) if not (train_y == index).any()]
    if missing:
        raise DataError(
            f"No training basket has the label {', '.join(missing)} ({len(train_y)} training baskets in all).",
            "Load more weeks: fewer than about 4,000 training baskets don't reach the gates.",
        )
    if not len(test_y):
        raise DataError("No test basket has a label.", "Load more weeks, or set train.test_weeks to more.")


def _learn(
    training: Baskets, y: NDArray[np.int64], options: TrainOptions, progress: Progress, checkpoint: Checkpoint
) -> LeaningsLearned:
    lines, catalogue = tables.catalogue_of(training.lines, training.variants)
    likelihoods = leaning_module.weight_likelihoods(lines, y, catalogue, seed=options.seed, progress=progress)
    weight = max(likelihoods, key=lambda name: likelihoods[name])
    leanings, features = leaning_module.fit_out_of_fold(
        lines,
        y,
        catalogue,
        folds=options.folds,
        seed=options.seed,
        sweeps=options.sweeps,
        weight=weight,
        progress=progress,
    )
    products = tables.described(catalogue, int(training.gold["shop_day"].max()))
    text = json.dumps({"leanings": leanings.to_json(), "likelihoods": likelihoods, "products": products}).encode()
    checkpoint.save("the leanings", {"features": features, "text": np.frombuffer(text, np.uint8)})
    return leanings, features, likelihoods, products


def _recalled(checkpoint: Checkpoint) -> LeaningsLearned | None:
    """What `_learn` kept: the same bits."""
    state = checkpoint.load()
    if not state:
        return None
    text = json.loads(state["text"].tobytes())
    return Leanings.from_json(text["leanings"]), state["features"], text["likelihoods"], text["products"]


def _apply(leanings: Leanings | None, baskets: Baskets) -> tuple[NDArray[np.float64] | None, float]:
    """The leaning features of baskets that were not learned from, and the share of their lines with a known product."""
    if leanings is None:
        return None, 1.0
    posteriors, known = leanings.posteriors(baskets.variants)
    return leanings.features(baskets.lines, posteriors), float(known[baskets.lines.product].mean())


def _seed_baseline(
    training: Baskets, train_y: NDArray[np.int64], test: Baskets, test_y: NDArray[np.int64], options: TrainOptions
) -> Scorecard:
    """XGBoost, the best of the four on them, on the nine columns of the original design."""
    encoder = Encoder.fit(training.gold, "seed", None)
    step = max(1, len(train_y) // BASELINE_BASKETS)
    algorithm = algorithms.load("xgboost")
    x = as_matrix(encoder.matrix(training.gold, None)[::step])
    model = algorithm.fit(x, train_y[::step], algorithm.DEFAULTS, options.seed, options.threads)
    found = algorithm.probabilities(model, as_matrix(encoder.matrix(test.gold, None)))
    return score(test_y, found.argmax(axis=1), test.gold["spend_pence"])


def _train_one(name: str, study: Study, folder: Path, kept: Kept, fit: Callable[..., Any]) -> dict[str, Any]:
    algorithm = algorithms.load(name)
    options = study.options
    params = algorithms.parameters(algorithm, name, options.params.get(name, {}))
    train_x, test_x = as_matrix(study.train_x), as_matrix(study.test_x)
    of = {"algorithm": name, "parameters": params, "data": digest(train_x, study.train_y) if kept.folder else ""}
    if finished := kept.recall(name, of, folder):
        return finished
    model = fit(train_x, study.train_y, params, options.seed, options.threads, kept.checkpoint(name, of))
    if not kept.writes:
        return {}
    onnx = algorithm.to_onnx(model, train_x.shape[1])
    # One thread, as in the server: with several, trees are summed in another order and the last digits differ.
    served = Classifier(onnx).probabilities(test_x)
    _require_equal(name, served, algorithm.probabilities(model, test_x))
    predicted = served.argmax(axis=1)
    scorecard = score(study.test_y, predicted, study.test.gold["spend_pence"])
    scorecard["coverage"] = study.coverage
    contents = {
        bundles.MODEL: onnx,
        bundles.ENCODER: bundles.dumps(study.encoder.to_json()),
        bundles.CARD: bundles.dumps(
            model_card(name, params, study.dataset, study.split, study.encoder, scorecard, study.baselines)
        ),
        bundles.GOLDEN: bundles.dumps(golden.rows(study.test, study.test_x, served)),
        bundles.REFERENCE: bundles.dumps(reference(study.test_x, list(study.encoder.names), predicted)),
    }
    if study.encoder.leanings is not None:
        contents[bundles.LEANINGS] = bundles.dumps(study.encoder.leanings.to_json())
        contents[bundles.PRODUCTS] = bundles.dumps(study.products)
    bundle = bundles.write(folder, contents)
    run = {"bundle": name, "hash": bundle.hash, "parameters": params, "scorecard": scorecard}
    kept.keep(name, of, run, folder)
    return run


def _require_equal(name: str, served: NDArray[np.float32], native: NDArray[np.float64]) -> None:
    gap = float(np.abs(served - native).max())
    if gap > ONNX_TOLERANCE:
        raise RetailOpsError(
            f"{name}: the ONNX model's probabilities differ from the native model's by up to {gap:.2g}.",
            f"At most {ONNX_TOLERANCE:g} is allowed; what would be served isn't what was judged. Please report this.",
        )


def describe(leanings: Leanings) -> dict[str, Any]:
    """The learned leanings for a person: the noise, the weight, how decided the products are."""
    decided = leanings.posterior.argmax(axis=1)
    names = (*LABELS, "no_say")
    counts, edges = np.histogram(leanings.posterior[:, 2] - leanings.posterior[:, 0], bins=40, range=(-1.0, 1.0))
    return {
        "noise": leanings.noise,
        "weight": leanings.weight,
        "link": {
            "slope": leanings.link.k,
            "threshold_la": leanings.link.t1,
            "threshold_um": leanings.link.t2,
            "lapse": leanings.link.lapse,
        },
        "products": len(leanings.codes),
        "products_by_leaning": {name: int((decided == index).sum()) for index, name in enumerate(names)},
        # The expected leaning of each product, -1 (first class) … +1 (last).
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
        "decided": {label: _most_decided(leanings, index) for index, label in enumerate(LABELS)},
    }


def _most_decided(leanings: Leanings, index: int, count: int = 8) -> list[dict[str, Any]]:
    order = np.lexsort((np.array(leanings.codes), -leanings.posterior[:, index]))[:count]
    return [{"product": leanings.codes[row], "probability": float(leanings.posterior[row, index])} for row in order]


def selected(names: Sequence[str] | None, configured: Sequence[str]) -> tuple[str, ...]:
    """The algorithms a command asks for: given names, "all", or those of retail.yaml."""
    if not names:
        return tuple(configured)
    if "all" in names:
        return algorithms.NAMES
    for name in names:
        algorithms.load(name)
    return tuple(dict.fromkeys(names))
