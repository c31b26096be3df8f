"""What the service accepts: names, definitions of states and inputs, values, rules of trigger policies."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, NoReturn, TypeGuard

from airflow_provider_mlworkflows.emulator.obs import names
from airflow_provider_mlworkflows.emulator.obs.errors import AGENCY_ABSENT, ILLEGAL, Invalid

NAME = "Workflow.0003"
TYPE = "Workflow.0004"
LENGTH = "Workflow.0005"
VALUE = "Workflow.0006"
CONSTRAINT = "Workflow.0007"
TOO_MANY_INPUTS = "Workflow.0008"
INPUTS = "Workflow.0009"
TOO_MANY_TAGS = "Workflow.0012"
# The documents forbid too many of them without a number.
MOST_INPUTS = 50
MOST_TAGS = 10
MOST_RULES = 10
LONGEST_KEY = 1024
LONGEST_DELAY = 86400
MOST_RETRIES = 10
EVENTS = {
    "ObjectCreated": ("Put", "Post", "Copy", "CompleteMultipartUpload", "*"),
    "ObjectRemoved": ("Delete", "DeleteMarkerCreated", "*"),
}
_DESCRIPTION = re.compile(r"[A-Za-z0-9,.:_ -]{0,256}")
_STATE_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_PARAMETER_NAME = re.compile(r"[A-Za-z0-9_-]+")
_RULE_ID = re.compile(r"[A-Za-z0-9_-]{1,256}")
_CONSTRAINTS: dict[str, type] = {"equal": object, "valid_values": list, "invalid_values": list, "regex": str}
_VALUES: dict[str, Callable[[Any], bool]] = {
    "String": lambda value: isinstance(value, str),
    "Integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "Float": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "Boolean": lambda value: isinstance(value, bool),
    "List": lambda value: isinstance(value, list),
    "Map": lambda value: isinstance(value, dict),
}


def _invalid(code: str, message: str) -> NoReturn:
    raise Invalid(code, message)


def check_name(value: object, what: str = "workflow") -> None:
    """Check the name of a workflow or template.

    Raises:
        Invalid: It may not be one.
    """
    if not names.is_graph_name(value):
        _invalid(NAME, f"{value!r} is no {what} name: 1 to 64 letters, digits, - and _, beginning with neither - nor _")


def check_place(bucket: object, key: object) -> None:
    """Check the names of a bucket and of an object in it.

    Raises:
        Invalid: They may not be names.
    """
    if not names.is_bucket_name(bucket):
        _invalid(ILLEGAL, f"bucket {bucket!r} is no bucket name")
    if not isinstance(key, str) or not 1 <= len(key) <= LONGEST_KEY:
        _invalid(ILLEGAL, f"object must be a text of 1 to {LONGEST_KEY} characters")


def check_description(value: object) -> None:
    """Check a description.

    Raises:
        Invalid: It is too long or has other characters than are allowed.
    """
    if value is None:
        return
    if isinstance(value, str) and len(value) > 256:
        _invalid(LENGTH, "description has more than 256 characters")
    if not isinstance(value, str) or _DESCRIPTION.fullmatch(value) is None:
        _invalid(ILLEGAL, "description may have letters, digits, spaces and , . : - _ only")


def check_definition(body: Mapping[str, Any]) -> None:
    """Check the states, inputs and tags of a workflow or template.

    Raises:
        Invalid: They break a rule.
    """
    check_description(body.get("description"))
    check_states(body.get("states"))
    check_inputs(body.get("inputs") or [])
    tags = body.get("tags") or []
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        _invalid(ILLEGAL, "tags must be a list of texts")
    if len(tags) > MOST_TAGS:
        _invalid(TOO_MANY_TAGS, f"more than {MOST_TAGS} tags")


def check_agency(value: object) -> None:
    """Check that a workflow has an agency to act with.

    Raises:
        Invalid: It has none.
    """
    if not isinstance(value, str) or not value:
        _invalid(AGENCY_ABSENT, "the agency is missing")


def check_states(states: object) -> None:
    """Check that states have names, follow each other without a circle, and begin at one of them.

    Raises:
        Invalid: They do not.
    """
    if not _is_list_of_objects(states) or not states:
        _invalid(ILLEGAL, "states must be a list of objects with at least one state")
    for state in states:
        if not isinstance(state.get("state_name"), str) or _STATE_NAME.fullmatch(state["state_name"]) is None:
            _invalid(NAME, f"{state.get('state_name')!r} is no state name")
    by_name = {state["state_name"]: state for state in states}
    if len(by_name) < len(states):
        _invalid(ILLEGAL, "state names are not unique")
    for state in states:
        _check_state(state, by_name)
    starts = [state for state in states if state.get("start") is True]
    if len(starts) != 1:
        _invalid(ILLEGAL, f"exactly one state must have start: true, not {len(starts)}")
    seen: list[str] = []
    name = starts[0]["state_name"]
    while name is not None:
        if name in seen:
            _invalid(ILLEGAL, f"the states {', '.join(seen)} follow each other in a circle")
        seen.append(name)
        # Nothing follows an end, whatever its definition says.
        name = None if by_name[name]["type"] == "END" else by_name[name]["next_state"]


def _check_state(state: Mapping[str, Any], known: Container[object]) -> None:
    name, kind = state["state_name"], state.get("type")
    if kind == "END":
        return
    if kind not in ("DELAY", "OPERATION"):
        _invalid(ILLEGAL, f"state {name}: type must be DELAY, OPERATION or END, not {kind!r}")
    if not _names_one(state, known):
        _invalid(ILLEGAL, f"state {name}: next_state names no state")
    if kind == "DELAY":
        if not _is_number(state.get("time_delay"), 1, LONGEST_DELAY):
            _invalid(ILLEGAL, f"state {name}: time_delay must be 1 to {LONGEST_DELAY} seconds")
        return
    actions = state.get("actions")
    if not _is_list_of_objects(actions) or len(actions) != 1:
        _invalid(ILLEGAL, f"state {name}: exactly one action is needed")
    _check_results(name, actions[0].get("results") or [], known)


def _check_results(name: str, results: object, known: Container[object]) -> None:
    if not _is_list_of_objects(results):
        _invalid(ILLEGAL, f"state {name}: results must be a list of objects")
    for result in results:
        if not _is_number(result.get("retry_interval"), 0, LONGEST_DELAY, or_none=True):
            _invalid(ILLEGAL, f"state {name}: retry_interval must be 0 to {LONGEST_DELAY} seconds")
        if not _is_number(result.get("max_retry"), 0, MOST_RETRIES, or_none=True):
            _invalid(ILLEGAL, f"state {name}: max_retry must be 0 to {MOST_RETRIES}")
        if not result.get("is_terminal", True) and not _names_one(result, known):
            _invalid(ILLEGAL, f"state {name}: a result that does not end the run needs a next_state")


def _names_one(holder: Mapping[str, Any], known: Container[object]) -> bool:
    following = holder.get("next_state")
    return isinstance(following, str) and following in known


def _is_number(value: object, least: int, most: int, *, or_none: bool = False) -> bool:
    if value is None:
        return or_none
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_list_of_objects(value: object) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def check_inputs(inputs: object) -> None:
    """Check the parameters that a workflow declares.

    Raises:
        Invalid: They break a rule.
    """
    if not _is_list_of_objects(inputs):
        _invalid(INPUTS, "inputs must be a list of objects")
    if len(inputs) > MOST_INPUTS:
        _invalid(TOO_MANY_INPUTS, f"more than {MOST_INPUTS} inputs")
    for each in inputs:
        _check_input(each)
    if len({each["parameter_name"] for each in inputs}) < len(inputs):
        _invalid(INPUTS, "parameter names are not unique")


def _check_input(each: Mapping[str, Any]) -> None:
    name, kind = each.get("parameter_name"), each.get("type")
    if not isinstance(name, str) or _PARAMETER_NAME.fullmatch(name) is None:
        _invalid(INPUTS, f"{name!r} is no parameter name")
    if len(name) > 60 or len(str(each.get("description") or "")) > 256 or len(str(each.get("label") or "")) > 64:
        _invalid(LENGTH, f"parameter {name}: its name, description or label is too long")
    if not isinstance(kind, str) or kind not in _VALUES:
        _invalid(TYPE, f"parameter {name}: type must be one of {', '.join(_VALUES)}, not {kind!r}")
    constraints = each.get("constraints") or {}
    known = isinstance(constraints, dict) and set(constraints) <= set(_CONSTRAINTS)
    if not known or not all(isinstance(value, _CONSTRAINTS[key]) for key, value in constraints.items()):
        _invalid(CONSTRAINT, f"parameter {name}: constraints may be {', '.join(_CONSTRAINTS)}")
    try:
        re.compile(constraints.get("regex") or "")
    except re.error as error:
        _invalid(CONSTRAINT, f"parameter {name}: regex: {error}")
    for field in ("default", "parameter_value"):
        if each.get(field) is not None:
            _check_value(each, each[field])


def check_values(declared: Iterable[Mapping[str, Any]], given: object) -> dict[str, Any]:
    """Check values for declared parameters and return them by name.

    Raises:
        Invalid: One is not declared, or its value is of another type or breaks a constraint.
    """
    if given is None:
        return {}
    if not isinstance(given, dict):
        _invalid(INPUTS, f"values must be given as a map from parameter names, not as {type(given).__name__}")
    by_name = {each["parameter_name"]: each for each in declared}
    for name, value in given.items():
        if name not in by_name:
            _invalid(INPUTS, f"{name} is no parameter of the workflow; it has {', '.join(by_name) or 'none'}")
        _check_value(by_name[name], value)
    return given


def _check_value(declared: Mapping[str, Any], value: Any) -> None:  # any JSON value
    name, kind = declared["parameter_name"], declared["type"]
    if not _VALUES[kind](value):
        _invalid(VALUE, f"parameter {name} is of type {kind}; {value!r} is not")
    rules = declared.get("constraints") or {}
    broken = (
        ("equal" in rules and value != rules["equal"])
        or ("valid_values" in rules and value not in rules["valid_values"])
        or value in rules.get("invalid_values", ())
        or ("regex" in rules and re.search(rules["regex"], str(value)) is None)
    )
    if broken:
        _invalid(INPUTS, f"parameter {name}: {value!r} breaks the constraints")


def check_rules(rules: object, graphs: Iterable[str]) -> list[dict[str, Any]]:
    """Check the rules of a trigger policy and return them.

    Raises:
        Invalid: They break a rule.
    """
    if not _is_list_of_objects(rules) or not rules:
        _invalid(ILLEGAL, "rules must be a list of objects with at least one rule")
    if len(rules) > MOST_RULES:
        _invalid("OEFTrigger.1003", f"more than {MOST_RULES} rules")
    known = set(graphs)
    for rule in rules:
        _check_rule(rule, known)
    if len({rule["id"] for rule in rules}) < len(rules):
        _invalid("OEFTrigger.1004", "the ids of the rules are not unique")
    for one, other in combinations(rules, 2):
        if _overlap(one, other):
            _invalid("OEFTrigger.1007", f"the rules {one['id']} and {other['id']} overlap")
    return rules


def _check_rule(rule: Mapping[str, Any], graphs: set[str]) -> None:
    key = rule.get("id")
    if not isinstance(key, str) or _RULE_ID.fullmatch(key) is None:
        _invalid("OEFTrigger.1005", f"{key!r} is no rule id")
    prefix, suffix = rule.get("prefix") or "", rule.get("suffix") or ""
    if not isinstance(prefix, str) or not isinstance(suffix, str) or len(prefix + suffix) > LONGEST_KEY:
        _invalid("OEFTrigger.1007", f"rule {key}: prefix and suffix are too long together or no texts")
    events = rule.get("events")
    if not isinstance(events, list) or not events or not all(is_event(event) for event in events):
        _invalid("OEFTrigger.1008", f"rule {key}: events are missing or unknown")
    if names.graph_of_urn(rule.get("graph_urn")) not in graphs:
        _invalid("OEFTrigger.1009", f"rule {key}: graph_urn names no workflow")


def is_event(event: object, *, concrete: bool = False) -> bool:
    """Whether a value names an event, or with ``concrete`` one that can happen."""
    kind, _, action = event.partition(":") if isinstance(event, str) else ("", "", "")
    return action in EVENTS.get(kind, ()) and not (concrete and action == "*")


def is_caught(rule: Mapping[str, Any], key: str, event: str) -> bool:
    """Whether an event upon an object falls under a rule."""
    wanted: Sequence[str] = rule["events"]
    caught = event in wanted or f"{event.partition(':')[0]}:*" in wanted
    return caught and key.startswith(rule.get("prefix") or "") and key.endswith(rule.get("suffix") or "")


def _overlap(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two rules of the same workflow can catch the same event upon the same object."""
    if names.graph_of_urn(one["graph_urn"]) != names.graph_of_urn(other["graph_urn"]):
        return False
    kinds = [{event.partition(":")[0] for event in rule["events"] if event.endswith("*")} for rule in (one, other)]
    shared = set(one["events"]) & set(other["events"])
    shared |= {event for event in one["events"] if event.partition(":")[0] in kinds[1]}
    shared |= {event for event in other["events"] if event.partition(":")[0] in kinds[0]}
    prefixes = sorted((rule.get("prefix") or "" for rule in (one, other)), key=len)
    suffixes = sorted((rule.get("suffix") or "" for rule in (one, other)), key=len)
    return bool(shared) and prefixes[1].startswith(prefixes[0]) and suffixes[1].endswith(suffixes[0])
