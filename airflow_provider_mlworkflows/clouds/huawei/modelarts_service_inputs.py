"""The rules for services, checked before anything is sent: each message tells the rule. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeGuard

from airflow_provider_mlworkflows.clouds.huawei.modelarts_inputs import (
    checked_choice,
    checked_range,
    checked_segment,
    optional_text,
    whole_number,
)
from airflow_provider_mlworkflows.clouds.values import as_float
from airflow_provider_mlworkflows.exceptions import InvalidInputError

Versions = Sequence[Mapping[str, Any]]
"""The models of a service, each as the service wants it: ``model_id``, ``specification``, ``instance_count``, ..."""

REAL_TIME, BATCH, EDGE = INFER_TYPES = ("real-time", "batch", "edge")
TIME_UNITS = ("DAYS", "HOURS", "MINUTES")
MAPPING_TYPES = ("file", "csv")
MOST_INSTANCES = 128
LONGEST_DESCRIPTION = 100
WHOLE_WEIGHT = 100
CUSTOM = "custom"
LEAST_CPU = 0.01
DEPLOY_TIMEOUT = "deploy_timeout_in_seconds"
LONGEST_TIMEOUT = 7 * 24 * 3600

_NAME = re.compile(r"[A-Za-z0-9\u4e00-\u9fff_-]{1,64}")
_NOT_IN_DESCRIPTIONS = "&!'\"<>="
_WHOLE_NUMBERS = frozenset({"instance_count", DEPLOY_TIMEOUT})
_BASIC_TYPES = ("string", "number", "integer", "boolean")


def checked_service_name(name: object) -> str:
    """The name of a service.

    :raises InvalidInputError: if it is not 1 to 64 letters (Chinese included), digits, ``_`` and ``-``.
    """
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    raise InvalidInputError(
        f"The service name {name!r} is not allowed: 1 to 64 Chinese characters, letters, digits, '_' and '-'."
    )


def checked_service_id(service_id: object) -> str:
    """The id of one service.

    :raises InvalidInputError: if it is empty, or has a comma: with these, the service deletes several at once.
    """
    checked = checked_segment("service_id", service_id)
    if "," in checked:
        raise InvalidInputError(f"service_id {checked!r} has a comma; give the id of one service.")
    return checked


def checked_description(
    description: object, longest: int = LONGEST_DESCRIPTION, excluded: str = _NOT_IN_DESCRIPTIONS
) -> str | None:
    """The description of a service, or None.

    :raises InvalidInputError: if it is too long, or has a character that the service does not take.
    """
    text = optional_text("description", description)
    if text is not None and (len(text) > longest or set(excluded) & set(text)):
        raise InvalidInputError(
            f"The description {text!r} is not allowed: up to {longest} characters, none of them {' '.join(excluded)}."
        )
    return text


def checked_versions(config: object, infer_type: str | None) -> list[dict[str, Any]]:
    """The models of a service.

    :param config: a list of mappings.
    :param infer_type: what the service does; None if that is not known, as for a change.
    :raises InvalidInputError: if there is none, a field is missing or cannot be right, or weights are not 100 together.
    """
    versions = mappings("config", config)
    if not versions:
        raise InvalidInputError("config is empty; a service needs at least one model.")
    if infer_type in {BATCH, EDGE} and len(versions) > 1:
        raise InvalidInputError(f"config has {len(versions)} models; a {infer_type} service has one.")
    for number, version in enumerate(versions):
        _check_version(f"config[{number}]", version)
        if infer_type == BATCH:
            _check_batch(f"config[{number}]", version)
        elif infer_type == EDGE:
            _check_edge(f"config[{number}]", version)
    if infer_type == REAL_TIME or any("weight" in version for version in versions):
        check_weights("config", versions)
    return versions


def check_weights(what: str, versions: Sequence[dict[str, Any]]) -> None:
    """Check that the weights are 100 together. A single version that has none gets all.

    :raises InvalidInputError: if one is missing, or they are something else.
    """
    if len(versions) == 1:
        versions[0].setdefault("weight", WHOLE_WEIGHT)
    weights = [_weight(f"{what}[{number}]", version.get("weight")) for number, version in enumerate(versions)]
    if sum(weights) != WHOLE_WEIGHT:
        raise InvalidInputError(
            f"The weights in {what} are {' + '.join(map(str, weights))} = {sum(weights)}; "
            f"together they have to be {WHOLE_WEIGHT}."
        )


def _weight(where: str, weight: object) -> int:
    number = int(weight) if isinstance(weight, str) and re.fullmatch(r"[0-9]{1,3}", weight) else weight
    if isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= WHOLE_WEIGHT:
        return number
    raise InvalidInputError(
        f"{where} has the weight {weight!r}; each of several models needs a whole number from 0 to {WHOLE_WEIGHT}, "
        f"and together they have to be {WHOLE_WEIGHT}."
    )


def _check_version(where: str, version: dict[str, Any]) -> None:
    """Check a model, and make numbers of texts that spell them."""
    for name in _WHOLE_NUMBERS & version.keys():
        version[name] = whole_number(version[name])
    for name in ("model_id", "specification"):
        _need_text(where, version, name)
    instances = version.get("instance_count")
    if instances is None:
        raise InvalidInputError(f"{where} has no instance_count; it needs one from 1 to {MOST_INSTANCES}.")
    checked_range(f"{where}.instance_count", instances, 1, MOST_INSTANCES)
    checked_range(f"{where}.{DEPLOY_TIMEOUT}", version.get(DEPLOY_TIMEOUT), 1, LONGEST_TIMEOUT)
    _check_environment(f"{where}.envs", version.get("envs"))
    _check_custom_spec(where, version)


def _check_environment(where: str, environment: object) -> None:
    if environment is None:
        return
    if not isinstance(environment, Mapping) or not all(
        isinstance(name, str) and isinstance(value, str) for name, value in environment.items()
    ):
        # Values of an environment may be secret: the message names none.
        raise InvalidInputError(f"{where} should be a mapping of texts to texts, such as {{'load_epoch': '0'}}.")


def _check_custom_spec(where: str, version: dict[str, Any]) -> None:
    spec, custom = version.get("custom_spec"), version["specification"] == CUSTOM
    if custom != bool(spec):
        raise InvalidInputError(f"{where} needs a custom_spec if its specification is {CUSTOM!r}, and only then.")
    if not custom:
        return
    if not isinstance(spec, Mapping):
        raise InvalidInputError(f"{where}.custom_spec should be a mapping, such as {{'cpu': 1.5, 'memory': 7500}}.")
    memory, processors = whole_number(spec.get("memory")), _number(spec.get("cpu"))
    version["custom_spec"] = spec = {**spec, "memory": memory, "cpu": processors}
    if not _is_number(processors) or processors < LEAST_CPU:
        raise InvalidInputError(
            f"{where}.custom_spec has cpu {processors!r}; it needs a number of {LEAST_CPU} or more."
        )
    if not isinstance(memory, int) or isinstance(memory, bool) or memory < 1:
        raise InvalidInputError(f"{where}.custom_spec has memory {memory!r}; it needs a whole number of MB.")
    if spec.get("gpu_p4") and spec.get("ascend_a310"):
        raise InvalidInputError(f"{where}.custom_spec has both gpu_p4 and ascend_a310; only one of them can be had.")


def _check_batch(where: str, version: Mapping[str, Any]) -> None:
    for name in ("src_path", "dest_path", "req_uri", "mapping_type"):
        _need_text(where, version, name)
    mapping_type, rule = version["mapping_type"], version.get("mapping_rule")
    checked_choice(f"{where}.mapping_type", mapping_type, MAPPING_TYPES)
    if (mapping_type == "csv") != bool(rule):
        raise InvalidInputError(f"{where} needs a mapping_rule if its mapping_type is 'csv', and only then.")
    if rule and not _check_rule(f"{where}.mapping_rule", rule):
        raise InvalidInputError(f"{where}.mapping_rule names no column: each basic type needs an index.")


def _check_rule(where: str, rule: object) -> int:
    """Check a mapping from columns to a model's input, and count the columns."""
    if isinstance(rule, list | tuple):
        return sum(_check_rule(f"{where}[{number}]", item) for number, item in enumerate(rule))
    if not isinstance(rule, Mapping):
        raise InvalidInputError(f"{where} should be a mapping with a type, not {rule!r}.")
    if rule.get("type") in _BASIC_TYPES:
        index = rule.get("index")
        if not isinstance(index, int) or isinstance(index, bool) or index < -1:
            raise InvalidInputError(
                f"{where} has the index {index!r}; each {rule['type']} needs the number of its column, "
                "counted from 0, or -1 to leave it out."
            )
        return 1
    properties = rule.get("properties", {})
    if not isinstance(properties, Mapping):
        raise InvalidInputError(f"{where}.properties should be a mapping, not {type(properties).__name__}.")
    columns = sum(_check_rule(f"{where}.{name}", inner) for name, inner in properties.items())
    return columns + _check_rule(f"{where}.items", rule.get("items", ()))


def _check_edge(where: str, version: Mapping[str, Any]) -> None:
    nodes = version.get("nodes")
    if not isinstance(nodes, list | tuple) or not nodes or not all(isinstance(node, str) and node for node in nodes):
        raise InvalidInputError(f"{where}.nodes is {nodes!r}; an edge service needs a list of ids of edge nodes.")


def checked_schedule(
    schedule: object, infer_type: str | None, kind: str = "stop", most: int | None = None
) -> list[dict[str, Any]] | None:
    """When a service stops by itself, or None.

    :param schedule: ``[{"type": "stop", "time_unit": "HOURS", "duration": 1}]``.
    :param infer_type: what the service does; None if that is not known.
    :param kind: how the service writes ``stop``.
    :param most: how many there may be.
    :raises InvalidInputError: if it cannot be right.
    """
    if schedule is None:
        return None
    stops = mappings("schedule", schedule)
    if stops and infer_type in {BATCH, EDGE}:
        raise InvalidInputError(f"schedule is for real-time services; a {infer_type} service has none.")
    if most is not None and len(stops) > most:
        raise InvalidInputError(f"schedule has {len(stops)} entries; {most} is allowed.")
    for number, stop in enumerate(stops):
        where = f"schedule[{number}]"
        checked_choice(f"{where}.type", stop.get("type", ""), (kind,))
        checked_choice(f"{where}.time_unit", stop.get("time_unit", ""), TIME_UNITS)
        duration = whole_number(stop.get("duration"))
        if not isinstance(duration, int) or isinstance(duration, bool) or duration < 1:
            raise InvalidInputError(f"{where}.duration is {duration!r}; it should be a whole number of 1 or more.")
        stop["duration"] = duration
    return stops


def check_network(vpc_id: str | None, subnet_network_id: str | None, security_group_id: str | None) -> None:
    """Check that a network is named completely or not at all.

    :raises InvalidInputError: if only a part of it is named.
    """
    given = [vpc_id, subnet_network_id, security_group_id]
    if any(given) and not all(given):
        raise InvalidInputError("vpc_id, subnet_network_id and security_group_id belong together: give all or none.")


def mappings(what: str, values: object) -> list[dict[str, Any]]:
    """A list of mappings, copied.

    :raises InvalidInputError: if it is something else.
    """
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise InvalidInputError(f"{what} should be a list of mappings, not {type(values).__name__}.")
    copied = []
    for number, value in enumerate(values):
        if not isinstance(value, Mapping):
            raise InvalidInputError(f"{what}[{number}] should be a mapping, not {type(value).__name__}.")
        copied.append(dict(value))
    return copied


def _need_text(where: str, version: Mapping[str, Any], name: str) -> None:
    value = version.get(name)
    if not isinstance(value, str) or not value.strip():
        raise InvalidInputError(f"{where} has {name} {value!r}; it needs a text that is not empty.")


def _number(value: object) -> object:
    """The number that a text spells; anything else as it is."""
    try:
        return as_float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
