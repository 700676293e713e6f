"""Why two runs differ: locks written by hand, whose difference is known; mirrors; and real git and DVC folders."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricetrail.base.dvc_hashes import md5_of_tree
from pricetrail.cli.why import grouped, sentence
from pricetrail.lineage.changes import Change, Move, changes, moves
from pricetrail.lineage.ledger import SOURCE, Run
from pricetrail.lineage.lock import StageRecord
from pricetrail.lineage.why import SAME_INPUTS, Difference, StageChange, explain_difference
from support.commands import run

RAW = StageRecord("raw.dvc", "", outs={"raw": "r1.dir"})
CLEAN = StageRecord("clean", "clean", {"raw": "r1.dir", "src/clean.py": "c1"}, {"seed": 1}, {"data": "d1.dir"})
FIT = StageRecord(
    "fit",
    "fit",
    {"data/train": "t1", "src/fit.py": "f1", "requirements.lock": "q1"},
    {"tuning": {"trials": 6, "space": {"width": [1, 2]}}},
    {"model": "m1"},
)
SCORE = StageRecord("score", "score", {"model": "m1", "data/test": "e1"}, {}, {"metrics/test.json": "s1"})
RUN = (RAW, CLEAN, FIT, SCORE)
OTHER_FIT = replace(FIT, params={"tuning": {"trials": 8, "space": {"width": [1, 2]}}}, outs={"model": "m2"})
OTHER_SCORE = replace(SCORE, deps={"model": "m2", "data/test": "e1"}, outs={"metrics/test.json": "s2"})


def chain(found: Difference) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    return [(stage.name, stage.causes, stage.upstream) for stage in found.stages]


def test_a_dial_is_the_cause_and_what_follows_ran_because_of_it() -> None:
    found = explain_difference(RUN, (RAW, CLEAN, OTHER_FIT, OTHER_SCORE))
    assert found.params == (Change("tuning.trials", "changed", 6, 8),)
    assert found.stages == (
        StageChange("fit", ("params tuning.trials",), (), (Change("model", "changed", "m1", "m2"),)),
        StageChange("score", (), ("fit",), (Change("metrics/test.json", "changed", "s1", "s2"),)),
    )
    assert found.first == ("fit",)
    assert (found.data, found.files, found.packages) == ((), (), ())


def test_the_first_stage_is_the_earliest_with_a_cause_of_its_own() -> None:
    clean = replace(CLEAN, deps={**CLEAN.deps, "src/clean.py": "c2"}, outs={"data": "d2.dir"})
    fit = replace(OTHER_FIT, deps={**FIT.deps, "data/train": "t2"})
    found = explain_difference(RUN, (RAW, clean, fit, OTHER_SCORE))
    assert chain(found) == [
        ("clean", ("code src/clean.py",), ()),
        ("fit", ("params tuning.trials",), ("clean",)),
        ("score", (), ("fit",)),
    ]
    assert found.first == ("clean",)


def test_the_dag_is_code_and_no_data() -> None:
    clean, other = (replace(CLEAN, deps={**CLEAN.deps, "demo/dag.yaml": md5}) for md5 in ("g1", "g2"))
    found = explain_difference((RAW, clean, FIT, SCORE), (RAW, other, FIT, SCORE))
    assert (found.data, chain(found)) == ((), [("clean", ("code demo/dag.yaml",), ())])


def test_two_independent_stages_are_both_first() -> None:
    side = StageRecord("side", "side", {"raw": "r1.dir"}, {"other": 1}, {"report": "p1"})
    found = explain_difference((*RUN, side), (RAW, CLEAN, OTHER_FIT, OTHER_SCORE, replace(side, params={"other": 2})))
    assert set(found.first) == {"fit", "side"}


def test_stages_come_in_the_order_of_the_dag_not_the_lock() -> None:
    clean = replace(CLEAN, name="zz")
    later = replace(clean, deps={**CLEAN.deps, "src/clean.py": "c2"}, outs={"data": "d2.dir"})
    fit = replace(OTHER_FIT, deps={**FIT.deps, "data/train": "t2"})
    found = explain_difference((SCORE, FIT, clean, RAW), (RAW, fit, OTHER_SCORE, later))
    assert [stage.name for stage in found.stages] == ["zz", "fit", "score"]


def test_raw_data_is_told_by_file_where_the_lists_are_known() -> None:
    old, new = {"a.csv": "1", "b.csv": "2", "c.csv": "3"}, {"a.csv": "1", "b.csv": "9", "d.csv": "4"}
    later = (replace(RAW, outs={"raw": "r2.dir"}), replace(CLEAN, deps={**CLEAN.deps, "raw": "r2.dir"}), FIT, SCORE)
    found = explain_difference(RUN, later, listings={"r1.dir": old, "r2.dir": new})
    assert [(change.name, change.kind) for change in found.data] == [
        ("raw/b.csv", "changed"),
        ("raw/c.csv", "removed"),
        ("raw/d.csv", "added"),
    ]
    assert chain(found) == [("clean", ("data raw",), ())]  # its outputs stayed, so nothing ran after it
    unknown = explain_difference(RUN, later, listings={"r1.dir": old})
    assert unknown.data == (Change("raw", "changed", "r1.dir", "r2.dir"),)


def test_packages_are_told_where_the_pins_were_other() -> None:
    texts = ("a==1\nB_c==2 ; python_version > '3'\ngone==1\n", "a==1\nb-c==3\nnew==0.1\n")
    fit = replace(FIT, deps={**FIT.deps, "requirements.lock": "q2"})
    found = explain_difference(RUN, (RAW, CLEAN, fit, SCORE), texts)
    assert [(change.name, change.kind, change.old, change.new) for change in found.packages] == [
        ("b-c", "changed", "2", "3"),
        ("gone", "removed", "1", None),
        ("new", "added", None, "0.1"),
    ]
    assert chain(found) == [("fit", ("packages requirements.lock",), ())]
    assert explain_difference(RUN, RUN, texts).packages == ()  # no run read them


def test_what_no_input_explains_is_told() -> None:
    drifted = explain_difference(RUN, (RAW, CLEAN, replace(FIT, outs={"model": "m2"}), OTHER_SCORE))
    assert chain(drifted) == [("fit", (SAME_INPUTS,), ()), ("score", (), ("fit",))]
    assert drifted.first == ("fit",)
    edited = explain_difference(RUN, (RAW, CLEAN, FIT, OTHER_SCORE))  # score read a model that fit did not leave
    assert chain(edited) == [("score", ("record of model",), ())]


def test_a_stage_of_one_run_or_another_command_is_a_cause() -> None:
    found = explain_difference(RUN, (RAW, replace(CLEAN, cmd="clean -v"), FIT))
    assert chain(found) == [("clean", ("command",), ()), ("score", ("stage removed",), ())]
    assert found.first == ("clean",)
    assert chain(explain_difference((RAW, CLEAN), (RAW, CLEAN, FIT)))[0] == ("fit", ("stage added",), ())


def test_figures_move_in_percent_the_largest_first() -> None:
    old = {
        "test.mse_log_quantity": 0.25,
        "test.skill": 0.5,
        "test.rows": 10,
        "gone": 1,
        "intervals.interval_80.coverage": 0.79,
    }
    new = {
        "test.mse_log_quantity": 0.2,
        "test.skill": 0.4,
        "test.rows": 15,
        "new": 0,
        "intervals.interval_80.coverage": 0.84,
    }
    found = moves(old, new)
    assert [(move.name, move.percent and round(move.percent, 9), move.better) for move in found] == [
        ("test.rows", 50.0, None),
        ("test.mse_log_quantity", -20.0, True),
        ("test.skill", -20.0, False),
        ("intervals.interval_80.coverage", 6.329113924, False),  # 0.04 from what it claims; it was 0.01
        ("gone", None, None),
        ("new", None, None),
    ]  # fmt: skip
    assert moves({"a": True, "b": "x", "c": [1]}, {"a": False, "b": "y", "c": [2]}) == ()
    assert moves({"a": 0}, {"a": 1}) == (Move("a", 0.0, 1.0, None),)


def test_metrics_are_flattened_as_dvc_does() -> None:
    old = {"decision": {"outcome": "released", "gates": [1]}, "gates.drift": {"passed": True, "deep": {"x": 2}}}
    new = {"decision": {"outcome": "withheld", "gates": [2]}, "gates.drift": {"passed": False, "deep": {"x": 3}}}
    found = explain_difference(RUN, RUN, metrics=(old, new))
    assert [move.name for move in found.metrics] == ["gates.drift.deep.x"]
    assert found.verdicts == (
        Change("decision.outcome", "changed", "released", "withheld"),
        Change("gates.drift.passed", "changed", True, False),
    )
    assert not found.is_empty


def test_the_sentence_names_causes_first_stage_and_figure() -> None:
    fit = replace(OTHER_FIT, deps={**FIT.deps, "src/fit.py": "f2"})
    metrics = ({"test": {"mse_log_quantity": 0.2707, "rows": 1}}, {"test": {"mse_log_quantity": 0.269, "rows": 2}})
    found = explain_difference(RUN, (RAW, CLEAN, fit, OTHER_SCORE), metrics=metrics)
    assert sentence(found, "A", "B") == (
        "B differs from A by: params tuning.trials 6 -> 8; code src/fit.py. First stage affected: fit. "
        "test.mse_log_quantity 0.2707 -> 0.269 (-0.6%)"
    )
    assert sentence(explain_difference(RUN, RUN), "A", "B").startswith("B does not differ from A")
    assert grouped(["code a.py", "code b.py", "params x"], 1) == "code a.py and 1 more; params x"


HASHES = st.sampled_from(["1", "2"])
FLIP: dict[str, str] = {"added": "removed", "removed": "added", "changed": "changed"}


@st.composite
def runs(draw: st.DrawFn) -> tuple[StageRecord, ...]:
    """A run of up to five stages, each reading from some before it, in any order of the lock."""
    stages: list[StageRecord] = []
    order = draw(st.permutations(["a", "b", "c", "d", "e"]))[: draw(st.integers(0, 5))]
    for name in order:
        made = [stage.name for stage in stages]
        above = draw(st.lists(st.sampled_from(made), unique=True)) if made else []
        deps = {f"out/{other}": draw(HASHES) for other in above} | {f"src/{name}.py": draw(HASHES)}
        if draw(st.booleans()):
            deps["raw"] = draw(HASHES)
        stages.append(StageRecord(name, draw(HASHES), deps, {"p": int(draw(HASHES))}, {f"out/{name}": draw(HASHES)}))
    return tuple(draw(st.permutations(stages)))


def mirrored(found: tuple[Change, ...]) -> tuple[Change, ...]:
    return tuple(Change(c.name, FLIP[c.kind], c.new, c.old) for c in found)  # type: ignore[arg-type]


@given(runs(), runs(), st.permutations(range(5)))
def test_no_run_differs_from_itself_and_swapped_runs_mirror(
    a: tuple[StageRecord, ...], b: tuple[StageRecord, ...], order: list[int]
) -> None:
    shuffled = tuple(a[i] for i in order if i < len(a))
    assert explain_difference(a, shuffled).is_empty
    there, back = explain_difference(a, b), explain_difference(b, a)
    for one, other in ((there.data, back.data), (there.params, back.params), (there.files, back.files)):
        assert mirrored(one) == other
    assert [(s.name, s.upstream, mirrored(s.outs)) for s in there.stages] == [
        (s.name, s.upstream, s.outs) for s in back.stages
    ]
    assert there.first == back.first
    records_a, records_b = ({stage.name: stage for stage in run} for run in (a, b))
    differing = {n for n in records_a.keys() | records_b.keys() if records_a.get(n) != records_b.get(n)}
    assert {stage.name for stage in there.stages} == differing  # nothing is lost in silence
    assert bool(there.first) == bool(there.stages)


@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 3)),
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 3)),
)
def test_changes_turn_the_old_mapping_into_the_new_one(old: Mapping[str, int], new: Mapping[str, int]) -> None:
    found, built = changes(old, new), dict(old)
    for change in found:
        if change.kind == "removed":
            del built[change.name]
        else:
            assert isinstance(change.new, int)
            built[change.name] = change.new
    assert built == new
    assert len(found) == len(set(old.items()) ^ set(new.items())) - sum(c.kind == "changed" for c in found)


TOOL_MD5 = "d41d8cd98f00b204e9800998ecf8427e"  # of no bytes


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Two commits of hand-written runs: a file of raw data and a figure differ; the lists are in DVC's cache."""
    lists = [{"a.csv": "1" * 32}, {"a.csv": "1" * 32, "b.csv": "2" * 32}]
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("")
    (tmp_path / ".dvc/.gitignore").write_text("/cache\n/tmp\n")
    (tmp_path / "metrics").mkdir()
    (tmp_path / "params.yaml").write_text("word: x\n")
    (tmp_path / "tool.py").write_text("")
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=tmp_path, check=True)
    for number, files in enumerate(lists):
        md5 = md5_of_tree(files)
        stored = tmp_path / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
        stored.parent.mkdir(parents=True, exist_ok=True)
        stored.write_text(
            json.dumps([{"md5": h, "relpath": name} for name, h in sorted(files.items())], sort_keys=True)
        )
        (tmp_path / "raw.dvc").write_text(f"outs:\n- md5: {md5}\n  path: raw\n")
        (tmp_path / "dvc.lock").write_text(
            "schema: '2.0'\nstages:\n  fit:\n    cmd: fit\n    deps:\n"
            f"    - {{path: raw, md5: {md5}}}\n    - {{path: tool.py, md5: {TOOL_MD5}}}\n"
            "    params: {params.yaml: {word: x}}\n"
            f"    outs:\n    - {{path: metrics/test.json, md5: '{number}'}}\n"
        )
        (tmp_path / "metrics/test.json").write_text(json.dumps({"mse_log_quantity": 0.5 - number / 10}))
        subprocess.run(["git", "add", "-A"], cwd=tmp_path, check=True)
        commit = ["git", "-c", "user.name=t", "-c", "user.email=t", "commit", "-q", "-m", "x"]
        subprocess.run(commit, cwd=tmp_path, check=True)
    return tmp_path


def cli(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(folder, "pricetrail", "why", *arguments, COLUMNS="200")


def test_the_command_compares_revisions_and_the_workspace(history: Path) -> None:
    done = cli(history, "HEAD~1", "HEAD")
    assert done.stdout.splitlines()[0] == (
        "HEAD differs from HEAD~1 by: data raw/b.csv (added). First stage affected: fit. "
        "test.mse_log_quantity 0.5 -> 0.4 (-20.0%)"
    )
    tree = json.loads(cli(history, "HEAD~1", "--json").stdout)
    assert (tree["a"], tree["b"], tree["first"], tree["same"]) == ("HEAD~1", ".", ["fit"], False)
    assert tree["data"] == [{"name": "raw/b.csv", "kind": "added", "old": None, "new": "2" * 32}]
    assert tree["metrics"][0] | {"percent": 20} == {
        "name": "test.mse_log_quantity", "old": 0.5, "new": 0.4, "better": True, "percent": 20,
    }  # fmt: skip
    (history / "params.yaml").write_text("word: y\n")
    (history / "tool.py").write_text("pass\n")
    same = cli(history)
    assert same.returncode == 0
    assert same.stdout.splitlines() == [
        "the workspace does not differ from HEAD: same data, params, code, packages, outputs and metrics",
        "changed in the workspace since its run, so not in this comparison (dvc repro): tool.py, word",
    ]
    assert cli(history, "nowhere").stderr == (
        "error: revision: must be a commit, branch or tag that git knows, got 'nowhere'\n"
    )


def test_figures_of_other_data_are_not_compared(history: Path) -> None:
    """A first run on one's own lines, then a second: neither is better or worse than the demo shop's."""
    lock, ledger = history / "dvc.lock", history / "reports/runs.jsonl"
    ledger.parent.mkdir()
    recorded = lock.read_text().replace("word: x", "data.path: demo/lines, word: x")
    lock.write_text(recorded)
    commit = ["git", "-c", "user.name=t", "-c", "user.email=t", "commit", "-qam", "the demo shop"]
    subprocess.run(commit, cwd=history, check=True)
    lock.write_text(recorded.replace("demo/lines", "own/lines").replace("md5: '1'", "md5: '2'"))
    (history / "metrics/test.json").write_text(json.dumps({"mse_log_quantity": 0.9}))
    days = ("2024-01-01", "2024-02-01")
    sources = {"a": "demo/lines", "b": "own/lines"}
    runs = [Run(name, "b", "released", days, 9, {}, {SOURCE: path}) for name, path in sources.items()]
    for entries, words in (
        (runs, "it is the first run on own/lines"),
        ([*runs, runs[1]], "before it 1 ran on own/lines"),
    ):
        ledger.write_text("".join(json.dumps(asdict(run)) + "\n" for run in entries))
        said = cli(history).stdout
        assert f"Figures are compared between runs on the same data only; {words}." in said
        assert "data.path demo/lines -> own/lines" in said
        assert not re.search(r"0\.9|better|worse|mse_log_quantity", said)
    assert json.loads(cli(history, "--json").stdout)["metrics"] == []
