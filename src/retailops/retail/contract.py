"""The data contract: what a row must be to enter the silver zone; every rule with a code and a sentence, in one list.

Three kinds of rule, in the order in which they are applied; a row carries the first one it breaks:
- a Field looks at one value (`v`: its text, trimmed, NULL when empty) and gives the typed value or NULL;
- a row or basket rule (sql/weekdays.sql, sql/verdicts.sql) compares typed values: weekday and date, rows of one basket;
- a line that doesn't have the header's number of fields never becomes a row.

Sets of codes are not closed: another retailer has other regions, store formats and basket types, and refusing them
would refuse that retailer. A code must be printable and at most 40 characters, so that it is safe in a report, a folder
name and a CSV. Only the label is closed, because the model's classes are.
Spend may be zero or negative: such rows exist in the published data (refunds, vouchers) and are real.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources

from retailops.retail import features
from retailops.retail.columns import LABEL, LABELS, UNCLASSIFIED, VALUE_ALIASES

# [[:cntrl:]] and the Unicode spaces have no name that RE2 and Java share, so the printable range is spelled out. And
# patterns end in \z, since Java's $ also stands before a last line feed.
CODE = r"^[^\x00-\x20\x7f]([^\x00-\x1f\x7f]{0,38}[^\x00-\x20\x7f])?\z"
# What is trimmed, spelled out: DuckDB's plain trim takes every space that Unicode has, Spark's the one of ASCII alone.
SPACES = " \u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u202f\u205f\u3000"
CODE_SENTENCE = "a printable code of at most 40 characters"


@dataclass(frozen=True)
class Field:
    """One silver column: its raw column, its SQL type, and the typed value of `v`, NULL when the rule is broken."""

    name: str
    source: str
    type: str
    value: str
    expected: str
    required: bool = True

    @property
    def code(self) -> str:
        """The reason under which a row goes to quarantine."""
        return self.source.lower()

    @property
    def sentence(self) -> str:
        return f"{self.source} must be {self.expected}{'' if self.required else ', or empty'}."


@dataclass(frozen=True)
class Rule:
    """A rule that isn't about one value; sql/verdicts.sql or the reader applies it."""

    code: str
    sentence: str


def _integer(pattern: str, type_: str) -> str:
    return f"CASE WHEN regexp_matches(v, '{pattern}') THEN CAST(v AS {type_}) END"


def _code(column: str) -> str:
    known = VALUE_ALIASES.get(column, {})
    decoded = "".join(f" WHEN upper(v) = '{alias}' THEN '{plain}'" for alias, plain in known.items())
    return f"CASE{decoded} WHEN regexp_matches(v, '{CODE}') THEN v END"


def _label() -> str:
    decoded = "".join(f" WHEN upper(v) = '{alias}' THEN '{plain}'" for alias, plain in VALUE_ALIASES[LABEL].items())
    closed = ", ".join(f"'{label}'" for label in (*LABELS, UNCLASSIFIED))
    return f"CASE{decoded} WHEN upper(v) IN ({closed}) THEN upper(v) END"


# The cast sees only text that is all digits, so it can't fail on any engine; what isn't a calendar day gives NULL.
_DATE = (
    "CASE WHEN regexp_matches(v, '^(19|20)[0-9]{6}\\z') "
    "THEN TRY_CAST(concat(substr(v, 1, 4), '-', substr(v, 5, 2), '-', substr(v, 7, 2)) AS DATE) "
    "WHEN regexp_matches(v, '^(19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}\\z') THEN TRY_CAST(v AS DATE) END"
)
# Through an exact decimal, never a float: 1.15 is 115 pence, not 114.
_PENCE = (
    "CASE WHEN regexp_matches(v, '^-?[0-9]{1,9}([.][0-9]{1,2}0*)?\\z') "
    "THEN CAST(CAST(v AS DECIMAL(11, 2)) * 100 AS BIGINT) END"
)


def _coded(column: str, *, required: bool = True) -> Field:
    return Field(column, column, "VARCHAR", _code(column), CODE_SENTENCE, required)


def fields(*, labelled: bool = True) -> tuple[Field, ...]:
    """Every silver column in order. Without labels the label may be empty; a wrong one still breaks the contract."""
    week = _integer("^(19|20)[0-9]{2}(0[1-9]|[1-4][0-9]|5[0-3])\\z", "INTEGER")
    weekday = _integer("^[1-7]\\z", "TINYINT")
    hour = _integer("^([01]?[0-9]|2[0-3])\\z", "TINYINT")
    quantity = _integer("^0*[1-9][0-9]{0,6}\\z", "INTEGER")
    basket = _integer("^[0-9]{1,18}\\z", "BIGINT")
    return (
        Field("SHOP_WEEK", "SHOP_WEEK", "INTEGER", week, "a fiscal week yyyyww, ww from 01 to 53"),
        Field("SHOP_DATE", "SHOP_DATE", "DATE", _DATE, "a calendar day yyyymmdd"),
        Field("SHOP_WEEKDAY", "SHOP_WEEKDAY", "TINYINT", weekday, "1 (Sunday) to 7 (Saturday)"),
        Field("SHOP_HOUR", "SHOP_HOUR", "TINYINT", hour, "an hour from 0 to 23"),
        Field("QUANTITY", "QUANTITY", "INTEGER", quantity, "a whole number from 1 to 9999999"),
        Field("SPEND_PENCE", "SPEND", "BIGINT", _PENCE, "an amount with a decimal point and at most two decimals"),
        _coded("PROD_CODE"),
        _coded("PROD_CODE_10"),
        _coded("PROD_CODE_20"),
        _coded("PROD_CODE_30"),
        _coded("PROD_CODE_40"),
        _coded("CUST_CODE", required=False),
        _coded("CUST_PRICE_SENSITIVITY", required=False),
        _coded("CUST_LIFESTAGE", required=False),
        Field("BASKET_ID", "BASKET_ID", "BIGINT", basket, "a whole number of at most 18 digits"),
        _coded("BASKET_SIZE"),
        Field(LABEL, LABEL, "VARCHAR", _label(), "LA, MM, UM or XX (or High, Medium, Low)", labelled),
        _coded("BASKET_TYPE"),
        _coded("BASKET_DOMINANT_MISSION"),
        _coded("STORE_CODE"),
        _coded("STORE_FORMAT"),
        _coded("STORE_REGION"),
    )


MALFORMED = "malformed"
DUPLICATE = "duplicate"  # not a breach: the row says what another row has said, so it is counted and left out

RULES: tuple[Rule, ...] = (
    *(Rule(each.code, each.sentence) for each in fields()),
    Rule(MALFORMED, "A line must have as many fields as the header."),
    Rule("weekday_of_date", "SHOP_WEEKDAY must be the weekday of SHOP_DATE (1 = Sunday)."),
    Rule("basket_in_two_weeks", "A basket belongs to one SHOP_WEEK; the rows of its later weeks are refused."),
    Rule(
        "basket_contradicts_itself",
        "Customer, store, date, hour and BASKET_* must be the same on all rows of a basket.",
    ),
    Rule(
        "line_contradicts_itself",
        "A product's rows within a basket must not give different quantities, spends or groups.",
    ),
)

PARTITIONS = ("STORE_REGION", "BASKET_TYPE")


def sql(name: str) -> str:
    """The text of one of the SQL files, in DuckDB dialect."""
    return resources.files("retailops.retail").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def gold_sql() -> str:
    """The gold zone from the rows of `silver`, with every aggregate of the feature table."""
    aggregates = ",\n    ".join(f"{aggregate} AS {name}" for name, aggregate in features.gold_columns())
    return sql("gold").format(features=aggregates)


def gold_texts() -> dict[str, str]:
    """Text columns of the gold zone → the silver column whose values they hold."""
    head = {"cust_code": "CUST_CODE", "store_code": "STORE_CODE", "label": LABEL}
    return head | {each.name: each.column for each in features.TABLE if each.categorical}


def typed_sql(source: str, *, labelled: bool = True, carried: tuple[str, ...] = ("row",)) -> str:
    """A SELECT that types every row of the text table `source`; `broken` is the code of the first field that is wrong.

    Shape: the columns `carried` as they are, the silver columns, `broken` (NULL for a good row). For engines that take
    the whole in one statement; the ETL here applies the same expressions once per distinct value.
    """
    chosen = fields(labelled=labelled)
    names = ", ".join(each.name for each in chosen)
    broken = " ".join(
        f"WHEN {each.name} IS NULL{'' if each.required else f' AND NOT {each.name}_missing'} THEN '{each.code}'"
        for each in chosen
    )
    kept = "".join(f"{name}, " for name in carried)
    return f"SELECT {kept}{names}, CASE {broken} END AS broken FROM ({_typed(chosen, source, carried)}) AS typed"  # noqa: S608 - column names are our own, `source` the caller's


def typed_values_sql(chosen: tuple[Field, ...], source: str) -> str:
    """A SELECT over distinct texts (the columns of `source` needn't be rows): for each field, NAME and NAME_missing."""
    return _typed(chosen, source, ())


def _typed(chosen: tuple[Field, ...], source: str, carried: tuple[str, ...]) -> str:
    trimmed = [f"nullif(trim({each.source}, '{SPACES}'), '') AS {each.source}" for each in chosen]
    typed = [
        f"CAST({_on(each)} AS {each.type}) AS {each.name}, {each.source} IS NULL AS {each.name}_missing"
        for each in chosen
    ]
    raw = f"SELECT {', '.join([*carried, *trimmed])} FROM {source}"  # noqa: S608 - our own columns
    return f"SELECT {', '.join([*carried, *typed])} FROM ({raw}) AS trimmed"  # noqa: S608 - the same


def _on(each: Field) -> str:
    """The field's expression with its column in place of `v`."""
    return re.sub(r"\bv\b(?=[ ,)])", each.source, each.value)
