"""A run's model card: Markdown below the YAML header that Hugging Face's tools read.

Headings after Mitchell et al. (2019), "Model Cards for Model Reporting", and Annex IV of Regulation (EU) 2024/1689.
"""

import json
import re
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData
from jinja2 import Environment, StrictUndefined

from pricetrail import __version__
from pricetrail.base.escaping import markdown_text
from pricetrail.base.json_type import Json
from pricetrail.checks.estimates import Bounds, Interval, Number
from pricetrail.checks.gates import outcome_word
from pricetrail.lineage.changes import parse_packages
from pricetrail.report.card.facts import RunChange, fingerprints, last_changes, settings
from pricetrail.report.results import PRIMARY, Results

NAME = "price-model"  # as in the artifacts of dvc.yaml
LICENSE = "apache-2.0"
TASK = "tabular-regression"
TAGS = ["tabular", "pytorch", "pricing", "demand", "conformal-prediction"]
RUNS_SHOWN = 8
LONGEST_SETTING = 60  # characters of a setting's value in the list of changes
PACKAGES_SHOWN = ("torch", "lightgbm", "scikit-learn", "numpy", "pandas", "pyarrow", "optuna", "shap", "dvc")
NOT_COMPUTED = "not computed"
PLAIN = re.compile(r"[\w./:@%=+, &-]*[\w./:@%=+-]")


class Markdown(str):
    """Text that is Markdown already; every other value is escaped before it stands in a card."""

    __slots__ = ()


def model_card(results: Results, packages: str, template: str) -> str:
    """The card as Markdown: its YAML header, and the template below it; packages as in ``requirements.lock``."""
    environment = Environment(  # noqa: S701  # `finalize` escapes each value, for Markdown
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, finalize=finished
    )
    environment.filters |= {"code": code, "setting": setting, "markdown": Markdown, "outcome": outcome_word}
    environment.filters |= {"share": share, "span": span, "told": told}
    versions = parse_packages(packages)
    text = environment.from_string(template).render(
        results=results,
        name=NAME,
        version=__version__,
        settings=settings(results.lineage),
        fingerprints=fingerprints(results.lineage),
        changes=last_changes(results.runs, RUNS_SHOWN),
        primary=PRIMARY,
        rivals=results.rivals,
        packages={name: versions[name] for name in PACKAGES_SHOWN if name in versions},
    )
    return str(ModelCard(f"---\n{card_data(results).to_yaml()}\n---\n{text}"))


def card_data(results: Results) -> ModelCardData:
    """The header: what the model is, and its results as a model index; a figure that is None is left out."""
    path = str(settings(results.lineage).get("data.path", "unknown"))
    test, intervals = results.test, results.intervals
    figures: dict[tuple[str, str], Number] = {
        ("mse", "MSE of log1p(units)"): test.mse_log_quantity,
        ("mae", "MAE, units"): test.mae_units,
        ("rmsle", "RMSLE"): test.rmsle,
        ("skill", "1 - MSE / MSE of the training median"): test.skill,
    }
    for level in (80, 95):
        found = getattr(intervals, f"interval_{level}", None)
        figures["coverage", f"Coverage of the {level}% intervals"] = found.coverage if found else None
    data: dict[str, Any] = {
        "dataset_type": path,
        "dataset_name": f"{path}, {results.etl.days[0]} to {results.etl.days[1]}",
        "dataset_split": "test",
        "dataset_revision": fingerprints(results.lineage).data.get(path),
    }
    found = [
        EvalResult(task_type=TASK, metric_type=kind, metric_name=name, metric_value=value, **data)
        for (kind, name), value in figures.items()
        if value is not None
    ]
    return ModelCardData(
        model_name=NAME,
        license=LICENSE,
        library_name="pytorch",
        pipeline_tag=TASK,
        tags=[*TAGS, outcome_word(results.decision.outcome).replace(" ", "-")],
        datasets=[path],
        metrics=["mse", "mae", "rmsle"],
        eval_results=found or None,
    )


def finished(value: Json) -> Markdown:
    r"""What stands in the card for a value: a figure for a number, escaped text for any text.

    >>> finished(14533), finished(0.2706661), finished(None), finished("a|b<i>")
    ('14,533', '0.2707', 'not computed', 'a\\|b\\<i>')
    """
    match value:
        case Markdown():
            return value
        case None:
            return Markdown(NOT_COMPUTED)
        case bool():
            return Markdown("yes" if value else "no")
        case int():
            return Markdown(f"{value:,}")
        case float():
            return Markdown(figure(value))
        case _:
            return escaped(str(value))


def figure(value: float) -> str:
    """Four significant digits, zeros too; whole from 10,000 on.

    >>> figure(0.3), figure(-0.0002722), figure(1.00039), figure(12345.6), figure(4.43584e-07), figure(0.0)
    ('0.3000', '-0.0002722', '1.000', '12,346', '4.436e-07', '0')
    """
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 9999.5 else f"{value:#.4g}".removesuffix(".")


def setting(value: Json) -> Markdown:
    """A value that a person chose, with the digits that they wrote.

    >>> setting(0.1), setting(28), setting(None)
    ('0.1', '28', 'not computed')
    """
    return Markdown(f"{value:g}") if isinstance(value, float) else finished(value)


def escaped(text: str) -> Markdown:
    r"""Text in one line that no Markdown reader takes for markup.

    >>> escaped("added_disparity is 0.2,\n *not* <= 0.1")
    'added_disparity is 0.2, \\*not\\* <= 0.1'
    """
    return Markdown(markdown_text(text))


def code(text: str) -> Markdown:
    r"""A name in code type; plain escaped text where it has marks of its own.

    >>> code("data/original"), code("a`b|c")
    ('`data/original`', 'a\\`b\\|c')
    """
    return Markdown(f"`{text}`") if PLAIN.fullmatch(text) else escaped(text)


def share(value: Number, form: str = ".1f") -> Markdown:
    """A share as percent.

    >>> share(0.802243), share(0.95, "g"), share(None)
    ('80.2%', '95%', 'not computed')
    """
    return Markdown(NOT_COMPUTED if value is None else f"{value * 100:{form}}%")


def span(bounds: Interval | Bounds, percent: bool = False) -> Markdown:
    """An interval.

    >>> span((0.25, 0.5)), span((0.25, 0.5), percent=True), span(Interval(0.1, None, 0.5))
    ('0.2500 to 0.5000', '25.0% to 50.0%', 'not computed')
    """
    low, high = (bounds.low, bounds.high) if isinstance(bounds, Interval) else bounds
    if low is None or high is None:
        return Markdown(NOT_COMPUTED)
    return Markdown(f"{share(low)} to {share(high)}" if percent else f"{figure(low)} to {figure(high)}")


def told(change: RunChange) -> Markdown:
    """What is other than in the run before, in one cell."""
    if change.first:
        return Markdown("the first run on this data")
    parts = [f"{code(each.name)} {_short(each.old)} → {_short(each.new)}" for each in change.settings]
    parts += ["data"] if change.data else []
    parts += ["code or packages"] if change.code else []
    return Markdown("; ".join(parts) or "nothing that the bundle depends on")


def _short(value: Json) -> Markdown:
    text = json.dumps(value)
    return code(text if len(text) <= LONGEST_SETTING else f"{text[: LONGEST_SETTING - 1]}…")
