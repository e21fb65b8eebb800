"""Imports point inwards only, and the core touches nothing of the world outside."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "streamasr"
MODULES = sorted(PACKAGE.rglob("*.py"))
ALLOWED = {
    "core": {"core", "errors"},
    "edge": {"core", "edge", "errors", "__version__"},
    "errors.py": set[str](),
}
OUTSIDE = {
    "asyncio", "socket", "selectors", "ssl", "time", "datetime", "threading", "multiprocessing",
    "concurrent", "queue", "subprocess", "os", "io", "pathlib", "shutil", "tempfile", "logging",
    "sounddevice", "soundfile", "websockets", "starlette", "uvicorn", "onnxruntime", "typer",
    "rich", "http", "urllib",
}  # fmt: skip
CALLS = {"open", "print", "input", "exec", "eval", "__import__"}


def imports(tree: ast.AST) -> Iterator[str]:
    """The dotted names that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_imports_point_inwards(path: Path) -> None:
    ring = path.relative_to(PACKAGE).parts[0]
    if ring not in ALLOWED:
        return
    for imported in imports(ast.parse(path.read_text())):
        parts = imported.split(".")
        if parts[0] == "streamasr":
            assert parts[1] in ALLOWED[ring], f"{name(path)} imports {imported}"


def test_one_module_loads_the_runtime_that_would_report_home() -> None:
    loading = {
        name(path)
        for path in MODULES
        if "onnxruntime" in {i.split(".")[0] for i in imports(ast.parse(path.read_text()))}
    }
    assert loading == {"edge/inference.py"}


@pytest.mark.parametrize("path", sorted((PACKAGE / "core").rglob("*.py")), ids=name)
def test_the_core_does_no_io_and_knows_no_time(path: Path) -> None:
    tree = ast.parse(path.read_text())
    used = {imported.split(".")[0] for imported in imports(tree)}
    assert not used & OUTSIDE
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & CALLS
    awaits = (ast.Await, ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith)
    assert not any(isinstance(node, awaits) for node in ast.walk(tree))


def test_only_those_that_compute_with_torch_import_it() -> None:
    engines = {"edge/engines/torch.py", "edge/engines/capture.py"}
    halves = {"core/speller.py", "core/writer.py"}
    allowed = {"core/network.py", "edge/weights.py"} | engines | halves
    for path in MODULES:
        if name(path) in allowed or name(path).startswith("app/train/"):
            continue
        top = (node for node in ast.parse(path.read_text()).body)
        for node in top:
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert not any(i.split(".")[0] == "torch" for i in imports(node)), name(path)


def test_no_module_is_too_long() -> None:
    too_long = {
        name(path): lines for path in MODULES if (lines := len(path.read_text().splitlines())) > 450
    }
    assert not too_long
