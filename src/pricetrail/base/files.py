"""All reading and writing of the stages' files. Writing is atomic: a temporary file, then a rename."""

import json
import logging
import math
import os
import shutil
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pricetrail.base.errors import OperationError, SourceError
from pricetrail.base.escaping import plot_cell
from pricetrail.base.json_type import Json
from pricetrail.base.limits import load_json
from pricetrail.base.params import FILE, Params, parse_params
from pricetrail.base.parquet import partition_bytes, table_to_bytes
from pricetrail.base.typed_json import Dataclass, record

SIGNIFICANT_DIGITS = 6

log = logging.getLogger(__name__)


def read_params(path: Path = Path(FILE)) -> Params:
    """The settings of this run.

    Raises:
        SourceError: where the file is not there or is no UTF-8 text.
        ParamsError: where a key is not right.
    """
    return parse_params(read_text(path))


def read_bytes(path: Path) -> bytes:
    """A whole file.

    Raises:
        SourceError: where it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(str(path), f"must be readable: {error.strerror}") from None


def read_text(path: Path) -> str:
    """A UTF-8 text file.

    Raises:
        SourceError: where the file is not there or is no UTF-8 text.
    """
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError as error:
        raise SourceError(str(path), f"must be UTF-8 text: byte {error.start} is not") from None


def read_folder(folder: Path) -> dict[str, bytes]:
    """The files of a folder by name, in order of name.

    Raises:
        SourceError: where it is no folder or a file cannot be read.
    """
    if not folder.is_dir():
        raise SourceError(str(folder), "must be a folder, and is not there")
    return {path.name: read_bytes(path) for path in sorted(folder.iterdir())}


def read_json(path: Path) -> dict[str, object]:
    """A JSON object.

    Raises:
        SourceError: where the file is not there or holds no JSON object.
    """
    return parse_json(read_bytes(path), str(path))


def parse_json(text: str | bytes, place: str) -> dict[str, object]:
    """A JSON object, from its text.

    Raises:
        SourceError: the text is none.
    """
    try:
        tree = load_json(text)
    except ValueError as error:
        raise SourceError(place, f"must be JSON: {error}") from None
    if not isinstance(tree, dict):
        raise SourceError(place, "must be a JSON object", type(tree).__name__)
    return tree


def read_table(path: Path) -> pd.DataFrame:
    """A Parquet file, or all of a folder's in order of name, as one table.

    Raises:
        SourceError: where there is nothing to read.
    """
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise SourceError(str(path), "must hold Parquet files")
    try:
        table: pd.DataFrame = pa.concat_tables([pq.ParquetFile(file).read() for file in files]).to_pandas()
    except (OSError, pa.ArrowException) as error:
        raise SourceError(str(path), f"must be readable Parquet: {error}") from None
    return table


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write a file that is whole or not there, and at no moment open to more people than its mode says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)  # of a writer that was killed, with its mode
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def private_folder(folder: Path) -> Path:
    """A folder that only this user may enter, made where it is not there, narrowed where it was wider.

    Raises:
        OperationError: it is another user's, who could change what is read there, or a link, which he could turn.
    """
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise OperationError(str(folder), "must be a folder of its own, no link and no file: remove it")
    if found.st_uid != os.geteuid():
        rule = f"must be owned by user {os.geteuid()}, who runs this: run as its owner, or `chown -R` it"
        raise OperationError(str(folder), rule, found.st_uid)
    if (mode := stat.S_IMODE(found.st_mode)) & 0o077:
        folder.chmod(0o700)
        log.warning("%s: other users could enter it (mode %o): now its owner alone (700)", folder, mode)
    return folder


def write_json(path: Path, tree: Json) -> None:
    """Write a metrics file: floats with 6 significant digits, NaN and infinity as null (law 1)."""
    write_text(path, json.dumps(_rounded(tree), indent=2, allow_nan=False) + "\n")


def write_record(path: Path, value: Dataclass) -> None:
    """Write a dataclass as a metrics file; see ``typed_json.record``."""
    write_json(path, record(value))


def _rounded(tree: Json) -> Json:
    match tree:
        case Mapping():
            return {key: _rounded(value) for key, value in tree.items()}
        case list() | tuple():
            return [_rounded(value) for value in tree]
        case float():
            return float(f"{tree:.{SIGNIFICANT_DIGITS}g}") if math.isfinite(tree) else None
        case _:
            return tree


def csv_bytes(table: pd.DataFrame) -> bytes:
    """A plot's data as CSV: floats with 6 significant digits, texts as ``escaping.plot_cell`` has them."""
    texts = [str(name) for name, kind in table.dtypes.items() if not pd.api.types.is_numeric_dtype(kind)]
    table = table.assign(**{name: table[name].map(_cell).astype(table[name].dtype) for name in texts})
    return table.to_csv(index=False, float_format=f"%.{SIGNIFICANT_DIGITS}g", lineterminator="\n").encode()


def _cell(value: object) -> object:
    return plot_cell(value) if isinstance(value, str) else value


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a plot's data."""
    write_bytes(path, csv_bytes(table))


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write one Parquet file."""
    write_bytes(path, table_to_bytes(table))


def write_partitions(folder: Path, table: pd.DataFrame, partition: pd.Series) -> None:
    """Write one Parquet file a partition, named after it; the folder appears whole or not at all.

    Args:
        folder: replaced.
        table: rows, in the order they keep inside a partition.
        partition: name of each row's partition, shape (n,).
    """
    write_folder(folder, partition_bytes(table, partition))


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files by their path inside a folder that appears whole or not at all, and replaces what was there."""
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        for name, content in files.items():
            write_bytes(temporary / name, content)
        shutil.rmtree(folder, ignore_errors=True)
        temporary.replace(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
