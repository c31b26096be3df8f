"""Who may call the emulator: users, access keys and tokens, all of them published and worth nothing."""

from __future__ import annotations

import base64
import hashlib
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

REGION = "cn-north-4"
PROJECT_ID = "0e5d1a7c93b84f26a1d0c4e87b2f6a95"
OTHER_REGION = "ap-southeast-3"
OTHER_PROJECT_ID = "7a90c2e4b61d4f58835c0ad91e7f2b46"
ALIBABA_REGION = "cn-hangzhou"
ACCOUNT_ID = "1483920175630284"
WORKSPACE_ID = "48213"
OTHER_WORKSPACE_ID = "59077"
DOMAIN_NAME = "emulator-account"
DOMAIN_ID = "5b1f0c6e2d7a4983b6c50e9f14a7d382"
USER_NAME = "airflow"
USER_PASSWORD = "Emulator-Only-1"  # noqa: S105 - published on purpose
ACCESS_KEY = "MLWFEMULATOR00000001"
SECRET_KEY = "emulatorSecretKeyForLocalUseOnly00000001"  # noqa: S105 - published on purpose
TEMPORARY_ACCESS_KEY = "MLWFEMULATORTEMP0001"
TEMPORARY_SECRET_KEY = "emulatorSecretKeyForLocalUseOnlyTemp0001"  # noqa: S105 - published on purpose

TOKEN_LIFETIME = timedelta(hours=24)
BLOCK_TIME = timedelta(minutes=5)


def _opaque(seed: str, size: int) -> str:
    """Return a text of ``size`` characters that looks like a token and is the same for the same seed."""
    blocks = (hashlib.sha256(f"{seed}/{number}".encode()).digest() for number in range(size // 32 + 1))
    return ("MIIE" + base64.urlsafe_b64encode(b"".join(blocks)).decode())[:size]


SECURITY_TOKEN = _opaque("temporary access key", 1200)
USER_TOKEN = _opaque("user token", 3600)


@dataclass(slots=True)
class User:
    """A user of the account; may do everything that is not in ``denied``."""

    name: str
    password: str = field(repr=False)
    user_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    denied: set[str] = field(default_factory=set)


@dataclass(slots=True)
class AccessKey:
    """An access key; temporary if it has a security token."""

    ak: str
    sk: str = field(repr=False)
    user: str = USER_NAME
    security_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    failures: int = 0
    blocked_until: datetime | None = None


@dataclass(slots=True)
class Token:
    """A token of a user, for one project or (``project_id`` ``None``) for the account."""

    text: str = field(repr=False)
    user: str
    project_id: str | None
    issued_at: datetime
    expires_at: datetime
    methods: tuple[str, ...] = ("password",)


class Credentials:
    """The emulator's users, keys, tokens and projects; ready-made ones and those that tests add.

    Attributes:
        region: Region name of the default project.
        project_id: Id of the default project, 32 hexadecimal digits.
        projects: Project ids by project name; the name of a region's main project is the region's.
        permanent: A permanent access key of the user ``airflow``.
        temporary: A temporary access key with security token.
        token: A project token of that user, 3,600 characters long.
        auth_now: Time against which signature dates are measured; ``None`` for the machine's clock.
    """

    def __init__(self, now: Callable[[], datetime], lock: threading.RLock) -> None:
        self._now = now
        self._lock = lock
        self.region = REGION
        self.project_id = PROJECT_ID
        self.domain_name = DOMAIN_NAME
        self.domain_id = DOMAIN_ID
        self.projects = {REGION: PROJECT_ID, OTHER_REGION: OTHER_PROJECT_ID}
        self.users = {USER_NAME: User(USER_NAME, USER_PASSWORD)}
        self.auth_now: datetime | None = None
        self._keys: dict[str, AccessKey] = {}
        self._tokens: dict[str, Token] = {}
        begin = now()
        self.permanent = self.add_access_key(ACCESS_KEY, SECRET_KEY)
        self.temporary = self.add_access_key(
            TEMPORARY_ACCESS_KEY,
            TEMPORARY_SECRET_KEY,
            security_token=SECURITY_TOKEN,
            expires_at=begin + TOKEN_LIFETIME,
        )
        self.token = self.add_token(text=USER_TOKEN)

    def add_user(self, name: str, password: str) -> User:
        """Add a user with all permissions."""
        with self._lock:
            self.users[name] = User(name, password)
            return self.users[name]

    def add_project(self, name: str, project_id: str | None = None) -> str:
        """Add a project to the account and return its id."""
        with self._lock:
            self.projects[name] = project_id or uuid.uuid4().hex
            return self.projects[name]

    def add_access_key(
        self,
        ak: str | None = None,
        sk: str | None = None,
        *,
        user: str = USER_NAME,
        security_token: str | None = None,
        expires_at: datetime | None = None,
    ) -> AccessKey:
        """Add an access key; key and secret are made up if not given."""
        key = AccessKey(
            ak or secrets.token_hex(10).upper(),
            sk or secrets.token_urlsafe(30),
            user=user,
            security_token=security_token,
            expires_at=expires_at,
        )
        with self._lock:
            self._keys[key.ak] = key
        return key

    def add_temporary_key(self, user: str, expires_at: datetime) -> AccessKey:
        """Add a temporary access key."""
        token = _opaque(secrets.token_hex(16), 1200)
        return self.add_access_key(user=user, security_token=token, expires_at=expires_at)

    def add_token(
        self,
        *,
        user: str = USER_NAME,
        project_id: str | None = PROJECT_ID,
        lifetime: timedelta = TOKEN_LIFETIME,
        methods: tuple[str, ...] = ("password",),
        text: str | None = None,
    ) -> Token:
        """Issue a token."""
        begin = self._now()
        token = Token(text or _opaque(secrets.token_hex(16), 3600), user, project_id, begin, begin + lifetime, methods)
        with self._lock:
            self._tokens[token.text] = token
        return token

    def find_key(self, ak: str) -> AccessKey | None:
        """Return the access key, or ``None`` if nobody has it."""
        with self._lock:
            return self._keys.get(ak)

    def find_token(self, text: str) -> Token | None:
        """Return the token, or ``None`` if it was never issued."""
        with self._lock:
            return self._tokens.get(text)

    def rotate(self, key: AccessKey) -> AccessKey:
        """Withdraw a key and return a new one of the same user."""
        self.remove(key)
        return self.add_access_key(user=key.user)

    def remove(self, holder: AccessKey | Token) -> None:
        """Withdraw a key or token, as if it had never been issued."""
        with self._lock:
            if isinstance(holder, AccessKey):
                self._keys.pop(holder.ak, None)
            else:
                self._tokens.pop(holder.text, None)

    def expire(self, holder: AccessKey | Token) -> None:
        """Let a temporary key or a token end now."""
        with self._lock:
            holder.expires_at = self._now()

    def block(self, key: AccessKey, lasting: timedelta = BLOCK_TIME) -> None:
        """Block a key, as after too many wrong signatures."""
        with self._lock:
            key.blocked_until = self._now() + lasting

    def unblock(self, key: AccessKey) -> None:
        """Lift a block and forget earlier failures."""
        with self._lock:
            key.blocked_until = None
            key.failures = 0

    def revoke(self, *permissions: str, user: str = USER_NAME) -> None:
        """Take permissions, named by their IAM action, from a user."""
        with self._lock:
            self.users[user].denied.update(permissions)

    def grant(self, *permissions: str, user: str = USER_NAME) -> None:
        """Give permissions back to a user."""
        with self._lock:
            self.users[user].denied.difference_update(permissions)
