"""The bill of materials of this environment, CycloneDX JSON; the same packages give the same bytes."""

import json
import platform
import re
import subprocess
import sys
import sysconfig
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

from pricetrail import __version__
from pricetrail.base.errors import ReleaseError
from pricetrail.base.limits import load_json
from pricetrail.base.processes import program_environment
from pricetrail.operation.releases.evidence import sha256

OWN: Final = "pricetrail"
RECORDED: Final = "pricetrail:sha256-of"  # what a component's hash is of, since no archive of it is at hand
OF_THIS_MACHINE: Final = re.compile(r"(^|/)\.\./|\.pyc$|\.dist-info/(RECORD|INSTALLER|REQUESTED|direct_url\.json)$")


def sbom_name(digest: str) -> str:
    """Its name in the remote, by its sha256."""
    return f"{digest}.sbom.cdx.json"


def environment_sbom() -> bytes:
    """Every installed package of this interpreter with its hash, what each needs, and the interpreter itself.

    Raises:
        ReleaseError: ``cyclonedx-py`` fails.
    """
    # Validating takes 15 s for 300 packages; the tool's own serialiser follows the schema.
    options = ["--no-validate", "--output-reproducible", "-o", "-"]
    command = [sys.executable, "-P", "-m", "cyclonedx_py", "environment", *options]
    done = subprocess.run(command, env=program_environment(), capture_output=True, check=False)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["it gave no reason"]
        raise ReleaseError("cyclonedx-py", f"must succeed: {lines[-1]}")
    tree = described(load_json(done.stdout))
    tree["components"] = [*map(_hashed, tree["components"]), interpreter()]
    return (json.dumps(tree, indent=1, sort_keys=True) + "\n").encode()


def interpreter() -> dict[str, Any]:
    """The Python that runs this: its program, and its library where the program is a shell around it."""
    name, version = sys.implementation.name, platform.python_version()
    ref = f"{name}=={version}"
    program = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    folder, library = sysconfig.get_config_var("LIBDIR") or "", sysconfig.get_config_var("INSTSONAME") or ""
    files = [file for file in (program, Path(folder, library)) if file.is_file()]
    parts = [
        {"bom-ref": f"{ref}/{file.name}", "type": "file", "name": file.name, "hashes": _hashes(file.read_bytes())}
        for file in files
    ]
    return {"bom-ref": ref, "type": "platform", "name": name, "version": version, "components": parts}


def recorded(package: Distribution) -> bytes:
    """The files of a package as ``RECORD`` names them, each with its hash, but those that differ between machines."""
    lines = (f"{path} {path.hash.value}" for path in package.files or () if path.hash)
    return "\n".join(sorted(line for line in lines if not OF_THIS_MACHINE.search(line.rpartition(" ")[0]))).encode()


def _hashed(part: dict[str, Any]) -> dict[str, Any]:
    """A component with the sha256 of what ``RECORD`` says of its files, where it says anything."""
    try:
        content = recorded(distribution(part["name"]))
    except PackageNotFoundError:
        return part
    if not content:
        return part
    note = {"name": RECORDED, "value": "sorted lines of RECORD: path, sha256"}
    return {**part, "hashes": _hashes(content), "properties": [*part.get("properties", []), note]}


def _hashes(content: bytes) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": sha256(content)}]


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
