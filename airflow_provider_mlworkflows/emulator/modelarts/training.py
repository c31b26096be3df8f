"""Training jobs behind job steps: status, tasks, growing logs, events, stages, metrics, termination."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_mlworkflows.emulator.modelarts import schema
from airflow_provider_mlworkflows.emulator.modelarts.lookup import JOB_NOT_FOUND, Lookup, refuse
from airflow_provider_mlworkflows.emulator.modelarts.views import event_time, timestamp
from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_mlworkflows.emulator.modelarts.machine import Execution
    from airflow_provider_mlworkflows.emulator.modelarts.steprun import StepRun

TASK = "worker-0"
PREVIEW_LIMIT = 5 * 1024 * 1024
_JOB = "/v2/{project_id}/training-jobs/{training_job_id}"
_GET = "modelarts:trainJob:get"
_EXPORT = "modelarts:trainJob:logExport"
_PHASES = {
    "creating": "Creating",
    "created": "Pending",
    "pending": "Pending",
    "running": "Running",
    "hold": "Running",
    "completed": "Completed",
    "failed": "Failed",
    "create_failed": "Failed",
    "timeout": "Abnormal",
    "stopping": "Terminating",
    "stopped": "Terminated",
}
_STAGES = ("Creating", "Pending", "Running")


class Job(NamedTuple):
    """A training job: the step that runs it, in its execution."""

    execution: Execution
    step: StepRun

    @property
    def phase(self) -> str:
        """Present phase."""
        return _PHASES.get(self.step.status, "Abnormal")

    @property
    def worked_until(self) -> datetime:
        """When work ended, or now."""
        return self.execution.clock.now() if self.phase == "Running" else self.step.track.since


class TrainingRoutes:
    """Handlers of training jobs; jobs exist only as the instances of job steps."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def operations(self) -> Sequence[Operation]:
        """Return the operations of this module."""
        task = _JOB + "/tasks/{task_id}"
        return [
            Operation("ShowTrainingJobDetails", "GET", _JOB, self.show, _GET),
            Operation("ListTrainingJobTasks", "GET", _JOB + "/tasks", self.tasks, _GET),
            Operation("ShowTrainingJobLogsPreview", "GET", task + "/logs/preview", self.preview, _GET),
            Operation("ShowObsUrlOfTrainingJobLogs", "GET", task + "/logs/url", self.log_url, _EXPORT),
            Operation("ShowTrainingJobLogsFromAom", "GET", _JOB + "/logs/{task_id}", self.log_lines, _GET),
            Operation("ListTrainingJobEvents", "GET", _JOB + "/events", self.events, _GET),
            Operation("ListTrainingJobStages", "GET", _JOB + "/stages", self.stages, _GET),
            Operation("ShowTrainingJobMetrics", "GET", _JOB + "/metrics/{task_id}", self.metrics, _GET),
            Operation("StopTrainingJob", "POST", _JOB + "/actions", self.act, "modelarts:trainJob:update"),
        ]

    def show(self, call: Call) -> Answer:
        """Return a training job."""
        return self._lookup.answer(self._view(self._job(call)))

    def tasks(self, call: Call) -> Answer:
        """Return the tasks of a job; there is one worker."""
        job = self._job(call)
        task = {
            "task": TASK,
            "task_id": TASK,
            "status": job.phase,
            "ip": "192.168.0.12",
            "host_ip": "192.168.0.2",
        }
        return self._lookup.answer({"count": 1, "total": 1, "tasks": [task]})

    def preview(self, call: Call) -> Answer:
        """Return the end of a task's log, at most 5 MB."""
        content = "".join(f"{line}\n" for line in self._log(call)).encode()
        shown = content[-PREVIEW_LIMIT:]
        body = {"content": shown.decode(), "current_size": len(shown), "full_size": len(content)}
        return self._lookup.answer(body)

    def log_url(self, call: Call) -> Answer:
        """Return where the log could be fetched; nothing answers there."""
        self._log(call)
        expires = int((self._lookup.now() + timedelta(minutes=5)).timestamp())
        name = f"{call.ids['training_job_id']}-{call.ids['task_id']}.log"
        url = f"https://emulator-logs.obs.invalid/training/{name}?Expires={expires}"
        return self._lookup.answer({"obs_url": url})

    def log_lines(self, call: Call) -> Answer:
        """Return lines of a task's log from a line on, forwards or backwards."""
        log = self._log(call)
        lines = self._lookup.number(call, "lines", 50, least=1, most=500)
        backwards = self._lookup.choice(call, "order", ("asc", "desc"), "desc") == "desc"
        base = self._lookup.number(call, "base_line", len(log) if backwards else 0, least=0)
        begin = max(0, min(base, len(log)) - lines) if backwards else min(base, len(log))
        chosen = log[begin : min(base, len(log))] if backwards else log[begin : begin + lines]
        body = {
            "start_line": begin,
            "end_line": begin + len(chosen),
            "lines": len(chosen),
            "content": "".join(f"{line}\n" for line in chosen),
        }
        return self._lookup.answer(body)

    def events(self, call: Call) -> Answer:
        """Return a page of a job's events."""
        job = self._job(call)
        offset = self._lookup.number(call, "offset", 0, least=0)
        limit = self._lookup.number(call, "limit", 50, least=1, most=100)
        found = [
            {
                "source": "Workflow",
                "time": timestamp(at),
                "level": "Error" if after in ("failed", "create_failed", "timeout") else "Info",
                "message": f"job changed from {before} to {after}",
            }
            for at, before, after in job.step.events
        ]
        page = found[offset : offset + limit]
        return self._lookup.answer({"total": len(found), "count": len(page), "limit": limit, "events": page})

    def stages(self, call: Call) -> Answer:
        """Return the stages of a job with their begin and end."""
        changes = [(at, _PHASES.get(after, "Abnormal")) for at, _, after in self._job(call).step.events]
        stages = []
        for (begin, phase), following in zip(changes, [*changes[1:], None], strict=True):
            if phase in _STAGES:
                end = timestamp(following[0]) if following else None
                stages.append(
                    {
                        "stage": phase,
                        "start_time": timestamp(begin),
                        "end_time": end,
                        "status": "Finished" if following else "Running",
                    }
                )
        return self._lookup.answer({"stages": stages})

    def metrics(self, call: Call) -> Answer:
        """Return usage figures of a task, one value a minute."""
        job = self._job(call)
        self._check_task(call)
        minutes = len(_log_of(job)) // 60 + 1
        metrics = [
            {"metric": name, "value": [base] * minutes}
            for name, base in (("cpuUsage", 71.5), ("memUsage", 43.0), ("gpuUtil", 88.0))
        ]
        return self._lookup.answer({"metrics": metrics})

    def act(self, call: Call) -> Answer:
        """Terminate a job; its step stops."""
        job = self._job(call)
        body = self._lookup.body(call, schema.TRAINING_ACTION, "TrainingJobAction")
        call.action = body["action_type"]
        if job.phase in ("Creating", "Pending", "Running"):
            job.execution.stop_step(job.step, self._lookup.switches.stop_seconds)
            call.effective = True
        return self._lookup.answer(self._view(job), 202)

    def _job(self, call: Call) -> Job:
        key = self._lookup.checked_id(call, "training_job_id")
        for execution in self._lookup.store.executions.values():
            for step in execution.steps:
                if step.type == "job" and step.instance == key:
                    return Job(execution, step)
        refuse(f"Training job {key} not found", status=404, code=JOB_NOT_FOUND)

    def _log(self, call: Call) -> list[str]:
        job = self._job(call)
        self._check_task(call)
        job.execution.clock.read()
        job.execution.advance()
        return _log_of(job)

    def _check_task(self, call: Call) -> None:
        if call.ids["task_id"] != TASK:
            refuse(f"task {call.ids['task_id']} not found", status=404, code=JOB_NOT_FOUND)

    def _view(self, job: Job) -> dict[str, Any]:
        step = job.step
        worked = job.worked_until - (step.working_since or job.worked_until)
        statuses = []
        if job.phase in ("Completed", "Failed"):
            code = 0 if job.phase == "Completed" else 1
            statuses = [{"task": TASK, "exit_code": code, "message": step.script.error_message if code else ""}]
        started = step.started_at or step.created_at
        begun = None if step.working_since is None else int(step.working_since.timestamp() * 1000)
        return {
            "kind": "job",
            "metadata": {
                "id": step.instance,
                "name": f"{job.execution.name}-{step.name}",
                "workspace_id": "0",
                "create_time": int(started.timestamp() * 1000),
                "user_name": "airflow",
            },
            "status": {
                "phase": job.phase,
                "secondary_phase": job.phase,
                "duration": int(worked.total_seconds() * 1000),
                "start_time": begun,
                "tasks": [TASK],
                "task_statuses": statuses,
            },
        }


def _log_of(job: Job) -> list[str]:
    """Return the lines written so far: one for every scripted second of work, and one at the end."""
    step = job.step
    if step.working_since is None:
        return []
    second = job.execution.scaled(1)
    count = int((job.worked_until - step.working_since) / second)
    lines = [
        f"{event_time(step.working_since + second * number)} INFO {step.name} step {number + 1} done"
        for number in range(count)
    ]
    if job.phase == "Failed":
        lines.append(f"{event_time(step.track.since)} ERROR {step.script.error_message}")
    elif job.phase == "Completed":
        lines.append(f"{event_time(step.track.since)} INFO {step.name} finished")
    return lines
