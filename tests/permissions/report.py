"""Writes tables and policies into docs/permissions.md: ``python -m tests.permissions.report``."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.bases.sensor import BaseSensorOperator

from airflow_provider_mlworkflows import operators, sensors
from tests.permissions.table import NEEDS, ROLES, Need, Role, actions, permissions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "permissions.md"
UNPUBLISHED = frozenset({"obs"})
"""Services that have no action for the operations: what the emulator asks for is its own."""
HEADER = ("| Operator, sensor | Always | More, if |", "|---|---|---|")


def public_classes() -> list[str]:
    """The operators and sensors that DAGs can use."""
    found: set[str] = set()
    for package in (operators, sensors):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for name, kind in vars(importlib.import_module(module.name)).items():
                if isinstance(kind, type) and issubclass(kind, BaseOperator) and kind.__module__ == module.name:
                    found.add(name)
    bases = {base.__name__ for name in found for base in _named(name).__mro__[1:]}
    # A base may be usable itself; those that are not cannot be made, or do nothing.
    return sorted(name for name in found if name not in bases or name in {each.name for each in _rows()})


def _named(name: str) -> type[BaseOperator]:
    known = [BaseOperator, BaseSensorOperator]
    return next(kind for kind in _subclasses(known) if kind.__name__ == name)


def _subclasses(kinds: Iterable[type[BaseOperator]]) -> Iterator[type[BaseOperator]]:
    for kind in kinds:
        yield kind
        yield from _subclasses(kind.__subclasses__())


def _rows() -> Iterator[Need]:
    for needs in NEEDS.values():
        yield from needs


def policy(service: str, allowed: Sequence[str]) -> str:
    """A policy that allows these actions, in the syntax of the service's cloud."""
    statement: dict[str, Any] = {"Effect": "Allow", "Action": list(allowed)}
    if service == "paiflow":
        return _json({"Version": "1", "Statement": [{**statement, "Resource": "*"}]})
    return _json({"Version": "1.1", "Statement": [statement]})


def _json(value: Any) -> str:
    return f"```json\n{json.dumps(value, indent=2)}\n```"


def _operations(service: str, names: Sequence[str]) -> str:
    """Operations, each with its action."""
    return ", ".join(_operation(service, name) for name in names)


def _operation(service: str, name: str) -> str:
    if service in UNPUBLISHED:
        return name
    permission = permissions()[service][name]
    return f"{name} (`{permission}`)" if permission else f"{name} (none)"


def rows(service: str) -> Iterator[str]:
    """The table of a service: what calls what."""
    yield from HEADER
    for need in NEEDS[service]:
        more = "; ".join(f"{when}: {_operations(service, names)}" for when, names in need.more.items())
        name = f"`{need.name}`" if need.name.isidentifier() else need.name
        yield f"| {name} | {_operations(service, need.always)} | {more} |"


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
