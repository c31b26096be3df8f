"""YAML as PAIFlow takes it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import yaml

from airflow_provider_mlworkflows.exceptions import InvalidInputError


class _Dumper(yaml.SafeDumper):
    """Quotes every text: readers of YAML disagree on which bare words are numbers or truth values."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _quoted(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')


_Dumper.add_representer(str, _quoted)


def rendered(*documents: object) -> str:
    """Plain data as YAML, each document after the first behind ``---``."""
    return yaml.dump_all(
        documents, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=math.inf, default_flow_style=False
    )


def parsed(what: str, text: str) -> list[Any]:
    """The documents of a YAML text, empty ones left out.

    :raises InvalidInputError: if it is not YAML; says where.
    """
    try:
        return [document for document in yaml.safe_load_all(text) if document is not None]
    except yaml.YAMLError as error:
        raise InvalidInputError(f"{what} is not valid YAML: {_where(error)}.") from None
    except ValueError as error:  # of a date that does not exist
        raise InvalidInputError(f"{what} is not valid YAML: {error}.") from None
    except RecursionError:
        raise InvalidInputError(f"{what} is nested too deeply.") from None


def _where(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return str(error).splitlines()[0]


def plain(what: str, value: object) -> Any:
    """A value made of mappings with text keys, lists, text, finite numbers, truth values and None.

    :raises InvalidInputError: if it is made of anything else.
    """
    if value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, list | tuple):
        return [plain(what, item) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: plain(what, item) for key, item in value.items()}
    if isinstance(value, Mapping):
        raise InvalidInputError(f"{what} has keys that are no texts: {[k for k in value if not isinstance(k, str)]!r}.")
    raise InvalidInputError(f"{what} contains {value!r}, which is no text, number, truth value, list or mapping.")
