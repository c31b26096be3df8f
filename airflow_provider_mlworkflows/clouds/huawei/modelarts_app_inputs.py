"""Arguments about apps and APIs, checked before anything is sent. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import SecretStr

from airflow_provider_mlworkflows.clouds.huawei.modelarts_inputs import checked_texts, optional_bool, optional_text
from airflow_provider_mlworkflows.clouds.huawei.modelarts_requests import body
from airflow_provider_mlworkflows.exceptions import InvalidInputError

_API_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{2,254}")


def checked_remark(what: str, remark: object, longest: int) -> str | None:
    """A remark, or None.

    :raises InvalidInputError: if it is no text, or too long.
    """
    text = optional_text(what, remark)
    if text is not None and len(text) > longest:
        raise InvalidInputError(f"{what} has {len(text)} characters; {longest} are allowed.")
    return text


def plain_secrets(show_secrets: bool | None, app_ids: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Whether a list shows secrets, and of which apps. The service spells the first one so.

    :raises InvalidInputError: if they are not of their types.
    """
    shown = optional_bool("show_secrets", show_secrets)
    pairs = () if shown is None else (("iphertext_enabled", str(shown).lower()),)
    return (*pairs, *(("app_ids", app_id) for app_id in checked_texts("app_ids", app_ids)))


def plain_code(app_code: object) -> str:
    """A code of an app, as the path of a request needs it.

    :raises InvalidInputError: if it is empty. The message does not show it.
    """
    code = app_code.get_secret_value() if isinstance(app_code, SecretStr) else app_code
    if isinstance(code, str) and code.strip() and code not in {".", ".."}:
        return code
    raise InvalidInputError("app_code should be one of the app's codes, a text that is not empty.")


def app_list(app_ids: object, workspace_id: str | None) -> dict[str, Any]:
    """The body that names apps.

    :raises InvalidInputError: if it names none.
    """
    checked = checked_texts("app_ids", app_ids)
    if not checked:
        raise InvalidInputError("app_ids is empty; at least one app is needed.")
    return body(apps=[{"app_id": app_id} for app_id in checked], workspace_id=workspace_id)


def checked_api_name(name: object) -> str | None:
    """The name of an API, or None.

    :raises InvalidInputError: if it is not 3 to 255 letters, digits and ``_``, the first of them a letter.
    """
    text = optional_text("api_name", name)
    if text is None or _API_NAME.fullmatch(text):
        return text
    raise InvalidInputError(
        f"The API name {text!r} is not allowed: 3 to 255 letters, digits and '_', the first of them a letter."
    )
