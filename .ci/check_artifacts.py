"""Check what a build made: ``check_artifacts.py DIST_DIR SOURCE_DIR``."""

from __future__ import annotations

import sys
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

PACKAGE = "airflow_provider_mlworkflows"


def main() -> None:
    """Compare the one wheel and the one sdist of a folder with the source; exit with a message on a gap."""
    dist, source = map(Path, sys.argv[1:3])
    (wheel,) = dist.glob("*.whl")
    (sdist,) = dist.glob("*.tar.gz")
    check_wheel(wheel, source)
    check_sdist(sdist, source)
    print(f"{wheel.name} and {sdist.name} hold what they should")


def check_wheel(wheel: Path, source: Path) -> None:
    """Check the package, its examples, licence, marker and entry points, and that there is nothing else."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (entry_points,) = [name for name in names if name.endswith(".dist-info/entry_points.txt")]
        declared = archive.read(entry_points).decode()
    metadata = entry_points.rsplit("/", 1)[0]
    examples = {f"{PACKAGE}/{name}" for name in files(source, "example_dags")}
    package = set(files(source, PACKAGE))
    missing(wheel, names, {*package, *examples, f"{metadata}/licenses/LICENSE", f"{PACKAGE}/py.typed"})
    if not examples:
        sys.exit(f"{wheel.name} holds no examples")
    for line in (
        f"provider_info = {PACKAGE}.get_provider_info:get_provider_info",
        f"mlworkflows = {PACKAGE}.cli:main",
    ):
        if line not in declared.splitlines():
            sys.exit(f"{wheel.name} does not declare: {line}")
    surplus = {name for name in names if not name.startswith(f"{metadata}/")} - package - examples
    if surplus:
        sys.exit(f"{wheel.name} should not hold {', '.join(sorted(surplus))}")


def check_sdist(sdist: Path, source: Path) -> None:
    """Check that a reader of the sdist can build, read and test it."""
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    parts = [name for part in (PACKAGE, "example_dags", "tests", "docs") for name in files(source, part)]
    missing(sdist, names, {*parts, "CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml"})


def files(source: Path, part: str) -> list[str]:
    """List the files of a part of the source, without what Python leaves there."""
    found = (path for path in (source / part).rglob("*") if path.is_file())
    return [path.relative_to(source).as_posix() for path in found if "__pycache__" not in path.parts]


def missing(archive: Path, names: set[str], expected: Iterable[str]) -> None:
    """Exit with a message if an archive lacks a file."""
    absent = sorted(set(expected) - names)
    if absent:
        sys.exit(f"{archive.name} lacks {', '.join(absent)}")


if __name__ == "__main__":
    main()
