"""The bill of materials of this environment, CycloneDX JSON; the same packages give the same bytes."""

import json
import subprocess
import sys
from typing import Any, Final

from pricetrail import __version__
from pricetrail.base.errors import ReleaseError
from pricetrail.base.limits import load_json

OWN: Final = "pricetrail"


def sbom_name(sha256: str) -> str:
    """Its name in the remote."""
    return f"{sha256}.sbom.cdx.json"


def environment_sbom() -> bytes:
    """Every installed package of this interpreter, and what each needs.

    Raises:
        ReleaseError: ``cyclonedx-py`` fails.
    """
    # Validating takes 15 s for 300 packages; the tool's own serialiser follows the schema.
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--no-validate", "--output-reproducible", "-o", "-"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["it gave no reason"]
        raise ReleaseError("cyclonedx-py", f"must succeed: {lines[-1]}")
    return (json.dumps(described(load_json(done.stdout)), indent=1, sort_keys=True) + "\n").encode()


def described(tree: dict[str, Any]) -> dict[str, Any]:
    """The same with this package as what it describes, once, without the folder that it lies in.

    An editable install is listed twice, the second time under a random name.
    """
    own = [part for part in tree.get("components", []) if part["name"] == OWN]
    named = {part["bom-ref"] for part in own}
    needs = [edge for edge in tree.get("dependencies", []) if edge["ref"] in named]
    ref = f"{OWN}=={__version__}"
    component = {"bom-ref": ref, "name": OWN, "type": "application", "version": __version__}
    edge = {"ref": ref, "dependsOn": sorted({need for edge in needs for need in edge.get("dependsOn", [])})}
    return {
        **tree,
        "metadata": {**tree.get("metadata", {}), "component": component},
        "components": [part for part in tree.get("components", []) if part not in own],
        "dependencies": [*(other for other in tree.get("dependencies", []) if other not in needs), edge],
    }
