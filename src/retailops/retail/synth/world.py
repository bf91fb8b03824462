"""The synthetic shop before anybody buys: products with hidden leanings, stores, and customers with a taste."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from retailops.retail.synth.options import SynthOptions

Floats = np.ndarray[Any, np.dtype[np.float64]]
Integers = np.ndarray[Any, np.dtype[np.int64]]
Strings = np.ndarray[Any, np.dtype[np.str_]]

PRODUCTS = 4_997
STORES = 761

# Hidden leanings: index into columns.LABELS, or no say in the label at all.
LA, MM, UM, NO_SAY = range(4)
_LEANING_SHARES = (0.14, 0.70, 0.13)  # of the products that have a say
# A product that leans to an outer class sells about twice as much as one in the middle.
_DEMAND_OF_LEANING = (2.4, 1.0, 2.2)

# Areas: what a basket's mission is about. Divisions (PROD_CODE_40) belong to one area each.
FRESH, GROCERY, NONFOOD = range(3)
_DIVISION_AREAS = (FRESH, FRESH, GROCERY, NONFOOD, NONFOOD, NONFOOD, NONFOOD, GROCERY, GROCERY)
# Children of each division: groups, departments, categories, products. They add up to 31, 90, 250 and PRODUCTS.
_DIVISION_SIZES = (
    (3, 8, 24, 380),
    (6, 25, 76, 1790),
    (7, 22, 67, 1775),
    (4, 11, 26, 130),
    (3, 10, 30, 730),
    (2, 3, 4, 8),
    (1, 1, 1, 2),
    (3, 8, 18, 162),
    (2, 2, 4, 20),
)
# The divisions in which most products have no say; elsewhere in nonfood a few.
_NO_SAY_DIVISIONS = (5, 6)
_NO_SAY_SHARE = 0.16  # of the other nonfood products

# The carrier bag: a penny, bought several at a time, the one best seller without a say.
BAG = 0

_SEGMENTS = ("AZ", "BG", "CT", "DY")
_SEGMENT_SHARES = (0.240, 0.261, 0.380, 0.119)  # of customers
_SEGMENT_VISITS = (1.0, 0.94, 1.03, 0.025)  # relative rate; DY is the segment of those who hardly ever came
# A customer's taste: mean and spread of the expected leaning of a line, as a share of its possible range (-1 … 1).
_TASTE = (-0.50, 0.49, 0.03, 0.02)
_TASTE_SPREAD = 0.28
_LIFESTAGES = ("AT", "BU", "CZ", "DI", "EQ", "FN", "")
_LIFESTAGE_SHARES = (0.128, 0.447, 0.103, 0.113, 0.035, 0.070, 0.104)
_LIFESTAGE_VISITS = (1.0, 0.58, 1.1, 1.25, 1.2, 0.95, 1.0)
_VISIT_SHAPE = 0.80  # of the gamma distribution of visits: many rare customers, a few daily ones
_ONCE, _ONCE_VISITS = 0.06, 0.02  # share of customers who come once or twice, and their rate
# A chain of 5,000 known customers sells 4,186 baskets a week, anonymous ones included.
_CUSTOMERS_PER_WEEKLY_BASKET = 5_000 / 4_186

_FORMATS = ("LS", "MS", "SS", "XLS")
_FORMAT_STORES = (330, 236, 167, 28)
_FORMAT_VISITS = (0.585, 0.252, 0.095, 0.068)
REGIONS = tuple(f"{side}{number:02d}" for side in "ENSW" for number in (1, 2, 3))


@dataclass(frozen=True)
class Products:
    """Arrays of length PRODUCTS, in the order of their codes."""

    codes: dict[str, Strings]  # PROD_CODE, PROD_CODE_10 … PROD_CODE_40
    area: Integers
    leaning: Integers  # hidden: never written to a file
    demand: Floats
    pence: Integers  # unit price
    varies: np.ndarray[Any, np.dtype[np.bool_]]  # weighed goods: no fixed unit price


@dataclass(frozen=True)
class Stores:
    """Arrays of length STORES."""

    codes: Strings
    format: Integers  # index into `formats`
    region: Strings
    visits: Floats  # share of visits
    formats: tuple[str, ...] = _FORMATS


@dataclass(frozen=True)
class Customers:
    """Arrays of the known customers."""

    codes: Strings
    segment: Strings  # coded, as in the published files
    lifestage: Strings  # "" for unknown
    taste: Floats
    visits: Floats  # share of visits
    home: Integers  # index of a store


@dataclass(frozen=True)
class World:
    products: Products
    stores: Stores
    customers: Customers


def build(options: SynthOptions) -> World:
    """The same world for the same seed and size; products and stores depend on the seed alone."""
    goods, shops, people = (np.random.default_rng([options.seed, room]) for room in range(3))
    stores = _stores(shops)
    return World(_products(goods), stores, _customers(people, options, stores))


def _split(total: int, parts: int, rng: np.random.Generator) -> Integers:
    """`total` things over `parts` parents, unevenly, at least one each."""
    weights = rng.gamma(1.3, size=parts)
    return 1 + rng.multinomial(total - parts, weights / weights.sum())


def _tree(rng: np.random.Generator) -> tuple[Integers, ...]:
    """Per product the number of its category, department, group and division, from 0: a strict tree."""
    category, department, group, division = [], [], [], []
    offsets = np.zeros(3, np.int64)
    for number, (groups, departments, categories, products) in enumerate(_DIVISION_SIZES):
        group_of = np.repeat(np.arange(groups), _split(departments, groups, rng))
        department_of = np.repeat(np.arange(departments), _split(categories, departments, rng))
        category_of = np.repeat(np.arange(categories), _split(products, categories, rng))
        category.append(offsets[0] + category_of)
        department.append(offsets[1] + department_of[category_of])
        group.append(offsets[2] + group_of[department_of[category_of]])
        division.append(np.full(products, number))
        offsets += (categories, departments, groups)
    return tuple(np.concatenate(level) for level in (category, department, group, division))


def _products(rng: np.random.Generator) -> Products:
    tree = _tree(rng)
    category, division = tree[0], tree[3]
    order = rng.permutation(PRODUCTS)  # codes tell nothing about the tree
    category, division = category[order], division[order]
    area = np.array(_DIVISION_AREAS)[division]
    leaning = _leanings(rng, category, division, area)
    bag = int(np.flatnonzero(leaning == NO_SAY)[BAG])
    pence = _prices(rng, category, leaning)
    pence[bag] = 1
    varies = rng.random(PRODUCTS) < 0.06
    varies[bag] = False
    return Products(
        codes={
            "PROD_CODE": _numbered("PRD09", 5, np.arange(PRODUCTS) + 1),
            "PROD_CODE_10": _numbered("CL", 5, category + 1),
            "PROD_CODE_20": _numbered("DEP", 5, tree[1][order] + 1),
            "PROD_CODE_30": _numbered("G", 5, tree[2][order] + 1),
            "PROD_CODE_40": _numbered("D", 5, division + 1),
        },
        area=area,
        leaning=leaning,
        demand=_demand(rng, leaning, bag),
        pence=pence,
        varies=varies,
    )


def _numbered(prefix: str, digits: int, numbers: Integers) -> Strings:
    return np.char.add(prefix, np.char.zfill(numbers.astype(str), digits))


def _leanings(rng: np.random.Generator, category: Integers, division: Integers, area: Integers) -> Integers:
    """Products of one category lean alike: each category has its own shares around the chain's."""
    shares = rng.dirichlet(np.array(_LEANING_SHARES) * 7.0, size=category.max() + 1)
    draw = rng.random(category.size)[:, None]
    leaning = (draw > np.cumsum(shares, axis=1)[category][:, :2]).sum(axis=1)
    silent = rng.random(category.size) < np.where(np.isin(division, _NO_SAY_DIVISIONS), 0.95, _NO_SAY_SHARE)
    found: Integers = np.where(silent & (area == NONFOOD), NO_SAY, leaning)
    return found


def _prices(rng: np.random.Generator, category: Integers, leaning: Integers) -> Integers:
    """Pence. A category has its level; a product that leans to LA is about a third cheaper than its category."""
    level = rng.normal(0.10, 0.62, size=category.max() + 1)[category]
    relative = rng.normal(0.0, 0.55, size=category.size)
    shift = np.array([-0.49, 0.04, 0.09, 0.0])[leaning]
    pence: Integers = np.maximum(np.rint(100 * np.exp(level + relative + shift)), 5).astype(np.int64)
    return pence


def _demand(rng: np.random.Generator, leaning: Integers, bag: int) -> Floats:
    """Zipf-like with a cut-off: the first 100 products a quarter of the lines, the first 1,000 three fifths."""
    rank = np.arange(1, leaning.size + 1)
    share = rank**-0.63 * np.exp(-rank / 6_200)
    # An exponential race: who has twice the weight tends to come earlier.
    race = rng.exponential(size=leaning.size) / np.array((*_DEMAND_OF_LEANING, 0.25))[leaning]
    race[bag] = 0.0
    demand = np.empty(leaning.size)
    demand[np.argsort(race)] = share
    return demand


def _stores(rng: np.random.Generator) -> Stores:
    kind = rng.permutation(np.repeat(np.arange(len(_FORMATS)), _FORMAT_STORES))
    size = rng.lognormal(0.0, 0.4, size=STORES)
    total = np.bincount(kind, size)
    return Stores(
        codes=_numbered("STORE", 5, np.sort(rng.choice(2_950, STORES, replace=False)) + 1),
        format=kind,
        region=np.array(REGIONS)[rng.integers(len(REGIONS), size=STORES)],
        visits=size / total[kind] * np.array(_FORMAT_VISITS)[kind],
    )


def _customers(rng: np.random.Generator, options: SynthOptions, stores: Stores) -> Customers:
    count = max(1, round(options.weekly_baskets * _CUSTOMERS_PER_WEEKLY_BASKET))
    segment = rng.choice(len(_SEGMENTS), count, p=_normal(_SEGMENT_SHARES))
    lifestage = rng.choice(len(_LIFESTAGES), count, p=_normal(_LIFESTAGE_SHARES))
    visits = rng.gamma(_VISIT_SHAPE, size=count) + 1e-4
    visits[rng.random(count) < _ONCE] *= _ONCE_VISITS
    visits *= np.array(_SEGMENT_VISITS)[segment] * np.array(_LIFESTAGE_VISITS)[lifestage]
    return Customers(
        codes=_numbered("CUST", 10, np.sort(rng.choice(max(1_000_000, 2 * count), count, replace=False)) + 1),
        segment=np.array(_SEGMENTS)[segment],
        lifestage=np.array(_LIFESTAGES)[lifestage],
        taste=np.array(_TASTE)[segment] + rng.normal(0.0, _TASTE_SPREAD, size=count),
        visits=visits / visits.sum(),
        home=rng.choice(STORES, count, p=stores.visits / stores.visits.sum()),
    )


def _normal(shares: tuple[float, ...]) -> Floats:
    return np.array(shares) / sum(shares)
