"""YAML as PAIFlow takes it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import yaml

from airflow_provider_mlworkflows.exceptions import InvalidInputError

MOST_VALUES = 1_000_000
"""Values in one document, each counted as often as it is referred to. Manifests have some hundreds."""
DEEPEST = 100
"""Lists and mappings within each other. Each level of sub-pipelines takes three."""
LONGEST_EXCERPT = 40
LONGEST_NUMBER = 4096
"""Bits of a whole number. Python writes and reads no more than some thousand digits."""
_MERGED = "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    """Says of every text where it does not fit its type."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # Which of these it is depends on how the parser stumbles; only a ValueError says something of use.
            kind = node.tag.rpartition(":")[2]
            reason = f" ({error})" if isinstance(error, ValueError) else ""
            problem = f"{str(node.value)[:LONGEST_EXCERPT]!r} is not of the type {kind}{reason}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from None


class _Dumper(yaml.SafeDumper):
    """Quotes every text: readers of YAML disagree on which bare words are numbers or truth values."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _quoted(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')


_Dumper.add_representer(str, _quoted)


def rendered(*documents: object) -> str:
    """Plain data as YAML, each document after the first behind ``---``.

    :raises InvalidInputError: if it holds something that YAML has no form for.
    """
    try:
        return yaml.dump_all(
            documents, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=math.inf, default_flow_style=False
        )
    except (yaml.representer.RepresenterError, ValueError) as error:
        raise InvalidInputError(f"The inputs hold something that cannot be written as YAML: {error}") from None


def parsed(what: str, text: str) -> list[Any]:
    """The documents of a YAML text, empty ones left out.

    :raises InvalidInputError: if it is not YAML, which says where, or holds too much.
    """
    try:
        return [document for document in _documents(what, text) if document is not None]
    except yaml.YAMLError as error:
        raise InvalidInputError(f"{what} is not valid YAML: {_where(error)}.") from None
    except RecursionError:
        raise InvalidInputError(f"{what} is nested too deeply.") from None


def _documents(what: str, text: str) -> Iterable[Any]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            _check_extent(what, node, _nodes_within)  # first, since what is merged is copied
            _check_keys(node)
            yield loader.construct_document(node)
    finally:
        loader.dispose()


def _nodes_within(node: yaml.Node) -> Iterable[Any]:
    if isinstance(node, yaml.MappingNode):
        return [each for pair in node.value for each in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else ()


def _check_keys(root: object) -> None:
    """Refuse a mapping that has a key twice: readers of YAML disagree on which one counts.

    :raises yaml.YAMLError: if there is one.
    """
    nodes: list[Any] = [root]
    seen = {id(root)}
    while nodes:
        node = nodes.pop()
        keys: set[tuple[str, str]] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGED:
                continue
            if (key.tag, key.value) in keys:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} comes twice", key.start_mark
                )
            keys.add((key.tag, key.value))
        new = [each for each in _nodes_within(node) if id(each) not in seen]
        seen.update(map(id, new))
        nodes += new


def _values_within(value: object) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list | tuple) else ()


def _check_extent(what: str, root: object, within: Callable[[Any], Iterable[Any]]) -> None:
    """Refuse what holds itself, or too much. What is referred to several times is looked at once.

    :raises InvalidInputError: if it does.
    """
    # The value is kept as well: otherwise another may get its id.
    known: dict[int, tuple[object, int, int]] = {}
    around: set[int] = set()

    def measure(value: object) -> tuple[int, int]:
        """How many values it holds, and how deep they are."""
        if id(value) in around:
            raise InvalidInputError(f"{what} contains a list or mapping that contains itself.")
        if id(value) not in known:
            around.add(id(value))
            parts = [measure(each) for each in within(value)] if len(around) <= DEEPEST else [(0, DEEPEST)]
            around.discard(id(value))
            number, depth = 1 + sum(part[0] for part in parts), 1 + max((part[1] for part in parts), default=-1)
            if depth > DEEPEST:
                raise InvalidInputError(f"{what} is nested too deeply: at most {DEEPEST} levels are taken.")
            if number > MOST_VALUES:
                raise InvalidInputError(f"{what} holds too much: at most {MOST_VALUES} values are taken.")
            known[id(value)] = value, number, depth
        return known[id(value)][1:]

    measure(root)


def _where(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return str(error).splitlines()[0]


def plain(what: str, value: object) -> Any:
    """A value made of mappings with text keys, lists, text, finite numbers, truth values and None.

    :raises InvalidInputError: if it is made of anything else, holds itself or too much.
    """
    _check_extent(what, value, _values_within)
    return _plain(what, value)


def _plain(what: str, value: object) -> Any:
    if value is None or isinstance(value, bool):
        return value
    # Of enumerations and other kinds of text and number only what they are made of has a form in YAML and JSON.
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int) and value.bit_length() <= LONGEST_NUMBER:
        return int(value)
    if isinstance(value, int):
        raise InvalidInputError(f"{what} contains a number with too many digits to be meant.")
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, list | tuple):
        return [_plain(what, item) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain(what, item) for key, item in value.items()}
    if isinstance(value, Mapping):
        raise InvalidInputError(f"{what} has keys that are no texts: {[k for k in value if not isinstance(k, str)]!r}.")
    raise InvalidInputError(f"{what} contains {value!r}, which is no text, number, truth value, list or mapping.")
