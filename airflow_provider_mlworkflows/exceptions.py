"""Every error this provider raises.

::

    MLWorkflowsError                  an AirflowException, so soft_fail and ``except AirflowException`` see it
    ├── ConfigurationError            the Airflow connection is missing something or contradicts itself
    │   └── CredentialsMissingError   there are none of a kind, because none are set up
    ├── InvalidInputError             an argument is wrong; nothing was sent
    ├── TransportError                no answer arrived; ``may_have_taken_effect`` says what that means for a write
    ├── ApiError                      the service answered, but not with what was asked for
    │   ├── BadRequestError           the request itself is wrong (400, 404 of a route, 409, 413 ...)
    │   ├── NotFoundError             the workflow, run or step does not exist
    │   ├── AuthenticationError       the credentials were not accepted (401)
    │   ├── PermissionDeniedError     the credentials are good, but not for this (403)
    │   ├── ThrottledError            too many requests; ``retry_after`` seconds if the service named them
    │   ├── ServerError               the service failed (5xx), or ran out of time (408)
    │   └── UnexpectedReplyError      a reply that cannot be read: HTML, cut JSON, wrong types, an unknown error in 2xx
    ├── StartUncertainError           a start whose answer was lost may or may not have created a run
    ├── StopImpossibleError           the service has no way to stop a run
    ├── UnusableEventError            a trigger ended without an event that tells why
    └── RunError                      the remote run itself; ``ref``, ``url`` and ``failed_steps`` tell more
        ├── RunFailedError            it ended in failure, or was skipped as a whole
        ├── RunStoppedError           it was stopped by somebody else
        ├── RunTimeoutError           it outlived its deadline
        ├── RunWaitingError           it waits for a person and ``on_waiting="fail"``
        ├── RunInterruptedError       the worker is being shut down; the run goes on
        ├── RunNotFoundError          it was deleted while being watched
        └── UnknownStatusError        it shows a status this provider does not know
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowException

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.runs import RunRef


class MLWorkflowsError(AirflowException):
    """Base of every error of this provider."""


class ConfigurationError(MLWorkflowsError):
    """The Airflow connection lacks a field, has one nobody knows, or fields that exclude each other."""


class CredentialsMissingError(ConfigurationError):
    """There are no credentials of a kind, because none are set up; those of another kind may be there."""


class InvalidInputError(MLWorkflowsError):
    """An argument cannot be right. Raised before anything is sent."""


class TransportError(MLWorkflowsError):
    """No usable answer arrived: the name did not resolve, the connection broke or time ran out.

    :param may_have_taken_effect: False only if the request surely never reached the service.
    """

    def __init__(self, message: str, *, may_have_taken_effect: bool = True) -> None:
        super().__init__(message)
        self.may_have_taken_effect = may_have_taken_effect


class ApiError(MLWorkflowsError):
    """The service answered with a refusal or with something unreadable.

    :param message: what was asked, what came back, what to change.
    :param operation: the API operation, by the service's own name.
    :param status: HTTP status of the answer.
    :param code: the service's error code, "" if the answer had none.
    :param request_id: the service's id of this request, for its support; "" if the answer had none.
    :param retry_after: seconds the service asked to wait, None if it did not say.
    """

    def __init__(
        self,
        message: str,
        *,
        operation: str = "",
        status: int = 0,
        code: str = "",
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.operation = operation
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after


class BadRequestError(ApiError):
    """The request is wrong as it stands; sending it again cannot help."""


class NotFoundError(ApiError):
    """The named thing does not exist (or not in this project and region)."""


class AuthenticationError(ApiError):
    """The credentials were not accepted."""


class PermissionDeniedError(ApiError):
    """The credentials are valid but lack a permission, or belong to another project."""


class ThrottledError(ApiError):
    """Too many requests."""


class ServerError(ApiError):
    """The service failed to handle a request that may well be right."""


class UnexpectedReplyError(ApiError):
    """The reply cannot be read as what the operation promises."""


class StartUncertainError(MLWorkflowsError):
    """A start may have created a run that cannot be told from others.

    :param candidates: ids of the runs that could be the one.
    """

    def __init__(self, message: str, *, candidates: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.candidates = candidates


class StopImpossibleError(MLWorkflowsError):
    """The service has no way to stop a run: it goes on to its own end."""


class UnusableEventError(MLWorkflowsError):
    """A trigger ended without an event that tells why; it may be of another version of this provider."""


class RunError(MLWorkflowsError):
    """The remote run did not end as hoped.

    :param ref: which run.
    :param url: its page in the cloud console, "" if there is none.
    :param failed_steps: names of the steps that failed.
    """

    def __init__(
        self, message: str, *, ref: RunRef | None = None, url: str = "", failed_steps: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.ref = ref
        self.url = url
        self.failed_steps = failed_steps


class RunFailedError(RunError):
    """The run ended in failure."""


class RunStoppedError(RunError):
    """The run was stopped, and not by this attempt of the task: by somebody, or by an earlier one whose time was up."""


class RunTimeoutError(RunError):
    """The run did not end before its deadline."""


class RunWaitingError(RunError):
    """The run waits for a person, and the task was told not to."""


class RunInterruptedError(RunError):
    """The worker is shutting down while the run goes on, or may; the next attempt takes it up again."""


class RunNotFoundError(RunError):
    """The run no longer exists."""


class UnknownStatusError(RunError):
    """The run has shown a status nobody documented for too long."""


def is_transient(error: MLWorkflowsError) -> bool:
    """Whether the same request may well succeed later."""
    return isinstance(error, TransportError | ThrottledError | ServerError | UnexpectedReplyError)


def is_to_be_stopped_again(error: MLWorkflowsError) -> bool:
    """Whether a stop that ended with this error should be asked for again: the run may not show yet, or be busy."""
    return is_transient(error) or isinstance(error, NotFoundError | BadRequestError)


def is_uncertain(error: MLWorkflowsError) -> bool:
    """Whether a write that ended with this error may have taken effect all the same.

    Throttling surely came before the effect only with a 4xx status, which gateways give before they pass a request on.
    """
    if isinstance(error, TransportError):
        return error.may_have_taken_effect
    if isinstance(error, ThrottledError):
        return not HTTPStatus.BAD_REQUEST <= error.status < HTTPStatus.INTERNAL_SERVER_ERROR
    return isinstance(error, ServerError | UnexpectedReplyError)
