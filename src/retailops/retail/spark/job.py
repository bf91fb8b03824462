"""The ETL as a Spark job, the same on Glue and on a laptop: it needs pyspark and an order, nothing of this package.

    spark-submit job.py --order FILE

The order (spark/order.py makes it) holds the SQL, the files with their columns, and the folders. The first pass types
all lines and parks them in `staging` with the place they stand at; what follows reads from there. The job leaves
`manifest.json` and, last of all, `result.json` in `output`, or `problem.json` and a non-zero exit code.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - what every page about Spark calls it

SETTINGS = {
    "spark.sql.ansi.enabled": "false",
    "spark.sql.caseSensitive": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    "spark.sql.sources.partitionOverwriteMode": "static",
}
ROW, MALFORMED, BLANK = 0, 1, 2  # what a line is
SHIFT = 36  # a row's number is its file's, this many bits further left, and its line
SPACE = r"^[\s\x1c-\x1f\x85\p{Z}]*\z"  # what Python's strip takes away
TYPES = {"tinyint": "int8", "int": "int32", "bigint": "int64", "date": "date32[day]"}  # Spark's → Arrow's


class Refused(Exception):
    """The input can't become a dataset; the words for it are made where they are shown."""


class Etl:
    """One order on one Spark session."""

    def __init__(self, spark: SparkSession, order: dict[str, Any]) -> None:
        self.spark = spark
        self.order = order
        self.files: list[dict[str, Any]] = order["files"]
        self.sql: dict[str, str] = order["sql"]
        self.folders: dict[str, str] = order["folders"]
        self.names: dict[str, str] = order["names"]
        for name, value in SETTINGS.items():
            spark.conf.set(name, value)
        self._java: Any = spark.sparkContext._gateway.jvm  # noqa: SLF001 - pyspark has no other way to files
        self._hadoop: Any = spark.sparkContext._jsc.hadoopConfiguration()  # noqa: SLF001 - the same
        self._hadoop.set("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false")

    def run(self) -> None:
        """From lines to zones. Refused when the input can't be used; then output/problem.json says why."""
        for name in ("silver", "gold", "quarantine", "staging"):
            self._remove(self.folders[name])
        self._stage("Spark: reading and typing the lines")
        self._park()
        lines = self._located()
        rows = lines.where(F.col("kind") == ROW)
        self._sound(lines)
        raw = self._counts(lines)
        self._stage("Spark: comparing the rows of each basket")
        typed, refused, reasons, duplicates = self._judged(lines, rows)
        self._stage("Spark: writing the zones")
        self._quarantine(lines, refused)
        total, bad = sum(raw), sum(reasons.values())
        if bad > self.order["max_quarantined"] * total:
            self._refuse("gate", raw=total, reasons=dict(reasons))
        if total == bad + duplicates:
            self._refuse("empty")
        silver, found = self._write(typed)
        counts = {"raw": total, "silver": silver, "quarantined": bad, "duplicates": duplicates}
        if total != silver + bad + duplicates:
            raise RuntimeError(f"The rows don't add up: {counts}")
        self._remove(self.folders["staging"])
        self._finish({**counts, "gold": found["gold"]}, found, dict(reasons), raw)

    # Lines and where they stand.

    def _park(self) -> None:
        """All lines, typed, each with its file, its block of the file and its number among the lines of the blocks."""
        groups: dict[str, list[int]] = {}
        for number, file in enumerate(self.files):
            groups.setdefault(json.dumps([file["headers"], file["delimiter"], file["columns"]]), []).append(number)
        for numbers in groups.values():
            self._lines(numbers).createOrReplaceTempView("raw")
            typed = self.spark.sql(self.sql["typed"])
            typed.write.mode("append").parquet(self.folders["staging"])

    def _lines(self, numbers: list[int]) -> DataFrame:
        """The raw lines of files that have the same columns: place, text, what kind of line it is, raw columns."""
        first = self.files[numbers[0]]
        text = self.spark.read.text([_literal(self.files[number]["path"]) for number in numbers], lineSep="\n")
        here = {_place(self.files[number]["path"]): number for number in numbers}
        known = [(name, here[_place(unquote(name))]) for name in text.inputFiles()]
        names = self.spark.createDataFrame(known, "name string, file int")
        read = text.select(
            F.input_file_name().alias("name"),
            F.expr("input_file_block_start()").alias("block"),
            F.monotonically_increasing_id().alias("position"),
            F.regexp_replace("value", r"\r+\z", "").alias("text"),
            _is_utf8(F.col("value")).alias("readable"),
        ).join(F.broadcast(names), "name")
        parts = read.withColumn("parts", _fields(F.col("text"), first["delimiter"]))
        whole = F.size("parts") == len(first["headers"])
        kind = F.when(F.col("text").rlike(SPACE), BLANK).when(whole, ROW).otherwise(MALFORMED)
        at = {canonical: first["headers"].index(header) for header, canonical in first["columns"].items()}
        columns = [
            (F.col("parts")[at[name]] if name in at else F.lit(None).cast("string")).alias(name)
            for name in self.order["columns"]
        ]
        return parts.select("file", "block", "position", "text", "readable", kind.alias("kind"), *columns)

    def _located(self) -> DataFrame:
        """The parked lines with `line`, counted from 1 within each file, and `row`; without headers and blank lines."""
        parked = self.spark.read.parquet(self.folders["staging"])
        blocks = parked.groupBy("file", "block").agg(F.count("*").alias("lines"), F.min("position").alias("first"))
        before, file = 0, -1
        starts = []
        for each in sorted(blocks.collect(), key=lambda found: (found["file"], found["block"])):
            before = before if each["file"] == file else 0
            file = each["file"]
            starts.append((file, each["block"], before + 1 - each["first"]))
            before += each["lines"]
        known = self.spark.createDataFrame(starts, "file int, block long, start long")
        line = F.col("position") + F.col("start")
        placed = parked.join(F.broadcast(known), ["file", "block"]).withColumn("line", line)
        row = F.shiftleft(F.col("file").cast("bigint"), SHIFT) + F.col("line")
        return placed.where((F.col("line") > 1) & (F.col("kind") != BLANK)).withColumn("row", row)

    def _sound(self, lines: DataFrame) -> None:
        """Refuse input of which nothing can be trusted: bytes that aren't text, ids that a spreadsheet has rounded."""
        wrong = lines.where(~F.col("readable") | (F.col("broken") == self.names["basket"]))
        for each in wrong.orderBy("row").select("file", "line", "text", "readable").toLocalIterator():
            file = self.files[each["file"]]
            if not each["readable"]:
                self._refuse("not_utf8", name=file["name"], line=each["line"])
            value = (_values(each["text"], file) or {}).get(self.names["basket_column"], "")
            if re.fullmatch(self.names["scientific"], value):
                self._refuse("scientific", name=file["name"], line=each["line"], value=value)

    def _counts(self, lines: DataFrame) -> list[int]:
        """Rows of each file, malformed ones too."""
        found = {each["file"]: each["count"] for each in lines.groupBy("file").count().collect()}
        return [found.get(number, 0) for number in range(len(self.files))]

    # Verdicts.

    def _judged(self, lines: DataFrame, rows: DataFrame) -> tuple[DataFrame, DataFrame, Counter[str], int]:
        """The rows of silver; all refused ones (row, reason); how many for which reason; how many duplicates."""
        malformed = lines.where(F.col("kind") == MALFORMED).select(
            "row", F.lit(self.names["malformed"]).alias("reason")
        )
        broken = rows.where(F.col("broken").isNotNull()).select("row", F.col("broken").alias("reason"))
        refused = malformed.unionByName(broken)
        reasons = _reasons(refused)
        typed = rows.where(F.col("broken").isNull()).select("row", *self.order["silver"])
        duplicates = 0
        self.spark.createDataFrame([], "BASKET_ID bigint").createOrReplaceTempView("earlier")
        for name in ("weekdays", "verdicts"):
            typed.createOrReplaceTempView("typed")
            verdicts = self.spark.sql(self.sql[name]).persist(StorageLevel.MEMORY_AND_DISK)
            found = _reasons(verdicts)
            if not found:
                continue
            duplicates += found.pop(self.names["duplicate"], 0)
            reasons += found
            refused = refused.unionByName(verdicts.where(F.col("reason") != self.names["duplicate"]))
            typed = typed.join(verdicts.select("row"), "row", "left_anti")
        return typed, refused, reasons, duplicates

    # Sinks.

    def _quarantine(self, lines: DataFrame, refused: DataFrame) -> None:
        """rows.csv: one file, in order, written row by row from here, as a person is to mend it."""
        chosen = refused.join(lines.select("row", "file", "line", "text"), "row").orderBy("row")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows.csv"
            with path.open("w", newline="", encoding="utf-8") as stream:
                rows = csv.writer(stream, lineterminator="\n")
                rows.writerow(self.order["quarantine"])
                for each in chosen.toLocalIterator():
                    file = self.files[each["file"]]
                    values = _values(each["text"], file)
                    named = [(values or {}).get(name, "") for name in self.order["columns"]]
                    text = each["text"] if values is None else ""
                    rows.writerow((file["name"], each["line"], each["reason"], *named, text))
            self._put(path, f"{self.folders['quarantine']}/rows.csv")

    def _write(self, typed: DataFrame) -> tuple[int, dict[str, Any]]:
        """Both zones. Rows of silver, and of gold what the manifest tells, counted in what was written."""
        silver, gold = self.folders["silver"], self.folders["gold"]
        partitions = self.order["partitions"]
        typed.createOrReplaceTempView("kept")
        columns, by = ", ".join(self.order["silver"]), ", ".join(partitions)
        # A partition is one file, or a few where it is large.
        rows = self.spark.sql(f"SELECT /*+ REBALANCE({by}) */ {columns} FROM kept")  # noqa: S608 - columns of our own
        rows.write.mode("overwrite").partitionBy(*partitions).parquet(silver)
        written = self.spark.read.parquet(silver)
        written.createOrReplaceTempView("silver")
        self.spark.sql(self.sql["gold"]).write.mode("overwrite").parquet(gold)
        baskets = self.spark.read.parquet(gold)
        labels = {each["label"]: each["count"] for each in baskets.groupBy("label").count().collect()}
        weeks = sorted(each["shop_week"] for each in baskets.select("shop_week").distinct().collect())
        schema = {
            each.name: TYPES.get(each.dataType.simpleString(), each.dataType.simpleString()) for each in baskets.schema
        }
        return written.count(), {"gold": sum(labels.values()), "labels": labels, "weeks": weeks, "schema": schema}

    def _finish(self, rows: dict[str, int], found: dict[str, Any], reasons: dict[str, int], raw: list[int]) -> None:
        manifest = self.order["manifest"]
        labels = {name: count for name, count in sorted((name or "", n) for name, n in found["labels"].items()) if name}
        manifest |= {
            "rows": rows,
            "weeks": found["weeks"],
            "labels": labels,
            "unclassified": labels.get(self.names["unclassified"], 0),
            "reasons": reasons,
            "schema": {**manifest["schema"], "gold": found["schema"]},
            "inputs": [{**each, "rows": count} for each, count in zip(manifest["inputs"], raw, strict=True)],
        }
        told = {name: manifest[name] for name in ("labelled", "reasons", "rows", "weeks")}
        self._tell("manifest.json", manifest)
        self._tell("result.json", {"dataset": manifest["version"], **told})

    def _refuse(self, problem: str, **details: Any) -> None:
        self._tell("problem.json", {"problem": problem, **details})
        raise Refused(f"{problem}: {details}")

    def _stage(self, text: str) -> None:
        self._tell("stage.json", {"text": text})

    def _tell(self, name: str, what: dict[str, Any]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_text(json.dumps(what, ensure_ascii=False), encoding="utf-8")
            self._put(path, f"{self.folders['output']}/{name}")

    def _put(self, local: Path, place: str) -> None:
        path, files = self._path(place)
        files.copyFromLocalFile(False, True, self._path(f"file://{local}")[0], path)

    def _remove(self, place: str) -> None:
        path, files = self._path(place)
        files.delete(path, True)

    def _path(self, place: str) -> tuple[Any, Any]:
        """The path as Hadoop knows it, and the file system that it is in."""
        path = self._java.org.apache.hadoop.fs.Path(place)
        return path, path.getFileSystem(self._hadoop)


def _reasons(found: DataFrame) -> Counter[str]:
    return Counter({each["reason"]: each["count"] for each in found.groupBy("reason").count().collect()})


def _literal(path: str) -> str:
    """A path in which nothing is taken for a pattern."""
    return re.sub(r"([\\\[\]{}*?])", r"\\\1", path)


def _place(uri: str) -> str:
    """A path without scheme: Spark may tell another one than it was asked for."""
    return re.sub(r"^\w+:/+", "", uri).lstrip("/")


def _is_utf8(text: Column) -> Column:
    """Whether the bytes survive being read as text."""
    data = text.cast("binary")
    return F.encode(F.decode(data, "UTF-8"), "UTF-8") == data


def _fields(text: Column, delimiter: str) -> Column:
    """The fields of a line; NULL where a quote is left open or something stands behind a closed one.

    Lines without quotes are split, which is what nearly all of them need.
    """
    d = re.escape(delimiter)
    quoted = r'"[^"]*+(?:""[^"]*+)*+"'
    marked = F.concat(F.lit(delimiter), text)
    whole = marked.rlike(rf'\A(?:{d}(?:{quoted}|(?!")[^{d}\r]*+))+\z')
    found = F.regexp_extract_all(marked, F.lit(rf'({d}(?:{quoted}|(?!")[^{d}\r]*+))'), F.lit(1))
    bare = F.transform(found, lambda each: F.substring(each, 2, 1 << 20))
    opened = F.transform(
        bare,
        lambda each: F.when(
            each.startswith('"'), F.regexp_replace(F.regexp_replace(each, r'\A"|"\z', ""), '""', '"')
        ).otherwise(each),
    )
    return F.when(~text.rlike('["\\r]'), F.split(text, d, -1)).when(whole, opened)


def _values(text: str, file: dict[str, Any]) -> dict[str, str] | None:
    """Canonical name → raw value; None for a line that can't be split into the file's columns."""
    try:
        values = next(csv.reader([text], delimiter=file["delimiter"], strict=True), [])
    except csv.Error:
        return None
    if len(values) != len(file["headers"]):
        return None
    named = dict(zip(file["headers"], values, strict=True))
    return {canonical: named[header] for header, canonical in file["columns"].items()}


def main(arguments: list[str] | None = None) -> None:
    """Carry out one order. What Glue adds to the arguments is left alone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--order", required=True)
    given, _ = parser.parse_known_args(arguments)
    spark = SparkSession.builder.appName("retailops etl").getOrCreate()
    (text,) = spark.read.text(_literal(given.order), wholetext=True).collect()
    Etl(spark, json.loads(text[0])).run()


if __name__ == "__main__":
    main()
