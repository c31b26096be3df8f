"""The ways to sign in to Huawei Cloud."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator import credentials as published
from airflow_provider_mlworkflows.emulator.huawei import agencies
from airflow_provider_mlworkflows.emulator.huawei.metadata import POD_PATH
from tests.scenarios.aom import AomUnderTest
from tests.scenarios.auth import AuthType, Setting
from tests.scenarios.modelarts import ModelArtsUnderTest
from tests.scenarios.obs import ObsUnderTest

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import AccessKey

EVERY = (ModelArtsUnderTest, ObsUnderTest, AomUnderTest)
ONE = (ModelArtsUnderTest,)
LIFETIME = 1800
SHORT_LIVED = {"huawei_credential_lifetime": LIFETIME}
BY_AGENCY = "CreateTemporaryAccessKeyByAgency"
BY_PASSWORD = "KeystoneCreateUserTokenByPassword"
BY_OIDC = "AssumeAgencyWithOIDC"
BY_SERVER = "ShowSecurityKey"
BY_POD = "CreatePodSecurityKey"


def _key(setting: Setting) -> AccessKey:
    key = setting.emulator.credentials.add_access_key()
    setting.secrets += key.ak, key.sk
    return key


def _with_key(setting: Setting) -> None:
    key = _key(setting)
    setting.connect(login=key.ak, password=key.sk)


def _with_temporary_key(setting: Setting) -> None:
    ends = setting.emulator.clock.now() + timedelta(hours=12)
    key = setting.emulator.credentials.add_temporary_key(published.USER_NAME, ends)
    assert key.security_token
    setting.secrets += key.ak, key.sk, key.security_token
    setting.connect(login=key.ak, password=key.sk, security_token=key.security_token)


def _with_token(setting: Setting) -> None:
    token = setting.emulator.credentials.add_token().text
    setting.secrets.append(token)
    setting.connect(auth_type="token", iam_token=token)


def _with_password(setting: Setting) -> None:
    setting.secrets.append(published.USER_PASSWORD)
    setting.connect(
        auth_type="PASSWORD",
        login=published.USER_NAME,
        password=published.USER_PASSWORD,
        domain_name=published.DOMAIN_NAME,
    )


def _with_agency(setting: Setting) -> None:
    key = _key(setting)
    setting.connect(auth_type="agency", login=key.ak, password=key.sk, agency_name=agencies.AGENCY_NAME)


def _with_agency_of_another_account(setting: Setting) -> None:
    token = setting.emulator.credentials.add_token().text
    setting.secrets.append(token)
    setting.connect(
        auth_type="agency",
        iam_token=token,
        agency_name=agencies.AGENCY_NAME,
        agency_domain_name=agencies.OTHER_DOMAIN_NAME,
        session_duration="7200",
    )


def _on_a_server(setting: Setting) -> None:
    setting.connect(auth_type="metadata", metadata_endpoint=setting.emulator.url)


def _on_an_old_server(setting: Setting) -> None:
    setting.emulator.switches.metadata_sessions = 404
    _on_a_server(setting)


def _oidc(setting: Setting) -> dict[str, str]:
    setting.secrets.append(agencies.OIDC_TOKEN)
    return {
        "provider_urn": agencies.PROVIDER_URN,
        "agency_urn": setting.emulator.agencies.own.urn,
        "token_file": setting.file("oidc-token", agencies.OIDC_TOKEN + "\n"),
    }


def _with_oidc(setting: Setting) -> None:
    setting.connect(auth_type="oidc_sts", sts_endpoint=setting.emulator.url, **_oidc(setting))


def _with_oidc_in_the_environment(setting: Setting) -> None:
    setting.environment(**{f"HUAWEICLOUD_OIDC_{name.upper()}": value for name, value in _oidc(setting).items()})
    setting.connect(auth_type="default", sts_endpoint=setting.emulator.url)


def _in_a_pod(setting: Setting) -> None:
    setting.secrets.append(agencies.POD_TOKEN)
    setting.environment(
        HC_CONTAINER_CREDENTIALS_FULL_URI=setting.emulator.url + POD_PATH,
        HC_CONTAINER_AUTHORIZATION_TOKEN_FILE=setting.file("pod-token", agencies.POD_TOKEN),
    )
    setting.connect(auth_type="pod_identity")


def _set_variables(setting: Setting) -> AccessKey:
    key = _key(setting)
    setting.environment(HUAWEICLOUD_SDK_AK=key.ak, HUAWEICLOUD_SDK_SK=key.sk)
    return key


def _with_variables(auth_type: str) -> Callable[[Setting], None]:
    def connect(setting: Setting) -> None:
        _set_variables(setting)
        setting.connect(auth_type=auth_type)

    return connect


def _write_profile(setting: Setting) -> str:
    key = _key(setting)
    return setting.file("credentials", f"[basic]\nak = {key.ak}\nsk = {key.sk}\n")


def _with_profile(setting: Setting) -> None:
    setting.connect(auth_type="profile", profile_file=_write_profile(setting))


def _withdrawing(put: Callable[[Setting], Any]) -> Callable[[Setting], None]:
    """Other credentials are put in place, and the key that was there before is withdrawn."""

    def replace(setting: Setting) -> None:
        old = setting.secrets[0]
        put(setting)
        key = setting.emulator.credentials.find_key(old)
        assert key is not None
        setting.emulator.credentials.remove(key)

    return replace


HUAWEI = (
    AuthType("aksk", EVERY, _with_key),
    AuthType("aksk-temporary", ONE, _with_temporary_key),
    AuthType("token", EVERY, _with_token),
    AuthType("password", EVERY, _with_password, (BY_PASSWORD,), SHORT_LIVED),
    AuthType("agency", EVERY, _with_agency, (BY_AGENCY,), SHORT_LIVED),
    AuthType("agency-elsewhere", ONE, _with_agency_of_another_account, (BY_AGENCY,), SHORT_LIVED),
    AuthType("metadata", ONE, _on_a_server, (BY_SERVER,), SHORT_LIVED),
    AuthType("metadata-old", ONE, _on_an_old_server, (BY_SERVER,), SHORT_LIVED),
    AuthType("oidc_sts", ONE, _with_oidc, (BY_OIDC,), SHORT_LIVED),
    AuthType("pod_identity", ONE, _in_a_pod, (BY_POD,), SHORT_LIVED),
    AuthType("env", ONE, _with_variables("env"), replace=_withdrawing(_set_variables)),
    AuthType("profile", ONE, _with_profile, replace=_withdrawing(_write_profile)),
    AuthType("default-oidc", ONE, _with_oidc_in_the_environment, (BY_OIDC,), SHORT_LIVED),
    AuthType("default-env", ONE, _with_variables("default"), replace=_withdrawing(_set_variables)),
)
