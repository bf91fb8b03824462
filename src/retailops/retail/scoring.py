"""Batch scoring: a dataset and a bundle in, one row of predictions a basket out, a few weeks at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from retailops.progress import Progress
from retailops.retail import bundle as bundles
from retailops.retail import tables
from retailops.retail.bundle import Bundle
from retailops.retail.classifier import Classifier
from retailops.retail.columns import LABELS
from retailops.retail.dataset import Dataset
from retailops.retail.encoder import Encoder, as_matrix
from retailops.retail.predictor import KEYS
from retailops.retail.tables import Baskets

OUTPUT = "predictions.parquet"
WEEKS_AT_ONCE = 13
_PLAIN = pacsv.WriteOptions(quoting_style="needed", quoting_header="none")


def job(inputs: Mapping[str, Path], output: Path, parameters: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """The worker's entry: scores inputs["dataset"] with inputs["bundle"] into output/predictions.parquet.

    Columns: basket_id int64, prediction (LA, MM, UM), probability_la|mm|um float64, coverage float64.
    Returns {"baskets", "mix": {label: share}, "coverage"}.
    """
    dataset = Dataset.open(inputs["dataset"])
    scorer = Scorer(Bundle.open(inputs["bundle"]), int(parameters.get("threads", 2)))
    progress.stage("scoring", dataset.rows["gold"], "baskets")
    output.mkdir(parents=True, exist_ok=True)
    counts = np.zeros(len(LABELS), dtype=np.int64)
    covered, done = 0.0, 0
    with pq.ParquetWriter(output / OUTPUT, SCHEMA, compression="zstd") as writer:
        for baskets in _pieces(dataset, int(parameters.get("threads", 2))):
            table = scorer.score(baskets)
            writer.write_table(table)
            prediction = table.column("prediction").to_numpy(zero_copy_only=False)
            counts += [int((prediction == label).sum()) for label in LABELS]
            covered += float(table.column("coverage").to_numpy().sum())
            done += len(baskets)
            progress.advance(done)
    return {
        "baskets": done,
        "mix": {label: float(count / max(1, done)) for label, count in zip(LABELS, counts, strict=True)},
        "coverage": covered / max(1, done),
    }


SCHEMA = pa.schema(
    [
        ("basket_id", pa.int64()),
        ("prediction", pa.string()),
        *((f"probability_{key}", pa.float64()) for key in KEYS),
        ("coverage", pa.float64()),
    ]
)


def _pieces(dataset: Dataset, threads: int) -> Iterator[Baskets]:
    weeks = dataset.weeks
    for start in range(0, len(weeks), WEEKS_AT_ONCE):
        piece = weeks[start : start + WEEKS_AT_ONCE]
        yield tables.read(dataset, (piece[0], piece[-1]), threads)


class Scorer:
    """A verified bundle that scores whole tables: the same numbers as the server's, basket by basket."""

    def __init__(self, bundle: Bundle, threads: int = 2) -> None:
        self.encoder = Encoder.of(bundle)
        self.classifier = Classifier(bundle.read(bundles.MODEL), threads)

    def score(self, baskets: Baskets) -> pa.Table:
        """One row a basket, in the order of `baskets`, with the columns of SCHEMA."""
        features, coverage = self._leanings(baskets)
        probabilities = self.classifier.probabilities(as_matrix(self.encoder.matrix(baskets.gold, features)))
        labels = np.array(LABELS)[probabilities.argmax(axis=1)]
        shown = np.round(probabilities.astype(np.float64), 6)
        columns = [baskets.gold["basket_id"], labels, *shown.T, np.round(coverage, 6)]
        return pa.table([pa.array(column) for column in columns], schema=SCHEMA)

    def _leanings(self, baskets: Baskets) -> tuple[NDArray[np.float64] | None, NDArray[np.float64]]:
        leanings = self.encoder.leanings
        if leanings is None:
            return None, np.ones(len(baskets))
        posteriors, known = leanings.posteriors(baskets.variants)
        lines = baskets.lines
        total = np.bincount(lines.basket, minlength=len(baskets))
        found = np.bincount(lines.basket, weights=known[lines.product], minlength=len(baskets))
        return leanings.features(lines, posteriors), found / total


def export(predictions: Path, path: Path) -> None:
    """Copy the predictions to `path`, as CSV or parquet by its suffix."""
    with pq.ParquetFile(predictions) as source:
        writer = (
            pq.ParquetWriter(path, SCHEMA)
            if path.suffix.lower() == ".parquet"
            else pacsv.CSVWriter(path, SCHEMA, write_options=_PLAIN)
        )
        with writer:
            for batch in source.iter_batches():
                writer.write_batch(batch)
