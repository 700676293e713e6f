"""What the stage holds the test days against: the groups of all days before, whichever split they are in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from pricetrail.stages import assess_model_risk
from support.clone import Clone

pytestmark = pytest.mark.slow
READ = ("params.yaml", "metrics/drift.json", "metrics/test.json", "models/encoder.json", "data/predictions.parquet")


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_group_that_one_split_has_is_missed(
    shop: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split: str
) -> None:
    for name in READ:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(shop.folder / name, tmp_path / name)
    for name in ("train", "validation"):
        shutil.copytree(shop.folder / "data/splits" / name, tmp_path / "data/splits" / name)
        for path in (tmp_path / "data/splits" / name).glob("*.parquet"):
            if name != split:
                pd.read_parquet(path).assign(registered=0).to_parquet(path)
    predictions = tmp_path / "data/predictions.parquet"
    pd.read_parquet(predictions).assign(registered="guest").to_parquet(predictions)
    monkeypatch.chdir(tmp_path)
    assess_model_risk.main()
    gates = {gate["gate"]: gate for gate in json.loads(Path("metrics/decision.json").read_text())["gates"]}
    assert not gates["fairness"]["passed"]
    assert "no line of registered in the test days" in gates["fairness"]["reason"]
