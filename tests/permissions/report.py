"""Writes tables and policies into docs/permissions.md: ``python -m tests.permissions.report``."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from pathlib import Path
from typing import TYPE_CHECKING

from airflow.sdk import BaseOperator

from airflow_provider_mlworkflows import operators, sensors
from tests.permissions.table import NEEDS, ROLES, Need, Role, actions, permissions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "permissions.md"
UNPUBLISHED = frozenset({"obs"})
"""Services that have no action for the operations: what the emulator asks for is its own."""
BASES = frozenset(
    {
        *(
            "RunOperator",
            "StartOperator",
            "UnmarkedStartOperator",
            "RerunOperator",
            "StopOperator",
            "StepActionOperator",
        ),
        *("ModelArtsCallOperator", "AomOperator", "AomExecutionOperator", "RunSensor", "ModelArtsResourceSensor"),
    }
)
"""What operators and sensors are made of, and no DAG uses."""
PREFIXES = {"modelarts": "modelarts:", "aom": "cms:"}
"""Services whose actions are not called like the operations: what the tables leave out of their names."""


def public_classes() -> list[str]:
    """The operators and sensors that DAGs can use."""
    found: set[str] = set()
    for package in (operators, sensors):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for name, kind in vars(importlib.import_module(module.name)).items():
                if isinstance(kind, type) and issubclass(kind, BaseOperator) and kind.__module__ == module.name:
                    found.add(name)
    return sorted(found - BASES)


def policy(service: str, allowed: Sequence[str]) -> str:
    """A policy that allows these actions, in the syntax of the service's cloud."""
    version, resource = ("1", ', "Resource": "*"') if service == "paiflow" else ("1.1", "")
    listed = ",\n".join(f"  {json.dumps(action)}" for action in allowed)
    begin = f'{{"Version": "{version}", "Statement": [{{"Effect": "Allow"{resource}, "Action": ['
    return f"```json\n{begin}\n{listed}\n]}}]}}\n```"


def _short(service: str, permission: str) -> str:
    """An action without the name of its service."""
    return f"`{permission.removeprefix(PREFIXES[service])}`"


def _asked(service: str, names: Sequence[str], *, beside: Sequence[str] = ()) -> str:
    """The actions of operations, as far as others do not take them already."""
    if service not in PREFIXES:
        return ""
    return ", ".join(_short(service, each) for each in actions(service, names) if each not in actions(service, beside))


def rows(service: str) -> Iterator[str]:
    """The table of a service: who calls what."""
    with_actions = service in PREFIXES
    columns = ["Operator, sensor", "Calls", *(["Needs"] if with_actions else []), "More, if"]
    yield f"| {' | '.join(columns)} |"
    yield "|---" * len(columns) + "|"
    for need in NEEDS[service]:
        name = f"`{need.name}`" if need.name.isidentifier() else need.name
        needs = [_asked(service, need.always) or "none"] if with_actions else []
        more = "<br>".join(_more(service, need, when) for when in need.more)
        yield f"| {' | '.join([name, ', '.join(need.always), *needs, more])} |"


def _more(service: str, need: Need, when: str) -> str:
    further = _asked(service, need.more[when], beside=need.always)
    return f"{when}: {', '.join(need.more[when])}" + (f", needs {further}" if further else "")


def _operations_of(service: str, role: Role) -> Iterator[str]:
    for need in NEEDS[service]:
        if need.name in role.names:
            yield from need.always
            for when, names in need.more.items():
                yield from names if when not in role.without else ()


def roles(service: str) -> Iterator[str]:
    """One policy for each thing that somebody may do; the last one is for everything."""
    everything = Role("Everything: all operators and sensors", tuple(each.name for each in NEEDS[service]))
    for role in (*ROLES[service], everything):
        operations = [each for each in _operations_of(service, role) if permissions()[service][each] is not None]
        allowed = actions(service, [each for each in operations if each != "KeystoneListProjects"])
        yield from ("", f"{role.title}:", "", policy(service, allowed))


def policies(service: str) -> Iterator[str]:
    """The policy of each operator and sensor; those that need the same share one."""
    sharing: dict[tuple[str, ...], list[str]] = {}
    for need in NEEDS[service]:
        name = f"`{need.name}`" if need.name.isidentifier() else need.name[:1].upper() + need.name[1:]
        sharing.setdefault(tuple(actions(service, need.operations)), []).append(name)
    for allowed, names in sharing.items():
        if allowed:
            yield from ("", f"{', '.join(names)}:", "", policy(service, allowed))
        else:
            yield from ("", f"{', '.join(names)}: no action, as far as is published.")


def written(page: str) -> str:
    """The page with its blocks written anew.

    Raises:
        ValueError: a block is not marked in the page.
    """
    for service in NEEDS:
        page = _replaced(page, f"{service} table", rows(service))
        if service not in UNPUBLISHED:
            page = _replaced(page, f"{service} roles", roles(service))
            page = _replaced(page, f"{service} policies", policies(service))
    return page


def _replaced(page: str, block: str, lines: Iterable[str]) -> str:
    marked = re.compile(f"(<!-- {block}: begin -->\n).*?(<!-- {block}: end -->)", re.DOTALL)
    if marked.search(page) is None:
        raise ValueError(f"{PAGE.name} has no place for: {block}")
    content = "\n".join(lines).strip("\n")
    return marked.sub(lambda found: f"{found[1]}{content}\n{found[2]}", page)


def main() -> None:
    """Write the page."""
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
