"""The forms of both connection types, as Airflow's UI draws them.

Part of what `get_provider_info` returns, and imported with it by every process of a deployment: imports nothing
else, and builds plain data only. Airflow stores what is filled in as the extra of the connection, under these names.
"""

from __future__ import annotations

Field = tuple[str, str, dict[str, object]]
"""Label, help and JSON schema of what may be filled in."""

PLACE = "Region and authentication"
AGENCY = "Agency and OIDC"
ROLE = "RAM role and OIDC"
ELSEWHERE = "Credentials kept elsewhere"
ADDRESSES = "Addresses of services"
TRANSPORT = "Network"
"""Sections of a form, one below the other. Airflow shows one of them at a time."""


def huawei_connection_type() -> dict[str, object]:
    """The entry of ``huawei_mlworkflows`` in ``connection-types``."""
    return {
        "connection-type": "huawei_mlworkflows",
        "hook-class-name": "airflow_provider_mlworkflows.hooks.modelarts.ModelArtsHook",
        "hook-name": "Huawei Cloud ML workflows",
        "ui-field-behaviour": _standard_fields(
            {"login": "Access key ID / user name", "password": "Secret key / password"},
            {
                "login": "AK; if Authentication is password, the name of the user",
                "password": "SK; if Authentication is password, that password",
            },
        ),
        "conn-fields": {
            **_in_section(PLACE, _huawei_place()),
            **_in_section(AGENCY, _huawei_roles()),
            **_in_section(ELSEWHERE, _huawei_elsewhere()),
            **_in_section(ADDRESSES, _huawei_addresses()),
            **_in_section(TRANSPORT, _transport()),
        },
    }


def alibaba_connection_type() -> dict[str, object]:
    """The entry of ``alibaba_mlworkflows`` in ``connection-types``."""
    return {
        "connection-type": "alibaba_mlworkflows",
        "hook-class-name": "airflow_provider_mlworkflows.hooks.paiflow.PaiFlowHook",
        "hook-name": "Alibaba Cloud ML workflows",
        "ui-field-behaviour": _standard_fields(
            {"login": "AccessKey ID", "password": "AccessKey secret"},
            {
                "login": "Left empty if credentials are kept elsewhere",
                "password": "Secret of this AccessKey",
            },
        ),
        "conn-fields": {
            **_in_section(PLACE, _alibaba_place()),
            **_in_section(ROLE, _alibaba_roles()),
            **_in_section(ELSEWHERE, _alibaba_elsewhere()),
            **_in_section(ADDRESSES, _alibaba_addresses()),
            **_in_section(TRANSPORT, _transport()),
        },
    }


def _standard_fields(labels: dict[str, str], placeholders: dict[str, str]) -> dict[str, object]:
    # The port is not used. But Airflow's button for testing a saved connection sends a port that is empty as 0, takes
    # this for another server than the saved one and refuses, unless 0 was saved. So it can be filled in.
    return {
        "hidden-fields": ["schema", "host"],
        "relabeling": {**labels, "port": "Port (always 0)"},
        "placeholders": {
            **placeholders,
            "port": "Not used; but without a 0 Airflow refuses to test the connection",
        },
    }


def _huawei_place() -> dict[str, Field]:
    return {
        "region": _text(
            "Region",
            "ID of the region, for example cn-north-4. Gives the addresses of the services and the project.",
            examples=["cn-north-4", "cn-north-9", "cn-east-3", "cn-south-1", "ap-southeast-1", "ap-southeast-3"],
        ),
        "project_id": _text(
            "Project ID", "32 hexadecimal digits. Left empty, IAM is asked for the project of the region."
        ),
        "workspace_id": _text(
            "ModelArts workspace ID", "Workspace to work in. Left empty, the default workspace, whose ID is 0."
        ),
        "enterprise_project_id": _text("Enterprise project ID", "Only if the account uses enterprise projects."),
        "auth_type": (
            "Authentication",
            "Where the credentials come from. The fields below, and those of the next sections, say "
            "which kind of authentication they are for.",
            {
                "type": "string",
                "enum": list(_HUAWEI_AUTH_TYPES),
                "values_display": {name: f"{name}: {meaning}" for name, meaning in _HUAWEI_AUTH_TYPES.items()},
                "default": "aksk",
            },
        ),
        "security_token": _secret(
            "Security token", "For aksk and agency, if the access key is a temporary one: the token issued with it."
        ),
        "iam_token": _secret(
            "IAM token", "For token; for agency, in place of an access key. IAM lets it expire after 24 hours."
        ),
        "domain_name": _text("Account name", "For password: the account that the IAM user belongs to."),
    }


_HUAWEI_AUTH_TYPES = {
    "aksk": "access key ID and secret access key",
    "token": "an IAM token",
    "password": "name and password of an IAM user",
    "agency": "an agency, assumed with an access key or a token",
    "oidc_sts": "an OIDC token, exchanged with STS for an agency's key",
    "metadata": "the agency of the ECS that Airflow runs on",
    "pod_identity": "the identity of the CCE pod that Airflow runs in",
    "env": "HUAWEICLOUD_SDK_AK and _SK in the environment",
    "profile": "a file with credentials",
    "default": "the first that there is: OIDC, environment, profile, metadata, pod",
}


def _huawei_roles() -> dict[str, Field]:
    return {
        "agency_name": _text("Agency name", "For agency: the agency to assume."),
        "agency_domain_name": _text("Agency's account", "For agency: name of the account that owns the agency."),
        "agency_urn": _text(
            "Agency URN",
            "For oidc_sts: the agency to assume, such as iam::<account ID>:agency:<name>. "
            "Left empty, HUAWEICLOUD_OIDC_AGENCY_URN.",
        ),
        "provider_urn": _text(
            "Identity provider URN",
            "For oidc_sts: the provider that issues the tokens. Left empty, HUAWEICLOUD_OIDC_PROVIDER_URN.",
        ),
        "token_file": _text(
            "OIDC token file",
            "For oidc_sts: path of the file with the token. Left empty, HUAWEICLOUD_OIDC_TOKEN_FILE. "
            "Once saved, Airflow shows the path as ***.",
        ),
        "session_name": _text(
            "Session name", "For oidc_sts: shown in audit logs. Left empty, HUAWEICLOUD_OIDC_SESSION_NAME."
        ),
        "session_duration": _seconds("Session duration", "For agency and oidc_sts: seconds that a key is asked for."),
    }


def _huawei_elsewhere() -> dict[str, Field]:
    return {
        "profile_file": _text(
            "Profile file",
            "For profile: path of the file with credentials. Left empty, HUAWEICLOUD_SDK_CREDENTIALS_FILE or "
            "~/.huaweicloud/credentials.",
        ),
        "metadata_endpoint": _text(
            "Metadata address", "For metadata. Left empty, http://169.254.169.254, which every ECS has."
        ),
    }


def _huawei_addresses() -> dict[str, Field]:
    own = {
        f"{service}_endpoint": _text(
            f"{name} address",
            f"With scheme, if it is not https://{service}.<region>.myhuaweicloud.com.",
        )
        for service, name in (
            ("modelarts", "ModelArts"),
            ("obs", "OBS"),
            ("aom", "AOM"),
            ("iam", "IAM"),
            ("sts", "STS"),
        )
    }
    return {
        "endpoint": _text(
            "Common address", "With scheme, for example of a gateway. For each service that has none of its own below."
        ),
        **own,
        "obs_path_style": (
            "OBS buckets in the path",
            "Switched on, buckets are named in the path and not in the name of the host.",
            {"type": ["boolean", "null"], "default": False},
        ),
    }


def _alibaba_place() -> dict[str, Field]:
    return {
        "region": _text(
            "Region",
            "ID of the region, for example cn-hangzhou. Gives the addresses of the services.",
            examples=["cn-hangzhou", "cn-shanghai", "cn-beijing", "cn-shenzhen", "ap-southeast-1"],
        ),
        "workspace_id": _text("PAI workspace ID", "Digits. Runs are started and looked for in this workspace."),
        "auth_type": (
            "Authentication",
            "Where the credentials come from. Left empty, the bearer token if there is one, or else the "
            "AccessKey, with the security token if there is one.",
            {
                "type": ["string", "null"],
                "enum": [*_ALIBABA_AUTH_TYPES, None],
                "values_display": {
                    **{name: f"{name}: {meaning}" for name, meaning in _ALIBABA_AUTH_TYPES.items()},
                    "null": "told by what is filled in",
                },
            },
        ),
        "security_token": _secret("Security token", "For sts: the token issued with a temporary AccessKey."),
        "bearer_token": _secret("Bearer token", "For bearer."),
    }


_ALIBABA_AUTH_TYPES = {
    "ak": "AccessKey ID and secret",
    "sts": "a temporary AccessKey with its security token",
    "bearer": "a bearer token",
    "ram_role_arn": "a RAM role, assumed with the AccessKey",
    "oidc_role_arn": "a RAM role, assumed with an OIDC token",
    "ecs_ram_role": "the RAM role of the ECS that Airflow runs on",
    "credentials_uri": "a local address that hands out temporary AccessKeys",
    "profile": "a file with credentials",
    "default": "the first that there is, in the order of Alibaba Cloud's SDKs",
}


def _alibaba_roles() -> dict[str, Field]:
    return {
        "role_arn": _text(
            "Role ARN",
            "For ram_role_arn and oidc_role_arn: the role to assume, such as acs:ram::<account ID>:role/<name>. "
            "For oidc_role_arn left empty, ALIBABA_CLOUD_ROLE_ARN.",
        ),
        "role_session_name": _text(
            "Session name",
            "For ram_role_arn and oidc_role_arn: shown in audit logs. For oidc_role_arn left empty, "
            "ALIBABA_CLOUD_ROLE_SESSION_NAME.",
        ),
        "role_session_expiration": _seconds(
            "Session duration", "For ram_role_arn and oidc_role_arn: seconds that a key is asked for."
        ),
        "policy": (
            "Session policy",
            "For ram_role_arn and oidc_role_arn: a RAM policy (JSON) that narrows what the role may do.",
            {"type": ["string", "null"], "format": "multiline"},
        ),
        "external_id": _text("External ID", "For ram_role_arn, if the role's trust policy asks for one."),
        "oidc_provider_arn": _text(
            "OIDC provider ARN",
            "For oidc_role_arn: the provider that issues the tokens. Left empty, ALIBABA_CLOUD_OIDC_PROVIDER_ARN.",
        ),
        "oidc_token_file": _text(
            "OIDC token file",
            "For oidc_role_arn: path of the file with the token. Left empty, ALIBABA_CLOUD_OIDC_TOKEN_FILE. "
            "Once saved, Airflow shows the path as ***.",
        ),
    }


def _alibaba_elsewhere() -> dict[str, Field]:
    return {
        "role_name": _text("ECS role name", "For ecs_ram_role. Left empty, the metadata service is asked for it."),
        "disable_imds_v1": (
            "Metadata tokens only",
            "For ecs_ram_role. Switched on, metadata is never read without a token (IMDSv1).",
            {"type": ["boolean", "null"]},
        ),
        "metadata_endpoint": _text(
            "Metadata address", "For ecs_ram_role. Left empty, http://100.100.100.200, which every ECS has."
        ),
        "credentials_uri": _text(
            "Credentials URI",
            "For credentials_uri: the address to ask. Left empty, ALIBABA_CLOUD_CREDENTIALS_URI.",
        ),
        "profile": _text("Profile", "For profile: its name in the file. Left empty, ALIBABA_CLOUD_PROFILE or default."),
        "profile_file": _text(
            "Profile file",
            "For profile: path of the file with credentials. Left empty, ALIBABA_CLOUD_CREDENTIALS_FILE, "
            "~/.alibabacloud/credentials.ini or ~/.aliyun/config.json.",
        ),
    }


def _alibaba_addresses() -> dict[str, Field]:
    return {
        "network": (
            "Reached through",
            "Which of a service's addresses are used, where none is given below.",
            {
                "type": "string",
                "enum": ["public", "vpc"],
                "values_display": {"public": "public: the internet", "vpc": "vpc: a VPC of the region"},
                "default": "public",
            },
        ),
        "endpoint": _text(
            "Common address", "With scheme, for example of a gateway. For each service that has none of its own below."
        ),
        "paiflow_endpoint": _text(
            "PAIFlow address", "With scheme, if it is not https://paiflow.<region>.aliyuncs.com."
        ),
        "sts_endpoint": _text("STS address", "With scheme, if it is not https://sts.<region>.aliyuncs.com."),
    }


def _transport() -> dict[str, Field]:
    return {
        "verify": (
            "Verify TLS",
            "true, false, or the path of a file with CA certificates (PEM). Without verification "
            "anyone on the way can read and change what is sent.",
            {"type": ["string", "null"], "default": "true", "examples": ["true", "false"]},
        ),
        "proxy": _text(
            "Proxy",
            "URL of an HTTP proxy, for example http://proxy.example.com:3128. It may hold a password: once saved, "
            "Airflow shows it as ***.",
        ),
        "timeout": (
            "Timeout",
            "Seconds without any data from the service, and for the whole of an answer.",
            {"type": ["number", "null"], "minimum": 1, "default": 30},
        ),
    }


def _in_section(title: str, fields: dict[str, Field]) -> dict[str, object]:
    return {
        name: {"label": label, "description": description, "schema": {**schema, "section": title}}
        for name, (label, description, schema) in fields.items()
    }


def _text(label: str, description: str, *, examples: list[str] | None = None) -> Field:
    suggestions = {"examples": examples} if examples else {}
    return label, description, {"type": ["string", "null"], **suggestions}


def _secret(label: str, description: str) -> Field:
    return label, description, {"type": ["string", "null"], "format": "password"}


def _seconds(label: str, description: str) -> Field:
    return label, description, {"type": ["integer", "null"], "minimum": 1}
