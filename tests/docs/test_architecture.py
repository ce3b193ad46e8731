"""The house: arrows never point upward, the lower floors touch no world, and modules stay small."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "listserver"
STAIRWELL = {"config", "errors", "maillog", "metrics"}
FLOORS = {
    "mail": 1,
    "lists": 2,
    "store": 3,
    "render": 3,
    "authentication": 3,
    "flows": 4,
    "smtp": 5,
    "transport": 5,
    "web": 5,
    "cli": 5,
    "scheduler": 5,
    "intake": 5,
    "server": 6,
    "__main__": 7,
}
WORLD = {
    "socket",
    "sqlite3",
    "os",
    "time",
    "random",
    "secrets",
    "asyncio",
    "threading",
    "subprocess",
    "sqlalchemy",
    "sqlmodel",
    "ssl",
    "structlog",
}
MODULES = sorted(path for path in ROOT.rglob("*.py") if "migrations" not in path.parts)


def _floor(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def _imports(path: Path) -> list[tuple[str, int, bool]]:
    """Imported modules with their line, and whether the import stands inside a function."""
    tree = ast.parse(path.read_text())
    inside = {
        id(node)
        for outer in ast.walk(tree)
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(outer)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno, id(node) in inside) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"listserver.{alias.name}" for alias in node.names] if node.module == "listserver" else [node.module]
            found += [(name, node.lineno, id(node) in inside) for name in names]
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downward(path: Path) -> None:
    """A module imports only floors below its own, its own floor, and from floor 2 up the stairwell."""
    mine = path.relative_to(ROOT).parts[0].removesuffix(".py")
    for module, line, _inside in _imports(path):
        if not module.startswith("listserver."):
            continue
        theirs = _floor(module)
        where = f"{path.name}:{line} imports {module}"
        if mine in STAIRWELL:
            assert theirs in STAIRWELL, where
        elif theirs in STAIRWELL:
            assert FLOORS[mine] >= 2, where
        elif mine != theirs and mine not in ("__init__",):
            assert FLOORS[theirs] < FLOORS[mine] or (mine, theirs) in {
                ("cli", "server"),
                ("scheduler", "transport"),
                ("scheduler", "intake"),
            }, where


@pytest.mark.parametrize(
    "path",
    [p for p in MODULES if p.relative_to(ROOT).parts[0] in ("mail", "lists")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_the_lower_floors_touch_no_world(path: Path) -> None:
    """Floors 1 and 2 know no socket, database, environment, clock or random source."""
    for module, line, _inside in _imports(path):
        assert module.split(".")[0] not in WORLD, f"{path.name}:{line} imports {module}"
    source = path.read_text()
    for forbidden in ("datetime.now(", "time.time(", "date.today(", "open("):
        assert forbidden not in source.replace("urlopen(", ""), f"{path.name} uses {forbidden}"


def test_no_import_inside_a_function_dodges_a_cycle() -> None:
    """Only the command line imports late, for its start-up time; nowhere else."""
    late = [
        f"{path.relative_to(ROOT)}:{line} {module}"
        for path in MODULES
        for module, line, inside in _imports(path)
        if inside and module.startswith("listserver")
    ]
    assert late == []


def test_a_floors_init_holds_nothing() -> None:
    """`__init__.py` names its floor and holds nothing else."""
    for path in ROOT.rglob("__init__.py"):
        body = ast.parse(path.read_text()).body
        assert len(body) == 1, path
        assert isinstance(body[0], ast.Expr), path
