"""Which folder may import which, what a pure folder may not do, and how large a file may be."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from support.source_tree import ROOT, SRC, imported_modules, parse


def read_floors() -> dict[str, tuple[int, frozenset[str] | None]]:
    """Folder to its floor, and where it is pure, its files that may do I/O: the table of docs/architecture.md."""
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|.*\| ([^|]*) \|$", ARCHITECTURE.read_text(), re.MULTILINE)
    assert rows, "no table"
    return {
        folder: (int(floor), None if shell == "not pure" else frozenset(re.findall(r"`(\w+)`", shell)))
        for floor, folder, shell in rows
    }


ARCHITECTURE = ROOT / "docs/architecture.md"
FLOORS = read_floors()
IO_MODULES = {"io", "os", "pathlib", "random", "shutil", "socket", "subprocess", "sys", "tempfile", "time"}
IO_CALLS = {"open", "print", "input"}
IO_METHODS = {
    "read_csv",
    "read_parquet",
    "to_parquet",
    "read_text",
    "write_text",
    "read_bytes",
    "write_bytes",
    "mkdir",
    "iterdir",
    "now",
    "today",
    "default_rng",
}
MODULES = sorted((SRC / "pricetrail").rglob("*.py"))


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")


PURE = [
    file
    for file in MODULES
    if (folder := file.relative_to(SRC / "pricetrail").parts[0]) in FLOORS
    and (shell := FLOORS[folder][1]) is not None
    and file.stem not in shell
]


def nodes(files: list[Path]) -> Iterator[tuple[Path, ast.AST]]:
    return ((file, node) for file in files for node in ast.walk(parse(file)))


def test_a_folder_imports_only_from_floors_below() -> None:
    for file in MODULES:
        folder, *_ = file.relative_to(SRC / "pricetrail").parts
        if folder == "__init__.py":
            assert not imported_modules(file)
            continue
        assert folder in FLOORS, f"{folder} has no floor: add it to the table of docs/architecture.md"
        for imported in imported_modules(file) - {"pricetrail"}:
            other = imported.split(".")[1]
            assert other == folder or FLOORS[other][0] < FLOORS[folder][0], f"{file.name} ({folder}) imports {imported}"


def test_every_folder_says_what_is_in_it() -> None:
    assert [path.name for path in (SRC / "pricetrail").glob("*.py")] == ["__init__.py"]
    for folder in {file.parent for file in MODULES}:
        tree = parse(folder / "__init__.py")
        assert ast.get_docstring(tree), folder
        assert folder.name in {"pricetrail", "stages"} or len(tree.body) == 1, f"{folder.name}/__init__.py has code"


def test_stages_never_import_each_other() -> None:
    for file in (SRC / "pricetrail/stages").glob("*.py"):
        others = {name for name in imported_modules(file) if name.startswith("pricetrail.stages.")}
        assert not others, f"{file.name} imports {others}"


def test_a_pure_folder_does_no_io() -> None:
    for file, node in nodes(PURE):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            in_memory = {alias.name for alias in node.names} <= {"BytesIO", "StringIO", "PurePosixPath", "io"}
            used = {name.split(".")[0] for name in names} & (IO_MODULES - ({"io", "pathlib"} if in_memory else set()))
            assert not used, f"{file.name}:{node.lineno} imports {used}"
        if isinstance(node, ast.Call):
            called = node.func
            assert not (isinstance(called, ast.Name) and called.id in IO_CALLS), f"{file.name}:{node.lineno}"
            assert not (isinstance(called, ast.Attribute) and called.attr in IO_METHODS), f"{file.name}:{node.lineno}"


def test_models_are_data() -> None:
    """Law 5: nothing in the source can load or write a pickle."""
    for file, node in nodes(MODULES):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names} | {getattr(node, "module", "") or ""}
            assert not names & {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}, file.name
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert f"{node.value.id}.{node.attr}" not in {"torch.save", "torch.load", "pd.read_pickle"}, file.name


def test_files_and_functions_stay_small() -> None:
    for file in MODULES:
        limit, lines = 60 if file.parent.name == "stages" else 300, file.read_text().count("\n")
        assert lines <= limit, f"{file.name} has {lines} lines, more than {limit}"
    for file, node in nodes(MODULES):
        if isinstance(node, ast.FunctionDef):
            body = (node.end_lineno or 0) - node.body[0].lineno + 1
            assert body <= 45, f"{file.name}:{node.lineno} {node.name} has {body} lines"


def test_names_of_tests_are_short() -> None:
    for file, node in nodes(sorted((ROOT / "tests").rglob("test_*.py"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            assert len(node.name) <= 60, f"{file.name}:{node.lineno} {node.name} has {len(node.name)} characters"


def test_no_file_names_a_path_of_a_machine() -> None:
    here = str(ROOT.parent) + "/"
    for file in [*MODULES, ROOT / "dvc.yaml", ROOT / "params.yaml", ROOT / "Makefile", ROOT / ".dvc/config"]:
        assert here not in file.read_text(), file


DISTRIBUTIONS = {
    "sklearn": "scikit-learn",
    "ruamel": "ruamel.yaml",
    "vl_convert": "vl-convert-python",
    "openlineage": "openlineage-python",
    "markdown_it": "markdown-it-py",
    "dvc_data": "dvc-data",
    "attr": "attrs",
    "charset_normalizer": "charset-normalizer",
    "model_signing": "model-signing",
    "cyclonedx_py": "cyclonedx-bom",
}


def test_every_package_that_is_imported_is_a_declared_dependency() -> None:
    """A package that only comes along with another one may be gone with its next release."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.split(r"[<>=!\[; ]", entry)[0] for entry in declared}
    imported: set[str] = set()
    for file in MODULES:
        for node in ast.walk(parse(file)):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").split(".")[0])
    foreign = imported - set(sys.stdlib_module_names) - {"pricetrail", "pydantic_core"}
    assert {DISTRIBUTIONS.get(name, name) for name in foreign} <= names
    locked = (ROOT / "requirements.lock").read_text().lower()
    assert all(f"\n{DISTRIBUTIONS.get(name, name)}==" in locked for name in foreign)
    assert not re.search(r"^(nvidia|triton)", locked, re.MULTILINE)


def test_tests_import_what_the_locks_install() -> None:
    locked = ((ROOT / "requirements.lock").read_text() + (ROOT / "requirements-dev.lock").read_text()).lower()
    local = {file.stem for file in (ROOT / "benchmarks").glob("*.py")} | {"pricetrail", "support"}
    for file in [*(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")]:
        for node in ast.walk(parse(file)):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - local:
                assert f"\n{DISTRIBUTIONS.get(name, name)}==" in locked, f"{file.name} imports {name}"


def test_only_what_checks_a_bundle_vouches_for_it() -> None:
    """``Bundle.load`` asks who trusts it; whoever could say so without a check would load anything."""
    named = {"TrustedManifest": set[str](), "trust_this_run": set[str]()}
    for file in MODULES:
        for node in ast.walk(parse(file)):
            name = node.func if isinstance(node, ast.Call) else None
            if isinstance(name, ast.Name | ast.Attribute):
                called = name.id if isinstance(name, ast.Name) else name.attr
                named.get(called, set()).add(module_name(file))
    assert named["TrustedManifest"] == {"pricetrail.model.trust", "pricetrail.operation.releases.fetch"}
    assert {user.rpartition(".")[0] for user in named["trust_this_run"]} == {"pricetrail.stages"}


def test_there_is_one_prediction_path() -> None:
    """Law 6: outside of training, outputs are read by ``Bundle.predict`` alone, and SHAP explains its head."""
    users = {
        module_name(file)
        for file in MODULES
        for node in ast.walk(parse(file))
        if isinstance(node, ast.Name) and node.id == "predict_standardised"
    }
    assert users == {"pricetrail.model.bundle", "pricetrail.model.training"}
    builders = {module_name(file) for file in MODULES if re.search(r"\bNetwork\(", file.read_text())}
    assert builders == {"pricetrail.model.network", "pricetrail.model.training", "pricetrail.model.bundle"}
