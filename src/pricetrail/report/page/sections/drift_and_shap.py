"""Drift of the columns and the model, and the features that move a prediction."""

import base64

from pricetrail.checks.results import ColumnDrift, ModelDriftResult
from pricetrail.data.features import CATEGORICAL_FEATURES, FEATURE_UNITS
from pricetrail.data.past_lines import HISTORY_UNITS
from pricetrail.report.page.blocks import Block, Cell, Figure, Key, Note, Picture, Section, State, Tile, Tiles, table
from pricetrail.report.page.charts import Axis, Item, Row, rows_chart
from pricetrail.report.page.words import between, count, fixed, number, percent, plural, sentence
from pricetrail.report.read_results import BEESWARM, DEPENDENCE
from pricetrail.report.results import PageResults

DRIFTED: dict[bool, tuple[State, str]] = {True: ("fail", "Drifted"), False: ("pass", "Not drifted")}
MAX_IMAGE_BYTES = 700_000  # of both images: the page stays below 1.5 MB as base64 text
PICTURES = {  # heading, what a screen reader says, caption
    BEESWARM: (
        "Every explained line",
        "Beeswarm of SHAP values: one row a feature, one dot a test line, its place the effect on the prediction.",
        "Each dot is a test line; its colour is the value of the feature, low to high.",
    ),
    DEPENDENCE: (
        "Effect by value",
        "Dependence plots: SHAP value of the strongest features over the value of the feature.",
        "Each dot is a test line. A slope shows how the effect of a feature changes with its value.",
    ),
}


def drift_section(results: PageResults) -> Section:
    """Inputs, target and model told apart, and each column against its threshold."""
    inputs = [column for column in results.drift.columns if column.role == "input"]
    target = next((column for column in results.drift.columns if column.role == "target"), None)
    drifted = [column for column in inputs if column.drifted]
    finding = f"{len(drifted)} of {plural(len(inputs), 'input column')} drifted"
    if target is not None:
        finding += f"; the target did{'' if target.drifted else ' not'}"
    for note in dict.fromkeys(column.note for column in inputs if column.note and not column.drifted):
        finding += f"; {note}: {', '.join(column.column for column in inputs if column.note == note)}"
    blocks = (Tiles(_drift_tiles(results, inputs, target)), _drift_figure(results.drift.columns))
    return Section("drift", "Drift", finding + ".", blocks)


def _drift_tiles(results: PageResults, inputs: list[ColumnDrift], target: ColumnDrift | None) -> tuple[Tile, ...]:
    share = sum(column.drifted for column in inputs) / len(inputs) if inputs else None
    held = f"of the columns, at most {percent(results.drift.verdicts[0].threshold)}"
    tiles = [Tile("Input drift", percent(share), held, *DRIFTED[not results.drift.passed])]
    if target is not None:
        note = f"distance, at most {number(target.threshold)}"
        tiles.append(Tile("Target drift", number(target.distance, 3), note, *DRIFTED[target.drifted]))
    return (*tiles, _model_tile(results.model_drift))


def _model_tile(drift: ModelDriftResult) -> Tile:
    ends, lines = between(*drift.error_ratio_interval), f"{count(drift.current_rows)} lines"
    note = f"error on the last days over validation error, {ends}, {lines}"
    if drift.drifted:
        note = sentence(drift.reasons[0])
    return Tile("Model drift", f"{number(drift.error_ratio, 3)}×", note, *DRIFTED[drift.drifted])


def _drift_figure(columns: tuple[ColumnDrift, ...]) -> Figure:
    ratios = {column.column: _ratio(column) for column in columns}
    ordered = sorted(columns, key=lambda column: (column.role != "target", -ratios[column.column]))
    rows, cells = [], []
    for column in ordered:
        is_target, (state, word) = column.role == "target", DRIFTED[column.drifted]
        bar = Item(ratios[column.column], "bar", "bad" if column.drifted else "main", tip=_tip(column))
        told = column.note or fixed(column.distance, 3)
        note = f"▲ {told}" if column.drifted else told
        rows.append(Row(f"{column.column} (target)" if is_target else column.column, (bar,), note, is_target))
        distance = (number(column.distance), number(column.threshold))
        missing = (percent(column.reference_missing_share, 1), percent(column.current_missing_share, 1))
        verdict = Cell(column.note or word.lower(), state)
        cells.append((column.column, column.role, column.method, *distance, *missing, verdict))
    reach = max([1.2, *ratios.values()]) * 1.05
    axis = Axis(0, reach, "distance ÷ its threshold", lambda value: f"{number(value)}×", ((1.0, "threshold"),))
    legend = (Key("square", "main", "within its threshold"), Key("square", "bad", "▲ beyond it"))
    caption = (
        "Last days against the training window. A bar beyond the dashed line has drifted; the number beside it is "
        "the plain distance."
    )
    says = "; ".join(_tip(column) for column in ordered[:3])
    figures = ("#distance", "#threshold", "#missing before", "#missing now")
    titles = ("`column", "role", "method", *figures, "verdict")
    shown = table("Distance of every column", titles, cells)
    chart = rows_chart("drift-columns", "Drift of each column over its threshold", says, rows, axis)
    return Figure("By column", chart, shown, legend, caption)


def _ratio(column: ColumnDrift) -> float:
    """How many times its threshold a column moved; nothing where it could not be told."""
    return (column.distance or 0.0) / column.threshold if column.threshold else 0.0


def _tip(column: ColumnDrift) -> str:
    told = f"{column.column}: {number(column.distance, 3)}, threshold {number(column.threshold)}"
    missing = (column.reference_missing_share, column.current_missing_share)
    return told + (f"; missing {percent(missing[0], 1)}, now {percent(missing[1], 1)}" if any(missing) else "")


def explanation_section(results: PageResults) -> Section:
    """SHAP: which features move the predictions, and how."""
    ranked = sorted(results.shap.items(), key=lambda entry: -entry[1])
    top = ranked[:12]
    key, heading, pictures = "explanation", "What moves a prediction", _pictures(results)
    if not top:
        return Section(key, heading, "No SHAP values were written.", pictures)
    finding = f"{top[0][0]} moves predictions the most: {number(top[0][1], 3)} in log(1 + units) on average."
    rows = [Row(feature, (Item(value, "bar"),), fixed(value, 3)) for feature, value in top]
    axis = Axis(0, top[0][1] * 1.05 or 1.0, "mean |SHAP value|, log(1 + units)")
    shown = table("Mean |SHAP value| of every feature", ("feature", "#mean"), [(f, number(v)) for f, v in ranked])
    chart = rows_chart("shap", "Mean absolute SHAP value of each feature", finding, rows, axis)
    blocks = (Figure(f"The {len(top)} strongest features", chart, shown), *_left_out(results), *pictures)
    return Section(key, heading, finding, blocks)


def _left_out(results: PageResults) -> tuple[Note, ...]:
    """The features that move nothing: no line has a value, or all have the same."""
    absent = [name for name in (*FEATURE_UNITS, *CATEGORICAL_FEATURES, *HISTORY_UNITS) if name not in results.shap]
    text = f"{', '.join(absent)}: the lines have no value, or one only, that could tell anything."
    return (Note(text, "Left out"),) if absent else ()


def _pictures(results: PageResults) -> tuple[Block, ...]:
    blocks: list[Block] = []
    are_small = sum(map(len, results.images.values())) <= MAX_IMAGE_BYTES
    for file, (heading, alt, caption) in PICTURES.items():
        if file not in results.images:
            continue
        if are_small:
            source = "data:image/png;base64," + base64.b64encode(results.images[file]).decode()
            blocks.append(Picture(heading, source, alt, caption))
        else:
            blocks.append(Note(f"{heading}: reports/shap/{file} is too large for this page."))
    return tuple(blocks)
