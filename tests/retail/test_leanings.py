"""Learned leanings against a market where they are known."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.retail.market import Market, balance, market

from retailops.errors import DataError, RetailOpsError
from retailops.progress import Silent
from retailops.retail.leanings import FEATURES, WEIGHTS, Catalogue, Leanings, Lines, choose_weight, fit, fit_out_of_fold
from retailops.retail.leanings.fit import _folds
from retailops.retail.leanings.lines import Floats
from retailops.retail.leanings.prior import PriorFit


@pytest.fixture(scope="module")
def town() -> Market:
    return market()


@pytest.fixture(scope="module")
def learned(town: Market) -> Leanings:
    return fit(town.lines, town.y, town.catalogue, weight="one")


def predicted(leanings: Leanings, where: Market) -> Floats:
    features = leanings.features(where.lines, leanings.posteriors(where.catalogue)[0])
    return np.asarray(np.argmax(leanings.link.probabilities(features[:, 0]), axis=1))


def test_planted_leanings_and_thresholds_are_recovered(town: Market, learned: Leanings) -> None:
    posterior, known = learned.posteriors(town.catalogue)
    assert known.all()
    assert np.mean(posterior.argmax(axis=1) == town.truth) > 0.95
    assert learned.link.t1 == pytest.approx(-0.23, abs=0.03)
    assert learned.link.t2 == pytest.approx(0.19, abs=0.03)
    assert learned.noise < 0.01


def test_baskets_never_seen_are_classified(town: Market) -> None:
    train, test = town.split(3000)
    assert np.mean(predicted(fit(train.lines, train.y, train.catalogue, weight="one"), test) == test.y) > 0.97


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_the_share_of_redrawn_labels_is_estimated_and_survived(share: float) -> None:
    clean = market(baskets=8000)
    noisy = clean.with_noise(share)
    leanings = fit(noisy.lines, noisy.y, noisy.catalogue, weight="one")
    assert leanings.noise == pytest.approx(share, abs=0.03)
    assert np.mean(predicted(leanings, clean) == clean.y) > 0.95


@pytest.mark.parametrize("weight", WEIGHTS)
def test_the_weight_that_the_labels_follow_is_chosen(weight: str) -> None:
    town = market(weight=weight)
    assert choose_weight(town.lines, town.y, town.catalogue) == weight
    assert fit(town.lines, town.y, town.catalogue, sweeps=2).weight == weight


def test_out_of_fold_features_of_random_labels_say_nothing() -> None:
    town = market(baskets=1500, products=500)
    y = np.random.default_rng(0).integers(0, 3, 1500)
    leanings, out_of_fold = fit_out_of_fold(town.lines, y, town.catalogue, weight="one")
    score = FEATURES.index("leaning_score")
    own = leanings.features(town.lines, leanings.posteriors(town.catalogue)[0])
    # In-sample the same learner remembers its labels; that is the leak that folds close.
    assert np.corrcoef(own[:, score], y)[0, 1] > 0.15
    assert abs(np.corrcoef(out_of_fold[:, score], y)[0, 1]) < 0.08


def test_out_of_fold_features_are_those_of_leanings_without_the_fold(town: Market) -> None:
    train, _ = town.split(600)
    _, features = fit_out_of_fold(train.lines, train.y, train.catalogue, weight="one", folds=3, seed=11)
    fold = _folds(train.y, 3, 11)
    assert np.bincount(fold).min() > 190
    for i in range(3):
        out = fold == i
        part = fit(train.lines.take(~out), train.y[~out], train.catalogue, weight="one", seed=11)
        own = part.features(train.lines.take(out), part.posteriors(train.catalogue)[0])
        assert own.tobytes() == features[out].tobytes()


def test_out_of_fold_features_classify_like_features_of_new_baskets(town: Market) -> None:
    train, test = town.split(3000)
    leanings, out_of_fold = fit_out_of_fold(train.lines, train.y, train.catalogue)
    low, high = FEATURES.index("leaning_p_la"), FEATURES.index("leaning_p_um")
    guess = np.where(out_of_fold[:, low] > 0.5, 0, np.where(out_of_fold[:, high] > 0.5, 2, 1))
    honest, new = np.mean(guess == train.y), np.mean(predicted(leanings, test) == test.y)
    assert honest == pytest.approx(new, abs=0.03)


@pytest.mark.parametrize("weight", WEIGHTS)
def test_one_basket_at_a_time_equals_the_batch_to_the_last_bit(town: Market, learned: Leanings, weight: str) -> None:
    leanings = replace(learned, weight=weight)
    # Posteriors that are no round numbers, and lines that were given back.
    table = np.random.default_rng(2).dirichlet([0.5, 0.5, 0.5, 0.2], len(town.catalogue))
    spend = town.lines.spend_pence.copy()
    spend[::7] *= -1
    lines = replace(town.lines, spend_pence=spend)
    batch = leanings.features(lines, table)
    ends = np.searchsorted(lines.basket, np.arange(lines.baskets + 1))
    rows = list(zip(table[lines.product].tolist(), lines.quantity.tolist(), spend.tolist(), strict=True))
    online = np.array([leanings.basket(rows[a:b]) for a, b in itertools.pairwise(ends)])
    assert online.tobytes() == batch.tobytes()


def test_features_do_not_depend_on_where_chunks_end(learned: Leanings, monkeypatch: pytest.MonkeyPatch) -> None:
    town = market(baskets=300, seed=4)
    posteriors, _ = learned.posteriors(town.catalogue)
    whole = learned.features(town.lines, posteriors)
    monkeypatch.setattr("retailops.retail.leanings.lines._CHUNK", 5)  # shorter than many baskets
    assert learned.features(town.lines, posteriors).tobytes() == whole.tobytes()
    covered = np.concatenate([np.arange(b.start, b.stop) for _, b in town.lines.chunks()])
    assert covered.tolist() == list(range(300))


def test_baskets_without_a_say_get_the_neutral_value(learned: Leanings) -> None:
    nobody = np.array([[0.0, 0.0, 0.0, 1.0]])
    one = np.ones(1, dtype=np.int64)
    # Basket 1 of three has a line nobody knows; baskets 0 and 2 have no line at all.
    lines = Lines(np.array([1], np.int32), np.array([0], np.int32), one, one, 3)
    features = dict(zip(FEATURES, learned.features(lines, nobody).T.tolist(), strict=True))
    low, high = learned.link.outer(0.0)
    assert features["leaning_score"] == [0.0, 0.0, 0.0]
    assert features["leaning_weight"] == [0.0, 0.0, 0.0]
    assert features["leaning_uncertainty"] == [1.0, 0.0, 1.0]
    assert features["leaning_p_la"] == [low] * 3
    assert features["leaning_p_um"] == [high] * 3
    empty = replace(lines, basket=lines.basket[:0], product=lines.product[:0], quantity=one[:0], spend_pence=one[:0])
    assert learned.features(empty, nobody).shape == (3, len(FEATURES))


def test_a_new_product_gets_what_its_attributes_say(town: Market, learned: Leanings) -> None:
    dear, known = learned.posterior_of("new", {"fine": "F3", "coarse": "C0"}, 240.0)
    # At half its category's price: the rarest products of this town are in the middle, which weighs against it.
    cheap, _ = learned.posterior_of("new", {"fine": "F3", "coarse": "C0"}, 75.0)
    assert not known
    assert sum(dear) == pytest.approx(1.0)
    assert dear[2] > 0.5 > dear[0]
    assert cheap[0] == max(cheap)
    assert learned.posterior_of("P0003", {}, 0.0) == (tuple(learned.posterior[3].tolist()), True)


def test_what_sells_little_is_taken_to_lean_as_other_slow_sellers_do() -> None:
    rng = np.random.default_rng(3)
    products, baskets = 400, 3000
    # The better half sells 20 times as much and leans; the other half is in the middle. Categories know nothing of it.
    truth = np.where(np.arange(products) < products // 2, rng.choice([0, 2], products), 1)
    demand = np.where(truth == 1, 0.05, 1.0)
    drawn = rng.choice(products, (baskets, 3), p=demand / demand.sum())
    keys = np.unique(np.stack([np.repeat(np.arange(baskets), 3), drawn.ravel()], axis=1), axis=0)
    ones = np.ones(len(keys), dtype=np.int64)
    lines = Lines(keys[:, 0].astype(np.int32), keys[:, 1].astype(np.int32), ones, ones, baskets)
    category = np.array([f"F{i % 5}" for i in range(products)], dtype=object)
    catalogue = Catalogue(
        np.array([f"P{i:03d}" for i in range(products)], dtype=object), {"fine": category}, np.full(products, 100.0)
    )
    # With labels this noisy the few baskets of a slow seller can't tell alone.
    score = balance(lines, truth, "one")
    y = np.where(score < -0.23, 0, np.where(score > 0.19, 2, 1))
    y = np.where(rng.random(baskets) < 0.5, rng.integers(0, 3, baskets), y)
    leanings = fit(lines, y, catalogue, weight="one")
    posterior, known = leanings.posteriors(catalogue)
    slow = known & (truth == 1)
    assert 50 < slow.sum() < 200  # some were never sold
    assert np.mean(posterior[slow].argmax(axis=1) == 1) > 0.9
    assert leanings.posterior_of("new", {"fine": "F3"}, 100.0)[0][1] > 0.8
    assert np.mean(posterior[truth != 1].argmax(axis=1) == truth[truth != 1]) > 0.9


@pytest.mark.parametrize("counts", [[0, 0, 0], [7, 7, 7], [7, 0, 7]])
def test_where_products_sell_alike_popularity_says_nothing(counts: list[int]) -> None:
    catalogue = Catalogue(np.array(["A", "B", "C"], dtype=object), {}, np.ones(3))
    told = PriorFit(catalogue, np.array(counts)).refit(np.eye(4)[:3])
    assert told.tobytes() == np.tile(told[0], (3, 1)).tobytes()


@pytest.mark.parametrize("attributes", [{}, {"fine": None, "coarse": ""}, {"fine": "never seen"}, {"colour": "red"}])
def test_a_product_of_which_nothing_is_known_has_no_say(learned: Leanings, attributes: dict[str, str | None]) -> None:
    assert learned.posterior_of("new", attributes, 120.0) == ((0.0, 0.0, 0.0, 1.0), False)


@pytest.mark.parametrize("unit", [0.0, -5.0, float("nan")])
def test_an_unknown_price_counts_as_the_usual_one(learned: Leanings, unit: float) -> None:
    usual = learned.prior.medians["fine"]["F3"]
    found, _ = learned.posterior_of("new", {"fine": "F3"}, unit)
    assert found == learned.posterior_of("new", {"fine": "F3"}, usual)[0]


def test_another_catalogue_reads_the_same_as_one_product_at_a_time(town: Market, learned: Leanings) -> None:
    other = Catalogue(
        codes=np.array(["P0001", "new"], dtype=object),
        attributes={"fine": np.array(["F1", "F2"], dtype=object)},
        unit_pence=np.array([90.0, 300.0]),
    )
    table, known = learned.posteriors(other)
    assert known.tolist() == [True, False]
    assert tuple(table[1].tolist()) == learned.posterior_of("new", {"fine": "F2"}, 300.0)[0]


def test_products_that_no_training_basket_holds_are_not_known() -> None:
    town = market(baskets=400, products=60)
    never = np.bincount(town.lines.product, minlength=60) > 0
    never[0] = False
    keep = town.lines.product != 0
    lines = Lines(
        town.lines.basket[keep], town.lines.product[keep], town.lines.quantity[keep], town.lines.spend_pence[keep], 400
    )
    leanings = fit(lines, town.y, town.catalogue, weight="one")
    _, known = leanings.posteriors(town.catalogue)
    assert known.tolist() == never.tolist()


def test_json_gives_the_same_bits_back(town: Market, learned: Leanings) -> None:
    text = json.dumps(learned.to_json())
    again = Leanings.from_json(json.loads(text))
    assert json.dumps(again.to_json()) == text
    posteriors, _ = learned.posteriors(town.catalogue)
    assert again.posteriors(town.catalogue)[0].tobytes() == posteriors.tobytes()
    assert again.features(town.lines, posteriors).tobytes() == learned.features(town.lines, posteriors).tobytes()
    assert again.posterior_of("new", {"fine": "F3"}, 99.0) == learned.posterior_of("new", {"fine": "F3"}, 99.0)


def test_reading_leanings_needs_numpy_alone() -> None:
    code = (
        "import sys, retailops.retail.leanings as l; l.Leanings.from_json;"
        "print(sorted({'scipy', 'sklearn', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


_HASH = (
    "import json; from tests.retail.market import market; from retailops.retail.leanings import fit_out_of_fold;"
    "t = market(600); l, f = fit_out_of_fold(t.lines, t.y, t.catalogue);"
    "import hashlib; print(hashlib.sha256(json.dumps(l.to_json()).encode() + f.tobytes()).hexdigest())"
)


def test_the_same_seed_gives_the_same_bits_whatever_the_cores() -> None:
    town = market(600)
    leanings, features = fit_out_of_fold(town.lines, town.y, town.catalogue)
    here = hashlib.sha256(json.dumps(leanings.to_json()).encode() + features.tobytes()).hexdigest()
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-c", _HASH], capture_output=True, text=True, check=True, cwd=root, env=environment
    )
    assert run.stdout.strip() == here


def test_a_class_without_baskets_is_refused_with_the_counts(town: Market) -> None:
    with pytest.raises(DataError, match=r"each class of BASKET_PRICE_SENSITIVITY; there are: .*UM 0"):
        fit(town.lines, np.minimum(town.y, 1), town.catalogue)


def test_fewer_baskets_of_a_class_than_folds_are_refused() -> None:
    town = market(12)
    with pytest.raises(DataError, match="at least 10 training baskets"):
        fit_out_of_fold(town.lines, town.y, town.catalogue, folds=10)


def test_very_few_baskets_still_give_finite_features() -> None:
    town = market(30, seed=9)
    leanings, features = fit_out_of_fold(town.lines, town.y, town.catalogue, folds=3)
    assert np.isfinite(features).all()
    assert 0.0 <= leanings.noise < 1.0
    assert leanings.posterior.sum(axis=1) == pytest.approx(1.0)


def test_returns_and_missing_attributes_do_no_harm() -> None:
    town = market(1500, weight="spend")
    spend = np.where(np.arange(len(town.lines)) % 50 == 0, -1, town.lines.spend_pence)
    blank = np.array([None if i % 3 else "" for i in range(len(town.catalogue))], dtype=object)
    catalogue = replace(
        town.catalogue,
        attributes={"fine": blank, "coarse": blank},
        unit_pence=np.full(len(town.catalogue), np.nan),
    )
    leanings = fit(replace(town.lines, spend_pence=spend), town.y, catalogue, weight="spend")
    assert np.mean(predicted(leanings, town) == town.y) > 0.8


def test_taking_baskets_renumbers_them(town: Market) -> None:
    mask = np.zeros(town.lines.baskets, dtype=np.bool_)
    mask[[1, 5]] = True
    taken = town.lines.take(mask)
    assert taken.baskets == 2
    assert np.unique(taken.basket).tolist() == [0, 1]
    assert taken.product.tolist() == town.lines.product[np.isin(town.lines.basket, [1, 5])].tolist()


def test_unsorted_lines_and_unknown_weights_are_refused(town: Market) -> None:
    with pytest.raises(RetailOpsError, match="sorted by basket"):
        replace(town.lines, basket=town.lines.basket[::-1])
    with pytest.raises(RetailOpsError, match="Unknown line weight 'pounds'"):
        fit(town.lines, town.y, town.catalogue, weight="pounds")
    with pytest.raises(RetailOpsError, match="but 3 labels"):
        fit(town.lines, town.y[:3], town.catalogue)


def test_progress_counts_every_sweep_once(town: Market) -> None:
    class Seen(Silent):
        def __init__(self) -> None:
            self.stages: list[tuple[int | None, list[int]]] = []

        def stage(self, text: str, total: int | None = None, unit: str = "") -> None:
            self.stages.append((total, []))

        def advance(self, done: int) -> None:
            self.stages[-1][1].append(done)

    small, _ = town.split(400)
    seen = Seen()
    fit_out_of_fold(small.lines, small.y, small.catalogue, folds=3, sweeps=4, progress=seen)
    assert all(done == list(range(1, total + 1)) for total, done in seen.stages if total)
    assert [total for total, _ in seen.stages] == [24, 16]
