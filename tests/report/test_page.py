"""The report page: facts that are not whole, texts that are no markup, and what every page must have."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pricetrail.base.errors import DataError
from pricetrail.checks.gates import decide
from pricetrail.cli.app import app
from pricetrail.lineage.ledger import parse_ledger
from pricetrail.report.page.blocks import Figure, Gates, Note
from pricetrail.report.page.render import SECTIONS, render, sections
from pricetrail.report.page.sections.changes import metric_changes, own_run
from pricetrail.report.page.sections.prices import dips
from pricetrail.report.read_results import read_page_results
from pricetrail.report.results import run_before
from support.page_sample import (
    FAIR,
    FIGURES,
    GATES,
    GROUPS,
    IDS,
    IMAGES,
    LEDGER,
    RUN,
    TABLES,
    TEMPLATES,
    TREES,
    group,
    lines,
    model,
    moved,
    page,
    results,
    run,
    texts,
    verdict,
)

VOID = {"meta", "link", "img", "wbr", "br"}


class Tree(HTMLParser):
    """Elements with attributes and texts, and whether every one is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None], tuple[str, ...]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), tuple(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), tuple(self.open)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes, _ in self.found if name == tag]

    def said(self, *tags: str) -> str:
        return " ".join(" ".join(text for tag, text in self.texts if tag in tags).split())


@pytest.fixture(scope="module")
def tree() -> Tree:
    return Tree(page())


def test_sections_are_in_order_with_heading_and_contents(tree: Tree) -> None:
    assert [one["id"] for one in tree.all("section")] == list(IDS)
    assert [one["href"] for one in tree.all("a") if one["href"] != "#main"] == [f"#{name}" for name in IDS]
    assert [one["aria-labelledby"] for one in tree.all("section")] == [f"{name}-heading" for name in IDS]
    assert [one["id"] for one in tree.all("h2")] == [f"{name}-heading" for name in IDS]
    assert not tree.open


def test_headings_descend_one_level_at_a_time(tree: Tree) -> None:
    levels = [int(tag[1]) for tag, _, _ in tree.found if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_landmarks_and_ids(tree: Tree) -> None:
    for landmark in ("header", "nav", "main", "footer"):
        assert len(tree.all(landmark)) == 1
    ids = [attributes["id"] for _, attributes, _ in tree.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert tree.all("html") == [{"lang": "en"}]
    first = next(tag for tag, attributes, _ in tree.found if tag in {"a", "button", "summary"})
    assert (first, tree.all("a")[0]["href"]) == ("a", "#main"), "the skip link is the first thing the keyboard reaches"
    for attributes in tree.all("div"):
        if attributes.get("class") in {"scroll", "plate"}:
            assert attributes["tabindex"] == "0", "the keyboard can scroll what scrolls"
            assert attributes["aria-label"]


def test_every_chart_has_a_name_a_description_and_its_data(tree: Tree) -> None:
    charts = [(attributes, inside) for tag, attributes, inside in tree.found if tag == "svg" and "role" in attributes]
    assert len(charts) > 20
    named = {attributes.get("id"): tag for tag, attributes, _ in tree.found}
    for attributes, _ in charts:
        assert attributes["role"] == "img"
        title, description = (attributes["aria-labelledby"] or "").split()
        assert (named[title], named[description]) == ("title", "desc")
    decorations = [
        inside for tag, attributes, inside in tree.found if tag == "svg" and attributes.keys() == {"viewbox"}
    ]
    assert {inside[-2:] for inside in decorations} == {("ul", "li")}, "signs of a legend, which is hidden as a whole"
    assert all(one["aria-hidden"] == "true" for one in tree.all("ul") if one.get("class") == "legend")
    data = [1 for tag, _, inside in tree.found if tag == "table" and {"figure", "details"} <= set(inside)]
    assert len(data) == len(tree.all("figure")) - len(tree.all("img"))
    assert all(attributes.get("alt") for attributes in tree.all("img"))


def test_same_facts_same_bytes() -> None:
    backwards = dict(reversed(texts().items()))
    again = render(read_page_results(backwards, dict(reversed(IMAGES.items()))), dict(reversed(TEMPLATES.items())))
    assert again == page()


def test_the_page_loads_nothing(tree: Tree) -> None:
    text = page()
    assert "http:" not in text.replace("http-equiv", "")
    assert "https:" not in text
    assert "//" not in re.sub(r"base64,[\w+/=]+", "", text).replace("</", "")
    for tag, attributes, _ in tree.found:
        for name in ("src", "href", "data", "srcset", "poster", "action"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:")), f"{tag} {name}={value}"
        assert not any(name.startswith("on") for name in attributes), "no handler in markup"
        assert "style" not in attributes, "the policy lets the one style sheet in, by its hash"
    assert "@import" not in text
    assert "url(" not in text


def test_the_policy_names_the_hash_of_the_one_script_and_style(tree: Tree) -> None:
    (policy,) = [m["content"] for m in tree.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page(), re.DOTALL)
        assert rules[rule] == f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"


HOSTILE = '<script>alert("1")</script>'


def hostile(tree: Any) -> Any:
    """The same tree with every free text turned into markup."""
    free = {"reason", "override", "reasons", "cmd", "group"}
    if isinstance(tree, dict):
        return {
            key: HOSTILE if key in free and isinstance(value, str) else hostile(value) for key, value in tree.items()
        }
    return (
        [
            HOSTILE if isinstance(value, str) and value not in {"2010-12-01", "2011-12-13"} else hostile(value)
            for value in tree
        ]
        if isinstance(tree, list)
        else tree
    )


def test_no_text_becomes_markup() -> None:
    trees = {key: json.dumps(hostile(TREES[key])) for key in ("MODEL_DRIFT", "LINEAGE", "INTERVALS")}
    told = [replace(gate, reason=HOSTILE) for gate in GATES]
    trees["DECISION"] = json.dumps(decide(told, {"drift": HOSTILE}, {HOSTILE: HOSTILE}).record())
    trees["DRIFT"] = json.dumps(TREES["DRIFT"]).replace('"sku_mean"', json.dumps(HOSTILE))
    trees["MODELS"] = json.dumps(TREES["MODELS"]).replace('"lightgbm"', json.dumps(HOSTILE))
    quoted = '"' + HOSTILE.replace('"', '""') + '"'
    fair = {
        **TREES["FAIRNESS"],
        "columns": [{**FAIR, "column": HOSTILE, "groups": {HOSTILE: GROUPS["guest"]}, "not_assessed": [HOSTILE]}],
    }
    ledger = [*LEDGER[:2], run(HOSTILE, 0.3, params={HOSTILE: HOSTILE}, hashes={HOSTILE: HOSTILE}), LEDGER[-1]]
    tables = {
        "PRICE_CURVES": TABLES["PRICE_CURVES"].replace("WHITE HEART", quoted).replace("22423", quoted),
        "SHAP": TABLES["SHAP"].replace("sku_mean", quoted),
        "IMPORTANCES": TABLES["IMPORTANCES"].replace("layers", quoted),
        "TRIALS": TABLES["TRIALS"].replace("layers", quoted).replace("no memory", quoted),
    }
    text = page(**trees, **tables, FAIRNESS=json.dumps(fair), LEDGER=lines(ledger))
    assert text.count("<script") == 1
    assert text.count("&lt;script&gt;") + text.count("&lt;Script&gt;") > 25
    assert not Tree(text).open
    assert [one["id"] for one in Tree(text).all("section")] == list(IDS)


def test_what_a_run_did_not_compute_is_told_and_nothing_fails() -> None:
    bare = render(read_page_results(texts(LEDGER=lines(LEDGER[:1]), INTERVALS="{}"), {}), TEMPLATES)
    tree = Tree(bare)
    assert [one["id"] for one in tree.all("section")] == list(IDS)
    said = tree.said("p", "dd", "span")
    assert "This run is not in the ledger" in said
    assert "without intervals" in said
    assert not tree.all("img")


def test_a_run_with_almost_nothing_in_it_is_still_a_page() -> None:
    empty = {
        "FAIRNESS": json.dumps({**TREES["FAIRNESS"], "columns": [], "intersections": []}),
        "MODELS": json.dumps({"models": []}),
        "DRIFT": json.dumps({**TREES["DRIFT"], "columns": []}),
        "PRICES": json.dumps({"skus": 0, "raised_share": 0, "cut_share": 0, "predicted_revenue_change": 0}),
        **{
            key: TABLES[key].splitlines()[0] + "\n"
            for key in ("PRICE_CURVES", "TRIALS", "IMPORTANCES", "SHAP", "TRAIN_MSE", "VALIDATION_MSE")
        },
    }
    tree = Tree(page(**empty))
    assert [one["id"] for one in tree.all("section")] == list(IDS)
    assert "There is no baseline" in tree.said("p")


def test_a_baseline_without_error_is_not_called_missing() -> None:
    perfect = {**model("lightgbm", 1.0, (0.27, 0.25, 0.29)), "ratio": None}
    perfect["errors"]["mse_log_quantity"] = perfect["mse"]["value"] = 0.0
    told = Tree(page(MODELS=json.dumps({"models": [perfect, *TREES["MODELS"]["models"][:1]]}))).said("p")
    assert "LightGBM, the best baseline, has no error at all on the test days." in told
    assert "There is no baseline" not in told


def test_without_a_study_the_settings_are_shown_once() -> None:
    header, first = TABLES["TRIALS"].splitlines()[:2]
    fit = f"{header}\n{first.replace('complete', 'fixed')}\n"
    tree = Tree(page(TRIALS=fit, IMPORTANCES="parameter,importance\n"))
    assert [one["id"] for one in tree.all("section")] == list(IDS)
    assert "No study ran: the network is that of an earlier one" in tree.said("p")
    assert "Its validation error is 0.3." in tree.said("p")
    assert "too small to rank" not in tree.said("p")
    assert "The network and its training" in tree.said("caption")
    assert "setting value epochs 7 layers 2" in tree.said("th", "td")
    assert "Trials of the study" not in tree.said("h3", "text")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("DECISION", "{", "metrics/decision.json: must be JSON"),
        ("DECISION", '{"outcome": "sold", "gates": []}', "metrics/decision.json: outcome must be whole.*got 'sold'"),
        ("DECISION", '{"outcome": "released", "open_gates": 3}', "decision.json: gates must be whole: Field required$"),
        ("DECISION", '{"outcome": "withheld", "open_gates": 0, "gates": []}', "decision.json: gates must be drift, "),
        ("DECISION", json.dumps({**TREES["DECISION"], "outcome": "released"}), "outcome does not follow from its"),
        ("FAIRNESS", json.dumps({**TREES["FAIRNESS"], "verdicts": []}), "fairness.json: verdicts.* must be whole"),
        (
            "PRICE_CURVES",
            TABLES["PRICE_CURVES"].replace("22.8", "seven"),
            "reports/price_curves.csv: row 6: predicted_revenue must be whole.*'seven'",
        ),
        ("TRIALS", "trial,state\n0,complete\n", "reports/tuning/trials.csv: row 2: validation_mse must be whole"),
        ("DRIFT", json.dumps({**TREES["DRIFT"], "passed": "maybe"}), "metrics/drift.json: passed must be whole"),
        ("TRAIN_MSE", "step\ttrain_mse\n0\t\n", "train_mse.tsv: row 2"),
        ("SHAP", "feature\nsku_mean\n", "reports/shap/importance.csv: row 2"),
        ("LEDGER", lines(LEDGER[:1]) + "{}\n", "reports/runs.jsonl: line 2: run must be"),
        (
            "LINEAGE",
            '{"run": "a", "bundle": "b", "stages": [{"cmd": "x"}]}',
            "reports/lineage.json: stages.0.name must",
        ),
    ],
)
def test_a_file_that_is_not_whole_is_named(name: str, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        results(**{name: text})


def test_the_decision_tells_every_gate_in_full(tree: Tree) -> None:
    said = tree.said("strong", "p", "span", "h3", "text")
    assert "Withheld" in said
    assert "1 gate of 3 closed: fairness." in said
    for words in ("Failed, opened by an override", "Passed", "Not computed: failed", "at least 0.1", "at most 0.3"):
        assert words in said
    assert "Christmas; seen by the owner" in said
    assert "w48.csv (till 3 was wrong)." in said
    assert "Rewrote days already released" in tree.said("b")
    states = [attributes["class"] for tag, attributes, inside in tree.found if tag == "svg" and "h3" in inside]
    assert states == ["fail", "pass", "unknown"]


def test_an_older_decision_names_no_restatements() -> None:
    old = {key: value for key, value in TREES["DECISION"].items() if key != "restated"}
    assert "Rewrote days" in page()
    assert "Rewrote days" not in page(DECISION=json.dumps(old))


def test_what_changed_is_told_against_the_run_before() -> None:
    found = parse_ledger(lines(LEDGER), "")
    now = own_run(results())
    assert now is not None
    before = run_before(found, now)
    assert before is not None
    assert (now.run, before.run) == (RUN, "cccccccccccc")
    assert run_before(found, found[0]) is None
    assert own_run(replace(results(), runs=found[:2])) is None
    assert run_before((*found, found[0]), now) == before, "a later run is not the last one"
    judged = {move.name: move.better for move in metric_changes(before, now)}
    assert judged == {"test.mse_log_quantity": True, "test.skill": True, "models.lightgbm.mse_log_quantity": None}
    (changes,) = [section for section in sections(results()) if section.key == "changes"]
    assert changes.finding.startswith("Since run cccccccccccc, 2 metrics got better and 0 got worse.")
    assert "from “may be released” to “withheld”" in changes.finding
    said = Tree(page()).said("dd", "code", "p")
    assert "+7 days" in said
    assert "1,000 lines (+100)" in said
    assert "seed 1 2" in said


def test_the_first_run_has_nothing_before_it() -> None:
    (changes,) = [section for section in sections(results(LEDGER=lines(LEDGER[-1:]))) if section.key == "changes"]
    assert changes.finding == f"Run {RUN} is the first on this data: there is no earlier one to hold it against."
    assert changes.blocks == (), "one dot is no line"


def test_a_run_is_held_against_none_of_another_data_source() -> None:
    """The demo shop's runs, then the first two on a shop's own lines, with a demo run between them."""
    demo, own = {"seed": 1, "data.path": "demo/lines"}, {"seed": 1, "data.path": "own/lines"}
    first = run(RUN, 0.5, days=["2024-01-01", "2025-06-29"], params=own)
    ledger = [run("aaaaaaaaaaaa", 0.33, params=demo), first]
    (changes,) = [one for one in sections(results(LEDGER=lines(ledger))) if one.key == "changes"]
    assert changes.finding.startswith(f"Run {RUN} is the first on the data of own/lines")
    assert changes.blocks == ()
    ledger = [run("aaaaaaaaaaaa", 0.33, params=demo), {**first, "run": "bbbbbbbbbbbb"}, ledger[0], first]
    text = page(LEDGER=lines(ledger))
    assert "No judged metric moved since run bbbbbbbbbbbb." in text
    assert "aaaaaaaaaaaa" not in text


def test_prices_bear_the_sign_of_the_shops_currency() -> None:
    shown = " ".join(text for _, text in Tree(page()).texts)
    assert "€10.00 → €12.00" in shown
    assert "kg a line" in shown
    assert "£" not in shown


def test_a_curve_dips_where_the_current_price_alone_sells_less() -> None:
    points = list(results().price_points)
    assert dips(points[:3]), "10, 6 and 7 units, with 6 at the current price"
    assert not dips(points[3:]), "the current price is the lowest: nothing on its left"
    falling = [points[0], points[1], replace(points[2], predicted_quantity=5.0)]
    assert not dips(falling), "10, 6 and 5 units: an ordinary demand curve"
    assert "In 1 of the 2 curves below" in page()


def test_large_images_stay_out_and_the_page_says_so() -> None:
    text = render(read_page_results(texts(), {"beeswarm.png": b"0" * 800_000}), TEMPLATES)
    assert len(text) < 1_500_000
    assert "reports/shap/beeswarm.png is too large for this page" in text
    whole = render(read_page_results(texts(), {"beeswarm.png": b"0" * 700_000}), TEMPLATES)
    assert len(whole.encode()) < 1_500_000
    assert 'alt="Beeswarm' in whole


def test_every_section_of_the_design_is_made() -> None:
    assert len(SECTIONS) == len(IDS)


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio: 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def themes() -> list[dict[str, str]]:
    blocks = re.findall(r"--paper:[^}]*", TEMPLATES["page.css"])
    return [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in blocks]


def test_the_contrast_formula_knows_black_on_white() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01), "the lightest grey that passes AA"


@pytest.mark.parametrize("theme", range(3))
def test_text_and_marks_stand_out_in_both_themes(theme: int) -> None:
    colours = themes()[theme]
    for text in ("ink", "muted", "accent", "bad"):
        for ground in ("paper", "surface"):
            assert contrast(colours[text], colours[ground]) >= 4.5, f"{text} on {ground}"
    for ground in ("accent-soft", "bad-soft"):
        assert contrast(colours["ink"], colours[ground]) >= 4.5
    for mark in ("accent", "bad", "plain", "rule"):
        assert contrast(colours[mark], colours["paper"]) >= 3, "WCAG 1.4.11, graphics"
    assert contrast(colours["accent"], colours["accent-soft"]) >= 3, "a bar on the shade of what passes"
    assert contrast(colours["bad"], colours["accent-soft"]) >= 3


def test_the_two_ways_to_dark_are_one() -> None:
    light, chosen, preferred = themes()
    assert chosen == preferred
    assert light.keys() == chosen.keys()
    used = set(re.findall(r"var\(--([\w-]+)\)", "".join(TEMPLATES.values())))
    assert used - {"font", "mono"} <= light.keys()


def test_the_command_prints_the_page_and_opens_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    missing = CliRunner().invoke(app, ["report"])
    assert missing.exit_code == 1
    assert missing.output == "error: reports/index.html: must be there: run `dvc repro`, or `dvc pull`\n"
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/index.html").write_text("")
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: bool(opened.append(url)) or True)
    assert CliRunner().invoke(app, ["report"]).output == "reports/index.html\n"
    assert not opened
    assert CliRunner().invoke(app, ["report", "--open"]).exit_code == 0
    assert opened == [(tmp_path / "reports/index.html").as_uri()]
    monkeypatch.setattr("webbrowser.open", lambda url: False)
    assert "none was found" in CliRunner().invoke(app, ["report", "--open"]).output


def test_a_small_group_stays_off_the_axis_and_is_told() -> None:
    far = {**GROUPS, "nobody": group(3, 9.0, -4.0), "few": group(9, 0.3, -0.01)}
    fair = {**TREES["FAIRNESS"], "columns": [{**FAIR, "groups": far, "not_assessed": ["nobody", "few"]}]}
    fair["intersections"] = []
    (section,) = [one for one in sections(results(FAIRNESS=json.dumps(fair))) if one.key == "fairness"]
    figures = {block.heading: block for block in section.blocks if isinstance(block, Figure)}
    chart = figures["Error by group"].chart.wide
    assert [mark.text for mark in chart.marks if mark.text.startswith("few lines")] == [
        "few lines: 9.000",
        "few lines: 0.300",
    ]
    assert len([mark for mark in chart.marks if "ring" in mark.get("class")]) == 1, "0.3 fits between 0.25 and 0.45"
    ticks = [float(mark.text) for mark in chart.marks if mark.get("class") == "tick"]
    assert max(ticks) < 0.5, "9.0 would squeeze the others"
    assert [key.label for key in figures["Error by group"].legend] == ["a group", "too few lines to be assessed"]
    notes = [block.text for block in section.blocks if isinstance(block, Note)]
    assert notes[0].startswith("nobody, few: fewer than fairness.min_rows lines")


def test_what_a_shop_does_not_have_is_told_as_such() -> None:
    """No customers: no figure of theirs is drawn, no verdict is called failed, and the words say why."""
    nothing = dict.fromkeys(("value", "low", "high")) | {"highest": "", "lowest": ""}
    guests = {**FAIR, "reason": "no line has a customer", "figures": dict.fromkeys(FIGURES, nothing)}
    reason = "nothing to assess: no line has a customer"
    fair = {**TREES["FAIRNESS"], "columns": [{**guests, "groups": {"guest": GROUPS["guest"]}}], "intersections": []}
    fair["verdicts"] = [vars(verdict("fairness", 0.0, 0.1, True, reason))]
    absent = {**moved("customer_mean", "input", 0.0, False), "distance": None}
    absent |= {"reference_missing_share": 1.0, "current_missing_share": 0.99}
    drift = {**TREES["DRIFT"], "columns": [*TREES["DRIFT"]["columns"], absent]}
    decision = decide([*GATES[:2], verdict("fairness", 0.0, 0.1, True, reason)], {})
    trees = {"FAIRNESS": fair, "DRIFT": drift, "DECISION": decision.record()}
    found = {one.key: one for one in sections(results(**{key: json.dumps(tree) for key, tree in trees.items()}))}
    (gates,) = [block for block in found["decision"].blocks if isinstance(block, Gates)]
    assert (gates.cards[2].word, gates.cards[2].state) == ("Nothing to assess", "pass")
    assert found["fairness"].finding == "Nothing to assess: no line has a customer."
    (note,) = found["fairness"].blocks
    assert isinstance(note, Note)
    assert note.text.startswith("Not assessed: no line has a customer.")
    assert found["drift"].finding.endswith("; nothing on both sides: customer_mean.")
    (left,) = [block for block in found["explanation"].blocks if isinstance(block, Note) and block.title == "Left out"]
    assert "customer_mean" in left.text
