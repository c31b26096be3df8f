"""Tags of notebooks: operations on them, and the rules for tags of anything."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from airflow_provider_mlworkflows.clouds.huawei.modelarts_inputs import checked_segment
from airflow_provider_mlworkflows.clouds.huawei.modelarts_requests import IN_WORKSPACE, body, query
from airflow_provider_mlworkflows.clouds.huawei.models import Reply
from airflow_provider_mlworkflows.clouds.operation import Request, Session, operation
from airflow_provider_mlworkflows.exceptions import InvalidInputError

Tags = Mapping[str, str] | Sequence[Mapping[str, Any]]
"""Tags: ``{key: value}``, or the service's ``[{"key": ..., "value": ...}]``."""

NOTEBOOK_TAGS = "/v1/{project_id}/notebooks/{notebook_id}/tags"
MOST_TAGS = 10
MOST_SERVICE_TAGS = 20
LONGEST_KEY = 128
LONGEST_VALUE = 255
_RESERVED = "_sys_"
# Letters and digits of any language.
_KEY = re.compile(r"(?! )[\w .:=+@-]+(?<! )")
_VALUE = re.compile(r"[\w .:/=+@-]*")


class TagValues(Reply):
    """A key of tags with all the values it has somewhere."""

    key: str
    values: list[str] = Field(default_factory=list)


class TagList(Reply):
    """The tags in use."""

    promised = frozenset({"tags"})

    tags: list[TagValues] = Field(default_factory=list)

    @property
    def by_key(self) -> dict[str, list[str]]:
        """The values of each key."""
        return {tag.key: tag.values for tag in self.tags}


@operation
def create_notebook_tags(_: Session, notebook_id: str, tags: Tags, *, workspace_id: str | None = None) -> Request[None]:
    """Tag a notebook (CreateNotebookTags). A key that it has already gets the new value.

    :param notebook_id: the notebook.
    :param tags: 1 to 10 of them, ``{key: value}`` or the service's list.
    :param workspace_id: the workspace it is in, if not the default one.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right; the message tells the rule.
    :raises NotFoundError: if there is no such notebook.
    """
    return Request(
        "CreateNotebookTags",
        "POST",
        NOTEBOOK_TAGS + "/create",
        None,
        path_params=_notebook(notebook_id),
        query=query(workspace_id=workspace_id),
        body=body(tags=checked_tags(tags)),
        safe_to_repeat=True,
        account_query=IN_WORKSPACE,
    )


@operation
def delete_notebook_tags(
    _: Session, notebook_id: str, tags: Tags | Sequence[str], *, workspace_id: str | None = None
) -> Request[None]:
    """Take tags off a notebook (DeleteNotebookTags).

    :param notebook_id: the notebook.
    :param tags: 1 to 10 of them: keys, or keys with the values that they must have.
    :param workspace_id: the workspace it is in, if not the default one.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right; the message tells the rule.
    :raises NotFoundError: if there is no such notebook.
    """
    return Request(
        "DeleteNotebookTags",
        "DELETE",
        NOTEBOOK_TAGS + "/delete",
        None,
        path_params=_notebook(notebook_id),
        query=query(workspace_id=workspace_id),
        body=body(tags=checked_tags(tags, keys_alone=True)),
        safe_to_repeat=True,
        account_query=IN_WORKSPACE,
    )


@operation
def list_notebook_tags(_: Session, *, workspace_id: str | None = None) -> Request[TagList]:
    """The tags that the project's notebooks have (ShowNotebookTags).

    :param workspace_id: only in this workspace.
    :raises ApiError: if the service refuses.
    """
    return Request(
        "ShowNotebookTags",
        "GET",
        "/v1/{project_id}/notebooks/tags",
        TagList,
        query=query(workspace_id=workspace_id),
        safe_to_repeat=True,
        account_fields=IN_WORKSPACE,
    )


def checked_tags(tags: object, most: int = MOST_TAGS, *, keys_alone: bool = False) -> list[dict[str, str]]:
    """Tags in the service's form.

    :param most: how many there may be.
    :param keys_alone: whether a key is enough.
    :raises InvalidInputError: if there is none or too many, a key is there twice, or one cannot be right.
    """
    checked = [_checked_tag(tag, keys_alone) for tag in _items(tags)]
    if not 1 <= len(checked) <= most:
        raise InvalidInputError(f"{len(checked)} tags are given; 1 to {most} are allowed at once.")
    keys = [tag["key"] for tag in checked]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise InvalidInputError(f"The tag key {twice[0]!r} is given twice.")
    return checked


def _items(tags: object) -> list[Any]:
    if isinstance(tags, Mapping):
        return [{"key": key, "value": value} for key, value in tags.items()]
    if isinstance(tags, list | tuple):
        return list(tags)
    raise InvalidInputError(f"tags should be a mapping of keys to values, or a list, not {type(tags).__name__}.")


def _checked_tag(tag: object, keys_alone: bool) -> dict[str, str]:
    given = {"key": tag} if keys_alone and isinstance(tag, str) else tag
    if not isinstance(given, Mapping) or set(given) - {"key", "value"}:
        raise InvalidInputError(f"The tag {tag!r} should be a mapping of 'key' and 'value'.")
    key = _checked_key(given.get("key"))
    if keys_alone and given.get("value") is None:
        return {"key": key}
    return {"key": key, "value": _checked_value(key, given.get("value"))}


def _checked_key(key: object) -> str:
    if isinstance(key, str) and len(key) <= LONGEST_KEY and _KEY.fullmatch(key) and not key.startswith(_RESERVED):
        return key
    raise InvalidInputError(
        f"The tag key {key!r} is not allowed: 1 to {LONGEST_KEY} letters, digits, spaces and _ . : = + - @, "
        f"no space at either end, and not beginning with {_RESERVED}."
    )


def _checked_value(key: str, value: object) -> str:
    if isinstance(value, str) and len(value) <= LONGEST_VALUE and _VALUE.fullmatch(value):
        return value
    raise InvalidInputError(
        f"The value {value!r} of the tag {key!r} is not allowed: a text of up to {LONGEST_VALUE} letters, digits, "
        "spaces and _ . : / = + - @."
    )


def _notebook(notebook_id: object) -> dict[str, str]:
    return {"notebook_id": checked_segment("notebook_id", notebook_id)}
