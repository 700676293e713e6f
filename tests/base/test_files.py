"""Laws of writing: a file is there whole or not at all, and its bytes depend on its content alone (law 1)."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from pricetrail.base import files
from pricetrail.base.errors import SourceError
from pricetrail.base.parquet import table_to_bytes

DAYS = pd.to_datetime(["2010-12-30 09:00", "2010-12-31 10:00", "2011-01-03 11:00", "2011-01-10 12:00"])
TABLE = pd.DataFrame(
    {
        "sku": ["b", "a", None, "a"],
        "quantity": [3, 1, 2, 5],
        "price": [2.5, math.nan, 0.1, 1e-9],
        "at": DAYS.astype("datetime64[us]"),
    }
)
WEEKS = pd.Series(["2010-W52", "2010-W52", "2011-W01", "2011-W02"])


class DiskFullError(OSError):
    """What the tests raise in the middle of writing."""


def raise_full(*_: object, **__: object) -> None:
    raise DiskFullError


def fail_at(monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    owner: object = os if moment == "fsync" else Path
    monkeypatch.setattr(owner, moment, raise_full)


def below(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too, with its bytes."""
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


WRITERS: dict[str, Callable[[Path], None]] = {
    "text": lambda path: files.write_text(path, "new"),
    "bytes": lambda path: files.write_bytes(path, b"new"),
    "json": lambda path: files.write_json(path, {"new": 1}),
    "csv": lambda path: files.write_csv(path, TABLE),
    "table": lambda path: files.write_table(path, TABLE),
}


@pytest.mark.parametrize("moment", ["fsync", "replace"])
@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_failure_midway_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], None], moment: str
) -> None:
    path = tmp_path / "metrics" / "etl.json"
    files.write_text(path, "old")
    fail_at(monkeypatch, moment)
    with pytest.raises(DiskFullError):
        write(path)
    assert below(tmp_path) == {"metrics/etl.json": b"old"}


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_failure_in_the_middle_leaves_no_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    fail_at(monkeypatch, moment)
    with pytest.raises(DiskFullError):
        files.write_text(tmp_path / "a.json", "new")
    assert below(tmp_path) == {}


def test_a_failure_at_the_second_file_leaves_the_old_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "splits"
    files.write_folder(folder, {"train": b"old", "test": b"old"})
    really, calls = os.fsync, []

    def full_at_the_second(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 2:
            raise DiskFullError
        really(descriptor)

    monkeypatch.setattr(os, "fsync", full_at_the_second)
    with pytest.raises(DiskFullError):
        files.write_folder(folder, {"train": b"new", "test": b"new"})
    assert below(tmp_path) == {"splits/train": b"old", "splits/test": b"old"}
    assert list(tmp_path.iterdir()) == [folder]


def test_content_reaches_the_disk_before_its_name_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = []
    really_sync, really_replace = os.fsync, Path.replace

    def sync(descriptor: int) -> None:
        events.append("fsync")
        really_sync(descriptor)

    def replace(self: Path, target: Path) -> Path:
        events.append(f"{self.read_text()} to {target.name}")
        return really_replace(self, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", replace)
    files.write_text(tmp_path / "a.txt", "whole")
    assert events == ["fsync", "whole to a.txt"]


def test_a_folder_replaces_what_was_there(tmp_path: Path) -> None:
    files.write_folder(tmp_path / "weeks", {"2010-W52": b"1", "2011-W01": b"2"})
    files.write_folder(tmp_path / "weeks", {"2011-W01": b"3"})
    assert below(tmp_path) == {"weeks/2011-W01": b"3"}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1234567.891, "1234570.0"),
        (0.000123456789, "0.000123457"),
        (-2 / 3, "-0.666667"),
        (1e300, "1e+300"),
        (np.float64(1 / 3), "0.333333"),
        (123456789, "123456789"),
        (True, "true"),
        (None, "null"),
        (math.nan, "null"),
        (-math.inf, "null"),
        (np.float64("nan"), "null"),
        ("é\n", '"\\u00e9\\n"'),
    ],
)
def test_json_holds_six_significant_digits_and_no_nan(tmp_path: Path, value: files.Json, written: str) -> None:
    files.write_json(tmp_path / "m.json", {"value": value})
    assert (tmp_path / "m.json").read_bytes() == f'{{\n  "value": {written}\n}}\n'.encode()


def test_json_is_rounded_at_every_depth_and_keeps_its_order(tmp_path: Path) -> None:
    files.write_json(tmp_path / "m.json", {"z": [1 / 3, {"b": (2 / 3, math.inf)}], "a": {}})
    tree = json.loads((tmp_path / "m.json").read_text())
    assert tree == {"z": [0.333333, {"b": [0.666667, None]}], "a": {}}
    assert list(tree) == ["z", "a"]


def test_csv_holds_six_significant_digits_and_unix_lines() -> None:
    assert files.csv_bytes(pd.DataFrame({"x": [1 / 3, math.nan], "n": [1, 2]})) == b"x,n\n0.333333,1\n,2\n"


def test_a_table_comes_back_as_it_was(tmp_path: Path) -> None:
    files.write_table(tmp_path / "t.parquet", TABLE)
    pd.testing.assert_frame_equal(files.read_table(tmp_path / "t.parquet"), TABLE)


def test_a_parquet_file_names_no_pandas_and_keeps_no_index(tmp_path: Path) -> None:
    shuffled = TABLE.set_index(pd.Index([7, 5, 3, 1], name="row"))
    content = table_to_bytes(shuffled)
    assert content == table_to_bytes(TABLE)
    assert b"pandas" not in content
    (tmp_path / "t.parquet").write_bytes(content)
    assert pq.read_schema(tmp_path / "t.parquet").names == list(TABLE)
    assert pq.read_schema(tmp_path / "t.parquet").metadata is None


def test_a_partition_does_not_depend_on_the_others(tmp_path: Path) -> None:
    files.write_partitions(tmp_path / "all", TABLE, WEEKS)
    files.write_partitions(tmp_path / "first", TABLE.iloc[:3], WEEKS.iloc[:3])
    every, first = below(tmp_path / "all"), below(tmp_path / "first")
    assert set(every) == {"2010-W52.parquet", "2011-W01.parquet", "2011-W02.parquet"}
    assert first == {name: content for name, content in every.items() if name != "2011-W02.parquet"}


def test_a_partition_holds_the_rows_of_its_name_in_their_order(tmp_path: Path) -> None:
    files.write_partitions(tmp_path / "p", TABLE, pd.Series(["x", "y", "y", "x"]))
    assert files.read_table(tmp_path / "p" / "x.parquet")["quantity"].tolist() == [3, 5]
    assert files.read_table(tmp_path / "p" / "y.parquet")["quantity"].tolist() == [1, 2]


def test_a_folder_is_read_in_order_of_name(tmp_path: Path) -> None:
    for name, quantity in (("2011-W02", 4), ("2010-W52", 1), ("2011-W01", 3), ("2010-W53", 2)):
        files.write_table(tmp_path / f"{name}.parquet", pd.DataFrame({"quantity": [quantity]}))
    assert files.read_table(tmp_path)["quantity"].tolist() == [1, 2, 3, 4]


def test_partitions_by_week_restore_the_rows_in_order(tmp_path: Path) -> None:
    files.write_partitions(tmp_path / "weeks", TABLE, WEEKS)
    pd.testing.assert_frame_equal(files.read_table(tmp_path / "weeks"), TABLE)


def make_nothing(path: Path) -> None:
    path.mkdir()


def make_garbage(path: Path) -> None:
    path.write_bytes(b"PAR1 this is no table PAR1")


def make_truncated(path: Path) -> None:
    path.write_bytes(table_to_bytes(TABLE)[:-20])


def make_unequal(path: Path) -> None:
    files.write_folder(path, {"a.parquet": table_to_bytes(TABLE), "b.parquet": table_to_bytes(TABLE[["sku"]])})


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda _: None, "must be readable Parquet"),
        (make_nothing, "must hold Parquet files"),
        (make_garbage, "must be readable Parquet"),
        (make_truncated, "must be readable Parquet"),
        (make_unequal, "must be readable Parquet"),
    ],
    ids=["nothing there", "empty folder", "garbage", "truncated", "unequal columns"],
)
def test_a_table_that_cannot_be_read_is_one_line_with_its_name(
    tmp_path: Path, make: Callable[[Path], None], rule: str
) -> None:
    path = tmp_path / "processed"
    make(path)
    with pytest.raises(SourceError) as caught:
        files.read_table(path)
    assert str(caught.value).startswith(f"{path}: {rule}")
    assert "\n" not in str(caught.value)


def test_params_that_are_no_text_are_one_line_with_their_name(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    with pytest.raises(SourceError, match=r"params.yaml: must be readable: No such file or directory$"):
        files.read_params(path)
    path.write_bytes(b"seed: 1 # caf\xe9\n")
    with pytest.raises(SourceError, match=r"params.yaml: must be UTF-8 text: byte 13 is not$"):
        files.read_params(path)


@pytest.mark.parametrize(
    ("content", "rule"), [("{", "must be JSON: "), ("[1]", "must be a JSON object, got 'list'"), ("", "must be JSON: ")]
)
def test_json_that_is_no_object_is_one_line_with_its_name(tmp_path: Path, content: str, rule: str) -> None:
    path = tmp_path / "verdict.json"
    path.write_text(content)
    with pytest.raises(SourceError) as caught:
        files.read_json(path)
    assert str(caught.value).startswith(f"{path}: {rule}")
