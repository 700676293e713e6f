"""Add to each pin of a lock the sha256 of every file that pip may choose for it, so that it takes no other.

``python .ci/hashes.py < pins > lock``. The index says the hashes (PIP_INDEX_URL, or PyPI); a wheel that PIP_FIND_LINKS
has beside it, such as PyTorch's CPU build, adds its own.
"""

import hashlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

TAGS = (*cpython_tags((3, 11), ["cp311"], ["any"]), *compatible_tags((3, 11), "cp311", ["any"]))
OF_311 = {(tag.interpreter, tag.abi) for tag in TAGS}


def fits(filename: str, version: str) -> bool:
    """Whether a file is of this version, and Python 3.11 can use it on some machine."""
    try:
        if filename.endswith(".whl"):
            _, found, _, tags = parse_wheel_filename(filename)
            return found.public == version and any((tag.interpreter, tag.abi) in OF_311 for tag in tags)
        return parse_sdist_filename(filename)[1].public == version
    except (InvalidSdistFilename, InvalidWheelFilename):
        return False


def of_index(name: str, version: str) -> set[str]:
    """The sha256 of a release's files, as the index says them."""
    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/")
    if not index.startswith("https://"):
        raise SystemExit(f"PIP_INDEX_URL: must be an https address, got {index}")
    accepted = {"Accept": "application/vnd.pypi.simple.v1+json"}
    answer = httpx.get(f"{index}/{canonicalize_name(name)}/", headers=accepted, timeout=60, follow_redirects=True)
    listed = answer.raise_for_status().json()["files"]
    found = {file["filename"]: file["hashes"]["sha256"] for file in listed if fits(file["filename"], version)}
    wheels = {digest for filename, digest in found.items() if filename.endswith(".whl")}
    return wheels or set(found.values())  # a source archive runs code to be built: only where there is nothing else


def of_disk(name: str, version: str) -> set[str]:
    """The sha256 of what PIP_FIND_LINKS has of a release."""
    folders = [Path(folder) for folder in os.environ.get("PIP_FIND_LINKS", "").split()]
    present = [file for folder in folders if folder.is_dir() for file in folder.glob("*.whl")]
    mine = [file for file in present if canonicalize_name(file.name.split("-")[0]) == canonicalize_name(name)]
    return {hashlib.sha256(file.read_bytes()).hexdigest() for file in mine if fits(file.name, version)}


def with_hashes(pin: str) -> str:
    """A pin as pip's hash-checking mode reads it."""
    name, version = pin.split("==")
    hashes = of_index(name, version) | of_disk(name, version)
    if not hashes:
        raise SystemExit(f"{pin}: the index must have a file of it for Python 3.11")
    return " \\\n".join([pin, *(f"    --hash=sha256:{digest}" for digest in sorted(hashes))])


def main() -> None:
    """Rewrite standard input."""
    lines = sys.stdin.read().splitlines()
    with ThreadPoolExecutor(8) as pool:
        hashed = pool.map(lambda line: with_hashes(line) if "==" in line else line, lines)
    print("\n".join(hashed))


if __name__ == "__main__":
    main()
