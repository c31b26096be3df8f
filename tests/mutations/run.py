"""Takes away one protection after another and checks that the tests notice.

Each ``*.patch`` beside this file undoes one protection. Its first lines say which (``Undoes:``) and which tests
have to fail without it (``Tests:``). This script applies each to a copy of the repository and runs those tests::

    python tests/mutations/run.py            # all of them
    python tests/mutations/run.py stop kill  # those with one of these words in their name

It ends with 1 if the tests stay green without a protection, if a patch does not apply any more, or if the tests
fail without any patch.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
COPIED = ("airflow_provider_mlworkflows", "example_dags", "tests", "pyproject.toml")
PATIENCE = 300.0
TESTS_FAILED = 1


class MutationError(Exception):
    """A mutation that says nothing: it does not apply, or its tests do not run."""


@dataclass(frozen=True)
class Mutation:
    """One protection, undone.

    Attributes:
        path: the patch.
        undoes: the protection, in words.
        tests: arguments for pytest.
    """

    path: Path
    undoes: str
    tests: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its name."""
        return self.path.stem

    @classmethod
    def read(cls, path: Path) -> Mutation:
        """Read the first lines of a patch.

        Raises:
            MutationError: one of them is missing.
        """
        head = path.read_text(encoding="utf-8").split("\n--- ")[0].splitlines()
        fields = dict(line.split(": ", 1) for line in head if ": " in line)
        try:
            return cls(path, fields["Undoes"], tuple(fields["Tests"].split()))
        except KeyError as missing:
            raise MutationError(f"{path.name} has no line {missing.args[0]}:") from None


def main(arguments: Sequence[str]) -> int:
    """Run the mutations whose names hold one of the words; return the exit code."""
    parser = argparse.ArgumentParser(description="Check that tests notice when a protection is gone.")
    parser.add_argument("words", nargs="*", help="parts of names of mutations; default all")
    parser.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1), help="copies at work at a time")
    options = parser.parse_args(arguments)
    mutations = [Mutation.read(path) for path in sorted(HERE.glob("*.patch"))]
    chosen = [each for each in mutations if not options.words or any(word in each.name for word in options.words)]
    if not chosen:
        parser.error("no mutation has such a name")
    with ThreadPoolExecutor(options.jobs) as pool:
        baseline = pool.submit(failures_without_mutation, sorted({test for each in chosen for test in each.tests}))
        outcomes = list(pool.map(outcome_of, chosen))
    width = max(len(each.name) for each in chosen)
    for mutation, outcome in zip(chosen, outcomes, strict=True):
        print(f"{mutation.name:{width}}  {outcome:8}  {mutation.undoes}")
    if baseline.result():
        print(f"{baseline.result()}\nTests fail without any mutation; as long as they do, red says nothing.")
        return 1
    red = sum(outcome == "red" for outcome in outcomes)
    print(f"{red} of {len(chosen)} were noticed.")
    return 0 if red == len(chosen) else 1


def failures_without_mutation(tests: Sequence[str]) -> str:
    """What fails in the repository as it is, "" for nothing."""
    with copy_of_repository() as copy:
        return failures_of(tests, copy)


def outcome_of(mutation: Mutation) -> str:
    """``red`` if the tests fail, ``GREEN`` if they pass, ``broken`` if they cannot say."""
    with copy_of_repository() as copy:
        try:
            apply(mutation.path, copy)
            return "red" if failures_of(["-x", *mutation.tests], copy) else "GREEN"
        except MutationError as error:
            print(error, file=sys.stderr)
            return "broken"


@contextlib.contextmanager
def copy_of_repository() -> Iterator[Path]:
    """A throw-away copy of what the tests need."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as directory:
        copy = Path(directory)
        for name in COPIED:
            source = REPOSITORY / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy2(source, copy / name)
        yield copy


def apply(patch: Path, copy: Path) -> None:
    """Apply a patch.

    Raises:
        MutationError: the code has changed too much for it.
    """
    command = ["patch", "--strip=1", "--batch", "--forward", f"--input={patch}"]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MutationError(f"{patch.name} does not apply:\n{done.stdout}{done.stderr}")


def failures_of(arguments: Sequence[str], copy: Path) -> str:
    """Run tests in a copy; return what pytest says of failures, "" if there is none. Not to end is a failure.

    Raises:
        MutationError: they could not be run.
    """
    command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        command,
        cwd=copy,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return f"{' '.join(arguments)} did not end within {PATIENCE:.0f} s"
    if process.returncode not in (0, TESTS_FAILED):
        raise MutationError(f"{' '.join(arguments)} could not be run:\n{output[-2000:]}")
    return output[-2000:] if process.returncode == TESTS_FAILED else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
