"""What ModelArts answers about clusters and resource pools."""

from __future__ import annotations

from pydantic import Field

from airflow_provider_mlworkflows.clouds.huawei.modelarts_models import Time
from airflow_provider_mlworkflows.clouds.huawei.modelarts_paging import Counted
from airflow_provider_mlworkflows.clouds.huawei.models import Reply


class ClusterNode(Reply):
    """The nodes of a cluster, which are all alike."""

    specification: str = ""
    count: int | None = None
    available_count: int | None = None


class Cluster(Reply):
    """A dedicated cluster. Periods and orders are told of prepaid ones only."""

    cluster_id: str
    cluster_name: str = ""
    description: str = ""
    tenant: str = ""
    project: str = ""
    owner: str = ""
    created_at: Time = None
    status: str = ""
    nodes: ClusterNode = ClusterNode()
    allocatable_cpu_cores: float | None = None
    allocatable_memory: float | None = None
    allocatable_gpus: float | None = None
    period_num: int | None = None
    period_type: str = ""
    product_id: str = ""
    order_id: str = ""


class ClusterPage(Counted):
    """One page of clusters."""

    promised = frozenset({"clusters"})

    clusters: list[Cluster] = Field(default_factory=list)


class PoolMetadata(Reply):
    """The name of a pool or node. The name shown in the console is a label of the pool."""

    name: str = ""
    created_at: Time = Field(default=None, alias="creationTimestamp")
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class PoolResource(Reply):
    """So many nodes of one flavor."""

    flavor: str = ""
    count: int | None = None


class PoolNetwork(Reply):
    """The network of a pool."""

    name: str = ""


class PoolSpec(Reply):
    """What a pool should be."""

    type: str = ""
    scope: list[str] = Field(default_factory=list)
    resources: list[PoolResource] = Field(default_factory=list)
    network: PoolNetwork = PoolNetwork()


class PoolScope(Reply):
    """Whether a pool serves one kind of work."""

    scope_type: str = Field(default="", alias="scopeType")
    state: str = ""


class ZoneResource(Reply):
    """So many nodes in one zone."""

    az: str = ""
    count: int | None = None


class AvailableResource(PoolResource):
    """So many nodes of one flavor that can be used, and where."""

    azs: list[ZoneResource] = Field(default_factory=list)


class PoolResources(Reply):
    """The nodes of a pool, by what can be done with them."""

    available: list[AvailableResource] = Field(default_factory=list)


class PoolStatus(Reply):
    """What a pool is."""

    phase: str = ""
    root: str = ""
    scope: list[PoolScope] = Field(default_factory=list)
    resources: PoolResources = PoolResources()


class Pool(Reply):
    """A resource pool."""

    promised = frozenset({"metadata"})

    kind: str = ""
    metadata: PoolMetadata = PoolMetadata()
    spec: PoolSpec = PoolSpec()
    status: PoolStatus = PoolStatus()

    @property
    def name(self) -> str:
        """What other operations call it by."""
        return self.metadata.name

    @property
    def display_name(self) -> str:
        """What its owner called it, as the console shows it."""
        return self.metadata.labels.get("os.modelarts/name", "") or self.name


class PoolList(Reply):
    """The resource pools."""

    promised = frozenset({"items"})

    items: list[Pool] = Field(default_factory=list)


class NodeResources(Reply):
    """Amounts as Kubernetes writes them, such as ``3920m`` and ``6270Mi``."""

    cpu: str = ""
    memory: str = ""
    gpu: str = Field(default="", alias="nvidia.com/gpu")
    ascend_snt3: str = Field(default="", alias="huawei.com/ascend-snt3")
    ascend_snt9: str = Field(default="", alias="huawei.com/ascend-snt9")


class NodeSpec(Reply):
    """What a node should be."""

    flavor: str = ""


class NodeStatus(Reply):
    """What a node is: ``Available``, ``Creating``, ``Deleting`` or ``Abnormal``, and what it has left."""

    phase: str = ""
    az: str = ""
    private_ip: str = Field(default="", alias="privateIp")
    resources: NodeResources = NodeResources()
    available_resources: NodeResources = Field(default=NodeResources(), alias="availableResources")


class PoolNode(Reply):
    """A node of a resource pool."""

    metadata: PoolMetadata = PoolMetadata()
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()

    @property
    def name(self) -> str:
        """Its name."""
        return self.metadata.name

    @property
    def is_available(self) -> bool:
        """Whether work can be put on it."""
        return self.status.phase.lower() == "available"


class NodeListMetadata(Reply):
    """Where a list goes on, "" if it ends here."""

    continue_from: str = Field(default="", alias="continue")
    remaining: int | None = Field(default=None, alias="remainingItemCount")


class PoolNodeList(Reply):
    """One page of a pool's nodes."""

    promised = frozenset({"items"})

    metadata: NodeListMetadata = NodeListMetadata()
    items: list[PoolNode] = Field(default_factory=list)
