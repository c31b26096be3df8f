"""Operations on templates, on the built-in actions and on the authorization of the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.emulator.credentials import DOMAIN_ID
from airflow_provider_mlworkflows.emulator.obs import rules
from airflow_provider_mlworkflows.emulator.obs.definitions import AGENCY
from airflow_provider_mlworkflows.emulator.obs.lookup import PREFIX, has
from airflow_provider_mlworkflows.emulator.obs.names import timestamp
from airflow_provider_mlworkflows.emulator.obs.views import action_view, template_view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_mlworkflows.emulator.obs.catalogue import Template
    from airflow_provider_mlworkflows.emulator.obs.lookup import Lookup
    from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation

_TEMPLATE = "/v2/workflowtemplates/{template_name*}"
_AUTHORIZATION = "/v2/workflow-authorization"
ACTIONS = {
    "MediaMetadata": "read the metadata of a media file",
    "MediaRemux": "change the container of a media file",
    "MediaThumbnail": "take pictures from a media file",
    "MediaTranscode": "change the coding of a media file",
}


class TemplateRoutes:
    """Handlers of templates, built-in actions and the authorization."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._store = lookup.store

    def operations(self) -> Sequence[Operation]:
        """Return the operations of this module."""
        make = self._lookup.operation
        actions = "/v2/actiontemplates/{prefix*}"
        return [
            make("createWorkflowTemplate", "POST", _TEMPLATE, self.create),
            make("listWorkflowTemplate", "GET", "/v2/workflowtemplates/{prefix*}", self.list, has(PREFIX)),
            make("getWorkflowTemplate", "GET", _TEMPLATE, self.get),
            make("deleteWorkflowTemplate", "DELETE", _TEMPLATE, self.delete),
            make("listActionTemplate", "GET", actions, self.list_actions, has(PREFIX)),
            make("getActionTemplate", "GET", "/v2/actiontemplates/{action_name*}", self.get_action),
            make("openWorkflowAuthorization", "POST", _AUTHORIZATION, self.authorize),
            make("getWorkflowAuthorization", "GET", _AUTHORIZATION, self.get_authorization),
        ]

    def create(self, call: Call) -> Answer:
        """Create a template."""
        template = self._store.create_template(call.ids["template_name"], self._lookup.body(call))
        call.effective = True
        return self._lookup.reply(call, {"template_name": template.name}, 201)

    def list(self, call: Call) -> Answer:
        """Return a page of the templates whose names have a prefix, in the order of names."""
        found = sorted(self._store.templates.values(), key=lambda template: template.name)
        rows = [template_view(each) for each in found if each.name.startswith(call.ids["prefix"])]
        return self._lookup.page(call, "templates", rows)

    def get(self, call: Call) -> Answer:
        """Return a template."""
        return self._lookup.reply(call, template_view(self._template(call)))

    def delete(self, call: Call) -> Answer:
        """Delete a template."""
        self._store.delete_template(self._template(call).name)
        call.effective = True
        return self._lookup.reply(call, None, 204)

    def list_actions(self, call: Call) -> Answer:
        """Return the built-in actions whose names have a prefix."""
        category = call.param("x-workflow-category")
        found = [action_view(name, text) for name, text in ACTIONS.items() if name.startswith(call.ids["prefix"])]
        rows = [each for each in found if category in (None, each["action_template_category"])]
        return self._lookup.reply(call, {"count": len(rows), "actions": rows})

    def get_action(self, call: Call) -> Answer:
        """Return a built-in action."""
        name = call.ids["action_name"]
        if name not in ACTIONS:
            self._lookup.missing(call, "action template", name)
        return self._lookup.reply(call, action_view(name, ACTIONS[name]))

    def authorize(self, call: Call) -> Answer:
        """Let the service use the account's functions; once more changes nothing."""
        call.effective = self._store.authorized_at is None
        self._store.authorize()
        return self._lookup.reply(call, None)

    def get_authorization(self, call: Call) -> Answer:
        """Return the agency that the service has, if it has one."""
        at = self._store.authorized_at
        agency = {
            "agency_id": DOMAIN_ID,
            "agency_name": AGENCY,
            "agency_duration": "FOREVER",
            "trust_domain_name": "op_svc_obs",
            "create_time": timestamp(at),
            "last_modify_time": timestamp(at),
        }
        return self._lookup.reply(call, {"agencies": [] if at is None else [agency]})

    def _template(self, call: Call) -> Template:
        name = call.ids["template_name"]
        rules.check_name(name, "template")
        found = self._store.templates.get(name)
        if found is None:
            self._lookup.missing(call, "template", name)
        return found
