"""What the task state store keeps of a start, so that a later attempt of the task finds the run."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Self

from airflow.sdk.execution_time.context import NEVER_EXPIRE

from airflow_provider_mlworkflows.runs import RunRef

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_mlworkflows.operators.starting import StartOperator

RECORD_KEY = "mlworkflows_run"


@dataclass(frozen=True, slots=True)
class StartRecord:
    """A start: first the intent, then the run.

    :param token: random; the run carries it as its marker.
    :param workflow_id: what was started.
    :param run_id: the run, "" while only the intent is known.
    :param max_tries: of the task at that time; another value later means that it was cleared since.
    :param clear_number: of the Dag run at that time.
    :param intent_at: seconds since the epoch.
    :param deadline: seconds since the epoch.
    :param before: what `StartOperator.state_before` noted.
    :param run_workflow_id: what the run is filed under; "" for ``workflow_id``.
    :param is_given_up: whether the run has to make way for another; it is stopped if need be, and never taken up.
    :param place: with which connection and where it was started, as `Service.place_of` tells.
    :param has_ended: whether the attempt has ended by itself. Then nobody has cleared the task meanwhile.
    """

    token: str
    workflow_id: str
    run_id: str
    max_tries: int
    clear_number: int | None
    intent_at: float
    deadline: float
    before: Any = None
    run_workflow_id: str = ""
    is_given_up: bool = False
    place: Mapping[str, Any] = field(default_factory=dict)
    has_ended: bool = False

    @property
    def ref(self) -> RunRef:
        """The run, once it is known."""
        return RunRef(self.run_workflow_id or self.workflow_id, self.run_id)

    @classmethod
    def intended(cls, operator: StartOperator, context: Context) -> Self:
        """What an operator is about to start."""
        now = operator.clock.time()
        return cls(
            token=f"airflow-{secrets.token_hex(8)}",
            workflow_id=operator.started_workflow,
            run_id="",
            max_tries=context["ti"].max_tries,
            clear_number=context["dag_run"].clear_number,
            intent_at=now,
            deadline=now + operator.timeout,
            before=operator.state_before(),
            place=operator.service.place_of(operator),
        )

    def of_run(self, ref: RunRef) -> StartRecord:
        """The same, of this run."""
        return replace(self, run_id=ref.run_id, run_workflow_id=ref.workflow_id)

    def of_attempt(self, operator: StartOperator, context: Context) -> StartRecord:
        """The same, taken up by this attempt."""
        place = operator.service.place_of(operator)
        tries, clears = context["ti"].max_tries, context["dag_run"].clear_number
        return replace(self, max_tries=tries, clear_number=clears, place=place, has_ended=False)

    @classmethod
    def load(cls, context: Context) -> Self | None:
        """Read it from the store, None if there is none; what another version may have added is left out."""
        stored: Any = context["task_state_store"].get(RECORD_KEY)
        if not isinstance(stored, dict):
            return None
        return cls(**{each.name: stored[each.name] for each in fields(cls) if each.name in stored})

    def save(self, context: Context) -> None:
        """Write it into the store, in place of an earlier one."""
        context["task_state_store"].set(RECORD_KEY, asdict(self), retention=NEVER_EXPIRE)
