"""Operations on templates, jobs and scripts, all of them reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.emulator.aom import schema
from airflow_provider_mlworkflows.emulator.aom.views import job_view, script_view, template_view, version_views
from airflow_provider_mlworkflows.emulator.aom.workflows import CMS
from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_mlworkflows.emulator.aom.lookup import Lookup


class CatalogueRoutes:
    """Handlers of the library."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._store = lookup.store

    def operations(self) -> Sequence[Operation]:
        """Return the operations of this module."""
        one, by_job = CMS + "/template/{template_id}", CMS + "/template-list/{job_id}"
        scripts, versions = CMS + "/script/list", CMS + "/script-version-list"
        listing = "cms:script:list"
        return [
            Operation("SearchTemplateById", "GET", one, self.template, "cms:template:get"),
            Operation("ListTemplateByJobId", "POST", by_job, self.templates, "cms:template:list"),
            Operation("ListAllJobByName", "POST", CMS + "/job/list", self.jobs, "cms:job:list"),
            Operation("ListAllScriptByName", "POST", scripts, self.scripts, listing),
            Operation("ListAllVersionByVersionId", "POST", versions, self.versions, listing),
        ]

    def template(self, call: Call) -> Answer:
        """Return a template, if it is shared as the query says; private unless it says otherwise."""
        key = self._lookup.checked_id(call, "template_id")
        share_type = call.param("share_type") or "private"
        if share_type not in ("private", "public"):
            self._lookup.refuse(f"the query parameter share_type must be private or public, not {share_type}")
        found = self._store.templates.get(key)
        seen = found is not None and found.definition.is_seen_in(call.ids["project_id"])
        if found is None or not seen or found.definition.share_type != share_type:
            self._lookup.missing(f"the project has no {share_type} template with the id {key}")
        return self._lookup.answer(template_view(found))

    def templates(self, call: Call) -> Answer:
        """Return the templates derived from a job; none for a job that is not there."""
        key = self._lookup.checked_id(call, "job_id")
        body = self._lookup.body(call, schema.TEMPLATE_QUERY)
        project_id = call.ids["project_id"]
        found = [each for each in self._store.templates.values() if each.definition.is_seen_in(project_id)]
        return self._lookup.listing(body, [template_view(each) for each in found if each.definition.job_id == key])

    def jobs(self, call: Call) -> Answer:
        """Return a page of jobs."""
        body = self._lookup.body(call, schema.JOB_QUERY)
        found = [each for each in self._store.jobs.values() if each.definition.project_id == call.ids["project_id"]]
        return self._lookup.listing(body, [job_view(each) for each in found])

    def scripts(self, call: Call) -> Answer:
        """Return scripts by a part of their names, or in mode ``no_default`` the one with the given id."""
        body = self._lookup.body(call, schema.SCRIPT_QUERY)
        by_id = body.get("is_default") == "no_default"
        if by_id and not body.get("name"):
            self._lookup.refuse("name is missing")
        project_id = call.ids["project_id"]
        found = [
            each
            for key, each in self._store.scripts.items()
            if each.definition.project_id == project_id and (key == body["script_id"] or not by_id)
        ]
        return self._lookup.listing(body, [script_view(each) for each in found])

    def versions(self, call: Call) -> Answer:
        """Return the versions of a script; none for a script that is not there."""
        body = self._lookup.body(call, schema.SCRIPT_QUERY)
        found = self._store.scripts.get(body["script_id"])
        if found is None or found.definition.project_id != call.ids["project_id"]:
            return self._lookup.listing(body, [])
        return self._lookup.listing(body, version_views(found))
