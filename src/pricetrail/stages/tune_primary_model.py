"""Stage ``tune_primary_model``: the study, or none; then the chosen network on all training rows, as a bundle."""

from pathlib import Path

import torch

from pricetrail.base import files
from pricetrail.base.parquet import table_to_bytes
from pricetrail.data.encoder import Encoder
from pricetrail.data.past_lines import History
from pricetrail.model import candidate
from pricetrail.model.fixed_network import fixed_study, with_final_fit
from pricetrail.model.inputs import LookBack
from pricetrail.model.progress import live_curve, watching
from pricetrail.model.study import search
from pricetrail.model.study_figures import parallel_coordinates
from pricetrail.model.study_journal import open_journal
from pricetrail.model.training import Epoch
from pricetrail.stages import SOURCE, run_stage

SPLITS, ENCODER, STATE = Path("data/splits"), Path("models/encoder.json"), Path("data/product_state.parquet")
BASELINES, BUNDLE, METRICS = Path("models/baselines"), Path("models/candidate"), Path("metrics/validation.json")
STUDY, CURVE, JOURNALS = Path("reports/tuning"), Path("reports/training"), Path(".pricetrail/journals")
ROWS = [SPLITS / name for name in ("train", "validation", "history")]


def main() -> None:
    """Search, train, write bundle, plots and validation figures."""
    params = files.read_params()
    torch.set_num_threads(params.threads)
    encoder = Encoder.from_json(files.read_text(ENCODER))
    train, validation, history, state = (files.read_table(path) for path in (*ROWS, STATE))
    backups = candidate.read_backups(files.read_folder(BASELINES))
    look_back = LookBack(params.tuning.sku_lines, params.tuning.customer_lines)
    tables = candidate.TrainingTables(train, validation, encoder, History(history), look_back)
    data, settings = tables.tensors(), [params.tuning.model_dump_json(), str(params.seed), str(params.threads)]
    rows = (path for folder in ROWS for path in sorted(folder.iterdir()))
    decisive = map(files.read_bytes, [*rows, ENCODER, *sorted(SOURCE.rglob("*.py"))])
    trials = open_journal(JOURNALS, [*(setting.encode() for setting in settings), *decisive])
    with watching() as watch, live_curve(CURVE) as live:
        edges, fixed = encoder.column_edges, fixed_study(params.tuning)
        study = fixed or search(data, edges, params.tuning, params.seed, watch, trials)

        def on_epoch(epoch: Epoch) -> None:
            watch.epoch("all rows", epoch, study.best.training.epochs(len(train)))
            live(epoch)

        trained = candidate.fit(study.best, data, encoder, params.seed, on_epoch)
    study = with_final_fit(study, trained)
    bundle = candidate.assemble(tables, study.best, trained, state, backups)
    files.write_folder(BUNDLE, bundle.files())
    texts = {"trials.csv": files.csv_bytes(study.trials), "importances.csv": files.csv_bytes(study.importances)}
    picture = {"parallel_coordinates.png": parallel_coordinates(study.trials)}
    files.write_folder(STUDY, {**texts, "trials.parquet": table_to_bytes(study.trials), **picture})
    files.write_record(METRICS, candidate.validation_result(validation, bundle, study.best, trained))
    trials.delete()


if __name__ == "__main__":
    run_stage("tune_primary_model", main)
