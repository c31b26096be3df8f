"""Record what Huawei Cloud's own SDK sends for each call in `modelarts_cases.py`.

The SDK needs a virtual environment of its own. To remake ``modelarts_captures.json``, from the top of the
repository::

    python3 -m venv /tmp/vendor-sdk
    /tmp/vendor-sdk/bin/pip install -r tests/parity/requirements.txt
    HOME="$(mktemp -d)" /tmp/vendor-sdk/bin/python tests/parity/capture_modelarts.py

(The SDK keeps an id of the machine in the home directory.) Nothing leaves the machine: requests-mock answers
every request. Keys, clock and user agent are fixed, so the same SDK writes the same file. An entry per call:

``operation``      the vendor's name of the API operation
``sdk_method``     the method of its client
``variant``        ``minimal``, ``full``, ``repeated`` (a list as a query value) or ``odd_id`` (an id with
                   characters that have to be encoded)
``arguments``      what the method was given, as plain JSON
``request``        what it sent: ``path`` still percent-encoded; ``query`` the decoded pairs in their order on
                   the wire; ``headers`` all that the SDK sets itself and signs; ``body`` parsed
``known_defects``  where the request differs from the arguments, found by comparing both

Calls of the variant ``minimal`` are signed with a permanent key, all others with a temporary one. Two habits
of the SDK are no defects of single calls: it sorts the query, and sends a Content-Type even without a body.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import huaweicloudsdkmodelarts.v1 as sdk
import requests_mock
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.http.http_config import HttpConfig
from modelarts_cases import CASES, Case

if TYPE_CHECKING:
    import requests

OUTPUT = Path(__file__).with_name("modelarts_captures.json")
ENDPOINT = "https://modelarts.cn-north-4.example.com"
PROJECT_ID = "0123456789abcdef0123456789abcdef"
ACCESS_KEY = "PARITYACCESSKEY00001"
SECRET_KEY = "parity-secret-key-of-nobody"
SECURITY_TOKEN = "parity-security-token-of-nobody"
SET_BY_REQUESTS = {"accept", "accept-encoding", "connection", "content-length"}


class FrozenDatetime(datetime):
    """A datetime class whose clock stands still."""

    @classmethod
    def utcnow(cls) -> FrozenDatetime:
        """Return the moment at which all calls are signed."""
        return cls(2026, 1, 15, 8, 30, 4)


def main() -> None:
    """Make every call and write what was sent."""
    with mock.patch("huaweicloudsdkcore.signer.signer.datetime", FrozenDatetime):
        captures = [capture(case) for case in CASES]
    text = json.dumps(captures, ensure_ascii=False, indent=1)
    OUTPUT.write_text(text + "\n", encoding="utf-8")
    defects = sum(len(entry["known_defects"]) for entry in captures)
    operations = {entry["operation"] for entry in captures}
    print(f"{len(captures)} calls of {len(operations)} operations, {defects} defects: {OUTPUT}")


def capture(case: Case) -> dict[str, Any]:
    """Make one call and describe the request that it sent."""
    request_class = getattr(sdk, "".join(map(str.capitalize, case.sdk_method.split("_"))) + "Request")
    call = getattr(client(temporary_key=case.variant != "minimal"), case.sdk_method)
    with requests_mock.Mocker() as network:
        network.register_uri(requests_mock.ANY, requests_mock.ANY, text="{}")
        call(build(request_class, case.arguments))
    (sent,) = network.request_history
    request = describe(sent)
    operation = request_class.__name__.removesuffix("Request")
    template = getattr(sdk.ModelArtsClient, f"_{case.sdk_method}_http_info")(request_class())["resource_path"]
    return {
        "operation": operation,
        "sdk_method": case.sdk_method,
        "variant": case.variant,
        "arguments": case.arguments,
        "request": request,
        "known_defects": list(find_defects(case.arguments, request, template)),
    }


def client(*, temporary_key: bool) -> Any:
    """Make a client that signs with fake keys and names itself the same on every machine."""
    credentials = BasicCredentials(ACCESS_KEY, SECRET_KEY, PROJECT_ID)
    if temporary_key:
        credentials.with_security_token(SECURITY_TOKEN)
    return (
        sdk.ModelArtsClient.new_builder()
        .with_http_config(HttpConfig(user_agent="parity"))
        .with_credentials(credentials)
        .with_endpoint(ENDPOINT)
        .build()
    )


def build(model: type[Any], values: dict[str, Any]) -> Any:
    """Make one of the SDK's objects, and those within it, from plain JSON."""
    unknown = values.keys() - model.openapi_types.keys()
    if unknown:
        raise ValueError(f"{model.__name__} has no {', '.join(sorted(unknown))}")
    return model(**{name: convert(model.openapi_types[name], value) for name, value in values.items()})


def convert(type_name: str, value: Any) -> Any:
    """Turn plain JSON into what the SDK declares for it, for example ``list[WorkflowStep]``."""
    in_list = re.fullmatch(r"list\[(\w+)\]", type_name)
    if in_list and isinstance(value, list):
        return [convert(in_list[1], item) for item in value]
    model = getattr(sdk, type_name, None)
    if model is not None and isinstance(value, dict):
        return build(model, value)
    return value


def describe(sent: requests.PreparedRequest) -> dict[str, Any]:
    """Describe a request as it was about to leave."""
    url = urlsplit(str(sent.url))
    if f"{url.scheme}://{url.netloc}" != ENDPOINT:
        raise ValueError(f"sent to {url.netloc}")
    body = sent.body.decode() if isinstance(sent.body, bytes) else sent.body
    return {
        "method": sent.method,
        "path": url.path,
        "query": parse_qsl(url.query, keep_blank_values=True, strict_parsing=bool(url.query)),
        "headers": {name.lower(): value for name, value in sent.headers.items() if name.lower() not in SET_BY_REQUESTS},
        "body": json.loads(body) if isinstance(body, str) and body else None,
    }


def find_defects(arguments: dict[str, Any], request: dict[str, Any], template: str) -> Iterator[str]:
    """Say where a request differs from the arguments it was made of."""
    in_path = {**arguments, "project_id": PROJECT_ID}
    path = re.sub(r"\{(\w+)\}", lambda name: quote(in_path[name[1]], safe=""), template)
    if request["path"] != path:
        yield f"path: {path} is sent as {request['path']}"
    # The SDK's signer decodes the whole path and encodes it again.
    signed_path = quote(unquote(request["path"]), safe="/~")
    if signed_path != request["path"]:
        yield f"path: {request['path']} is signed as {signed_path}"
    for name, value in arguments.items():
        if f"{{{name}}}" in template or name == "body" or name.replace("_", "-") in request["headers"]:
            continue
        given = [str(item) for item in (value if isinstance(value, list) else [value])]
        sent = [text for key, text in request["query"] if key == name]
        if sent != given:
            yield f"query.{name}: {given} is sent as {sent}"
    yield from differences("body", arguments.get("body"), request["body"])


def differences(place: str, given: Any, sent: Any) -> Iterator[str]:
    """Compare JSON with JSON, type for type."""
    if isinstance(given, dict) and isinstance(sent, dict):
        for name in sorted(given.keys() | sent.keys()):
            if name not in sent:
                yield f"{place}.{name}: {as_text(given[name])} is left out"
            elif name not in given:
                yield f"{place}.{name}: {as_text(sent[name])} is added"
            else:
                yield from differences(f"{place}.{name}", given[name], sent[name])
    elif isinstance(given, list) and isinstance(sent, list) and len(given) == len(sent):
        for index, (item, sent_item) in enumerate(zip(given, sent, strict=True)):
            yield from differences(f"{place}[{index}]", item, sent_item)
    elif type(given) is not type(sent) or given != sent:
        yield f"{place}: {as_text(given)} is sent as {as_text(sent)}"


def as_text(value: Any) -> str:
    """Write a value as JSON that a person can read."""
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    main()
