"""The lineage chain: each stage's code, data and parameters by hash, in the order of the DAG."""

import json
from collections.abc import Mapping

from pricetrail.lineage.lock import StageRecord
from pricetrail.lineage.paths import by_kind
from pricetrail.report.page.blocks import Chain, Commands, Note, Section, Step, Table, table
from pricetrail.report.page.words import plural
from pricetrail.report.results import PageResults

COMMANDS = (
    ("pricetrail trace models/candidate", "the whole chain of this model, as a tree"),
    ("pricetrail replay HEAD", "rebuild this commit’s outputs elsewhere, and compare the bytes"),
    ("pricetrail decide --explain", "the gates again, in the terminal"),
)


def lineage_section(results: PageResults) -> Section:
    """Every stage from the raw files to the decision."""
    key, heading, lineage = "lineage", "Lineage", results.lineage
    commands = Commands(COMMANDS)
    finding = (
        f"{plural(len(lineage.stages), 'stage')} lie between the raw lines and this page; each hash is of bytes, so an "
        "edited file shows."
    )
    ids = table("This run", ("what", "`id"), [("run", lineage.run), ("bundle", lineage.bundle)])
    chain = Chain(tuple(_step(stage) for stage in lineage.stages)) if lineage.stages else Note("No stage.")
    return Section(key, heading, finding, (ids, commands, chain))


def _step(stage: StageRecord) -> Step:
    kinds = by_kind(stage.deps)
    code, inputs = kinds["code"], {**kinds["data"], **kinds["packages"]}
    parts = [plural(len(kinds["data"]), "input"), plural(len(code), "code file"), plural(len(stage.outs), "output")]
    params = [(key, _shown(value)) for key, value in stage.params.items()]
    tables = [_hashes("In", inputs), _hashes("Out", stage.outs)]
    tables += [table("Parameters", ("`parameter", "`value"), params), _hashes("Code", code)]
    return Step(stage.name, module(stage.cmd), ", ".join(parts), tuple(each for each in tables if each.rows))


def module(command: str) -> str:
    """The module that a stage's command runs, the command itself where it runs none.

    >>> module("env A=1 python -m pricetrail.stages.preprocess")
    'pricetrail.stages.preprocess'
    """
    _, found, after = command.rpartition("-m ")
    return after.split()[0] if found and after.split() else command


def _hashes(caption: str, files: Mapping[str, str]) -> Table:
    return table(caption, ("`path", "`MD5"), [(path, short(md5)) for path, md5 in files.items()])


def short(md5: str) -> str:
    """The start of a hash; a folder's keeps its mark.

    >>> short("d41d8cd98f00b204e9800998ecf8427e.dir")
    'd41d8cd9….dir'
    """
    return md5[:8] + "…" + (".dir" if md5.endswith(".dir") else "")


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
