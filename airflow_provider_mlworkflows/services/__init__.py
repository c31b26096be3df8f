"""What the bases need to know of a service, without importing any of its code when a Dag file is parsed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.hooks.base import RunHook
    from airflow_provider_mlworkflows.triggers.run import RunTrigger


@dataclass(frozen=True, slots=True)
class Service:
    """A service by name, its classes by path.

    :param name: as shown in messages.
    :param scope: the arguments that say which account and place to talk to; operators, sensors, triggers and
        the hook of a service all have them under these names.
    :param hook_path: ``module:class`` of its hook.
    :param trigger_path: ``module:class`` of its trigger.
    :param manners: those of the scope that do not say where to look.
    """

    name: str
    scope: tuple[str, ...]
    hook_path: str
    trigger_path: str
    manners: tuple[str, ...] = ()

    def scope_of(self, owner: object) -> dict[str, Any]:
        """The scope of an operator, sensor or trigger, as keyword arguments."""
        return {name: getattr(owner, name) for name in self.scope}

    def place_of(self, owner: object) -> dict[str, Any]:
        """The account and the place of an operator: its scope without manners."""
        return {name: value for name, value in self.scope_of(owner).items() if name not in self.manners}

    def hook(self, scope: Mapping[str, Any], **options: Any) -> RunHook:
        """A hook for a scope; ``options`` as `RunHook` takes them."""
        hook: RunHook = _load(self.hook_path)(**scope, **options)
        return hook

    def trigger(self, scope: Mapping[str, Any], **watch: Any) -> RunTrigger:
        """A trigger for a scope; ``watch`` as `RunTrigger` takes it."""
        trigger: RunTrigger = _load(self.trigger_path)(**scope, **watch)
        return trigger


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
