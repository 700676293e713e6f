"""Stage ``model_card``: what the run's model is, as Markdown for people and tools, and as a page."""

from pathlib import Path

from pricetrail.base import files
from pricetrail.report.card.facts import read_facts
from pricetrail.report.card.html import card_page
from pricetrail.report.card.markdown import body, model_card
from pricetrail.stages import SOURCE, run_stage

METRICS = {
    name: Path(f"metrics/{name}.json")
    for name in ("etl", "drift", "model_drift", "validation", "test", "models", "intervals", "prices", "fairness")
} | {"decision": Path("metrics/decision.json")}
LINEAGE, LEDGER, PACKAGES = Path("reports/lineage.json"), Path("reports/runs.jsonl"), Path("requirements.lock")
CARD_TEMPLATE, PAGE_TEMPLATE = "report/card/templates/model_card.md.j2", "report/card/templates/model_card.html.j2"
CARD, PAGE = Path("reports/model_card.md"), Path("reports/model_card.html")


def main() -> None:
    """Read the run's records, and write the card."""
    facts = read_facts(
        {name: files.read_json(path) for name, path in METRICS.items()},
        files.read_json(LINEAGE),
        files.read_text(LEDGER),
        files.read_text(PACKAGES),
    )
    card = model_card(facts, files.read_text(SOURCE / CARD_TEMPLATE))
    page = card_page(body(card), files.read_text(SOURCE / PAGE_TEMPLATE))
    files.write_text(CARD, card)
    files.write_text(PAGE, page)


if __name__ == "__main__":
    run_stage("model_card", main)
