"""Laws of params.yaml: it is frozen, each dial says its unit, and each mistake is one line that names the key."""

import re

import pytest
from pydantic import ValidationError

from pricetrail.base.errors import ParamsError
from pricetrail.base.params import Params, parse_params
from support.tables import PARAMS

DATE_RULE = "must be ISO8601, excel or a strptime format that tells the day, such as %d/%m/%Y %H:%M"
GLOB_RULE = "must be a glob inside data.path, such as **/*.csv"


def edited(old: str, new: str) -> str:
    assert PARAMS.count(old) == 1, f"{old!r} stands {PARAMS.count(old)} times in params.yaml"
    return PARAMS.replace(old, new)


def message(text: str) -> str:
    with pytest.raises(ParamsError) as caught:
        parse_params(text)
    return str(caught.value)


def test_the_shipped_file_gives_the_dials_it_shows() -> None:
    params = parse_params(PARAMS)
    assert isinstance(params, Params)
    assert params.seed == 20101201
    assert params.data.path == "demo/lines"
    assert params.data.columns.unit_price == "UnitPrice"
    assert params.tuning.space.layers == (1, 3)
    assert params.fairness.columns == ("registered", "country_group")


@pytest.mark.parametrize("section", ["", "data", "data.columns", "tuning.space", "gates"])
def test_no_dial_can_be_set_after_reading(section: str) -> None:
    dials: object = parse_params(PARAMS)
    for name in section.split(".") if section else []:
        dials = getattr(dials, name)
    first = next(iter(vars(dials)))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(dials, first, getattr(dials, first))


STUDY_TRIALS = "  n_trials: 6               # trials of the study"
BAD_EDITS = {
    "unknown key": (
        STUDY_TRIALS,
        STUDY_TRIALS.replace("n_trials", "n_trails"),
        "tuning.n_trails is not a known key, did you mean n_trials? (and 1 more)",
    ),
    "unknown section": ("\npricing:", "\nprizing:", "prizing is not a known key, did you mean pricing? (and 1 more)"),
    "unknown and like nothing": ("threads: 1 ", "threads: 1\nxyzzy: 1 #", "xyzzy is not a known key"),
    "missing key": ("  half_life_days: 28", "  # 28", "features must be a section with the settings of Features"),
    "missing root key": ("seed: 20101201", "", "seed is missing"),
    "missing column": ("    country: Country\n", "", "data.columns.country is missing"),
    "text for a number": (
        STUDY_TRIALS,
        "  n_trials: eight ",
        "tuning.n_trials must be an integer, got 'eight'",
    ),
    "fraction for a count": (STUDY_TRIALS, "  n_trials: 6.0 ", "tuning.n_trials must be an integer, got 6.0"),
    "truth for a count": (STUDY_TRIALS, "  n_trials: true ", "tuning.n_trials must be an integer, got True"),
    "truth for a share": ("test_share: 0.1", "test_share: true", "split.test_share must be a number, got True"),
    "no number": ("test_share: 0.1", "test_share: .nan", "split.test_share must be a finite number, got nan"),
    "one value for a range": ("layers: [1, 3]", "layers: 3", "tuning.space.layers must be a tuple, got 3"),
    "impossible low": (STUDY_TRIALS, "  n_trials: 0 ", "tuning.n_trials must be >= 1, got 0"),
    "impossible high": ("test_share: 0.1", "test_share: 0.5", "split.test_share must be <= 0.4, got 0.5"),
    "impossible seed": ("seed: 20101201", "seed: -1", "seed must be >= 0, got -1"),
    "impossible policy": (
        "policy: withhold",
        "policy: shrug",
        "drift.policy must be 'stop' or 'withhold', got 'shrug'",
    ),
    "impossible day": (
        'first_day: "2010-12-01"',
        'first_day: "2010-13-01"',
        "demo.first_day must be an ISO date, such as 2010-12-01, got '2010-13-01'",
    ),
    "impossible day without quotes": (
        'first_day: "2010-12-01"',
        "first_day: 2010-13-01",
        "must be YAML 1.2: month must be in 1..12",
    ),
    "bounds reversed": (
        "dropout: [0.0, 0.4]",
        "dropout: [0.4, 0.0]",
        "tuning.space.dropout must have the lower bound first, got [0.4, 0.0]",
    ),
    "three bounds": (
        "layers: [1, 3]",
        "layers: [1, 2, 3]",
        "tuning.space.layers must have at most 2 items, not 3, got [1, 2, 3]",
    ),
    "no choice": (
        "width: [64, 128, 192]",
        "width: []",
        "tuning.space.width must have at least 1 item, not 0, got []",
    ),
    "a choice of the wrong type": (
        "batch_size: [512, 1024]",
        "batch_size: [512, big]",
        "tuning.space.batch_size.1 must be an integer, got 'big'",
    ),
    "column named twice": (
        "country: Country",
        "country: StockCode",
        "data.columns must name each column once, 'StockCode' is named twice",
    ),
    "column without a name": (
        "country: Country",
        'country: " "',
        "data.columns.country must have at least 1 character, got ' '",
    ),
    "glob in the path": (
        "path: demo/lines",
        "path: data/*.csv",
        "data.path must be a file or folder that DVC tracks, such as data; a glob goes in data.pattern, "
        "got 'data/*.csv'",
    ),
    "glob that leaves the path": ('"**/*"', '"../*.csv"', f"data.pattern {GLOB_RULE}, got '../*.csv'"),
    "glob from the root": ('"**/*"', '"/tmp/*.csv"', f"data.pattern {GLOB_RULE}, got '/tmp/*.csv'"),
    "glob that Python has not": ('"**/*"', '"**.csv"', f"data.pattern {GLOB_RULE}, got '**.csv'"),
    "unknown directive": ("format: ISO8601", 'format: "%Q"', f"data.datetime_format {DATE_RULE}, got '%Q'"),
    "directive twice": ("format: ISO8601", 'format: "%Y %Y"', f"data.datetime_format {DATE_RULE}, got '%Y %Y'"),
    "format without a day": ("format: ISO8601", 'format: "%H:%M"', f"data.datetime_format {DATE_RULE}, got '%H:%M'"),
    "two delimiters": (
        'delimiter: ","',
        'delimiter: ";;"',
        "data.delimiter must be ',', ';', '\\t', '|', ':', '^', '~' or ' ', got ';;'",
    ),
    "truth for a SKU": ('sku: ""', "sku: true", "data.sku must be a string, got True"),
    "override without a reason": (
        "overrides: {}",
        'overrides: {drift: " "}',
        "gates.overrides.drift must give a reason, got ' '",
    ),
    "override with nothing": ("overrides: {}", "overrides: {drift: }", "gates.overrides.drift must be a string"),
    "override with an empty reason": (
        "overrides: {}",
        'overrides: {fairness: ""}',
        "gates.overrides.fairness must give a reason, got ''",
    ),
    "sensitive column named twice": (
        "columns: [registered, country_group]",
        "columns: [registered, registered]",
        "fairness.columns must name each column once, got ['registered', 'registered']",
    ),
    "unknown override": (
        "overrides: {}",
        "overrides: {drft: known promotion}",
        "gates.overrides.drft must be 'drift', 'accuracy' or 'fairness', got 'drft'",
    ),
}


@pytest.mark.parametrize(("old", "new", "rule"), BAD_EDITS.values(), ids=BAD_EDITS)
def test_a_bad_edit_is_one_line_that_names_the_key(old: str, new: str, rule: str) -> None:
    assert message(edited(old, new)) == f"params.yaml: {rule}"


def line_of(start: str) -> int:
    """The number, from 1, of the one line of params.yaml that starts so."""
    found = [number for number, line in enumerate(PARAMS.splitlines(), start=1) if line.startswith(start)]
    assert len(found) == 1
    return found[0]


def test_a_key_given_twice_is_named_with_its_line() -> None:
    text = edited("\nthreads: 1", "\nthreads: 1\nthreads: 2")
    rule = 'must be YAML 1.2: found duplicate key "threads" with value "2" (original value: "1")'
    assert message(text) == f"params.yaml: line {line_of('threads: 1') + 1}: {rule}"


def test_invalid_yaml_is_named_with_its_line() -> None:
    text = edited("  path: demo/lines", "\tpath: demo/lines")
    rule = "must be YAML 1.2: found character '\\t' that cannot start any token"
    assert message(text) == f"params.yaml: line {line_of('  path: demo/lines')}: {rule}"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "must be a mapping of sections"),
        ("# only a comment\n", "must be a mapping of sections"),
        ("- seed\n", "must be a mapping of sections, got ['seed']"),
        ("seed: 1\n", "threads is missing (and 14 more)"),
        ("a: 1\n---\nb: 2\n", "line 2: must be YAML 1.2: but found another document"),
        (
            "seed: !!python/object:os.system x\n",
            "line 1: must be YAML 1.2: could not determine a constructor for the tag "
            "'tag:yaml.org,2002:python/object:os.system'",
        ),
    ],
)
def test_a_text_that_is_no_mapping_is_one_line(text: str, rule: str) -> None:
    assert message(text) == f"params.yaml: {rule}"


def test_every_message_is_one_line() -> None:
    texts = [edited(old, new) for old, new, _ in BAD_EDITS.values()]
    assert [line for line in map(message, texts) if "\n" in line or len(line) > 250] == []


@pytest.mark.parametrize(
    ("written", "read"), [("22423", "22423"), ('"85123A"', "85123A"), ("85123A", "85123A"), ('"01234"', "01234")]
)
def test_a_sku_is_text_however_yaml_reads_it(written: str, read: str) -> None:
    assert parse_params(edited('sku: ""', f"sku: {written}")).data.sku == read


@pytest.mark.parametrize("written", ["%m/%d/%Y %H:%M", "%d.%m.%y", "%Y-%m-%dT%H:%M:%S%z", "%Y-%j"])
def test_a_format_that_tells_the_day_is_taken(written: str) -> None:
    assert parse_params(edited("format: ISO8601", f'format: "{written}"')).data.datetime_format == written


def test_column_names_are_read_without_the_spaces_around_them() -> None:
    assert parse_params(edited("country: Country", 'country: " Land "')).data.columns.country == "Land"


def test_an_override_keeps_its_reason() -> None:
    params = parse_params(edited("overrides: {}", "overrides: {drift: known promotion}"))
    assert params.gates.overrides == {"drift": "known promotion"}


def test_every_dial_or_its_section_has_a_comment() -> None:
    bare, sections = [], [(-1, False)]  # indentation, has a comment
    for line in PARAMS.splitlines():
        found = re.match(r"( *)(\w+):([^#]*)(#.*\w.*)?$", line)
        if not found:
            continue
        indent, key, value, comment = len(found[1]), found[2], found[3].strip(), found[4]
        while sections[-1][0] >= indent:
            sections.pop()
        explained = bool(comment) or sections[-1][1]
        if value and not explained:
            bare.append(key)
        if not value:
            sections.append((indent, explained))
    assert bare == []
