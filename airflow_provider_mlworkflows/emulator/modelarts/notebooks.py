"""Notebooks, as far as their tags need them."""

from __future__ import annotations

import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

from airflow_provider_mlworkflows.emulator.control import json_object
from airflow_provider_mlworkflows.emulator.modelarts.lookup import NOTEBOOK_NOT_FOUND, Lookup, refuse
from airflow_provider_mlworkflows.emulator.modelarts.schema import Check, ShapeError, items, shape
from airflow_provider_mlworkflows.emulator.modelarts.serving.rules import TAG
from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

    from airflow_provider_mlworkflows.emulator.control import Row

_NOTEBOOKS = "/v1/{project_id}/notebooks"
_TAGS = _NOTEBOOKS + "/{notebook_id}/tags"
_MOST_TAGS = 10
_LISTED = shape({"tags": items(TAG, least=1, most=_MOST_TAGS)}, required=("tags",))


@dataclass(slots=True)
class Notebook:
    """A notebook.

    Attributes:
        notebook_id: Its id.
        name: Its name.
        workspace_id: The workspace it is in.
        tags: Its tags.
    """

    notebook_id: str
    name: str
    workspace_id: str = "0"
    tags: dict[str, str] = field(default_factory=dict)

    def view(self) -> dict[str, Any]:
        """Return it as the emulator's state shows it."""
        return {"id": self.notebook_id, "name": self.name, "workspace_id": self.workspace_id, "tags": dict(self.tags)}


class Notebooks:
    """All notebooks.

    Args:
        lock: The lock that guards the emulator's state.
    """

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._notebooks: dict[str, Notebook] = {}

    @property
    def all(self) -> dict[str, Notebook]:
        """All notebooks by id, oldest first; a copy."""
        with self._lock:
            return dict(self._notebooks)

    def get(self, notebook_id: str) -> Notebook:
        """Return a notebook.

        Raises:
            KeyError: There is none.
        """
        return self.all[notebook_id]

    def add(
        self,
        name: str,
        *,
        notebook_id: str | None = None,
        workspace_id: str = "0",
        tags: Mapping[str, str] | None = None,
    ) -> Notebook:
        """Put a notebook into the emulator."""
        with self._lock:
            notebook = Notebook(notebook_id or str(uuid.uuid4()), name, workspace_id, dict(tags or {}))
            self._notebooks[notebook.notebook_id] = notebook
            return notebook

    def remove(self, notebook_id: str) -> None:
        """Let a notebook vanish.

        Raises:
            KeyError: There is none.
        """
        with self._lock:
            del self._notebooks[notebook_id]


def _tags(*, values: bool) -> Check:
    """Return the check of a list of tags, in which each needs a value or not."""

    def check(where: str, body: Any) -> None:
        _LISTED(where, body)
        keys = [tag["key"] for tag in body["tags"]]
        if len(set(keys)) < len(keys):
            raise ShapeError(f"{where}.tags: keys are not unique")
        if values and any(tag.get("value") is None for tag in body["tags"]):
            raise ShapeError(f"{where}.tags: a value is missing")

    return check


class NotebookRoutes:
    """Handlers of the tags of notebooks."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._notebooks = lookup.store.notebooks

    def operations(self) -> Sequence[Operation]:
        """Return the operations of this module."""
        return [
            Operation("CreateNotebookTags", "POST", _TAGS + "/create", self.create),
            Operation("DeleteNotebookTags", "DELETE", _TAGS + "/delete", self.delete),
            Operation("ShowNotebookTags", "GET", _NOTEBOOKS + "/tags", self.list),
        ]

    def create(self, call: Call) -> Answer:
        """Tag a notebook; a key that it has gets the new value."""
        notebook = self._notebook(call)
        body = self._lookup.body(call, _tags(values=True), "TmsTagsRequest")
        notebook.tags.update({tag["key"]: tag["value"] for tag in body["tags"]})
        call.effective = True
        return Answer(204)

    def delete(self, call: Call) -> Answer:
        """Take tags off a notebook; what it does not have is passed over."""
        notebook = self._notebook(call)
        body = self._lookup.body(call, _tags(values=False), "TmsTagsForDeleteRequest")
        for tag in body["tags"]:
            present = notebook.tags.get(tag["key"])
            if present is not None and tag.get("value") in (None, present):
                del notebook.tags[tag["key"]]
                call.effective = True
        return Answer(204)

    def list(self, call: Call) -> Answer:
        """Return the keys in use with all their values."""
        values: dict[str, dict[str, None]] = defaultdict(dict)
        for notebook in self._notebooks.all.values():
            if call.param("workspace_id") in (None, notebook.workspace_id):
                for key, value in notebook.tags.items():
                    values[key][value] = None
        return self._lookup.answer({"tags": [{"key": key, "values": list(found)} for key, found in values.items()]})

    def _notebook(self, call: Call) -> Notebook:
        found = self._notebooks.all.get(call.ids["notebook_id"])
        if found is None or call.param("workspace_id") not in (None, found.workspace_id):
            refuse("The instance does not exist.", status=404, code=NOTEBOOK_NOT_FOUND)
        return found


class NotebookControl:
    """Endpoints that add and remove notebooks."""

    def __init__(self, notebooks: Notebooks) -> None:
        self._notebooks = notebooks

    def rows(self) -> list[Row]:
        """Return method, path and endpoint of each."""
        return [("POST", "notebooks", self.add), ("DELETE", "notebooks/{notebook_id}", self.remove)]

    def state(self) -> dict[str, Any]:
        """Return all notebooks."""
        return {"notebooks": [each.view() for each in self._notebooks.all.values()]}

    async def add(self, request: Request) -> JSONResponse:
        """Add a notebook; body as the parameters of :meth:`Notebooks.add`."""
        return JSONResponse(self._notebooks.add(**await json_object(request)).view(), 201)

    async def remove(self, request: Request) -> JSONResponse:
        """Let a notebook vanish."""
        self._notebooks.remove(request.path_params["notebook_id"])
        return JSONResponse({})
