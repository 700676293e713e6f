"""Facts to the page: sections in their order, written by templates that escape every text."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

from jinja2 import DictLoader, Environment, StrictUndefined

from pricetrail.report.page.blocks import Section
from pricetrail.report.page.facts import Facts
from pricetrail.report.page.sections.changes import changes_section, neighbours
from pricetrail.report.page.sections.decision import decision_section
from pricetrail.report.page.sections.drift_and_shap import drift_section, explanation_section
from pricetrail.report.page.sections.fairness import fairness_section
from pricetrail.report.page.sections.lineage import lineage_section
from pricetrail.report.page.sections.models import intervals_section, models_section, training_section
from pricetrail.report.page.sections.prices import prices_section
from pricetrail.report.page.words import count

PAGE, STYLE, SCRIPT = "page.html.j2", "page.css", "page.js"
SECTIONS = (
    *(decision_section, changes_section, models_section, intervals_section, training_section, drift_section),
    *(explanation_section, fairness_section, prices_section, lineage_section),
)


def sections(facts: Facts) -> tuple[Section, ...]:
    """The sections of the page, in their order."""
    return tuple(make(facts) for make in SECTIONS)


def policy(style: str, script: str) -> str:
    """A Content-Security-Policy under which only this page's own style, script and embedded images work."""
    return "; ".join(
        (
            "default-src 'none'",
            "img-src data:",
            f"style-src '{_digest(style)}'",
            f"script-src '{_digest(script)}'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def render(facts: Facts, templates: Mapping[str, str]) -> str:
    """The page as one HTML text; the same facts give the same text.

    Args:
        facts: of one run.
        templates: text by file name, of the folder ``templates``.
    """
    environment = Environment(
        loader=DictLoader(dict(templates)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = templates[STYLE], templates[SCRIPT]
    return environment.get_template(PAGE).render(
        title=f"run {facts.lineage.run}",
        outcome=facts.decision.outcome,
        subtitle=subtitle(facts),
        sections=sections(facts),
        style=style,
        script=script,
        policy=policy(style, script),
    )


def subtitle(facts: Facts) -> str:
    """The run, and the data it has seen."""
    now, _ = neighbours(facts.ledger, facts.lineage.run)
    if now is None:
        return f"{count(facts.skill.rows)} test lines"
    return f"Run {now.run}, data from {now.days[0]} to {now.days[1]}, {count(now.rows)} lines"
