"""The demo's two projects: what is normal in them, and what the attacker does."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from snapbase.sandbox.story import Act

PRODUCTION = "northwind-prod"
ANALYTICS = "northwind-analytics"
PROJECTS = (PRODUCTION, ANALYTICS)
OWN_DOMAIN = "northwind.example"
"""The company's own mail domain, for `[trust] domains`."""
OUTSIDER = "user:m.mallory@collector.example"

_ORGANIZATION = "organizations/318455021164"
_ZONE = "europe-west1-b"
_REGION = "europe-west1"
_VERSION = 3
"""Of every policy asked for and set: older ones lose their conditions."""


def seed(url: str) -> None:
    """The estate on day one: disks, scheduled and manual snapshots, images, and the bindings of a normal company."""
    for project in PROJECTS:
        number = _create_project(url, project)
        _bind_project(url, project, _usual_bindings(project, number))
    for disk in ("orders-db", "orders-wal"):
        _disk(url, PRODUCTION, disk, policy=f"projects/{PRODUCTION}/regions/{_REGION}/resourcePolicies/nightly")
    _disk(url, ANALYTICS, "warehouse")
    _snapshot(url, PRODUCTION, "orders-db-before-migration", "orders-db", {"team": "payments", "keep": "yes"})
    _snapshot(url, PRODUCTION, "orders-wal-2026w46", "orders-wal", {"team": "payments"})
    _snapshot(url, ANALYTICS, "warehouse-q3", "warehouse", {"team": "insight"})
    _regional_snapshot(url, PRODUCTION, "orders-db-eu-only", "orders-db")
    _image(url, PRODUCTION, "golden-debian-13", "orders-db", family="golden")
    _image(url, ANALYTICS, "notebook-runtime", "warehouse", family="notebooks")
    _bind_snapshot(url, PRODUCTION, "orders-db-before-migration", _binding(_STORAGE, f"group:dba@{OWN_DOMAIN}"))
    _bind_snapshot(url, PRODUCTION, "orders-wal-2026w46", _temporary(_STORAGE, f"user:ada@{OWN_DOMAIN}"))


def attack(url: str) -> tuple[Act, ...]:
    """An outsider gets a snapshot, everyone with a Google account an image, and an outsider a whole project."""
    _bind_snapshot(url, PRODUCTION, "orders-db-before-migration", _binding(_STORAGE, OUTSIDER))
    _bind_image(url, PRODUCTION, "golden-debian-13", _binding("roles/compute.imageUser", "allAuthenticatedUsers"))
    _bind_project(url, ANALYTICS, [_binding("roles/editor", OUTSIDER)])
    who = OUTSIDER.partition(":")[2]
    return (
        Act(f"GCP: {who} may use and re-share snapshot orders-db-before-migration", "unknown-account-share", _SHARED),
        Act("GCP: image golden-debian-13 opened to every Google account", "public-share", "images/golden-debian-13"),
        Act(f"GCP: {who} became editor of project {ANALYTICS}", "inherited-share", f"projects/{ANALYTICS}"),
    )


_STORAGE = "roles/compute.storageAdmin"
_SHARED = "snapshots/orders-db-before-migration"


def _usual_bindings(project: str, number: str) -> list[dict[str, Any]]:
    """People through groups, one backup robot, and the agents that Google itself puts into every project."""
    agent = f"serviceAccount:service-{number}@compute-system.iam.gserviceaccount.com"
    return [
        _binding("roles/owner", f"group:cloud-admins@{OWN_DOMAIN}"),
        _binding("roles/viewer", f"domain:{OWN_DOMAIN}"),
        _binding(_STORAGE, f"serviceAccount:backup@{project}.iam.gserviceaccount.com"),
        _binding("roles/compute.serviceAgent", agent),
        _binding("roles/editor", f"serviceAccount:{number}@cloudservices.gserviceaccount.com"),
        _binding("roles/logging.viewer", f"group:auditors@{OWN_DOMAIN}"),
    ]


def _binding(role: str, member: str) -> dict[str, Any]:
    return {"role": role, "members": [member]}


def _temporary(role: str, member: str) -> dict[str, Any]:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
    expression = f'request.time < timestamp("{end:%Y-%m-%dT%H:%M:%SZ}")'
    return {**_binding(role, member), "condition": {"title": "until the migration is over", "expression": expression}}


def client(url: str, name: str) -> Any:
    """One of google-cloud-compute's clients by class name, or `ProjectsClient`, talking to the sandbox."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import compute_v1
    from google.cloud.resourcemanager_v3 import ProjectsClient

    options = {"credentials": AnonymousCredentials(), "client_options": {"api_endpoint": url}}
    return (
        ProjectsClient(transport="rest", **options)
        if name == "ProjectsClient"
        else getattr(compute_v1, name)(**options)
    )


def _create_project(url: str, project: str) -> str:
    """The number of the new project."""
    body = {"project_id": project, "display_name": project.replace("-", " ").title(), "parent": _ORGANIZATION}
    created = client(url, "ProjectsClient").create_project(request={"project": body}).result()
    return str(created.name).removeprefix("projects/")


def _bind_project(url: str, project: str, bindings: Sequence[dict[str, Any]]) -> None:
    from google.iam.v1 import policy_pb2  # type: ignore[import-untyped]

    projects, name = client(url, "ProjectsClient"), f"projects/{project}"
    policy = projects.get_iam_policy(request={"resource": name, "options": {"requested_policy_version": _VERSION}})
    policy.bindings.extend(policy_pb2.Binding(**each) for each in bindings)
    projects.set_iam_policy(request={"resource": name, "policy": policy})


def _disk(url: str, project: str, name: str, *, policy: str | None = None) -> None:
    body = {"name": name, "size_gb": 200, "resource_policies": [policy] if policy else []}
    client(url, "DisksClient").insert(project=project, zone=_ZONE, disk_resource=body).result()


def _source(project: str, disk: str) -> str:
    return f"projects/{project}/zones/{_ZONE}/disks/{disk}"


def _snapshot(url: str, project: str, name: str, disk: str, labels: dict[str, str]) -> None:
    body = {"name": name, "source_disk": _source(project, disk), "labels": labels}
    client(url, "SnapshotsClient").insert(project=project, snapshot_resource=body).result()


def _regional_snapshot(url: str, project: str, name: str, disk: str) -> None:
    body = {"name": name, "source_disk": _source(project, disk)}
    snapshots = client(url, "RegionSnapshotsClient")
    snapshots.insert(project=project, region=_REGION, snapshot_resource=body).result()


def _image(url: str, project: str, name: str, disk: str, *, family: str) -> None:
    body = {"name": name, "source_disk": _source(project, disk), "family": family}
    client(url, "ImagesClient").insert(project=project, image_resource=body).result()


def _bind_snapshot(url: str, project: str, name: str, binding: dict[str, Any]) -> None:
    _bind(client(url, "SnapshotsClient"), project, name, binding)


def _bind_image(url: str, project: str, name: str, binding: dict[str, Any]) -> None:
    _bind(client(url, "ImagesClient"), project, name, binding)


def _bind(resources: Any, project: str, name: str, binding: dict[str, Any]) -> None:
    """Read, add, write: the etag refuses to overwrite what somebody else changed in between."""
    from google.cloud.compute_v1 import Binding, GlobalSetPolicyRequest

    request = {"project": project, "resource": name, "options_requested_policy_version": _VERSION}
    policy = resources.get_iam_policy(request=request)
    policy.bindings.append(Binding(binding))
    policy.version = _VERSION
    body = GlobalSetPolicyRequest(policy=policy)
    resources.set_iam_policy(project=project, resource=name, global_set_policy_request_resource=body)
