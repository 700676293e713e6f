"""Law 3, as far as the text of ``dvc.yaml`` can show it. ``test_end_to_end`` shows it by running."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pricetrail.base.params import Params
from support.source_tree import ROOT, import_closure

Stage = dict[str, Any]


def stages(file: str) -> dict[str, Stage]:
    tree: dict[str, dict[str, Stage]] = YAML(typ="safe").load(ROOT / file)
    return tree["stages"]


ALL = {**stages("demo/dvc.yaml"), **stages("dvc.yaml")}


def paths(entries: list[Any]) -> list[str]:
    """Plain names of deps or outs, with or without options."""
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]


def test_the_stages_are_those_of_the_design() -> None:
    assert list(ALL) == [
        "simulate",
        "etl_pipeline",
        "data_drift_check",
        "drift_gate",
        "preprocess",
        "tune_baseline_models",
        "tune_primary_model",
        "inference_primary_model",
        "compare_models",
        "check_model_drift",
        "assess_model_risk",
        "record_run",
        "model_card",
        "report",
    ]


@pytest.mark.parametrize("name", ALL)
def test_code_dependencies_are_the_import_closure(name: str) -> None:
    closure = import_closure(f"pricetrail.stages.{name}")
    if name == "record_run":  # it hashes the code of all stages
        assert [path for path in ALL[name]["deps"] if path.startswith("src/")] == ["src/pricetrail"]
        return
    declared = {path for path in ALL[name]["deps"] if path.startswith("src/") and path.endswith(".py")}
    assert declared == closure, f"deps of {name} should be: {sorted(closure)}"


def written(stage: Stage) -> list[str]:
    return paths([*stage.get("outs", []), *stage.get("metrics", [])])


def test_the_record_reads_every_output_and_every_dial() -> None:
    """`make edges` writes them."""
    recorded = ALL["record_run"]
    after, grown = {"record_run"}, True
    while grown:
        fresh = {out for name in after for out in written(ALL[name])}
        more = {name for name, stage in ALL.items() if fresh & set(stage["deps"])} - after
        after, grown = after | more, bool(more)
    outs = {out for name in ALL if name not in {"simulate", *after} for out in written(ALL[name])}
    others = {"dag.yaml", "demo/dag.yaml", "requirements.lock", "src/pricetrail", "${data.path}"}
    assert set(recorded["deps"]) == outs | others
    assert set(recorded["params"]) == set(Params.model_fields) - {"weekly"}, "which no stage reads"


@pytest.mark.parametrize("file", ["dag.yaml", "demo/dag.yaml"])
def test_dag_yaml_is_a_link_to_dvc_yaml(file: str) -> None:
    assert (ROOT / file).readlink() == Path("dvc.yaml")


@pytest.mark.parametrize("name", ALL)
def test_every_stage_depends_on_the_package_lock_and_runs_pinned(name: str) -> None:
    assert "requirements.lock" in ALL[name]["deps"]
    assert ALL[name]["cmd"] == f"${{run}}.{name}"
    for file in ("dvc.yaml", "demo/dvc.yaml"):
        run = YAML(typ="safe").load(ROOT / file)["vars"][0]["run"]
        for pin in (
            "PYTHONHASHSEED=0",
            "MKL_CBWR=AVX2",
            "ATEN_CPU_CAPABILITY=avx2",
            "ONEDNN_MAX_CPU_ISA=AVX2",
            "NPY_ENABLE_CPU_FEATURES=X86_V3",
        ):
            assert pin in run.split()


@pytest.mark.parametrize("name", ALL)
def test_declared_params_are_dials(name: str) -> None:
    for key in ALL[name].get("params", []):
        section: Any = Params
        for part in key.split("."):
            assert part in section.model_fields, f"{name}: {key}"
            section = section.model_fields[part].annotation


def test_no_two_stages_write_one_path() -> None:
    outs = [path for stage in ALL.values() for path in written(stage)]
    assert len(outs) == len(set(outs))
    for path in outs:
        assert not any(Path(path) in Path(other).parents for other in outs), path


def test_data_dependencies_are_outputs_of_another_stage() -> None:
    outs = [path for stage in ALL.values() for path in written(stage)]
    for name, stage in ALL.items():
        for path in stage["deps"]:
            if path.startswith("src/") or path in {"requirements.lock", "${data.path}", "dag.yaml", "demo/dag.yaml"}:
                continue
            assert any(path == out or Path(out) in Path(path).parents for out in outs), f"{name}: {path}"


def test_only_cached_outputs_are_ignored_by_git() -> None:
    """A user's own files below ``data/`` are not: `dvc add` writes the rules and the ``.dvc`` file for them."""
    for stage in ALL.values():
        for entry in [*stage.get("outs", []), *stage.get("metrics", [])]:
            path = paths([entry])[0]
            small = isinstance(entry, dict) and entry[path].get("cache") is False
            assert is_ignored(path) != small, path
    assert not is_ignored("data/mine.dvc")
    assert not is_ignored("data/mine/lines.csv.dvc")


def is_ignored(path: str) -> bool:
    folders = (path, path + "/")  # a rule for a folder does not match the name of one that is not there
    return any(subprocess.run(["git", "check-ignore", "-q", p], cwd=ROOT, check=False).returncode == 0 for p in folders)
