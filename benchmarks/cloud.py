"""The emulator in a process of its own, with runs that go on until they are told to end."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator import Emulator, Switches, aom, modelarts, obs, paiflow

if TYPE_CHECKING:
    from collections.abc import Mapping

ENDLESS_WORKFLOW = "00000000-0000-4000-8000-0000000000be"
ENDLESS_PIPELINE = "pipeline-benchmarkendless0"
ENDLESS_GRAPH = "benchmark-endless"
ENDLESS_AUTOMATION = "benchmarkendless0"

BEGINNING = 60
"""Seconds after which nothing changes any more about a run that goes on for ever."""


class CloudProcess:
    """A child process that serves the emulator.

    :param runs: how many runs of each service go on in it.
    """

    def __init__(self, runs: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.cloud", str(runs)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        ready = self._read()
        self.url: str = ready["url"]
        self.runs: Mapping[str, list[tuple[str, str]]] = ready["runs"]

    def count_requests(self) -> int:
        """How many requests it has answered since it was asked last."""
        return int(self._ask("count")["requests"])

    def finish(self, service: str, run_ids: list[str]) -> None:
        """Let runs succeed at once."""
        self._ask("finish", service.split()[0], *run_ids)

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _ask(self, *words: str) -> dict[str, Any]:
        if self._process.stdin is None:
            raise RuntimeError("the process has no input")
        self._process.stdin.write(" ".join(words) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        if self._process.stdout is None:
            raise RuntimeError("the process has no output")
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


def _serve(runs: int) -> None:
    with Emulator(clock="real", switches=Switches(visibility_delay=0)) as emulator:
        started = _started(emulator, runs)
        # What runs do at their beginning would be read, and count, whenever it happens to be seen.
        emulator.clock.advance(BEGINNING)
        _say({"url": emulator.url, "runs": started})
        for line in sys.stdin:
            match line.split():
                case ["count"]:
                    _say({"requests": len(emulator.journal.entries)})
                    emulator.journal.clear()
                case ["finish", service, *run_ids]:
                    for run_id in run_ids:
                        _finish(emulator, service, run_id)
                    _say({})


def _started(emulator: Emulator, runs: int) -> dict[str, list[tuple[str, str]]]:
    """So many runs of each service, by workflow and id."""
    train = modelarts.StepDefinition("train", "job", (), (modelarts.never_ends(),))
    node = paiflow.NodeDefinition("train", attempts=(paiflow.never_ends(),))
    state = obs.StateDefinition("train", attempts=(obs.never_ends(),))
    step = aom.NodeDefinition("train", (aom.never_ends(),))
    emulator.modelarts.add_workflow(modelarts.WorkflowDefinition("endless", (train,), workflow_id=ENDLESS_WORKFLOW))
    emulator.paiflow.add_pipeline(paiflow.PipelineDefinition("endless", (node,), pipeline_id=ENDLESS_PIPELINE))
    emulator.obs.add_workflow(obs.GraphDefinition(ENDLESS_GRAPH, (state,)))
    emulator.aom.add_workflow(aom.WorkflowDefinition("endless", (step,), workflow_id=ENDLESS_AUTOMATION))
    return {
        "ModelArts": [(ENDLESS_WORKFLOW, emulator.modelarts.start(ENDLESS_WORKFLOW).execution_id) for _ in range(runs)],
        "PAIFlow": [("", emulator.paiflow.start(ENDLESS_PIPELINE).run_id) for _ in range(runs)],
        "OBS data workflow": [(ENDLESS_GRAPH, emulator.obs.start(ENDLESS_GRAPH).execution_name) for _ in range(runs)],
        "AOM automation": [
            (ENDLESS_AUTOMATION, emulator.aom.start(ENDLESS_AUTOMATION).execution_id) for _ in range(runs)
        ],
    }


def _finish(emulator: Emulator, service: str, run_id: str) -> None:
    match service:
        case "ModelArts":
            emulator.modelarts.force_status(run_id, "completed", {"train": "completed"})
        case "PAIFlow":
            emulator.paiflow.force_status(run_id, "Succeeded", {"train": "Succeeded"})
        case "OBS":
            emulator.obs.finish_state(run_id)
        case "AOM":
            emulator.aom.finish_node(run_id)


def _say(answer: Mapping[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
