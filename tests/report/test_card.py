"""The model card: its header and tables against the records, read by others than what wrote them."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from decimal import ROUND_HALF_EVEN, Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from ruamel.yaml import YAML

from pricetrail.base.errors import DataError
from pricetrail.base.typed_json import parse_as
from pricetrail.checks.gates import GATES, not_computed
from pricetrail.lineage.ledger import Lineage, parse_ledger
from pricetrail.report.card import markdown as cards
from pricetrail.report.card.facts import fingerprints, last_changes
from pricetrail.report.read_results import LEDGER, LINEAGE, TEXTS, read_results
from pricetrail.report.results import PRIMARY
from pricetrail.stages import model_card as shell
from support import card_sample
from support.commands import environment
from support.source_tree import ROOT, SRC

MARKDOWN = (SRC / "pricetrail/report/card/templates/model_card.md.j2").read_text()
PARSER = MarkdownIt("commonmark", {"html": False}).enable("table")
HOSTILE = "a|b<script>alert(1)</script> [x](http://e.x) **b** `c` ![i](j) &lt; $ ~~s~~ _u_ # h \\"


def card_of(metrics: dict[str, Any] | None = None, lineage: Any = None, ledger: str | None = None) -> str:
    texts = card_sample.texts() | {f"metrics/{name}.json": json.dumps(tree) for name, tree in (metrics or {}).items()}
    texts |= {LINEAGE: json.dumps(lineage)} if lineage else {}
    texts |= {LEDGER: ledger} if ledger is not None else {}
    return cards.model_card(read_results(texts), card_sample.LOCK, MARKDOWN)


def body(card: str) -> str:
    return str(ModelCard(card).text)


def changed(change: Callable[[dict[str, Any]], object]) -> str:
    """The card of the sample after a change of its metrics."""
    metrics = card_sample.metrics()
    change(metrics)
    return card_of(metrics)


def tables(card: str) -> dict[str, list[list[list[str]]]]:
    """Every table below its heading, as rows of cells, header first; read with one regular expression."""
    found: dict[str, list[list[list[str]]]] = {}
    heading, inside = "", False
    for line in card.split("\n---\n", 1)[1].splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        row = line.startswith("| ")
        if row:
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            tables_here = found.setdefault(heading, [])
            if not inside:
                tables_here.append([])
            if not all(re.fullmatch(r"-+:?", cell) for cell in cells):
                tables_here[-1].append(cells)
        inside = row
    return found


def four_digits(value: float) -> str:
    """Four significant digits in decimal arithmetic, without a format string of floats."""
    number = Decimal(repr(value))
    place = Decimal(1).scaleb(number.adjusted() - 3)
    return str(number.quantize(place, ROUND_HALF_EVEN))


def numbers(tree: Any) -> Iterator[float]:
    for value in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else []:
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield value
        yield from numbers(value)


def test_the_header_reads_back_with_the_metrics() -> None:
    data = ModelCard(card_of()).data
    values = {(result.metric_type, result.metric_name): result.metric_value for result in data.eval_results}
    assert values == {
        ("mse", "MSE of log1p(units)"): 0.271234,
        ("mae", "MAE, units"): 6.91919,
        ("rmsle", "RMSLE"): 0.523457,
        ("skill", "1 - MSE / MSE of the training median"): 0.753147,
        ("coverage", "Coverage of the 80% intervals"): 0.80377,
        ("coverage", "Coverage of the 95% intervals"): 0.94922,
    }
    assert {(r.task_type, r.dataset_type, r.dataset_split, r.dataset_revision) for r in data.eval_results} == {
        ("tabular-regression", "demo/lines", "test", "d5")
    }
    assert data.eval_results[0].dataset_name == "demo/lines, 2010-12-01 to 2011-12-09"
    assert (data.license, data.datasets, data.model_name) == ("apache-2.0", ["demo/lines"], "price-model")
    assert "may-be-released" in data.tags


def test_a_result_that_was_not_computed_is_not_in_the_header() -> None:
    card = changed(lambda m: (m["intervals"].clear(), m["test"].update(skill=None)))
    assert [result.metric_type for result in ModelCard(card).data.eval_results] == ["mse", "mae", "rmsle"]


def test_names_are_those_of_the_project() -> None:
    assert f'PRIMARY = "{PRIMARY}"' in (SRC / "pricetrail/model/bundle.py").read_text()
    assert cards.NAME in YAML(typ="safe").load(ROOT / "dvc.yaml")["artifacts"]
    assert cards.LICENSE == "apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text()[:200]


def test_the_template_is_declared_and_shipped() -> None:
    """It is no module, so the import closure of tests/test_edges.py does not know it."""
    stage = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]["model_card"]
    named = {f"src/pricetrail/{shell.TEMPLATE}"}
    assert {path for path in stage["deps"] if path.startswith("src/") and not path.endswith(".py")} == named
    shipped = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["pricetrail"]
    files = {path for glob in shipped for path in (SRC / "pricetrail").glob(glob)}
    assert {ROOT / name for name in named} <= files
    assert {*TEXTS, str(shell.PACKAGES)} == {path for path in stage["deps"] if not path.startswith("src/")}


def test_rows_of_the_tables_are_those_of_the_metrics() -> None:
    """Cell by cell, each number rounded in decimal arithmetic."""
    shown, metrics = tables(card_of()), card_sample.metrics()
    rows = {row[0].strip("`"): row for row in shown["Against the baselines"][0][1:]}
    assert list(rows) == ["network", "lightgbm", "svr"]
    for entry in metrics["models"]["models"]:
        row, errors, mse = rows[entry["name"]], entry["errors"], entry["mse"]
        assert row[1] == four_digits(errors["mse_log_quantity"])
        assert row[2] == f"{four_digits(mse['low'])} to {four_digits(mse['high'])}"
        assert row[3:5] == [four_digits(errors["mae_units"]), four_digits(errors["rmsle"])]
        difference = f"{four_digits(entry['difference']['low'])} to {four_digits(entry['difference']['high'])}"
        assert row[5:] == (["–", "–"] if entry["name"] == "network" else [four_digits(entry["ratio"]), difference])
    errors_by_group, differences = shown["Fairness"]
    assert [row[1] for row in errors_by_group[1:]] == ["guest", "registered", "guest & home", "guest & abroad"]
    entries = metrics["fairness"]["columns"] + metrics["fairness"]["intersections"]
    groups = [figures for entry in entries for figures in entry["groups"].values()]
    for row, figures in zip(errors_by_group[1:], groups, strict=True):
        mse, bias = (
            f"{four_digits(figures[f'{n}_low'])} to {four_digits(figures[f'{n}_high'])}" for n in ("mse", "bias")
        )
        units, predicted, truth = (
            four_digits(figures[name]) for name in ("mae_units", "mean_prediction", "mean_truth")
        )
        assert row[2:5] == [f"{figures['rows']:,}", four_digits(figures["mse"]), mse]
        assert row[5:] == [units, predicted, truth, four_digits(figures["bias"]), bias]
    assert [row[0] for row in differences[1:]] == ["`registered`"] * 2 + ["`registered & country_group`"]
    found_by_name = [(name, found) for entry in entries for name, found in entry["figures"].items()]
    for row, (name, found) in zip(differences[1:], found_by_name, strict=True):
        span = f"{four_digits(found['low'])} to {four_digits(found['high'])}"
        assert row[1:] == [f"`{name}`", four_digits(found["value"]), span, "guest", "registered"]
    assert shown["Intervals"][0][1:] == [
        ["80%", "80.4%", "79.2% to 81.6%", "1.123"],
        ["95%", "94.9%", "94.4% to 95.4%", "1.737"],
    ]
    assert shown["Intervals"][1][1:] == [["`registered`", "guest", "987", "76.8%", "0.8182", "93.8%", "1.515"]]
    assert shown["Results"][0][1:] == [
        ["MSE of log quantity", "0.2667", "0.2712"],
        ["MAE, units", "5.717", "6.919"],
        ["RMSLE", "0.5111", "0.5235"],
    ]
    assert [row[2:] for row in shown["Drift"][0][1:]] == [
        ["0.2346", "passed"],
        ["0.07879", "not drifted"],
        ["1.017", "not drifted"],
    ]
    assert [row[3:] for row in shown["Drift"][1][1:]] == [
        ["0.1313", "0.125", "6.6%", "4.4%", "yes"],
        ["0.07879", "0.125", "3.9%", "2.6%", "no"],
    ]
    assert shown["Data"][1][1:] == [["training", "41,335"], ["validation", "4,455"], ["test", "4,321"]]
    assert shown["Gates and decision"][0][2] == [
        "accuracy", "0.7531", "0.15", "passed", "yes", "accuracy reason, must be <= 0.15", "–"
    ]  # fmt: skip


def test_every_number_of_the_tables_is_one_of_the_records() -> None:
    """Hashes, versions, dates, names and the intervals' levels aside."""
    metrics, ledger = card_sample.metrics(), card_sample.runs()
    known = {*numbers(metrics), *numbers(ledger), *numbers(card_sample.PARAMS)}
    forms = {f"{int(value):,}" for value in known if value == int(value)} | {"80%", "95%"}
    forms |= {four_digits(value) for value in known if value}
    forms |= {f"{Decimal(repr(v * 100)).quantize(Decimal('0.1'), ROUND_HALF_EVEN)}%" for v in known if abs(v) < 2}
    forms |= {str(entry["threshold"]) for entry in [*metrics["decision"]["gates"], *metrics["drift"]["columns"]]}
    seen = 0
    for heading, found in tables(card_of()).items():
        for row in (row for table in found for row in table[1:]):
            text = re.sub(r"`[^`]*`|\d{4}-\d\d-\d\d|sha256|md5|over \d+ \w+", "", " ".join(row))
            for number in re.findall(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?%?", text):
                assert number.rstrip(",") in forms, f"{heading}: {number} in {row}"
                seen += 1
    assert seen > 90


def test_text_outside_of_the_tables_has_the_figures() -> None:
    card = card_of()
    for text in (
        "51,234 were read,\n50,111 kept, 1,103 dropped, 20 quarantined",
        "The last 28 days (8,765 lines) against the training window (41,335 lines)",
        "MSE 0.2718 on 3,210 lines of 2011-11-28 to 2011-12-09 against 0.2667 in validation",
        "interval is 0.9568 to 1.088",
        "121.0% more revenue",
        "test MSE of 1.099",
        "0.7531 (0.7416 to 0.7649)",
        "30% from the current one",
        "The network had 6 trials, each tuned baseline 7.",
        "the last 10% are the test days",
        "whole days at 95%",
        "- `registered & country_group`: **failed**, lower end is 0.3, must be <= 0.1. "
        "Not assessed, too few lines: guest & abroad.\n",
    ):
        assert text in card, text


def test_a_run_without_a_study_claims_no_trials_of_its_own() -> None:
    lineage = card_sample.lineage()
    lineage["stages"][1]["params"] = {**card_sample.PARAMS, "tuning": {"n_trials": 6, "method": "fixed"}}
    card = card_of(lineage=lineage)
    for text in (
        "| of the network that an earlier study chose | value |",
        "The network is that of an earlier study, each tuned baseline had 7 trials. Difference",
        "- Tuning: no study in this run; the network of an earlier one, trained anew; `reports/tuning/`",
    ):
        assert text in card, text
    assert "6 trials" not in card


def test_each_heading_of_annex_iv_has_something_to_say() -> None:
    annex = card_of().split("## Technical documentation")[1]
    parts = re.split(r"(?m)^### (\d)\. (.+)$", annex)
    assert parts[1::3] == [str(n) for n in range(1, 10)]
    for number, title, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        assert len(re.findall(r"\w+", text)) > 20, f"{number} {title}"
    assert "Does not apply" in parts[3 * 7 + 3], "8: no declaration of conformity, and why"
    assert "Annex III" in parts[3 * 7 + 3]


def test_the_ledger_tells_what_changed_newest_first() -> None:
    """Each run beside the last one on its own data: of a run on other data nothing is said but that it is the first."""
    (table,) = tables(card_of())["6. Relevant changes through the lifecycle"]
    assert [(row[0].strip("`"), row[1], row[4], row[5]) for row in table[1:]] == [
        ("0a1b2c3d4e5f", "may be released", "0.2712", "`split.test_share` `0.2` → `0.1`"),
        ("dddddddddddd", "withheld", "not computed", "nothing that the bundle depends on"),
        ("eeeeeeeeeeee", "withheld", "0.3444", "the first run on this data"),
        ("cccccccccccc", "may be released", "0.3033", "code or packages"),
        ("bbbbbbbbbbbb", "withheld", "0.3022", "data"),
        ("aaaaaaaaaaaa", "withheld", "0.3011", "the first run on this data"),
    ]
    runs = parse_ledger(card_sample.ledger(), "")
    assert [change.run.run[:2] for change in last_changes(runs, 2)] == ["0a", "dd"]
    assert last_changes((), 5) == ()


def test_inputs_are_hashed_and_what_a_stage_made_is_none() -> None:
    """The sums are those of canonical JSON written by hand."""
    found = fingerprints(parse_as(Lineage, card_sample.lineage(), ""))
    assert found.data == {"demo/lines": "d5"}
    assert found.code == hashlib.sha256(b'{"src/a.py":"a1","src/b.py":"b1"}').hexdigest()
    assert (found.code_files, found.packages) == (2, "ef")
    one = {"run": "r", "bundle": "b", "stages": [{"name": "s", "params": {"b": {"c": [1]}, "a": 0.5}}]}
    params = fingerprints(parse_as(Lineage, one, "")).params
    assert params == hashlib.sha256(b'{"a":0.5,"b.c":[1]}').hexdigest()


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (-0.03, -0.01, "the network is better by more than chance"),
        (0.01, 0.03, "**it is better than the network by more than chance.**"),
        (-0.01, 0.01, "the difference to the network is not more than chance"),
        (None, 0.01, "whether the difference is more than chance was not computed"),
    ],
)
def test_the_lead_over_the_best_baseline_is_called_what_it_is(low: float | None, high: float, words: str) -> None:
    card = changed(lambda m: m["models"]["models"][1].update(difference={"value": 0.0, "low": low, "high": high}))
    assert words in card
    assert "The best baseline is `lightgbm`" in card


def test_a_withheld_candidate_and_an_override_say_so_first() -> None:
    def close(metrics: dict[str, Any]) -> None:
        shut, forced = card_sample.verdict("drift", 0.5, 0.3, False), card_sample.verdict("fairness", 0.2, 0.1, False)
        metrics["decision"] = card_sample.decision(shut, forced, fairness="Seen")

    card = changed(close)
    first = body(card).split("\n## ")[0]
    assert "**Withheld.** It must not serve. Closed gates: drift.\n" in first
    assert tables(card)["Gates and decision"][0][3][3:] == [
        "failed", "yes", "fairness reason, must be <= 0.1", "Seen"
    ]  # fmt: skip
    assert tables(card)["5. Risk management system"][0][-1][-1] == "overrides: fairness"
    drifted = card_sample.verdict("drift", 0.5, 0.3, False)
    opened = card_of({"decision": card_sample.decision(drifted, drift="Seen", accuracy="Old")})
    assert "**May be released.** Every gate is open, with an override of: drift.\n" in opened


def test_what_a_shop_does_not_have_is_not_called_failed() -> None:
    def without_customers(metrics: dict[str, Any]) -> None:
        column = metrics["fairness"]["columns"][0]
        nothing = dict.fromkeys(("value", "low", "high")) | {"highest": "", "lowest": ""}
        column |= {
            "reason": "no line has a customer",
            "passed": True,
            "figures": dict.fromkeys(column["figures"], nothing),
        }
        shares = dict.fromkeys(("reference_missing_share", "current_missing_share"), 1.0)
        metrics["drift"]["columns"][0] |= {"distance": None, "ratio": 0.0, "drifted": False, **shares}

    said = changed(without_customers)
    assert "where the shop has them (in these lines: no line has a customer)." in said
    assert "- `registered`: not assessed, no line has a customer." in said
    assert "| nothing on both sides |" in said
    assert "`registered` | `truth_mod` | not computed" not in said
    assert "in these lines" not in card_of()


def test_restatements_stand_under_the_gates() -> None:
    (part,) = [part for part in card_of().split("\n## ") if part.startswith("Gates and decision")]
    assert "\nFiles that rewrote days already released:\n\n- `w48.csv`: till 3 was wrong\n" in part
    assert "rewrote days" not in changed(lambda metrics: metrics["decision"].pop("restated"))


ALWAYS = {  # figures that no run is without
    *("threshold", "missing_threshold", "learning_rate", "mse_log_quantity", "rmsle", "baseline_mse_log_quantity"),
    *("shap_base_log_quantity", "shap_largest_gap_log_quantity", "raised_share", "cut_share"),
    *("predicted_revenue_change", "coverage_80", "mean_width_80", "coverage_95", "mean_width_95"),
}


def without_figures(tree: Any, key: str = "") -> Any:
    """Every float None but those of ``ALWAYS``, as a run leaves it that could compute nothing else."""
    if isinstance(tree, dict):
        whole = "mse_log_quantity" in tree and "rmsle" in tree  # errors on rows, which have units, too
        return {
            name: value if whole and name == "mae_units" else without_figures(value, name)
            for name, value in tree.items()
        }
    if isinstance(tree, list):
        return [without_figures(value, key) for value in tree]
    return None if isinstance(tree, float) and key not in ALWAYS else tree


def test_what_was_not_computed_is_said() -> None:
    nothing = [not_computed(gate, 0.1, "no rows") for gate in GATES]
    metrics = {**without_figures(card_sample.metrics()), "decision": card_sample.decision(*nothing)}
    card = card_of(metrics)
    assert "None" not in card.replace("None was applied", "")
    assert not re.search(r"\bnan\b", card)
    assert card.count("not computed") > 50
    assert [row[2] for row in tables(card)["Drift"][0][1:]] == ["not computed"] * 3
    empty = card_of({**metrics, "intervals": {}, "models": {"models": []}}, ledger="")
    assert "The coverage of the intervals was not computed." in empty
    assert "No baseline was compared." in empty
    assert [result.metric_type for result in ModelCard(empty).data.eval_results] == ["mse", "mae", "rmsle"]
    bare = card_of(metrics, {"run": "r", "bundle": "b", "stages": []})
    assert tables(bare)["Lineage"][0][-1] == ["packages, md5 of `requirements.lock`", "not computed"]


def test_a_damaged_record_is_one_line_that_names_the_place() -> None:
    for change, message in (
        (lambda m: m["etl"].pop("days"), "metrics/etl.json: days must be whole"),
        (lambda m: m["decision"]["gates"][1].update(open="yes"), r"metrics/decision.json: gates\.1\.open must be"),
        (lambda m: m["decision"].update(outcome="withheld"), "metrics/decision.json: outcome does not follow from its"),
    ):
        with pytest.raises(DataError, match=message):
            changed(change)
    with pytest.raises(DataError, match=r"reports/runs\.jsonl: line 2: must be JSON"):
        card_of(ledger=card_sample.ledger().splitlines()[0] + "\n{broken\n")
    with pytest.raises(DataError, match=r"reports/lineage\.json: bundle must be"):
        card_of(lineage={"run": "r", "stages": []})


def hostile(tree: Any) -> Any:
    """Every text and every name that data or people choose becomes one full of marks."""
    if isinstance(tree, dict):
        names = {"guest", "registered", "added_disparity", "mse_ratio", "demo/lines", "data/original", "x.csv"}
        return {f"{HOSTILE}{k}" if k in names else k: hostile(v) for k, v in tree.items()}
    if isinstance(tree, list):
        return [hostile(value) for value in tree]
    return HOSTILE if isinstance(tree, str) else tree


def hostile_decision() -> dict[str, Any]:
    """Its free texts are reasons, and names of files; the others are words that it may not leave."""
    verdicts = [replace(not_computed(gate, 0.1, ""), reason=HOSTILE) for gate in GATES]
    return card_sample.decision(*verdicts, restated={HOSTILE: HOSTILE}, drift=HOSTILE)


class Reader(HTMLParser):
    """Elements with their attributes, and the text of each cell."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.text.append("\0" if tag in {"td", "th", "p", "li"} else "")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


def test_marks_in_data_stay_text() -> None:
    sound = {name: [asdict(card_sample.verdict(name, 0.5, 0.5))] for name in GATES}
    files = {"drift": "drift", "test": "accuracy", "fairness": "fairness"}
    metrics, lineage = hostile(card_sample.metrics()), hostile(card_sample.lineage())
    metrics["decision"] = hostile_decision()
    for file, gate in files.items():
        metrics[file]["verdicts"] = [{**sound[gate][0], "reason": HOSTILE}]
    card = card_of(metrics, lineage, "".join(json.dumps(hostile(entry)) + "\n" for entry in card_sample.runs()))
    plain = {heading: [[len(r) for r in t] for t in found] for heading, found in tables(card_of()).items()}
    for heading, found in tables(card).items():
        for table in found:
            assert {len(row) for row in table} == {len(table[0])}, heading
    assert list(plain) == list(tables(card)), "no heading came from data"
    assert not re.search(r"(?<!\\)<script", body(card))
    reader = read(PARSER.render(body(card)))
    tags = {tag for tag, _ in reader.elements}
    assert not tags & {"script", "img", "s", "em", "iframe"}
    links = {attributes["href"] for tag, attributes in reader.elements if tag == "a"}
    assert links
    assert all(link.startswith("#") for link in links if link is not None)
    assert sum(HOSTILE in text for text in "".join(reader.text).split("\0")) > 40, "and nothing of it is lost"
    assert ModelCard(card).data.datasets == [HOSTILE]


TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cf", "Zl", "Zp")), min_size=1)


@given(TEXT | st.text("|\\`*_<>&[]()!#~$-+=\"'a1 .:/@{}", min_size=1))
def test_any_text_is_read_back_from_a_cell(text: str) -> None:
    expected = f"x {' '.join(text.split())}".strip()
    for written in (cards.escaped(text), cards.code(text), cards.finished(text)):
        reader = read(PARSER.render(f"| a | b |\n| --- | --- |\n| x {written} | last |\n"))
        text_read = "".join(reader.text).replace("\N{ZERO WIDTH SPACE}", "")  # between @ and a name
        assert [cell.strip() for cell in text_read.split("\0")[1:]] == ["a", "b", expected, "last"]
        assert {tag for tag, _ in reader.elements} <= {"table", "thead", "tbody", "tr", "th", "td", "code"}


def test_headings_descend_and_every_link_leads_to_one() -> None:
    tokens = PARSER.parse(body(card_of()))
    headings = [(int(one.tag[1]), tokens[i + 1].content) for i, one in enumerate(tokens) if one.type == "heading_open"]
    levels = [level for level, _ in headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    anchors = [re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for _, text in headings]  # as GitHub makes them
    assert len(anchors) == len(set(anchors))
    links = set(re.findall(r"\]\(#([^)]*)\)", body(card_of())))
    assert {"limits", "3-monitoring-functioning-and-control"} <= links <= set(anchors)


def test_what_the_card_says_of_prices_is_what_was_measured() -> None:
    """A sentence of the template that quotes a benchmark goes when the benchmark says otherwise."""
    measured = json.loads((ROOT / "benchmarks/results/price_demo.json").read_text())
    said = "recommended prices earn less than the lowest allowed price for every product\n  (`benchmarks/"
    assert (said in MARKDOWN) == (measured["value"] < measured["rival_value"])
    assert measured["rival"] == "the lowest allowed price for every SKU"


BLOCKED = """
import runpy, socket, sys
def refuse(*_, **__): raise AssertionError("the network was touched")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
runpy.run_module("pricetrail.stages.model_card", run_name="__main__")
"""


def run_stage(folder: Path, **env: str) -> dict[str, bytes]:
    """The stage's outputs in a folder with its records, without a network, and an empty home."""
    (folder / "home").mkdir(parents=True)
    for path, text in card_sample.texts().items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)
    (folder / "requirements.lock").write_text(card_sample.LOCK)
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED],
        cwd=folder,
        env=environment(HOME=str(folder / "home"), **env),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not list((folder / "home").iterdir())
    return {path.name: path.read_bytes() for path in (folder / "reports").glob("model_card.*")}


def test_same_records_same_bytes_without_a_network(tmp_path: Path) -> None:
    first = run_stage(tmp_path / "one", PYTHONHASHSEED="1", TZ="UTC", LC_ALL="C")
    second = run_stage(tmp_path / "a longer path", PYTHONHASHSEED="2", TZ="Pacific/Auckland", HF_HUB_OFFLINE="1")
    assert set(first) == {"model_card.md"}
    assert first == second
    assert first["model_card.md"].decode() == card_of()


def test_nothing_of_the_records_is_changed_by_writing_the_card() -> None:
    metrics = card_sample.metrics()
    before = copy.deepcopy(metrics)
    card_of(metrics)
    assert metrics == before
