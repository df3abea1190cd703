"""Restores from both kinds of vault, and the jobs that they leave. Field names are those of azure-mgmt-
recoveryservicesbackup 9.2.0 and azure-mgmt-dataprotection 2.2.0, which are not installed here."""

import re
import uuid
from datetime import UTC, datetime

from snapbase.sandbox.azure.answers import Answer
from snapbase.sandbox.azure.bodies import Shape, check_shape
from snapbase.sandbox.azure.estate import ArmError, Body, now
from snapbase.sandbox.azure.routing import GROUP, Request, route

_RECOVERY = "Microsoft.RecoveryServices/vaults"
_PROTECTION = "Microsoft.DataProtection/backupVaults"
_ENVELOPE = ("id", "name", "type", "location", "tags", "eTag")
_JOB: Shape = {
    **dict.fromkeys(_ENVELOPE),
    "properties": {
        **dict.fromkeys(
            (
                "jobType",
                "duration",
                "actionsInfo",
                "virtualMachineVersion",
                "entityFriendlyName",
                "backupManagementType",
                "operation",
                "status",
                "startTime",
                "endTime",
                "activityId",
                "errorDetails",
                "containerName",
                "isUserTriggered",
            )
        ),
        "extendedInfo": dict.fromkeys(
            (
                "tasksList",
                "propertyBag",
                "internalPropertyBag",
                "progressPercentage",
                "estimatedRemainingDuration",
                "dynamicErrorMessage",
            )
        ),
    },
}
_PROTECTION_JOB: Shape = {
    **dict.fromkeys(("id", "name", "type", "systemData")),
    "properties": {
        **dict.fromkeys(
            (
                "activityID",
                "backupInstanceFriendlyName",
                "backupInstanceId",
                "dataSourceId",
                "dataSourceLocation",
                "dataSourceName",
                "dataSourceSetName",
                "dataSourceType",
                "destinationDataStoreName",
                "duration",
                "endTime",
                "errorDetails",
                "etag",
                "isUserTriggered",
                "operation",
                "operationCategory",
                "policyId",
                "policyName",
                "progressEnabled",
                "progressUrl",
                "rehydrationPriority",
                "restoreType",
                "sourceDataStoreName",
                "sourceResourceGroup",
                "sourceSubscriptionID",
                "startTime",
                "status",
                "subscriptionId",
                "supportedActions",
                "vaultName",
            )
        ),
        "extendedInfo": dict.fromkeys(
            (
                "additionalDetails",
                "backupInstanceState",
                "dataTransferredInBytes",
                "recoveryDestination",
                "sourceRecoverPoint",
                "subTasks",
                "targetRecoverPoint",
                "warningDetails",
            )
        ),
    },
}
_CLAUSE = re.compile(r"(operation|startTime|endTime|status|backupManagementType|jobId) eq '([^']*)'")
_TIMES = "%Y-%m-%d %I:%M:%S %p"


def _vault(call: Request, kind: str) -> Body:
    names = call.names
    address = f"/subscriptions/{names['sub']}/resourceGroups/{names['group']}/providers/{kind}/{names['vault']}"
    return call.arm.estate.resource(address)


def _keep(call: Request, vault: Body, kind: str, properties: Body) -> Answer:
    name = str(uuid.uuid4())
    address = f"{vault['id']}/backupJobs/{name}"
    job: Body = {"id": address, "name": name, "type": f"{kind}/backupJobs", "properties": properties}
    call.arm.estate.resources[address.lower()] = job
    return Answer(202, None, {"Location": f"{call.arm.url}{address}?api-version=2024-04-01", "Retry-After": "0"})


def _restore(call: Request) -> Answer:
    """From a Recovery Services vault: a machine's disks, ended at once."""
    vault, asked = _vault(call, _RECOVERY), call.body["properties"]
    container = call.names["container"].partition(";")[2]
    into = (asked.get("targetResourceGroupId") or "").rpartition("/")[2]
    bag = {
        "Job Type": "Recover disks",
        "Target Storage Account Name": (asked.get("storageAccountId") or "").rpartition("/")[2],
        "Target resource group": into,
        "Template Blob Uri": "https://sandbox.blob.invalid/vault/azuredeploy.json?sig=sandboxsignature",
    }
    return _keep(
        call,
        vault,
        _RECOVERY,
        {
            "jobType": "AzureIaaSVMJob",
            "duration": "PT1M",
            "virtualMachineVersion": "Compute",
            "entityFriendlyName": container.rpartition(";")[2],
            "backupManagementType": "AzureIaasVM",
            "operation": "Restore",
            "status": "Completed",
            "startTime": now(),
            "endTime": now(),
            "activityId": str(uuid.uuid4()),
            "containerName": container,
            "isUserTriggered": True,
            "extendedInfo": {"tasksList": [], "propertyBag": bag},
        },
    )


def _restore_instance(call: Request) -> Answer:
    """From a backup vault: a disk, ended at once."""
    vault = _vault(call, _PROTECTION)
    asked, instance = call.body, f"{vault['id']}/backupInstances/{call.names['instance']}"
    into = asked["restoreTargetInfo"]["datasourceInfo"]["resourceID"]
    return _keep(
        call,
        vault,
        _PROTECTION,
        {
            "activityID": str(uuid.uuid4()),
            "backupInstanceId": instance,
            "backupInstanceFriendlyName": call.names["instance"],
            "dataSourceId": asked.get("sourceResourceId"),
            "dataSourceName": (asked.get("sourceResourceId") or "").rpartition("/")[2],
            "dataSourceType": "Microsoft.Compute/disks",
            "isUserTriggered": True,
            "operation": "Restore",
            "operationCategory": "Restore",
            "restoreType": "AlternateLocation",
            "status": "Completed",
            "startTime": now(),
            "endTime": now(),
            "subscriptionId": call.names["sub"],
            "vaultName": vault["name"],
            "extendedInfo": {"recoveryDestination": into},
        },
    )


def _list(call: Request) -> Answer:
    """Without what only one job's own answer has; narrowed by clauses that are equal, also of times."""
    clauses = {}
    for clause in filter(None, call.query.get("$filter", "").split(" and ")):
        found = _CLAUSE.fullmatch(clause.strip())
        if found is None:
            raise ArmError(400, "BMSUserErrorInvalidInput", f"The filter clause '{clause}' is not supported.")
        clauses[found[1]] = found[2]
    begin, end = (_time(clauses.get(name)) for name in ("startTime", "endTime"))
    jobs = [
        each
        for each in call.arm.estate.of_type(f"{_RECOVERY}/backupJobs", _vault(call, _RECOVERY)["id"].lower())
        if clauses.get("operation", each["properties"]["operation"]) == each["properties"]["operation"]
        and _within(each["properties"]["startTime"], begin, end)
    ]
    listed = [
        each | {"properties": {k: v for k, v in each["properties"].items() if k != "extendedInfo"}} for each in jobs
    ]
    return call.checked(listed, lambda each: check_shape(each, "JobResource", _JOB))


def _time(asked: str | None) -> datetime | None:
    return datetime.strptime(asked, _TIMES).replace(tzinfo=UTC) if asked else None


def _within(at: str, begin: datetime | None, end: datetime | None) -> bool:
    """The list knows whole seconds."""
    began = datetime.fromisoformat(at).replace(microsecond=0)
    return (begin is None or began >= begin) and (end is None or began <= end)


def _list_instances(call: Request) -> Answer:
    jobs = call.arm.estate.of_type(f"{_PROTECTION}/backupJobs", _vault(call, _PROTECTION)["id"].lower())
    return call.checked(jobs, lambda each: check_shape(each, "AzureBackupJobResource", _PROTECTION_JOB))


def _show(call: Request) -> Answer:
    job = call.arm.estate.resource(call.path)
    check_shape(job, "JobResource", _JOB)
    return Answer(200, job)


_VAULT = f"{GROUP}/providers/{_RECOVERY}/{{vault}}"
_BACKUP_VAULT = f"{GROUP}/providers/{_PROTECTION}/{{vault}}"
_POINT = "/backupFabrics/{fabric}/protectionContainers/{container}/protectedItems/{item}/recoveryPoints/{point}"
_OPERATION = f"{_RECOVERY}/backupFabrics/protectionContainers/protectedItems/recoveryPoints/restore/action"
ROUTES = (
    route("GET", f"{_VAULT}/backupJobs", f"{_RECOVERY}/backupJobs/read", _list),
    route("GET", f"{_VAULT}/backupJobs/{{job}}", f"{_RECOVERY}/backupJobs/read", _show),
    route("POST", f"{_VAULT}{_POINT}/restore", _OPERATION, _restore),
    route("GET", f"{_BACKUP_VAULT}/backupJobs", f"{_PROTECTION}/backupJobs/read", _list_instances),
    route(
        "POST",
        f"{_BACKUP_VAULT}/backupInstances/{{instance}}/restore",
        f"{_PROTECTION}/backupInstances/restore/action",
        _restore_instance,
    ),
)
