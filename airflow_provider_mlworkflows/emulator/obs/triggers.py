"""Operations on the trigger policies of buckets; the bucket is in the host name or in the path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.emulator.obs.lookup import has
from airflow_provider_mlworkflows.emulator.obs.names import bucket_of_host, is_bucket_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_mlworkflows.emulator.obs.lookup import Lookup
    from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation

POLICY = "obsworkflowtriggerpolicy"


class TriggerRoutes:
    """Handlers of trigger policies."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._store = lookup.store

    def operations(self) -> Sequence[Operation]:
        """Return the operations of this module."""
        table = [("putTriggerPolicy", "PUT", self.put), ("getTriggerPolicy", "GET", self.get)]
        table.append(("deleteTriggerPolicy", "DELETE", self.delete))
        return [
            self._lookup.operation(name, method, path, handler, has(POLICY))
            for name, method, handler in table
            for path in ("/", "/{bucket}", "/{bucket}/")
        ]

    def put(self, call: Call) -> Answer:
        """Replace a bucket's trigger policy."""
        self._store.set_policy(self._bucket(call), self._lookup.body(call).get("rules"))
        call.effective = True
        return self._lookup.reply(call, None)

    def get(self, call: Call) -> Answer:
        """Return a bucket's trigger policy; that of a bucket without one has no rules."""
        return self._lookup.reply(call, {"rules": self._store.policies.get(self._bucket(call), [])})

    def delete(self, call: Call) -> Answer:
        """Delete a bucket's trigger policy."""
        self._store.delete_policy(self._bucket(call))
        call.effective = True
        return self._lookup.reply(call, None, 204)

    def _bucket(self, call: Call) -> str:
        bucket = call.ids.get("bucket") or bucket_of_host(call.header("host"))
        if bucket is None:
            self._lookup.refuse(call, 405, None, "Neither the host name nor the path names a bucket.")
        call.ids["bucket"] = bucket
        if not is_bucket_name(bucket) or not self._store.has(bucket):
            self._lookup.refuse(call, 404, "NoSuchBucket", f"The bucket {bucket} does not exist.")
        return bucket
