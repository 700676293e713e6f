"""Sections ``data`` and ``shop`` of ``params.yaml``: where the lines are, how they are written, and what a sale is."""

import datetime as dt
import re
import zoneinfo
from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from babel.core import get_global
from pydantic import Field, StringConstraints, field_validator, model_validator

from pricetrail.base.params_schema import Count, Positive, Reason, Section, Share

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]  # headers are read stripped too
Words = Annotated[tuple[str, ...], Field(strict=False)]  # a YAML list is read as a tuple
Delimiter = Literal[",", ";", "\t", "|", ":", "^", "~", " "]
Quote = Literal['"', "'"]
Decimal = Literal["auto", ".", ","]
Thousands = Literal["", ",", ".", " ", "'"]
Names = Annotated[tuple[Name, ...], Field(min_length=2, strict=False)]
LineColumn = Literal["invoice", "sku", "description", "quantity", "invoiced_at", "unit_price", "customer_id", "country"]
OrderColumn = Literal["invoice", "invoiced_at", "customer_id", "country", "status", "currency"]
_TIME = dt.datetime(2011, 12, 31, 13, 45, tzinfo=dt.UTC)


class Columns(Section):
    """Our column names, each with its name in the user's files; null for what the shop does not have."""

    invoice: Name
    sku: Name
    description: Name | None
    quantity: Name
    invoiced_at: Name | Names
    unit_price: Name | None
    customer_id: Name | None
    country: Name | None
    status: Name | None = None
    line_total: Name | None = None
    currency: Name | None = None

    def named(self) -> dict[str, str]:
        """Our name: its column in the files, of those that the shop has.

        A line total stands under ``unit_price``; further parts of a time under ``invoiced_at 2`` and so on.
        """
        own = self.model_dump()
        own["unit_price"] = own["unit_price"] or own["line_total"]
        del own["line_total"]
        parts = [(ours, (theirs,) if isinstance(theirs, str) else theirs) for ours, theirs in own.items() if theirs]
        return {f"{ours} {n}" if n > 1 else ours: name for ours, names in parts for n, name in enumerate(names, 1)}

    @model_validator(mode="after")
    def _has_one_price(self) -> Self:
        if (self.unit_price is None) == (self.line_total is None):
            raise ValueError("must name unit_price or line_total, and set the other to null")
        return self

    @model_validator(mode="after")
    def _no_name_twice(self) -> Self:
        names = list(self.named().values())
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"must name each column once, {twice[0]!r} is named twice")
        return self


class FileFormat(Section):
    """How the lines of a file are written."""

    columns: Columns
    datetime_format: str = Field(min_length=1)
    timezone: str
    prove_date_order: bool
    delimiter: Delimiter
    quote: Quote
    encoding: str = Field(min_length=1)
    decimal: Decimal
    thousands: Thousands
    missing: Words
    sheet: str
    header_row: int = Field(ge=0)
    fill_down: Annotated[tuple[OrderColumn, ...], Field(strict=False)]

    @field_validator("datetime_format")
    @classmethod
    def _tells_the_day(cls, text: str) -> str:
        try:
            told = (
                text in {"ISO8601", "excel"} or dt.datetime.strptime(format(_TIME, text), text).date() == _TIME.date()
            )
        except (ValueError, re.error):  # an unknown directive, or one that stands twice
            told = False
        if not told:
            raise ValueError("must be ISO8601, excel or a strptime format that tells the day, such as %d/%m/%Y %H:%M")
        return text

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name and name not in zoneinfo.available_timezones():
            raise ValueError("must be empty or a time zone of the IANA list, such as Europe/London")
        return name

    @model_validator(mode="after")
    def _fills_what_is_there(self) -> Self:
        if absent := [ours for ours in self.fill_down if ours not in self.columns.named()]:
            raise ValueError(f"fill_down must list columns that data.columns names, {absent[0]} is null there")
        return self

    @model_validator(mode="after")
    def _marks_differ(self) -> Self:
        if self.thousands and self.thousands == self.decimal:
            raise ValueError(f"must have a thousands mark that is not the decimal mark {self.thousands!r}")
        return self


class Data(FileFormat):
    """Where the lines are, how their files are written, and how much of them may be lost."""

    path: str = Field(min_length=1)
    pattern: str = Field(min_length=1)
    files: dict[str, FileFormat]
    max_bad_share: float = Field(ge=0, lt=1)
    max_dropped_share: Share | None
    max_files: Count
    max_rows: Count
    max_mb: Positive
    max_expansion: float = Field(ge=1)
    sku: str
    restated: dict[str, Reason]

    def format_of(self, *names: str) -> FileFormat:
        """How a file is written: as the first glob of ``files`` that matches says, or else as ``data`` itself.

        Args:
            names: its path, or its path inside ``data.path``; of a sheet or member also with its own name behind it.
        """
        for glob, written in self.files.items():
            if any(PurePosixPath(name).match(glob) for name in names):
                return written
        return FileFormat.model_validate(self.model_dump(include={*FileFormat.model_fields}))

    @model_validator(mode="before")
    @classmethod
    def _complete_files(cls, tree: object) -> object:
        """Each of ``files`` names what differs only: settings, and of ``columns`` some."""
        if not isinstance(tree, dict) or not isinstance(tree.get("files"), dict):
            return tree
        own = {key: value for key, value in tree.items() if key in FileFormat.model_fields}
        return tree | {"files": {glob: _changed(own, change) for glob, change in tree["files"].items()}}

    @field_validator("sku", mode="before")
    @classmethod
    def _number_is_a_code(cls, sku: object) -> object:
        return str(sku) if type(sku) is int else sku  # YAML reads `-S data.sku=22423` as a number

    @field_validator("path")
    @classmethod
    def _is_no_pattern(cls, path: str) -> str:
        if set("*?[") & set(path):
            parent = PurePosixPath(path).parent
            raise ValueError(f"must be a file or folder that DVC tracks, such as {parent}; a glob goes in data.pattern")
        return path

    @field_validator("pattern")
    @classmethod
    def _stays_inside(cls, pattern: str) -> str:
        parts = PurePosixPath(pattern).parts  # outside of data.path no file is a dependency that DVC hashes (law 3)
        if not parts or {"/", ".."} & set(parts) or any("**" in part and part != "**" for part in parts):
            raise ValueError("must be a glob inside data.path, such as **/*.csv")
        return pattern


def _changed(own: object, change: object) -> object:
    if isinstance(own, dict) and isinstance(change, dict):
        return own | {key: _changed(own.get(key), value) for key, value in change.items()}
    return change


class Shop(Section):
    """What a sale is: a preset, and what differs from it (null: as the preset says)."""

    preset: Literal["auto", "generic", "uci"]
    currency: str
    unit: Name
    whole_units: bool | None
    not_products: str | Words | None
    cancellation_prefix: str | None
    cancelled_status: Words
    same_line: Annotated[tuple[LineColumn, ...], Field(min_length=1, strict=False)] | None
    repeats_in_file: bool | None
    sku_width: int = Field(ge=0, le=40)

    @field_validator("currency")
    @classmethod
    def _is_a_currency(cls, code: str) -> str:
        if code not in get_global("all_currencies"):
            raise ValueError("must be a currency of ISO 4217, such as EUR")
        return code

    @field_validator("not_products")
    @classmethod
    def _is_a_pattern(cls, said: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        try:
            re.compile(said if isinstance(said, str) else "")
        except re.error as error:
            raise ValueError(f"must be a list of SKUs or a regular expression: {error}") from None
        return said
