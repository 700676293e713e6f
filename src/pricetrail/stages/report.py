"""Stage ``report``: what the run left, as one page."""

from pathlib import Path

from pricetrail.base import files
from pricetrail.report.page.render import render
from pricetrail.report.read_results import IMAGES, PAGE_TEXTS, read_page_results
from pricetrail.stages import SOURCE, run_stage

SHAP, TEMPLATES, PAGE = Path("reports/shap"), SOURCE / "report/page/templates", Path("reports/index.html")


def main() -> None:
    """Read what the other stages wrote, and write the page."""
    texts = {path: files.read_text(Path(path)) for path in PAGE_TEXTS}
    images = {name: content for name, content in files.read_folder(SHAP).items() if name in IMAGES}
    templates = {name: content.decode() for name, content in files.read_folder(TEMPLATES).items()}
    files.write_text(PAGE, render(read_page_results(texts, images), templates))


if __name__ == "__main__":
    run_stage("report", main)
