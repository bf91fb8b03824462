"""DuckDB's SQL in Spark's dialect, made when retailops is built: python -m retailops.retail.spark.dialect

What comes out lies in sql/spark/ and is shipped, so neither a user nor a job needs sqlglot, and what runs is what was
compared row by row. A test holds that it is what sqlglot makes of the SQL beside it.
"""

from __future__ import annotations

from pathlib import Path

from retailops.retail import contract

FOLDER = Path(__file__).parents[1] / "sql" / "spark"
CARRIED = ("file", "block", "position", "text", "readable", "kind")
# Constructs that were looked at on both engines. sqlglot passes others through unchanged, whatever they mean there.
KNOWN = {
    *("Select", "From", "Where", "Group", "Having", "Order", "Ordered", "Distinct", "With", "CTE", "Union", "Join"),
    *("Subquery", "Table", "TableAlias", "Alias", "Column", "Identifier", "Star", "Paren", "Tuple", "Var"),
    *("Literal", "Boolean", "Null", "Case", "If", "And", "Not", "Is", "In", "EQ", "NEQ", "LT", "GT"),
    *("Add", "Mul", "Div", "Mod", "Count", "Sum", "Min", "Max", "ArgMax", "DateDiff"),
    *("Cast", "TryCast", "DataType", "DataTypeParam", "Concat", "Substring", "Trim", "Upper", "Nullif", "RegexpLike"),
}


def statements() -> dict[str, str]:
    """Name → the statement as DuckDB has it."""
    return {
        "typed": contract.typed_sql("raw", carried=CARRIED),
        "typed_unlabelled": contract.typed_sql("raw", labelled=False, carried=CARRIED),
        "weekdays": contract.sql("weekdays"),
        "verdicts": contract.sql("verdicts"),
        "gold": contract.gold_sql(),
    }


def in_spark(statement: str) -> str:
    """The statement in Spark's dialect. ValueError for a construct that nobody has compared yet."""
    import sqlglot

    tree = sqlglot.parse_one(statement, read="duckdb")
    strange = {type(node).__name__ for node in tree.walk()} - KNOWN
    if strange:
        raise ValueError(f"Not compared on DuckDB and Spark yet: {', '.join(sorted(strange))}")
    return tree.sql("spark", pretty=True, comments=False, unsupported_level=sqlglot.ErrorLevel.RAISE) + "\n"


def main() -> None:
    """Write sql/spark/."""
    FOLDER.mkdir(exist_ok=True)
    for name, statement in statements().items():
        (FOLDER / f"{name}.sql").write_text(in_spark(statement), encoding="utf-8")


if __name__ == "__main__":
    main()
