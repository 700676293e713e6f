"""Stage ``model_card``: what the run's model is, as Markdown for people and tools."""

from pathlib import Path

from pricetrail.base import files
from pricetrail.report.card.markdown import model_card
from pricetrail.report.read_results import TEXTS, read_results
from pricetrail.stages import SOURCE, run_stage

PACKAGES, TEMPLATE = Path("requirements.lock"), "report/card/templates/model_card.md.j2"
CARD = Path("reports/model_card.md")


def main() -> None:
    """Read the run's records, and write the card."""
    results = read_results({path: files.read_text(Path(path)) for path in TEXTS})
    files.write_text(CARD, model_card(results, files.read_text(PACKAGES), files.read_text(SOURCE / TEMPLATE)))


if __name__ == "__main__":
    run_stage("model_card", main)
