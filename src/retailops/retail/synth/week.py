"""One week of synthetic baskets: who came where, what they bought, and the label that follows from it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from retailops.retail import columns
from retailops.retail.synth.options import FIRST_PUBLISHED_WEEK, monday, week_number
from retailops.retail.synth.world import NO_SAY, NONFOOD, Floats, Integers, Strings, World

# The header of the published files: two columns carry their old names there.
HEADER = tuple(
    {"CUST_PRICE_SENSITIVITY": "seg_1", "CUST_LIFESTAGE": "seg_2"}.get(name, name) for name in columns.COLUMNS
)

_ANONYMOUS = 0.205
_AT_HOME = 0.79
_HOURS = np.arange(8, 22)
_HOUR_SHARES = np.array([60, 41, 55, 70, 81, 90, 91, 89, 84, 77, 69, 59, 48, 86]) / 1000

_TYPES = np.array(("Small Shop", "Top Up", "Full Shop", "XX"))
# Share of the types by store format (LS, MS, SS, XLS).
_TYPE_SHARES = np.array(
    (
        (0.514, 0.346, 0.129, 0.011),
        (0.601, 0.306, 0.078, 0.015),
        (0.679, 0.255, 0.048, 0.018),
        (0.510, 0.361, 0.119, 0.010),
    )
)
_MISSIONS = np.array(("Fresh", "Grocery", "Nonfood", "Mixed", "XX"))
_MIXED, _NO_MISSION = 3, 4
_DOMINANT = (0.58, 0.56, 0.50)  # share of a basket's lines that makes an area its mission
_AREA_SHARES = np.array((0.60, 0.305, 0.095))
_AREA_EVENNESS = 5.5  # of the Dirichlet: how alike baskets are in their areas

# A line of a basket with many lines is in the middle with _MIDDLE; of a basket of one line more often.
_MIDDLE, _MIDDLE_ALONE = 0.535, 0.20
_MOOD_SPREAD = 0.16
_ANONYMOUS_TASTE, _ANONYMOUS_SPREAD = -0.12, 0.40
# Chance of a line without a say: of any, on top of it for a basket's only line, and in a basket of type XX.
_SILENT, _SILENT_ALONE, _SILENT_XX = 0.021, 0.014, 0.90

# A basket's label follows the mean leaning (-1, 0, 1) of its lines that have a say. These are the thresholds.
THRESHOLDS = (-0.227, 0.183)

# Quantities by dearness of the product: two is never bought.
_QUANTITIES = np.array((1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 20, 25))
_MANY = np.array((0, 763, 107, 25, 42, 18, 13, 10, 4, 5, 4, 4, 2, 2, 1)) / 1000
_BAGS = np.array((29, 22, 6, 6, 8, 6, 6, 5, 3, 3, 2, 2, 1, 0.6, 0.4)) / 100


@dataclass(frozen=True)
class _Baskets:
    """Arrays of one row a basket."""

    customer: Integers  # -1 for anonymous
    store: Integers
    kind: Integers  # index into _TYPES
    lines: Integers
    mood: Floats  # expected leaning of a line, as a share of its range


@dataclass(frozen=True)
class _Lines:
    """Arrays of one row a line, sorted by basket, then product."""

    basket: Integers
    product: Integers
    quantity: Integers
    pence: Integers


class Shelf:
    """Draws products by demand within one area and leaning, for many lines at once."""

    def __init__(self, world: World) -> None:
        products = world.products
        cell = products.area * 4 + products.leaning
        self._order = np.argsort(cell, kind="stable")
        total = np.cumsum(products.demand[self._order])
        self._demand = total
        ends = np.searchsorted(cell[self._order], np.arange(13), side="left")
        before = np.concatenate(([0.0], total))
        self._start = before[ends[:-1]]
        self._mass = before[ends[1:]] - self._start

    def draw(self, area: Integers, leaning: Integers, rng: np.random.Generator) -> Integers:
        cell = area * 4 + leaning
        point = self._start[cell] + rng.random(cell.size) * self._mass[cell]
        place = np.minimum(np.searchsorted(self._demand, point, side="right"), self._order.size - 1)
        found: Integers = self._order[place]
        return found


def week(world: World, shelf: Shelf, yyyyww: int, count: int, noise: float, rng: np.random.Generator) -> pa.Table:
    """`count` baskets in the published column layout, sorted by basket and product."""
    baskets = _baskets(world, count, rng)
    lines = _fill(world, shelf, baskets, rng)
    label = _labels(world, lines, count, noise, rng)
    return _table(world, yyyyww, baskets, lines, label, rng)


def _pick(cumulative: Floats, rng: np.random.Generator, count: int) -> Integers:
    return np.minimum(np.searchsorted(cumulative, rng.random(count), side="right"), cumulative.size - 1)


def _baskets(world: World, count: int, rng: np.random.Generator) -> _Baskets:
    people, stores = world.customers, world.stores
    known = rng.random(count) >= _ANONYMOUS
    customer = np.where(known, _pick(np.cumsum(people.visits), rng, count), -1)
    anywhere = _pick(np.cumsum(stores.visits), rng, count)
    store = np.where(known & (rng.random(count) < _AT_HOME), people.home[customer], anywhere)
    shares = np.cumsum(_TYPE_SHARES, axis=1)[stores.format[store]]
    kind = (rng.random(count)[:, None] > shares[:, :3]).sum(axis=1)
    taste = np.where(known, people.taste[customer], rng.normal(_ANONYMOUS_TASTE, _ANONYMOUS_SPREAD, count))
    return _Baskets(
        customer=customer,
        store=store,
        kind=kind,
        lines=_line_counts(kind, rng),
        mood=np.clip(taste + rng.normal(0.0, _MOOD_SPREAD, count), -1.0, 1.0),
    )


def _line_counts(kind: Integers, rng: np.random.Generator) -> Integers:
    """Lines by type: Small Shop mostly 1 to 5, Top Up around 8, Full Shop around 20, XX one."""
    count = kind.size
    drawn = np.stack(
        (
            1 + rng.poisson(rng.gamma(2.3, 1.43 / 2.3, count)),
            np.rint(rng.lognormal(np.log(8.0), 0.42, count)),
            np.rint(rng.lognormal(np.log(19.9), 0.30, count)),
            1 + (rng.random(count) < 0.04),
        )
    ).astype(np.int64)
    return np.clip(drawn[kind, np.arange(count)], 1, 60)


def _fill(world: World, shelf: Shelf, baskets: _Baskets, rng: np.random.Generator) -> _Lines:
    basket = np.repeat(np.arange(baskets.lines.size), baskets.lines)
    leaning = _line_leanings(baskets, basket, rng)
    area = np.where(leaning == NO_SAY, NONFOOD, _line_areas(baskets, basket, rng))
    product = shelf.draw(area, leaning, rng)
    order, repeated = _sorted(basket, product)
    for _ in range(4):
        # A product occurs once a basket: draw the repeated ones again, and drop what still repeats at the end.
        again = order[repeated]
        product[again] = shelf.draw(area[again], leaning[again], rng)
        order, repeated = _sorted(basket, product)
    keep = order[~repeated]
    basket, product = basket[keep], product[keep]
    quantity = _quantities(world, baskets, basket, product, rng)
    return _Lines(basket, product, quantity, _spend(world, product, quantity, rng))


def _sorted(basket: Integers, product: Integers) -> tuple[Integers, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """The order by basket and product, and which places of that order repeat the place before."""
    key = basket * 8192 + product
    order = np.argsort(key, kind="stable")
    repeated = np.zeros(key.size, bool)
    repeated[1:] = np.diff(key[order]) == 0
    return order, repeated


def _line_leanings(baskets: _Baskets, basket: Integers, rng: np.random.Generator) -> Integers:
    outer = 1.0 - _MIDDLE - _MIDDLE_ALONE * np.exp((1 - baskets.lines) / 4.0)
    upper = outer * (1.0 + baskets.mood) / 2.0
    draw = rng.random(basket.size)
    leaning = 1 - (draw < (outer - upper)[basket]) + (draw > (1.0 - upper)[basket])
    silent = np.where(_TYPES[baskets.kind] == "XX", _SILENT_XX, _SILENT + _SILENT_ALONE / baskets.lines)
    return np.where(rng.random(basket.size) < silent[basket], NO_SAY, leaning)


def _line_areas(baskets: _Baskets, basket: Integers, rng: np.random.Generator) -> Integers:
    shares = rng.dirichlet(_AREA_SHARES * _AREA_EVENNESS, size=baskets.lines.size)
    area: Integers = (rng.random(basket.size)[:, None] > np.cumsum(shares, axis=1)[basket][:, :2]).sum(axis=1)
    return area


def _quantities(
    world: World, baskets: _Baskets, basket: Integers, product: Integers, rng: np.random.Generator
) -> Integers:
    pence = world.products.pence[product]
    one = np.where(pence < 30, 0.66, np.where(pence < 60, 0.775, 0.868))
    many = _QUANTITIES[_pick(np.cumsum(_MANY), rng, product.size)]
    bags = _QUANTITIES[_pick(np.cumsum(_BAGS), rng, product.size)]
    quantity = np.where(pence == 1, bags, np.where(rng.random(product.size) < one, 1, many))
    # A Small Shop stays small: hardly one in the real rows holds ten items.
    most = np.where(_TYPES[baskets.kind] == "Small Shop", 10 - baskets.lines, 99)[basket]
    small: Integers = np.where(quantity <= most, quantity, np.where(most >= 3, most, 1))
    return small


def _spend(world: World, product: Integers, quantity: Integers, rng: np.random.Generator) -> Integers:
    """Pence. Weighed goods cost what they weigh, everything else its one price."""
    exact = world.products.pence[product] * quantity
    weighed = np.maximum(np.rint(exact * rng.lognormal(0.0, 0.25, product.size)), 1).astype(np.int64)
    return np.where(world.products.varies[product], weighed, exact)


def _labels(world: World, lines: _Lines, count: int, noise: float, rng: np.random.Generator) -> Strings:
    """The balance of a basket's lines against two thresholds; XX when no line has a say."""
    leaning = world.products.leaning[lines.product]
    say = leaning != NO_SAY
    weight = np.bincount(lines.basket[say], minlength=count)
    balance = np.bincount(lines.basket[say], leaning[say] - 1.0, minlength=count) / np.maximum(weight, 1)
    label = 1 - (balance < THRESHOLDS[0]) + (balance > THRESHOLDS[1])
    again = rng.random(count) < noise
    label = np.where(again, rng.integers(3, size=count), label)
    return np.where(weight > 0, np.array(columns.LABELS)[label], columns.UNCLASSIFIED)


def _missions(world: World, baskets: _Baskets, lines: _Lines) -> Strings:
    """The area that dominates the basket's lines, or Mixed."""
    area, count = world.products.area[lines.product], baskets.kind.size
    counts = np.bincount(lines.basket * 3 + area, minlength=count * 3).reshape(count, 3)
    share = counts / counts.sum(axis=1, keepdims=True)
    top = share.argmax(axis=1)
    mission = np.where(share.max(axis=1) >= np.array(_DOMINANT)[top], top, _MIXED)
    return _MISSIONS[np.where(_TYPES[baskets.kind] == "XX", _NO_MISSION, mission)]


def _table(
    world: World, yyyyww: int, baskets: _Baskets, lines: _Lines, label: Strings, rng: np.random.Generator
) -> pa.Table:
    count = baskets.kind.size
    people, stores = world.customers, world.stores
    day = rng.integers(7, size=count)
    start = monday(yyyyww)
    dates = np.array([int((start + dt.timedelta(days=each)).strftime("%Y%m%d")) for each in range(7)])
    items = np.bincount(lines.basket, lines.quantity, minlength=count)
    week_index = week_number(yyyyww) - week_number(FIRST_PUBLISHED_WEEK) + 1
    serial = np.cumsum(rng.geometric(1 / 190 if count <= 400_000 else 1 / 20, count))
    known = baskets.customer >= 0
    per_basket = {
        "SHOP_DATE": pa.array(dates[day]),
        "SHOP_WEEKDAY": pa.array((day + 1) % 7 + 1),
        "SHOP_HOUR": pa.array(_HOURS[_pick(np.cumsum(_HOUR_SHARES), rng, count)]),
        "CUST_CODE": pa.array(people.codes[baskets.customer], mask=~known),
        "seg_1": pa.array(people.segment[baskets.customer], mask=~known),
        "seg_2": pa.array(people.lifestage[baskets.customer], mask=~known | (people.lifestage[baskets.customer] == "")),
        "BASKET_ID": pa.array((9941 * 1000 + week_index) * 100_000_000 + serial),
        "BASKET_SIZE": pa.array(np.where(items <= 2, "S", np.where(items <= 9, "M", "L"))),
        columns.LABEL: pa.array(label),
        "BASKET_TYPE": pa.array(_TYPES[baskets.kind]),
        "BASKET_DOMINANT_MISSION": pa.array(_missions(world, baskets, lines)),
        "STORE_CODE": pa.array(stores.codes[baskets.store]),
        "STORE_FORMAT": pa.array(np.array(stores.formats)[stores.format[baskets.store]]),
        "STORE_REGION": pa.array(stores.region[baskets.store]),
    }
    basket, product = pa.array(lines.basket), pa.array(lines.product)
    filled = {name: column.take(basket) for name, column in per_basket.items()}
    filled |= {name: pa.array(codes).take(product) for name, codes in world.products.codes.items()}
    filled |= {
        "SHOP_WEEK": pa.array(np.full(lines.basket.size, yyyyww)),
        "QUANTITY": pa.array(lines.quantity),
        "SPEND": pa.array(lines.pence / 100),
    }
    return pa.table({name: filled[name] for name in HEADER})
