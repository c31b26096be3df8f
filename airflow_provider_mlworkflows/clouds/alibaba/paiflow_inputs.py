"""What a run is started with, checked and brought into the service's form before it is sent."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from airflow_provider_mlworkflows.clouds.alibaba.paiflow_manifests import DeclaredInputs, declared_inputs
from airflow_provider_mlworkflows.clouds.alibaba.paiflow_yaml import parsed, plain, rendered
from airflow_provider_mlworkflows.clouds.values import as_bool, as_float
from airflow_provider_mlworkflows.exceptions import InvalidInputError

Inputs = Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""``{name: value}``, or the service's own list of mappings with a ``name`` each."""

_CANONICAL_TYPES: Mapping[str, str] = {
    "string": "String",
    "int": "Int",
    "integer": "Int",
    "double": "Double",
    "bool": "Bool",
    "map": "Map",
    "array": "Array",
    "list": "Array",
}
_NUMBER_TEXT = re.compile(r"[+-]?\d+")


def arguments_text(
    parameters: Inputs = (),
    artifacts: Inputs = (),
    arguments: str | None = None,
    *,
    manifest: str | None = None,
    declared: DeclaredInputs | None = None,
) -> str | None:
    """The arguments of a run as the YAML that the service takes; None if there are none.

    :param parameters: as `parameter_items` takes them.
    :param artifacts: as `artifact_items` takes them.
    :param arguments: both as the finished text.
    :param manifest: the pipeline's manifest, if it is known, so that the arguments are checked against it.
    :param declared: what the pipeline takes, if that is known without the manifest.
    :raises InvalidInputError: if the arguments are no YAML, or do not fit what the pipeline takes.
    """
    known = declared or (declared_inputs(manifest) if manifest else None)
    if arguments is not None:
        if parameters or artifacts:
            raise InvalidInputError("Give either arguments, or parameters and artifacts, not both.")
        parameters, artifacts = _split(arguments)
    items = {
        "parameters": parameter_items(parameters, known.parameters if known else None),
        "artifacts": artifact_items(artifacts, known.artifacts if known else None),
    }
    if arguments is not None:
        return arguments
    given = {kind: entries for kind, entries in items.items() if entries}
    return rendered({"arguments": given}) if given else None


def _split(text: str) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    if not isinstance(text, str):
        raise InvalidInputError(
            f"The arguments should be YAML text, not {type(text).__name__}; give mappings as parameters and artifacts."
        )
    documents = parsed("The arguments", text)
    body = documents[0].get("arguments") if len(documents) == 1 and isinstance(documents[0], dict) else None
    if not isinstance(body, dict):
        raise InvalidInputError("The arguments should be one mapping with the key 'arguments' at its top.")
    return body.get("parameters") or [], body.get("artifacts") or []


def parameter_items(
    parameters: Inputs, declared: Mapping[str, Mapping[str, Any]] | None = None
) -> list[dict[str, Any]]:
    """Parameters in the service's form.

    Given what the pipeline declares, each value is checked against its type. Text is taken for the number, truth
    value, map or list it spells, since templates render to text.

    :param parameters: ``{name: value}``, or the service's own list.
    :param declared: the pipeline's parameters by name; None if unknown.
    :raises InvalidInputError: if a name is unknown or given twice, a required one is missing, or a value does not fit.
    """
    items = _named_items("parameter", parameters, declared)
    for item in items:
        if item.get("value") is None:
            raise InvalidInputError(f"The parameter {item['name']!r} has no value; leave it out to use its default.")
        kind = str(((declared or {}).get(item["name"]) or {}).get("type") or "")
        what = f"The parameter {item['name']!r}"
        # Once more afterwards, for JSON text has become what it says.
        item["value"] = plain(what, _fitting(item["name"], plain(what, item["value"]), kind))
    return items


def artifact_items(artifacts: Inputs, declared: Mapping[str, Mapping[str, Any]] | None = None) -> list[dict[str, Any]]:
    """Artifacts in the service's form, which wants their value as JSON inside a text.

    A value is where the data is, such as ``{"location": {"project": "p", "table": "t"}}`` or the JSON of it. To say
    what it is as well, give ``{"metadata": {...}, "value": {...}}``; otherwise the pipeline's declaration tells. A
    list of values is for an artifact that is declared as repeated; each of them may also have a ``name`` of its own.

    :param artifacts: ``{name: value}``, or the service's own list.
    :param declared: the pipeline's artifacts by name; None if unknown.
    :raises InvalidInputError: if a name is unknown or given twice, a required one is missing, or a value does not fit.
    """
    if isinstance(artifacts, Mapping):
        artifacts = [
            {**value, "name": name} if _is_described(value) else {"name": name, "value": value}
            for name, value in artifacts.items()
        ]
    items = _named_items("artifact", artifacts, declared)
    return [_artifact(item, (declared or {}).get(item["name"])) for item in items]


def _is_described(value: object) -> bool:
    return isinstance(value, Mapping) and "value" in value and value.keys() <= {"name", "metadata", "value"}


def _artifact(item: dict[str, Any], declaration: Mapping[str, Any] | None) -> dict[str, Any]:
    name, value = item["name"], item.get("value")
    if "from" in item and value is None:
        return {**item, "from": plain(f"The source of artifact {name!r}", item["from"])}
    described = _described(name, item.get("metadata") or (declaration or {}).get("metadata"))
    if not isinstance(value, list | tuple):
        return {"name": name, **described, "value": _json_text(name, value)}
    if declaration is not None and not declaration.get("repeated"):
        raise InvalidInputError(f"The artifact {name!r} is given as a list, but is not declared as repeated.")
    values = [each if _is_described(each) else {"value": each} for each in value]
    rounds = [
        {
            "name": str(each.get("name") or f"{name}_{i}"),
            **(_described(name, each.get("metadata")) or described),
            "value": _json_text(name, each["value"]),
        }
        for i, each in enumerate(values)
    ]
    return {"name": name, **described, "value": rounds}


def _described(name: str, metadata: object) -> dict[str, Any]:
    return {"metadata": plain(f"The metadata of artifact {name!r}", metadata)} if metadata else {}


def _json_text(name: str, value: object) -> str:
    if isinstance(value, str) and _is_json_mapping(value):
        return value
    if isinstance(value, Mapping) and value.keys() - {"metadata", "name"}:
        return json.dumps(plain(f"The artifact {name!r}", value), ensure_ascii=False)
    raise InvalidInputError(
        f"The artifact {name!r} is {value!r}; give where it is, such as "
        '{"location": {"project": "...", "table": "..."}}.'
    )


def options_text(options: Mapping[str, Any] | str | None) -> str | None:
    """The options of a run as the JSON text that the service takes.

    :raises InvalidInputError: if they are no mapping, or text that is not one in JSON.
    """
    if options is None:
        return None
    if isinstance(options, Mapping):
        return json.dumps(plain("The options", options), ensure_ascii=False, separators=(",", ":"))
    if not _is_json_mapping(options):
        raise InvalidInputError("The options should be a mapping, or the JSON text of one.")
    return options


def _is_json_mapping(text: object) -> bool:
    try:
        return isinstance(text, str) and isinstance(_decoded(text), dict)
    except (ValueError, RecursionError):
        return False


def _named_items(what: str, inputs: Inputs, declared: Mapping[str, Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    items = _items(what, inputs)
    names: set[str] = set()
    for item in items:
        name = item["name"]
        if not isinstance(name, str) or not name.strip():
            raise InvalidInputError(f"{name!r} cannot be the name of a {what}.")
        if name in names:
            raise InvalidInputError(f"The {what} {name!r} is given twice.")
        if declared is not None and name not in declared:
            raise InvalidInputError(_undeclared(what, name, declared))
        names.add(name)
    for name, declaration in (declared or {}).items():
        if declaration.get("required") is True and declaration.get("value") is None and name not in names:
            raise InvalidInputError(f"The pipeline requires the {what} {name!r}, which is not given.")
    return items


def _items(what: str, inputs: object) -> list[dict[str, Any]]:
    if isinstance(inputs, Mapping):
        return [{"name": name, "value": value} for name, value in inputs.items()]
    if isinstance(inputs, list | tuple) and all(isinstance(item, Mapping) and "name" in item for item in inputs):
        return [dict(item) for item in inputs]
    raise InvalidInputError(
        f"The {what}s should be a mapping of names to values, or a list of mappings with a name each, "
        f"not {type(inputs).__name__}."
    )


def _undeclared(what: str, name: str, declared: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, declared, n=1)
    suggestion = f" Did you mean {close[0]!r}?" if close else ""
    names = ", ".join(sorted(declared)) or f"no {what}s"
    return f"The pipeline declares no {what} {name!r}.{suggestion} It declares {names}."


def _fitting(name: str, value: object, declared_type: str) -> object:
    """The value as its declared type. A type this provider does not know is left to the service."""
    read = _READERS.get(_CANONICAL_TYPES.get(declared_type.lower(), ""))
    if read is None:
        return value
    try:
        return read(value)
    except RecursionError:
        raise InvalidInputError(f"The parameter {name!r} is nested too deeply.") from None
    except ValueError:
        raise InvalidInputError(
            f"The parameter {name!r} is {value!r} ({type(value).__name__}), but its type is {declared_type}."
        ) from None


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    raise ValueError


def _as_int(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _NUMBER_TEXT.fullmatch(value.strip()):
        return int(value)
    raise ValueError


def _as_map(value: object) -> Mapping[str, Any]:
    data = _decoded(value)
    if isinstance(data, Mapping):
        return data
    raise ValueError


def _as_array(value: object) -> Sequence[Any]:
    data = _decoded(value)
    if isinstance(data, list):
        return data
    raise ValueError


def _decoded(value: object) -> object:
    """What JSON text says, without the numbers that JSON does not have; anything else as it is."""
    return json.loads(value, parse_constant=_refused) if isinstance(value, str) else value


def _refused(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON")


_READERS: Mapping[str, Callable[[object], object]] = {
    "String": _as_text,
    "Int": _as_int,
    "Double": as_float,
    "Bool": as_bool,
    "Map": _as_map,
    "Array": _as_array,
}
