"""One thin shell per DVC stage: read, call, write.

``python -m pricetrail.stages.<name>`` runs one from the project's root. An error that a user can mend is one line and
exit code 1.
"""

import logging
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

from pricetrail.base.errors import PricetrailError
from pricetrail.base.redaction import redact_logs

SOURCE = Path(__file__).parent.parent  # the code of the package
LOG_FORMAT = "%(asctime)s %(levelname)-7s {stage}: %(message)s"


def run_stage(name: str, stage: Callable[[], None]) -> None:
    """Run a stage's function with logging set up; turn its errors into one line and exit code 1."""
    logging.basicConfig(
        level=logging.INFO, format=LOG_FORMAT.format(stage=name), datefmt="%H:%M:%S", stream=sys.stderr, force=True
    )
    redact_logs({})  # names of files are anybody's text; no variables, since reasons in tracked files would have them
    for noisy in ("shap", "matplotlib", "fontTools", "numba"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", category=FutureWarning)
    try:
        stage()
    except PricetrailError as error:
        logging.getLogger(__name__).error("%s", error)
        raise SystemExit(1) from None
