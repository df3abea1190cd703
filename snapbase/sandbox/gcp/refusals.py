"""Google's error answers, as bodies, and which one a fault on the switchboard stands for."""

import re
from dataclasses import dataclass, field
from typing import Any

from snapbase.sandbox.faults import Fault, FaultKind
from snapbase.sandbox.gcp.call import Refusal

_HTML = b"<!DOCTYPE html><html><title>Error 500 (Server Error)!!1</title><p>That's an error.</html>"
_SERVICES = {
    "backupdr": ("backupdr", "Backup and DR Service API"),
    "cloudkms": ("cloudkms", "Cloud Key Management Service (KMS) API"),
    "cloudresourcemanager": ("cloudresourcemanager", "Cloud Resource Manager API"),
    "compute": ("compute", "Compute Engine API"),
    "iam": ("iam", "Identity and Access Management (IAM) API"),
    "logging": ("logging", "Cloud Logging API"),
    "pubsub": ("pubsub", "Cloud Pub/Sub API"),
    "sql": ("sqladmin", "Cloud SQL Admin API"),
}
"""By the first word of a method's id: the service's host and its name."""
_REGIONAL = re.compile(r"(?<=^compute\.)region([A-Z])")


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes over the wire."""

    status: int
    body: bytes | dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)


def refused(refusal: Refusal) -> Answer:
    return _error(refusal.status, refusal.message, refusal.reason, refusal.grpc)


def broken(why: str) -> Answer:
    """The sandbox itself is wrong: loud, and not an answer that a collector could take for the cloud's."""
    return _error(500, f"sandbox: {why}", "sandbox", "INTERNAL")


def struck(fault: Fault, method: str, project: str) -> Answer | None:
    """The answer in place of the real one; None for faults that spoil the connection instead."""
    api = method.split(".")[0]
    match fault.kind:
        case FaultKind.DENIED | FaultKind.SCP_DENIED:
            return _denied(api, method, project)
        case FaultKind.DISABLED:
            return _disabled(api, project)
        case FaultKind.THROTTLED:
            return _throttled(api, fault)
        case FaultKind.EXPIRED:
            message = "Request had invalid authentication credentials. Expected OAuth 2 access token."
            return _error(401, message, "authError", "UNAUTHENTICATED")
        case FaultKind.ERROR:
            return _error(503, "The service is currently unavailable.", "backendError", "UNAVAILABLE")
        case FaultKind.UNIMPLEMENTED:
            return Answer(500, _HTML, {"Content-Type": "text/html; charset=UTF-8"})
    return None


def _denied(api: str, method: str, project: str) -> Answer:
    if api == "compute":
        permission = _REGIONAL.sub(lambda match: match[1].lower(), method)
        message = f"Required '{permission}' permission for 'projects/{project}'"
        return _error(403, message, "forbidden", "PERMISSION_DENIED")
    permission = method.replace("cloudresourcemanager", "resourcemanager").replace("g.entries.", "g.logEntries.")
    permission = permission.replace("cloudkms.projects.locations.", "cloudkms.").replace(".keyRings.crypto", ".crypto")
    info = _info("IAM_PERMISSION_DENIED", {"permission": permission, "resource": f"projects/{project}"})
    return _error(403, "The caller does not have permission", "forbidden", "PERMISSION_DENIED", info)


def _disabled(api: str, project: str) -> Answer:
    host, name = _SERVICES[api]
    message = (
        f"{name} has not been used in project {project} before or it is disabled. Enable it by visiting "
        f"https://console.developers.google.com/apis/api/{host}.googleapis.com/overview?project={project} then retry."
    )
    info = _info("SERVICE_DISABLED", {"service": f"{host}.googleapis.com", "consumer": f"projects/{project}"})
    return _error(403, message, "accessNotConfigured", "PERMISSION_DENIED", info, domain="usageLimits")


def _throttled(api: str, fault: Fault) -> Answer:
    """Compute Engine says 403 rateLimitExceeded and no more; other APIs say 429, and when to come back."""
    message = "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute'"
    info = _info("RATE_LIMIT_EXCEEDED", {"service": f"{_SERVICES[api][0]}.googleapis.com"})
    if api == "compute":
        return _error(403, message, "rateLimitExceeded", "PERMISSION_DENIED", info, domain="usageLimits")
    answer = _error(429, message, "rateLimitExceeded", "RESOURCE_EXHAUSTED", info)
    answer.headers["Retry-After"] = str(int(fault.seconds))
    return answer


def _info(reason: str, metadata: dict[str, str]) -> dict[str, Any]:
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    return {"@type": kind, "reason": reason, "domain": "googleapis.com", "metadata": metadata}


def _error(
    status: int, message: str, reason: str, grpc: str, info: dict[str, Any] | None = None, domain: str = "global"
) -> Answer:
    error: dict[str, Any] = {
        "code": status,
        "message": message,
        "errors": [{"message": message, "domain": domain, "reason": reason}],
        "status": grpc,
    }
    if info is not None:
        error["details"] = [info]
    return Answer(status, {"error": error})
