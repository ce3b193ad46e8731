"""What is shipped: the wheel and the source archive hold everything that the service needs to start."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _build(kind: str, folder: Path) -> Path:
    """Build with the project's own backend, without a network."""
    code = f"import hatchling.build as b; print(b.build_{kind}({str(folder)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    return folder / done.stdout.strip().splitlines()[-1]


def _needed() -> set[str]:
    """Every module, template and migration, by its path inside the package."""
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "listserver").rglob("*.py")}
    templates = {f"listserver/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "templates").rglob("*") if path.is_file()}
    return {name for name in modules | templates if "__pycache__" not in name}


def test_the_wheel_holds_templates_and_migrations(tmp_path: Path) -> None:
    """Whatever the code reads at run time is inside of the package."""
    with zipfile.ZipFile(_build("wheel", tmp_path)) as wheel:
        names = set(wheel.namelist())
    assert _needed() - names == set()
    assert any(name.startswith("listserver/templates/mail/en/") for name in names)
    assert any(name.startswith("listserver/store/migrations/versions/0001") for name in names)
    assert not any(name.startswith("tests/") for name in names)


def test_the_source_archive_can_make_the_wheel(tmp_path: Path) -> None:
    """Package, templates, tests and the files that describe them."""
    with tarfile.open(_build("sdist", tmp_path)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {name.replace("listserver/templates/", "templates/", 1) for name in _needed()}
    assert needed - names == set()
    for name in ("pyproject.toml", "README.md", "tests/conftest.py"):
        assert name in names


def test_an_installed_wheel_finds_its_templates(tmp_path: Path) -> None:
    """Unpacked somewhere else, far from the checkout, it words a mail and knows its newest migration."""
    with zipfile.ZipFile(_build("wheel", tmp_path)) as wheel:
        wheel.extractall(tmp_path / "site")
    code = (
        "from listserver.render.environment import Templates, bundled; from listserver.store import schema; import listserver;"
        "print(listserver.__file__); print(bundled()); print(schema.newest());"
        "print(Templates().get('mail', 'en', 'welcome.txt.j2').name)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    package, templates, newest, name = done.stdout.splitlines()
    assert package.startswith(str(tmp_path))
    assert templates.startswith(str(tmp_path))
    assert newest == sorted(path.name[:4] for path in (ROOT / "listserver/store/migrations/versions").glob("[0-9]*.py"))[-1]
    assert name.endswith("welcome.txt.j2")


@pytest.mark.parametrize("name", ["LICENSE", "CHANGELOG.md", ".env.example", "constraints.txt", "docs/flow.md"])
def test_the_files_of_a_checkout(name: str) -> None:
    """What a newcomer looks for is there."""
    assert (ROOT / name).is_file()
