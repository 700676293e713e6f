"""Rewrite the code dependencies of every stage from the imports of its module, which DVC does not follow (law 3)."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from house import import_closure  # noqa: E402  needs the path above

for file in (ROOT / "dvc.yaml", ROOT / "demo/dvc.yaml"):
    text = file.read_text()
    blocks = re.split(r"(?m)^(?=  \w+:$)", text)
    for place, block in enumerate(blocks):
        stage = re.search(r"cmd: \$\{run\}\.(\w+)", block)
        if stage is None:
            continue
        code = "".join(f"      - {path}\n" for path in sorted(import_closure(f"pricetrail.stages.{stage[1]}")))
        without = re.sub(r"(?m)^      - src/.*\.py\n", "", block)
        blocks[place] = without.replace("      - requirements.lock\n", f"      - requirements.lock\n{code}", 1)
    file.write_text("".join(blocks))
