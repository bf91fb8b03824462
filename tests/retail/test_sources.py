"""What users hand over: every spelling that is understood, and every file that is refused with its own explanation."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.retail.transactions import HEADER, row, text, weeks, write

from retailops.errors import DataError
from retailops.progress import Silent
from retailops.retail import blocks, sources
from retailops.retail.columns import ALIASES, COLUMNS, LABEL


class Notes(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


def refusal(path: Path, *, labelled: bool = True) -> DataError:
    """The DataError that discovering or reading `path` raises."""
    with pytest.raises(DataError) as caught:
        read(path, labelled=labelled)
    assert caught.value.fix
    return caught.value


def read(path: Path, *, labelled: bool = True) -> tuple[list[dict[str, str | None]], list[int]]:
    """The rows and malformed lines of `path`."""
    files = sources.discover(path, labelled=labelled)
    rows: list[dict[str, str | None]] = []
    malformed: list[int] = []
    for block in blocks.read(files, [blocks.Tally() for _ in files]):
        rows += block.table.to_pylist()
        malformed += block.malformed
    return rows, malformed


def test_a_folder_of_weekly_files_is_ordered_by_week_and_not_by_name(tmp_path: Path) -> None:
    for name, week in (("c.csv", 200607), ("a.csv", 200609), ("b.csv", 200608)):
        write(tmp_path / name, [row(week=week)])
    assert [file.name for file in sources.discover(tmp_path)] == ["c.csv", "b.csv", "a.csv"]


def test_lock_files_and_empty_files_are_passed_over_with_a_note_each(tmp_path: Path) -> None:
    write(tmp_path / "transactions_200607.csv", weeks())
    (tmp_path / "transactions_200608.csv").touch()
    (tmp_path / ".~lock.transactions_200607.csv#").write_text(",user,host,1;")
    notes = Notes()
    assert [file.name for file in sources.discover(tmp_path, progress=notes)] == ["transactions_200607.csv"]
    assert any("lock file" in line for line in notes.lines)
    assert any("transactions_200608.csv is empty" in line for line in notes.lines)


def test_a_folder_with_nothing_but_empty_and_lock_files_says_so(tmp_path: Path) -> None:
    (tmp_path / "transactions_200608.csv").touch()
    (tmp_path / ".~lock.transactions_200607.csv#").write_text("x")
    what = refusal(tmp_path).what
    assert "no data file" in what
    assert "transactions_200608.csv is empty" in what


def test_a_path_that_is_not_there_and_an_empty_file_are_told_apart(tmp_path: Path) -> None:
    assert "doesn't exist" in refusal(tmp_path / "nowhere").what
    (tmp_path / "a.csv").touch()
    assert "0 bytes" in refusal(tmp_path / "a.csv").what


@pytest.mark.parametrize("alias", sorted(ALIASES))
def test_every_published_alias_of_a_header_is_understood_in_any_case(tmp_path: Path, alias: str) -> None:
    names = [alias.lower() if name == ALIASES[alias] else name for name in COLUMNS]
    (file,) = sources.discover(write(tmp_path / "a.csv", [row()], header=",".join(names)))
    assert file.columns[alias.lower()] == ALIASES[alias]


def test_a_byte_order_mark_quotes_spaces_and_case_in_the_header_do_not_matter(tmp_path: Path) -> None:
    header = "\ufeff" + ",".join(f' "{name.title()} "' for name in COLUMNS)
    (file,) = sources.discover(write(tmp_path / "a.csv", [row()], header=header))
    assert list(file.columns.values()) == list(COLUMNS)
    rows, _ = read(tmp_path / "a.csv")
    assert rows[0]["SHOP_WEEK"] == "200607"


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_delimiters_are_recognised(tmp_path: Path, delimiter: str) -> None:
    write(tmp_path / "a.csv", [row()], header=HEADER.replace(",", delimiter), delimiter=delimiter)
    rows, malformed = read(tmp_path / "a.csv")
    assert rows[0]["STORE_REGION"] == "E02" and not malformed


def test_all_missing_columns_are_named_at_once_with_a_guess_for_close_ones(tmp_path: Path) -> None:
    header = HEADER.replace("STORE_REGION", "STORE_REGON").replace("QUANTITY", "AMOUNT")
    what = refusal(write(tmp_path / "weekly.csv", [row()], header=header)).what
    assert "weekly.csv, line 1" in what
    assert "QUANTITY" in what
    assert "STORE_REGION (is it 'STORE_REGON'?)" in what


def test_a_file_without_a_header_is_told_what_the_first_line_must_be(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text([row()]).split("\n", 1)[1])
    error = refusal(path)
    assert "no header" in error.what and "SHOP_WEEK, SHOP_DATE" in error.fix


def test_two_columns_for_one_thing_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEADER + ",sfnnd\n" + ",".join(row().values()) + ",1.00\n")
    assert "more than one column for SPEND" in refusal(path).what


def test_the_label_may_be_absent_only_when_rows_are_to_be_predicted(tmp_path: Path) -> None:
    names = [name for name in COLUMNS if name != LABEL]
    path = tmp_path / "a.csv"
    path.write_text(",".join(names) + "\n" + ",".join(row()[name] for name in names) + "\n")
    assert LABEL in refusal(path).what
    assert len(sources.discover(path, labelled=False)) == 1


def test_a_header_and_nothing_else_is_refused(tmp_path: Path) -> None:
    assert "a header and no rows" in refusal(write(tmp_path / "a.csv", [])).what


def test_a_basket_id_in_scientific_notation_refuses_the_file_and_names_the_spreadsheet(tmp_path: Path) -> None:
    error = refusal(write(tmp_path / "a.csv", [row(BASKET_ID="9.94E+14")]))
    assert "a.csv, line 2" in error.what and "9.94E+14" in error.what and "Excel" in error.what
    assert "as text" in error.fix


def test_bytes_that_are_not_utf8_are_located(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [row(1), row(2, STORE_CODE="MÜNCHEN"), row(3)])
    path.write_bytes(path.read_text(encoding="utf-8").encode("latin-1"))
    assert "a.csv, line 3: the bytes are not UTF-8" in refusal(path).what


def test_a_binary_file_with_the_name_of_a_csv_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"PK\x03\x04\0\0\0\0" * 50)
    assert "binary" in refusal(path).what


def test_a_line_that_never_ends_is_refused_without_being_read_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 1 << 16)
    path = write(tmp_path / "a.csv", [row()])
    with path.open("a") as stream:
        stream.write("9" * (3 << 20))
    assert "from line 3 on is longer than" in refusal(path).what


def test_a_file_cut_in_the_middle_of_a_row_gives_that_row_as_malformed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [row(1), row(2), row(3)])
    whole = path.read_text()
    path.write_text(whole[: whole.rindex("STORE00001")])
    rows, malformed = read(path)
    assert len(rows) == 2 and malformed == [4]


def test_line_numbers_count_blank_and_malformed_lines(tmp_path: Path) -> None:
    good = text([row()]).splitlines()[1]
    path = tmp_path / "a.csv"
    path.write_text("\n".join([HEADER, good, "", "too,few", good, good + ",extra", good]) + "\n")
    rows, malformed = read(path)
    assert [each["line"] for each in rows] == [2, 5, 7]
    assert malformed == [4, 6]


def test_a_stray_quote_costs_its_own_line_and_no_other(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [row(1), row(2, STORE_CODE='"STORE'), row(3), row(4, STORE_FORMAT='"LS"')])
    rows, malformed = read(path)
    assert malformed == [3]
    assert [(each["line"], each["STORE_FORMAT"]) for each in rows] == [(2, "LS"), (4, "LS"), (5, "LS")]


def test_windows_line_ends_and_a_missing_last_line_end_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text([row(1), row(2)]).rstrip("\n").replace("\n", "\r\n").encode())
    rows, malformed = read(path)
    assert [each["STORE_REGION"] for each in rows] == ["E02", "E02"] and not malformed


def test_a_compressed_file_gives_the_same_rows_and_a_cut_one_is_refused(tmp_path: Path) -> None:
    plain = write(tmp_path / "plain" / "a.csv", weeks())
    packed = tmp_path / "packed" / "a.csv.gz"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read(packed.parent) == read(plain.parent)
    packed.write_bytes(packed.read_bytes()[:-20])
    assert "damaged or cut off" in refusal(packed).what


def test_parquet_with_numbers_gives_the_same_text_as_the_csv(tmp_path: Path) -> None:
    expected, _ = read(write(tmp_path / "a.csv", weeks()))
    typed = {name: [each[name] for each in weeks()] for name in COLUMNS}
    numbers = {"SHOP_WEEK": pa.int32(), "QUANTITY": pa.int16(), "SPEND": pa.float64(), "BASKET_ID": pa.int64()}
    table = pa.table({n: pa.array(v).cast(numbers[n]) if n in numbers else pa.array(v) for n, v in typed.items()})
    pq.write_table(table, tmp_path / "a.parquet")
    rows, _ = read(tmp_path / "a.parquet")
    assert [{**each, "line": 0} for each in rows] == [{**each, "line": 0} for each in expected]


def test_a_file_that_only_claims_to_be_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text(HEADER)
    assert "not a readable parquet file" in refusal(tmp_path / "a.parquet").what


def test_columns_that_are_not_used_are_noted(tmp_path: Path) -> None:
    notes = Notes()
    path = tmp_path / "a.csv"
    path.write_text(HEADER + ",PROMOTION\n" + ",".join(row().values()) + ",yes\n")
    sources.discover(path, progress=notes)
    assert notes.lines == ["a.csv: columns not used: PROMOTION"]
