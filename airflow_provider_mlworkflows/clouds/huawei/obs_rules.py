"""The rules by which events in a bucket start workflows, checked before they are sent. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from airflow_provider_mlworkflows.exceptions import InvalidInputError

Rules = Sequence[Mapping[str, Any]]
"""``[{"id": ..., "graph_urn": ..., "events": [...], "prefix": ..., "suffix": ...}]``; the last two may be left out."""

MOST_RULES = 10
LONGEST_FILTER = 1024
EVENTS = (
    "ObjectCreated:*",
    "ObjectCreated:Put",
    "ObjectCreated:Post",
    "ObjectCreated:Copy",
    "ObjectCreated:CompleteMultipartUpload",
    "ObjectRemoved:*",
    "ObjectRemoved:Delete",
    "ObjectRemoved:DeleteMarkerCreated",
)
_FIELDS = frozenset({"id", "graph_urn", "events", "prefix", "suffix"})
_ID = re.compile(r"[A-Za-z0-9_-]{1,256}")


def checked_rules(rules: object) -> list[dict[str, Any]]:
    """The rules of a bucket.

    :raises InvalidInputError: if there are none or too many, one is malformed, or two would both start a workflow.
    """
    if not isinstance(rules, list | tuple) or not all(isinstance(rule, Mapping) for rule in rules):
        raise InvalidInputError(f"rules should be a list of mappings, not {type(rules).__name__}.")
    if not 1 <= len(rules) <= MOST_RULES:
        raise InvalidInputError(
            f"A bucket takes 1 to {MOST_RULES} rules, not {len(rules)}; to have none, delete its trigger policy."
        )
    checked = [_checked_rule(rule) for rule in rules]
    for one, other in combinations(checked, 2):
        if one["id"] == other["id"]:
            raise InvalidInputError(f"Two rules have the id {one['id']!r}.")
        if one["graph_urn"] == other["graph_urn"] and _overlap(one, other):
            raise InvalidInputError(
                f"The rules {one['id']!r} and {other['id']!r} would both start the workflow {one['graph_urn']} for "
                "the same event and object; let their events, prefixes or suffixes exclude each other."
            )
    return checked


def _checked_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    rule_id = rule.get("id")
    if not isinstance(rule_id, str) or not _ID.fullmatch(rule_id):
        raise InvalidInputError(f"{rule_id!r} is not the id of a rule: 1 to 256 letters, digits, '_' and '-'.")
    unknown = rule.keys() - _FIELDS
    if unknown:
        raise InvalidInputError(
            f"The rule {rule_id!r} has the fields {', '.join(sorted(map(repr, unknown)))}; there are "
            f"{', '.join(sorted(_FIELDS))}."
        )
    urn = rule.get("graph_urn")
    if not isinstance(urn, str) or not urn.startswith("urn:"):
        raise InvalidInputError(
            f"The rule {rule_id!r} has the graph_urn {urn!r}; give that of the workflow, as `show_workflow` tells it."
        )
    events = _checked_events(rule_id, rule.get("events"))
    return {"id": rule_id, "graph_urn": urn, "events": events, **_checked_filter(rule_id, rule)}


def _checked_events(rule_id: str, events: object) -> list[str]:
    if not isinstance(events, list | tuple) or not events:
        raise InvalidInputError(f"The events of rule {rule_id!r} should be a list of at least one, not {events!r}.")
    for event in events:
        if event not in EVENTS:
            raise InvalidInputError(f"The rule {rule_id!r} has the event {event!r}; there are {', '.join(EVENTS)}.")
    return list(events)


def _checked_filter(rule_id: str, rule: Mapping[str, Any]) -> dict[str, str]:
    found = {name: rule[name] for name in ("prefix", "suffix") if rule.get(name) is not None}
    if not all(isinstance(value, str) for value in found.values()):
        raise InvalidInputError(f"The prefix and suffix of rule {rule_id!r} should be texts.")
    if sum(map(len, found.values())) > LONGEST_FILTER:
        raise InvalidInputError(
            f"The prefix and suffix of rule {rule_id!r} are longer than {LONGEST_FILTER} characters together."
        )
    return found


def _overlap(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether one event with one object may fit both rules."""
    prefixes = sorted((one.get("prefix") or "", other.get("prefix") or ""), key=len)
    suffixes = sorted((one.get("suffix") or "", other.get("suffix") or ""), key=len)
    return (
        any(_same_event(a, b) for a in one["events"] for b in other["events"])
        and prefixes[1].startswith(prefixes[0])
        and suffixes[1].endswith(suffixes[0])
    )


def _same_event(one: str, other: str) -> bool:
    kind, _, detail = one.partition(":")
    other_kind, _, other_detail = other.partition(":")
    return kind == other_kind and (detail == other_detail or "*" in (detail, other_detail))
