"""Backup policies in both kinds of vault. Their field names are those of azure-mgmt-recoveryservicesbackup 9.2.0 and
azure-mgmt-dataprotection 2.2.0, which are not installed here."""

from functools import partial

from snapbase.sandbox.azure.answers import Answer
from snapbase.sandbox.azure.bodies import Shape, check_shape
from snapbase.sandbox.azure.routing import Request, Route, Tracked, route
from snapbase.sandbox.azure.vaults import BACKUP_VAULTS, VAULTS

_ENVELOPE: Shape = dict.fromkeys(("id", "name", "type", "location", "tags", "eTag", "systemData"))
_RECOVERY: Shape = {
    **{name: None for name in _ENVELOPE if name != "systemData"},
    "properties": dict.fromkeys(
        (
            "backupManagementType",
            "workLoadType",
            "policyType",
            "schedulePolicy",
            "retentionPolicy",
            "tieringPolicy",
            "subProtectionPolicy",
            "settings",
            "instantRPDetails",
            "instantRpRetentionRangeInDays",
            "protectedItemsCount",
            "resourceGuardOperationRequests",
            "timeZone",
        )
    ),
}
_BACKUP: Shape = {
    **{name: None for name in _ENVELOPE if name not in ("location", "tags", "eTag")},
    "properties": {"objectType": None, "datasourceTypes": None, "policyRules": None},
}


def _routes(vaults: Tracked, shape: Shape) -> tuple[Route, ...]:
    kind, path = f"{vaults.type}/backupPolicies", f"{vaults.path}/backupPolicies"
    check = partial(check_shape, name=kind, shape=shape)

    def put(call: Request) -> Answer:
        call.arm.estate.resource(call.path.rpartition("/backupPolicies/")[0])
        return Answer(200, call.arm.estate.put(kind, call.path, call.body, check, lambda _: {}))

    def listed(call: Request) -> Answer:
        call.arm.estate.resource(call.parent)
        return call.checked(call.arm.estate.of_type(kind, call.parent), check)

    return (
        route("GET", path, f"{kind}/read", listed),
        route(
            "GET", f"{path}/{{policy}}", f"{kind}/read", lambda call: Answer(200, call.arm.estate.resource(call.path))
        ),
        route("PUT", f"{path}/{{policy}}", f"{kind}/write", put),
        route("DELETE", f"{path}/{{policy}}", f"{kind}/delete", vaults.delete),
    )


ROUTES = (*_routes(VAULTS, _RECOVERY), *_routes(BACKUP_VAULTS, _BACKUP))
