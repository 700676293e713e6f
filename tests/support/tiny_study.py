"""A study of six small trials, and who watches it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pricetrail.base.files import read_params
from pricetrail.base.params_schema import Tuning
from pricetrail.model.study import Study, search
from pricetrail.model.study_journal import Journal
from pricetrail.model.training import Epoch
from support.source_tree import ROOT
from support.tiny_network import DATA, ENCODER

NO_PARAMETERS = ("trial", "state", "validation_mse", "epochs", "reason")
SHIPPED = read_params(ROOT / "params.yaml").tuning
SPACE = {"width": (8, 16), "bins": (2, 4), "batch_size": (256,), "layers": (1, 2), "learning_rate": (1e-4, 1e-1)}
SPACE |= {"dropout": (0.0, 0.4), "batch_norm": (False, True), "residual": (False, True), "ensemble_size": (1, 2)}
SPACE |= {"optimizer": ("adamw", "adam", "sgd"), "weight_decay": (1e-5, 1e-2)}
TINY = SHIPPED.model_copy(
    update={"method": "tpe", "max_minutes": 0.0, "n_trials": 6, "search_rows": 400}
    | {"max_epochs": 4, "patience_epochs": 4, "min_steps": 1, "space": SHIPPED.space.model_copy(update=SPACE)}
)


@dataclass
class Watch:
    """Notes the epochs, and ends the run at one of them."""

    stop_at: int | None = None
    error: type[BaseException] = KeyboardInterrupt
    seen: list[str] = field(default_factory=list)

    def epoch(self, task: str, epoch: Epoch, max_epochs: int) -> None:
        assert epoch.number < max_epochs
        if len(self.seen) == self.stop_at:
            raise self.error
        self.seen.append(f"{task} epoch {epoch.number}")


def run(tuning: Tuning = TINY, journal: Path | None = None, watch: Watch | None = None, seed: int = 3) -> Study:
    return search(DATA, ENCODER.column_edges, tuning, seed, watch or Watch(), Journal(journal))
