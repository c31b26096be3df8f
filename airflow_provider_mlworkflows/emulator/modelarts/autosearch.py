"""What the automatic search has to offer; it never changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.modelarts.lookup import NOT_THERE, Lookup, refuse
from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

_TEMPLATES = "/v2/{project_id}/training-jobs/autosearch/yaml-templates"
_GET = "modelarts:trainJob:get"
KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "hpo": ("超参搜索", ("Anneal", "Bayes", "DragonFly", "FixNorm", "GridSearch", "TPE")),
    "nas": ("网络结构搜索", ("AutoBSS", "AutoEvo", "AutoTopo", "MBNAS")),
    "augment": ("数据增强", ("AdvAutoAugment", "AutoAugment")),
    "compression": ("模型压缩", ("AutoCompress",)),
}
_CONTENT = """general:
  cpu_per_instance: 1
  gpu_per_instance: 1
  instance_per_trial: 1

search_space:
  - params:
    - type: continuous_param
      name: learning_rate
      start: 0.001
      stop: 0.1

search_algorithm:
  type: {algorithm}
  kind: {kind}
  mode: max
  num_samples: 8
  reward_attr: accuracy
"""
_SAMPLES = {"key": "num_samples", "value": "20", "type": "Integer"}
SEARCH_ALGORITHMS: tuple[dict[str, Any], ...] = (
    {
        "name": "bayes_opt_search",
        "description": "Bayesian optimisation",
        "params": [_SAMPLES, {"key": "kappa", "value": "2.5", "type": "Float"}],
    },
    {
        "name": "tpe_search",
        "description": "tree-structured Parzen estimators",
        "params": [_SAMPLES, {"key": "gamma", "value": "0.25", "type": "Float"}],
    },
    {"name": "anneal_search", "description": "simulated annealing", "params": [_SAMPLES]},
)


class AutoSearchRoutes:
    """Handlers of templates and algorithms."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def operations(self) -> Sequence[Operation]:
        """Return the operations of this module."""
        template = _TEMPLATES + "/{algorithm_type}/{algorithm_name}"
        algorithms = "/v2/{project_id}/search-algorithms"
        return [
            Operation("ShowAutoSearchYamlTemplatesInfo", "GET", _TEMPLATES, self.templates, _GET),
            Operation("ShowAutoSearchYamlTemplateContent", "GET", template, self.template, _GET),
            Operation("ShowSearchAlgorithms", "GET", algorithms, self.algorithms, _GET),
        ]

    def templates(self, call: Call) -> Answer:
        """Return which templates there are."""
        found = [
            {"algorithm_type_en": kind, "algorithm_type_zh": translated, "algorithm_names": list(names)}
            for kind, (translated, names) in KINDS.items()
        ]
        return self._lookup.answer({"yaml_templates": found})

    def template(self, call: Call) -> Answer:
        """Return what is in a template."""
        kind, name = call.ids["algorithm_type"], call.ids["algorithm_name"]
        _, names = KINDS.get(kind, ("", ()))
        if name not in names:
            refuse(f"the template {kind}/{name} does not exist", status=404, code=NOT_THERE)
        content = _CONTENT.format(algorithm=name.lower(), kind=kind)
        return self._lookup.answer({"file_name": f"{name}.yaml", "content": content})

    def algorithms(self, call: Call) -> Answer:
        """Return the algorithms that search for parameters."""
        count = len(SEARCH_ALGORITHMS)
        return self._lookup.answer({"search_algo_count": count, "search_algo_list": list(SEARCH_ALGORITHMS)})
