"""The demo's organisation: what is normal in its two projects, and what the attacker does."""

from datetime import UTC, datetime, timedelta
from typing import Any

from snapbase.sandbox.gcp.clients import bind, bind_container, client, insert, send, signed_in
from snapbase.sandbox.gcp.estate import ORGANIZATION
from snapbase.sandbox.story import Act

PRODUCTION = "northwind-prod"
ANALYTICS = "northwind-analytics"
PROJECTS = (PRODUCTION, ANALYTICS)
OWN_DOMAIN = "northwind.example"
"""The company's own mail domain, for `[trust] domains`."""
OUTSIDER = "user:m.mallory@collector.example"
ADMIN = f"terraform@{PRODUCTION}.iam.gserviceaccount.com"
"""Who made the estate."""
STOLEN = f"t.lambert@{OWN_DOMAIN}"
"""The administrator whose session the attacker holds."""

_FOLDER = "Production"
_ZONE = "europe-west1-b"
_REGION = "europe-west1"
_NIGHTLY = f"projects/{PRODUCTION}/regions/{_REGION}/resourcePolicies/nightly"
_KEY = f"projects/{PRODUCTION}/locations/eu/keyRings/backups/cryptoKeys/ledger"
_STORAGE = "roles/compute.storageAdmin"
_MACHINES = "roles/compute.instanceAdmin.v1"
_RESTORER = f"{ORGANIZATION}/roles/restoreOperator"
_AUDITOR = f"projects/{PRODUCTION}/roles/diskAuditor"


@signed_in(ADMIN)
def seed(url: str) -> None:
    """The estate on day one: what a normal company has, and who may do what with it."""
    _hierarchy(url)
    insert(url, "ResourcePolicies", "resource_policy", _schedule(), project=PRODUCTION, region=_REGION)
    for disk in ("orders-db", "orders-wal"):
        _disk(url, PRODUCTION, disk, policy=_NIGHTLY)
    _disk(url, ANALYTICS, "warehouse")
    zones = [f"projects/{PRODUCTION}/zones/{_ZONE}", f"projects/{PRODUCTION}/zones/{_REGION}-c"]
    body = {"name": "ledger", "size_gb": 50, "replica_zones": zones}
    insert(url, "RegionDisks", "disk", body, project=PRODUCTION, region=_REGION)
    _snapshots(url)
    _images(url)
    _backups(url)
    _bindings(url)


@signed_in(STOLEN)
def attack(url: str) -> tuple[Act, ...]:
    """An outsider gets at one of everything: by its own policy, by what lies above it, or by opening a vault."""
    bind(url, "Snapshots", _binding(_STORAGE, OUTSIDER), project=PRODUCTION, resource="orders-db-before-migration")
    everyone = _binding("roles/compute.imageUser", "allAuthenticatedUsers")
    bind(url, "Images", everyone, project=PRODUCTION, resource="golden-debian-13")
    bind(url, "MachineImages", _binding(_MACHINES, OUTSIDER), project=PRODUCTION, resource="bastion-2026")
    where = {"project": PRODUCTION, "zone": _ZONE}
    bind(url, "InstantSnapshots", _binding(_STORAGE, OUTSIDER), **where, resource="orders-db-pre-upgrade")
    bind(url, "Disks", _binding("roles/compute.instanceAdmin", OUTSIDER), **where, resource="orders-db")
    bind_container(url, f"projects/{ANALYTICS}", [_binding("roles/editor", OUTSIDER)])
    bind_container(url, f"projects/{PRODUCTION}", [_binding("roles/cloudsql.viewer", OUTSIDER)])
    folder = client(url, "ProjectsClient").get_project(name=f"projects/{PRODUCTION}").parent
    bind_container(url, folder, [_binding(_RESTORER, OUTSIDER)])
    bind_container(url, ORGANIZATION, [_binding("roles/iam.securityAdmin", OUTSIDER)])
    vault = f"projects/{PRODUCTION}/locations/{_REGION}/backupVaults/ledger"
    mask = {"updateMask": "accessRestriction", "forceUpdateAccessRestriction": "true"}
    send("PATCH", f"{url}/v1/{vault}", {"accessRestriction": "UNRESTRICTED"}, **mask)
    return _told(OUTSIDER.partition(":")[2], folder)


def _told(who: str, folder: str) -> tuple[Act, ...]:
    share, inherited, manager = "unknown-account-share", "inherited-share", "cloudresourcemanager.googleapis.com"
    production = f"{manager}/projects/{PRODUCTION}"
    return (
        Act(
            f"GCP: {who} may use and re-share snapshot orders-db-before-migration", share, "orders-db-before-migration"
        ),
        Act("GCP: image golden-debian-13 opened to every Google account", "public-share", "images/golden-debian-13"),
        Act(f"GCP: {who} may make machines of machine image bastion-2026", share, "machineImages/bastion-2026"),
        Act(f"GCP: {who} may use instant snapshot orders-db-pre-upgrade", share, "orders-db-pre-upgrade"),
        Act(f"GCP: {who} may clone disk orders-db", share, "disks/orders-db"),
        Act(f"GCP: {who} became editor of project {ANALYTICS}", inherited, f"projects/{ANALYTICS}"),
        Act(f"GCP: {who} may export the Cloud SQL databases of project {PRODUCTION}", inherited, production),
        Act(
            f"GCP: {who} got a custom role that restores snapshots, on folder {_FOLDER}",
            inherited,
            f"{manager}/{folder}",
        ),
        Act(f"GCP: {who} may change every policy of the organisation", inherited, f"{manager}/{ORGANIZATION}"),
        Act("GCP: vault ledger lets backups out of the organisation", "protection-weakened", "backupVaults/ledger"),
    )


def _hierarchy(url: str) -> None:
    """People through groups, one backup robot, two custom roles, and the agents that Google puts into every project."""
    folders = client(url, "FoldersClient")
    folder = folders.create_folder(request={"folder": {"display_name": _FOLDER, "parent": ORGANIZATION}}).result()
    restorer = {"title": "Restores", "includedPermissions": ["compute.snapshots.get", "compute.snapshots.useReadOnly"]}
    send("POST", f"{url}/v1/{ORGANIZATION}/roles", {"roleId": "restoreOperator", "role": restorer})
    for project, parent in ((PRODUCTION, folder.name), (ANALYTICS, ORGANIZATION)):
        body = {"project_id": project, "display_name": project.replace("-", " ").title(), "parent": parent}
        made = client(url, "ProjectsClient").create_project(request={"project": body}).result()
        bind_container(url, str(made.name), _usual(project, str(made.name).removeprefix("projects/")))
    auditor = {"title": "Audits disks", "includedPermissions": ["compute.disks.get", "compute.disks.list"]}
    send("POST", f"{url}/v1/projects/{PRODUCTION}/roles", {"roleId": "diskAuditor", "role": auditor})
    bind_container(url, f"projects/{PRODUCTION}", [_binding(_AUDITOR, f"group:auditors@{OWN_DOMAIN}")])
    bind_container(url, str(folder.name), [_binding(_RESTORER, f"group:on-call@{OWN_DOMAIN}")])
    admins = _binding("roles/resourcemanager.organizationAdmin", f"group:cloud-admins@{OWN_DOMAIN}")
    bind_container(url, ORGANIZATION, [admins])


def _usual(project: str, number: str) -> list[dict[str, Any]]:
    agent = f"serviceAccount:service-{number}@compute-system.iam.gserviceaccount.com"
    return [
        _binding("roles/owner", f"group:cloud-admins@{OWN_DOMAIN}"),
        _binding("roles/viewer", f"domain:{OWN_DOMAIN}"),
        _binding(_STORAGE, f"serviceAccount:backup@{project}.iam.gserviceaccount.com"),
        _binding("roles/compute.serviceAgent", agent),
        _binding("roles/editor", f"serviceAccount:{number}@cloudservices.gserviceaccount.com"),
        _binding("roles/logging.viewer", f"group:auditors@{OWN_DOMAIN}"),
    ]


def _schedule() -> dict[str, Any]:
    schedule = {"daily_schedule": {"days_in_cycle": 1, "start_time": "03:00"}}
    kept = {"max_retention_days": 14, "on_source_disk_delete": "KEEP_AUTO_SNAPSHOTS"}
    return {"name": "nightly", "snapshot_schedule_policy": {"schedule": schedule, "retention_policy": kept}}


def _snapshots(url: str) -> None:
    labels = {"team": "payments", "keep": "yes"}
    _snapshot(url, PRODUCTION, "orders-db-before-migration", "orders-db", labels)
    _snapshot(url, PRODUCTION, "orders-wal-2026w46", "orders-wal", {"team": "payments"})
    _snapshot(url, ANALYTICS, "warehouse-q3", "warehouse", {"team": "insight"})
    body = {"name": "orders-db-eu-only", "source_disk": _source(PRODUCTION, "orders-db")}
    insert(url, "RegionSnapshots", "snapshot", body, project=PRODUCTION, region=_REGION)
    zonal = {"name": "orders-db-pre-upgrade", "source_disk": _source(PRODUCTION, "orders-db")}
    insert(url, "InstantSnapshots", "instant_snapshot", zonal, project=PRODUCTION, zone=_ZONE)
    regional = {"name": "ledger-pre-upgrade", "source_disk": f"projects/{PRODUCTION}/regions/{_REGION}/disks/ledger"}
    insert(url, "RegionInstantSnapshots", "instant_snapshot", regional, project=PRODUCTION, region=_REGION)


def _images(url: str) -> None:
    for project, name, disk, family in (
        (PRODUCTION, "golden-debian-13", "orders-db", "golden"),
        (ANALYTICS, "notebook-runtime", "warehouse", "notebooks"),
    ):
        body = {"name": name, "source_disk": _source(project, disk), "family": family}
        insert(url, "Images", "image", body, project=project)
    machine = {"name": "bastion-2026", "source_instance": f"projects/{PRODUCTION}/zones/{_ZONE}/instances/bastion"}
    insert(url, "MachineImages", "machine_image", machine, project=PRODUCTION)


def _backups(url: str) -> None:
    for instance, words in (("billing", "before the price change"), ("crm", "handed over by the old team")):
        backup = {"instance": instance, "description": words}
        send("POST", f"{url}/v1/projects/{PRODUCTION}/backups", backup)
    vault = {
        "description": "Ledger, kept against ransomware",
        "accessRestriction": "WITHIN_ORGANIZATION",
        "backupMinimumEnforcedRetentionDuration": "2592000s",
        "effectiveTime": "2026-01-31T00:00:00Z",
        "encryptionConfig": {"kmsKeyName": _KEY},
    }
    where = f"projects/{PRODUCTION}/locations/{_REGION}/backupVaults"
    send("POST", f"{url}/v1/{where}", vault, backupVaultId="ledger")


def _bindings(url: str) -> None:
    """Those of single resources: a team's, and one that ends by itself."""
    dba = _binding(_STORAGE, f"group:dba@{OWN_DOMAIN}")
    bind(url, "Snapshots", dba, project=PRODUCTION, resource="orders-db-before-migration")
    bind(url, "Disks", dba, project=PRODUCTION, zone=_ZONE, resource="orders-db")
    temporary = _temporary(_STORAGE, f"user:ada@{OWN_DOMAIN}")
    bind(url, "Snapshots", temporary, project=PRODUCTION, resource="orders-wal-2026w46")


def _binding(role: str, member: str) -> dict[str, Any]:
    return {"role": role, "members": [member]}


def _temporary(role: str, member: str) -> dict[str, Any]:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
    expression = f'request.time < timestamp("{end:%Y-%m-%dT%H:%M:%SZ}")'
    return {**_binding(role, member), "condition": {"title": "until the migration is over", "expression": expression}}


def _disk(url: str, project: str, name: str, *, policy: str | None = None) -> None:
    body = {"name": name, "size_gb": 200, "resource_policies": [policy] if policy else []}
    insert(url, "Disks", "disk", body, project=project, zone=_ZONE)


def _source(project: str, disk: str) -> str:
    return f"projects/{project}/zones/{_ZONE}/disks/{disk}"


def _snapshot(url: str, project: str, name: str, disk: str, labels: dict[str, str]) -> None:
    body = {"name": name, "source_disk": _source(project, disk), "labels": labels}
    insert(url, "Snapshots", "snapshot", body, project=project)
