"""Records of our own making, in both shapes that the Azure Activity Log has, and what they stand for."""

import json
from datetime import UTC, datetime
from typing import Any

from snapbase.audit.log import Parsed
from snapbase.event import Action, Event
from snapbase.model import Principal, PrincipalKind

SUBSCRIPTION, TENANT = "aaaaaaaa-0000-4000-8000-00000000000a", "bbbbbbbb-0000-4000-8000-00000000000b"
ELSEWHERE, OTHERS = "cccccccc-0000-4000-8000-00000000000c", "dddddddd-0000-4000-8000-00000000000d"
EVE = "eeeeeeee-0000-4000-8000-00000000000e"
HERE = f"/subscriptions/{SUBSCRIPTION}"
GROUP = f"{HERE}/resourceGroups/Shop-RG"
COMPUTE = f"{GROUP}/providers/Microsoft.Compute"
SNAPSHOT, DISK, MACHINE = f"{COMPUTE}/snapshots/Ledger", f"{COMPUTE}/disks/orders", f"{COMPUTE}/virtualMachines/probe"
POINT = f"{COMPUTE}/restorePointCollections/vm/restorePoints/nightly"
GALLERY, ACCESS = f"{COMPUTE}/galleries/golden", f"{COMPUTE}/diskAccesses/private"
VAULT = f"{GROUP}/providers/Microsoft.RecoveryServices/vaults/shop"
ITEM = f"{VAULT}/backupFabrics/Azure/protectionContainers/iaas;vm/protectedItems/vm;probe"
ARCHIVE = f"{GROUP}/providers/Microsoft.DataProtection/backupVaults/archive"
AUTH = "providers/Microsoft.Authorization"
OWNER, ACR_PULL = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "7f951dda-4ed3-4680-a7ca-43fe172d538d"
CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
BACKUP = "262044b1-e2ce-469f-a196-69ab7ada62d3"
AT = datetime(2026, 11, 3, 4, 5, 6, tzinfo=UTC)
IDENTITY = "http://schemas.microsoft.com/identity/claims/"
UPN = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"
ADA = {
    "appid": CLI,
    "ipaddr": "203.0.113.9",
    "name": "Ada",
    f"{IDENTITY}objectidentifier": "0B5FE924-0000-4000-8000-00000000000A",
    f"{IDENTITY}tenantid": TENANT,
    f"{IDENTITY}scope": "user_impersonation",
    UPN: "ada@acme.example",
}
ROBOT = {
    "appid": "99999999-0000-4000-8000-000000000009",
    "idtyp": "app",
    f"{IDENTITY}objectidentifier": "0b5fe924-0000-4000-8000-00000000000c",
    f"{IDENTITY}tenantid": TENANT,
}


def portal(operation: str, resource: str, status: str = "Succeeded", **fields: Any) -> dict[str, Any]:
    """As the REST API, the portal and the CLI have it; `asked` and `answered` are bodies."""
    bodies = _bodies(fields)
    claims = fields.pop("claims", ADA)
    return {
        "authorization": {"action": operation, "scope": resource},
        "caller": claims.get(UPN, "ada@acme.example"),
        "channels": "Operation",
        "claims": claims,
        "correlationId": "12345678-0000-4000-8000-000000000001",
        "eventDataId": "87654321-0000-4000-8000-000000000002",
        "eventName": {"value": "EndRequest", "localizedValue": "End request"},
        "category": {"value": "Administrative", "localizedValue": "Administrative"},
        "eventTimestamp": "2026-11-03T04:05:06.0000000Z",
        "operationName": {"value": operation, "localizedValue": "Something"},
        "resourceId": resource,
        "status": {"value": status, "localizedValue": status},
        "subStatus": {"value": "OK", "localizedValue": "OK (HTTP Status Code: 200)"},
        "submissionTimestamp": "2026-11-03T04:06:06.0000000Z",
        "subscriptionId": SUBSCRIPTION,
        "tenantId": TENANT,
        "properties": {"statusCode": "OK", "entity": resource, "message": operation, **bodies},
        **fields,
    }


def exported(operation: str, resource: str, status: str = "Success", **fields: Any) -> dict[str, Any]:
    """As a diagnostic setting writes it to storage or an event hub."""
    bodies = _bodies(fields)
    return {
        "time": "2026-11-03T04:05:06.0000000Z",
        "resourceId": resource.upper(),
        "operationName": operation.upper(),
        "category": "Administrative",
        "resultType": status,
        "resultSignature": f"{status}.",
        "durationMs": "0",
        "callerIpAddress": "203.0.113.9",
        "correlationId": "12345678-0000-4000-8000-000000000001",
        "identity": {
            "authorization": {"scope": resource, "action": operation, "evidence": {"role": "Owner"}},
            "claims": fields.pop("claims", ADA),
        },
        "level": "Information",
        "location": "westeurope",
        "tenantId": TENANT,
        "properties": {"eventCategory": "Administrative", "entity": resource, "message": operation, **bodies},
        **fields,
    }


def _bodies(fields: dict[str, Any]) -> dict[str, Any]:
    named = {"requestbody": fields.pop("asked", None), "responseBody": fields.pop("answered", None)}
    named["statusMessage"] = fields.pop("error", None)
    return {
        name: each if isinstance(each, str) else json.dumps(each) for name, each in named.items() if each is not None
    }


def event(found: Parsed) -> Event:
    assert isinstance(found, Event), found
    return found


def made_of(source: str, **more: Any) -> dict[str, Any]:
    return {"location": "westeurope", "properties": {"creationData": {"sourceResourceId": source}, **more}}


def disks(*found: dict[str, Any]) -> dict[str, Any]:
    return {"properties": {"storageProfile": {"osDisk": {"createOption": "FromImage"}, "dataDisks": list(found)}}}


def role(guid: str, kind: str = "User") -> dict[str, Any]:
    """Requests are logged as they were written, with their capitals."""
    name = f"{HERE}/{AUTH}/roleDefinitions/{guid}"
    return {"Properties": {"PrincipalId": EVE.upper(), "RoleDefinitionId": name, "PrincipalType": kind}}


def sharing(verb: str, kind: str = "Subscriptions", *ids: str) -> dict[str, Any]:
    return {"operationType": verb, "groups": [{"type": kind, "ids": list(ids)}]} if ids else {"operationType": verb}


def soft_delete(state: str) -> dict[str, Any]:
    return {"properties": {"securitySettings": {"softDeleteSettings": {"softDeleteState": state}}}}


SAS = (Principal(PrincipalKind.BEARER, "sas"),)
TO_EVE = (Principal(PrincipalKind.USER, EVE),)
ATTACHED = {"createOption": "Attach", "managedDisk": {"id": DISK}}
COPIED = {"createOption": "Copy", "sourceResource": {"id": SNAPSHOT}}
ENDPOINT = {"id": f"/subscriptions/{ELSEWHERE}/resourceGroups/n/providers/Microsoft.Network/privateEndpoints/p"}
APPROVED = {"properties": {"privateEndpoint": ENDPOINT, "privateLinkServiceConnectionState": {"status": "Approved"}}}
LIGHTHOUSE = f"{HERE}/providers/Microsoft.ManagedServices"
CASES: tuple[tuple[str, str, dict[str, Any], str, tuple[str, ...], str, tuple[Principal, ...]], ...] = (
    ("snapshots/write", SNAPSHOT, made_of(DISK), Action.CREATE, (SNAPSHOT,), DISK, ()),
    ("snapshots/write", SNAPSHOT, made_of(f"{SNAPSHOT}-2"), Action.COPY, (SNAPSHOT,), f"{SNAPSHOT}-2", ()),
    ("snapshots/delete", SNAPSHOT, {}, Action.DELETE, (SNAPSHOT,), "", ()),
    ("snapshots/beginGetAccess/action", SNAPSHOT, {"access": "Read"}, Action.EXPORT, (SNAPSHOT,), "", SAS),
    ("snapshots/endGetAccess/action", SNAPSHOT, {}, Action.UNSHARE, (SNAPSHOT,), "", SAS),
    ("disks/beginGetAccess/action", DISK, {}, Action.EXPORT, (DISK,), "", SAS),
    ("disks/write", DISK, made_of(SNAPSHOT), Action.RESTORE, (SNAPSHOT, DISK), SNAPSHOT, ()),
    ("disks/write", DISK, made_of(f"{DISK}-2"), Action.COPY, (DISK,), f"{DISK}-2", ()),
    ("disks/write", DISK, {"properties": {"creationData": {"createOption": "Empty"}}}, Action.CREATE, (DISK,), "", ()),
    ("restorePointCollections/restorePoints/retrieveSasUris/action", POINT, {}, Action.EXPORT, (POINT,), "", SAS),
    (
        "restorePointCollections/restorePoints/diskRestorePoints/beginGetAccess/action",
        f"{POINT}/diskRestorePoints/os",
        {},
        Action.EXPORT,
        (f"{POINT}/diskRestorePoints/os", POINT),
        "",
        SAS,
    ),
    ("restorePointCollections/restorePoints/write", POINT, {}, Action.CREATE, (POINT,), "", ()),
    (
        "images/write",
        f"{COMPUTE}/images/golden",
        {"properties": {"storageProfile": {"osDisk": {"snapshot": {"id": SNAPSHOT}}}}},
        Action.COPY,
        (f"{COMPUTE}/images/golden",),
        SNAPSHOT,
        (),
    ),
    (
        "galleries/images/versions/write",
        f"{GALLERY}/images/base/versions/1.0.0",
        {"properties": {"storageProfile": {"source": {"id": MACHINE}}}},
        Action.CREATE,
        (f"{GALLERY}/images/base/versions/1.0.0",),
        MACHINE,
        (),
    ),
    ("virtualMachines/write", MACHINE, disks(ATTACHED), Action.MOUNT, (DISK,), DISK, ()),
    ("virtualMachines/write", MACHINE, disks(COPIED, ATTACHED), Action.RESTORE, (SNAPSHOT,), SNAPSHOT, ()),
    (
        "virtualMachines/attachDetachDataDisks/action",
        MACHINE,
        {"dataDisksToAttach": [{"diskId": DISK}]},
        Action.MOUNT,
        (DISK,),
        DISK,
        (),
    ),
    (
        "galleries/share/action",
        GALLERY,
        sharing("Add", "AADTenants", OTHERS),
        Action.SHARE,
        (GALLERY,),
        "",
        (Principal(PrincipalKind.TENANT, OTHERS),),
    ),
    (
        "galleries/share/action",
        GALLERY,
        sharing("EnableCommunity"),
        Action.SHARE,
        (GALLERY,),
        "",
        (Principal(PrincipalKind.PUBLIC, "community"),),
    ),
    (
        "galleries/share/action",
        GALLERY,
        sharing("Remove", "Subscriptions", ELSEWHERE),
        Action.UNSHARE,
        (GALLERY,),
        "",
        (Principal(PrincipalKind.SUBSCRIPTION, ELSEWHERE),),
    ),
    ("galleries/share/action", GALLERY, sharing("Reset"), Action.UNSHARE, (GALLERY,), "", ()),
    ("galleries/share/action", GALLERY, {}, Action.POLICY, (GALLERY,), "", ()),
    (
        "diskAccesses/privateEndpointConnections/write",
        f"{ACCESS}/privateEndpointConnections/p",
        APPROVED,
        Action.SHARE,
        (ACCESS, f"{ACCESS}/privateEndpointConnections/p"),
        "",
        (Principal(PrincipalKind.SUBSCRIPTION, ELSEWHERE),),
    ),
    (
        "Microsoft.Authorization/roleAssignments/write",
        f"{GROUP}/{AUTH}/roleAssignments/one",
        role(OWNER),
        Action.SHARE,
        (GROUP, f"{GROUP}/{AUTH}/roleAssignments/one"),
        "",
        TO_EVE,
    ),
    (
        "Microsoft.Authorization/roleAssignments/write",
        f"{GROUP}/{AUTH}/roleAssignments/one",
        role(ACR_PULL),
        Action.POLICY,
        (GROUP, f"{GROUP}/{AUTH}/roleAssignments/one"),
        "",
        TO_EVE,
    ),
    (
        "Microsoft.Authorization/roleAssignments/write",
        f"{SNAPSHOT}/{AUTH}/roleAssignments/one",
        role(ACR_PULL),
        Action.SHARE,
        (SNAPSHOT, f"{SNAPSHOT}/{AUTH}/roleAssignments/one"),
        "",
        TO_EVE,
    ),
    (
        "Microsoft.Authorization/roleAssignments/delete",
        f"{GROUP}/{AUTH}/roleAssignments/one",
        role(OWNER),
        Action.UNSHARE,
        (GROUP, f"{GROUP}/{AUTH}/roleAssignments/one"),
        "",
        TO_EVE,
    ),
    (
        "Microsoft.Authorization/roleEligibilityScheduleRequests/write",
        f"{GROUP}/{AUTH}/roleEligibilityScheduleRequests/one",
        role(OWNER),
        Action.SHARE,
        (f"{GROUP}#eligible", f"{GROUP}/{AUTH}/roleEligibilityScheduleRequests/one"),
        "",
        TO_EVE,
    ),
    (
        "Microsoft.ManagedServices/registrationAssignments/delete",
        f"{LIGHTHOUSE}/registrationAssignments/one",
        {},
        Action.UNSHARE,
        (f"{LIGHTHOUSE}/registrationAssignments/one", f"{LIGHTHOUSE}/registrationAssignments/one#eligible"),
        "",
        (),
    ),
    (
        "Microsoft.ManagedServices/registrationDefinitions/write",
        f"{LIGHTHOUSE}/registrationDefinitions/one",
        {"properties": {"managedByTenantId": OTHERS}},
        Action.POLICY,
        (f"{LIGHTHOUSE}/registrationDefinitions/one",),
        "",
        (Principal(PrincipalKind.TENANT, OTHERS),),
    ),
    (
        "Microsoft.Authorization/locks/delete",
        f"{SNAPSHOT}/{AUTH}/locks/keep",
        {},
        Action.INHIBIT,
        (f"{SNAPSHOT}/{AUTH}/locks/keep", SNAPSHOT),
        "",
        (),
    ),
    (
        "Microsoft.Authorization/policyAssignments/delete",
        f"{HERE}/{AUTH}/policyAssignments/no-public-disks",
        {},
        Action.INHIBIT,
        (f"{HERE}/{AUTH}/policyAssignments/no-public-disks", HERE),
        "",
        (),
    ),
    ("Microsoft.RecoveryServices/vaults/write", VAULT, soft_delete("Disabled"), Action.INHIBIT, (VAULT,), "", ()),
    ("Microsoft.RecoveryServices/vaults/write", VAULT, soft_delete("Enabled"), Action.POLICY, (VAULT,), "", ()),
    ("Microsoft.RecoveryServices/vaults/delete", VAULT, {}, Action.INHIBIT, (VAULT,), "", ()),
    (
        "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/delete",
        ITEM,
        {},
        Action.DELETE,
        (ITEM,),
        VAULT,
        (),
    ),
    (
        "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/write",
        ITEM,
        {"properties": {"protectionState": "ProtectionStopped"}},
        Action.INHIBIT,
        (ITEM,),
        VAULT,
        (),
    ),
    (
        "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/recoveryPoints/restore/action",
        f"{ITEM}/recoveryPoints/7",
        {"properties": {"targetVirtualMachineId": MACHINE, "recoveryType": "AlternateLocation"}},
        Action.RESTORE,
        (f"{ITEM}/recoveryPoints/7",),
        f"{ITEM}/recoveryPoints/7",
        (),
    ),
    (
        "Microsoft.RecoveryServices/vaults/backupPolicies/delete",
        f"{VAULT}/backupPolicies/daily",
        {},
        Action.INHIBIT,
        (f"{VAULT}/backupPolicies/daily",),
        VAULT,
        (),
    ),
    (
        "Microsoft.DataProtection/backupVaults/backupInstances/stopProtection/action",
        f"{ARCHIVE}/backupInstances/orders",
        {},
        Action.INHIBIT,
        (f"{ARCHIVE}/backupInstances/orders",),
        ARCHIVE,
        (),
    ),
    (
        "Microsoft.KeyVault/vaults/delete",
        f"{GROUP}/providers/Microsoft.KeyVault/vaults/keys",
        {},
        Action.INHIBIT,
        (f"{GROUP}/providers/Microsoft.KeyVault/vaults/keys",),
        "",
        (),
    ),
    ("Microsoft.Resources/subscriptions/resourceGroups/delete", GROUP, {}, Action.DELETE, (GROUP,), "", ()),
)


def full(operation: str) -> str:
    return operation if operation.startswith("Microsoft.") else f"Microsoft.Compute/{operation}"
