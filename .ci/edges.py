"""Rewrite the code dependencies of every stage from the imports of its module, which DVC does not follow (law 3).

``record_run`` hashes whatever the stages before it read and wrote, so its dependencies are written here too.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "src")]
from pricetrail.lineage.dvc_yaml import before, parse_pipeline  # noqa: E402
from support.source_tree import import_closure  # noqa: E402  needs the paths above


def recorded(text: str) -> str:
    """The DAG, the packages, all code, the source, and every output of the stages before ``record_run``."""
    plans = before(parse_pipeline(text, {"data": {"path": "${data.path}"}}), "record_run")
    outs = [out for plan in plans for out in plan.outs]
    dags = [path for path in ("dag.yaml", "demo/dag.yaml") if (ROOT / path).exists()]  # `pricetrail detach-demo`
    paths = [*dags, "requirements.lock", "src/pricetrail", "${data.path}", *outs]
    return "".join(f"      - {path}\n" for path in paths)


for file in filter(Path.exists, (ROOT / "dvc.yaml", ROOT / "demo/dvc.yaml")):
    text = file.read_text()
    blocks = re.split(r"(?m)^(?=  \w+:$)", text)
    for place, block in enumerate(blocks):
        stage = re.search(r"cmd: \$\{run\}\.(\w+)", block)
        if stage is None:
            continue
        if stage[1] == "record_run":
            head, _, rest = block.partition("    deps:\n")
            blocks[place] = f"{head}    deps:\n{recorded(text)}    params:{rest.partition('    params:')[2]}"
            continue
        code = "".join(f"      - {path}\n" for path in sorted(import_closure(f"pricetrail.stages.{stage[1]}")))
        without = re.sub(r"(?m)^      - src/.*\.py\n", "", block)
        blocks[place] = without.replace("      - requirements.lock\n", f"      - requirements.lock\n{code}", 1)
    file.write_text("".join(blocks))
