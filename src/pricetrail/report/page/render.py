"""Results to the page: sections in their order, written by templates that escape every text."""

from collections.abc import Mapping

from jinja2 import DictLoader, Environment, StrictUndefined

from pricetrail.base.escaping import own_policy
from pricetrail.checks.gates import outcome_word
from pricetrail.report.page.blocks import Section
from pricetrail.report.page.sections.changes import changes_section, own_run
from pricetrail.report.page.sections.decision import decision_section
from pricetrail.report.page.sections.drift_and_shap import drift_section, explanation_section
from pricetrail.report.page.sections.fairness import fairness_section
from pricetrail.report.page.sections.lineage import lineage_section
from pricetrail.report.page.sections.models import intervals_section, models_section, training_section
from pricetrail.report.page.sections.prices import prices_section
from pricetrail.report.page.words import count
from pricetrail.report.results import PageResults

PAGE, STYLE, SCRIPT = "page.html.j2", "page.css", "page.js"
SECTIONS = (
    *(decision_section, changes_section, models_section, intervals_section, training_section, drift_section),
    *(explanation_section, fairness_section, prices_section, lineage_section),
)


def sections(results: PageResults) -> tuple[Section, ...]:
    """The sections of the page, in their order."""
    return tuple(make(results) for make in SECTIONS)


def render(results: PageResults, templates: Mapping[str, str]) -> str:
    """The page as one HTML text; templates are texts by file name. The same results give the same text."""
    loader, undefined = DictLoader(dict(templates)), StrictUndefined
    environment = Environment(loader=loader, undefined=undefined, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    style, script = templates[STYLE], templates[SCRIPT]
    return environment.get_template(PAGE).render(
        title=f"run {results.lineage.run}",
        outcome=outcome_word(results.decision.outcome),
        subtitle=subtitle(results),
        sections=sections(results),
        style=style,
        script=script,
        policy=own_policy([style], [script]),
    )


def subtitle(results: PageResults) -> str:
    """The run, and the data it has seen."""
    now = own_run(results)
    if now is None:
        return f"{count(results.test.rows)} test lines"
    return f"Run {now.run}, data from {now.days[0]} to {now.days[1]}, {count(now.rows)} lines"
