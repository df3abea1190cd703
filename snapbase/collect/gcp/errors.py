"""Google's errors -> an outcome and words; the only place that knows what they look like."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snapbase.collect.limit import Retry
from snapbase.model import Miss, Outcome

_THROTTLED = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"})
_DISABLED = frozenset({"accessNotConfigured", "SERVICE_DISABLED"})
_PERIMETER = "SECURITY_POLICY_VIOLATED"
_UNPAID = "BILLING_DISABLED"
"""ErrorInfo reasons; source: google/api/error_reason.proto."""
_SERVICES = {
    "backupdr": ("backupdr", "Backup and DR Service API"),
    "cloudkms": ("cloudkms", "Cloud KMS API"),
    "cloudresourcemanager": ("cloudresourcemanager", "Cloud Resource Manager API"),
    "compute": ("compute", "Compute Engine API"),
    "iam": ("iam", "IAM API"),
    "logging": ("logging", "Cloud Logging API"),
    "pubsub": ("pubsub", "Cloud Pub/Sub API"),
    "sql": ("sqladmin", "Cloud SQL Admin API"),
}
"""By the first word of an operation: the service as it is enabled, and its name."""
_PERMISSIONS = {
    "cloudkms.projects.locations.keyRings.cryptoKeys.get": "cloudkms.cryptoKeys.get",
    "cloudkms.projects.locations.keyRings.cryptoKeys.getIamPolicy": "cloudkms.cryptoKeys.getIamPolicy",
    "cloudkms.projects.locations.keyRings.getIamPolicy": "cloudkms.keyRings.getIamPolicy",
    "cloudresourcemanager.projects.search": "resourcemanager.projects.get",
    "iam.organizations.roles.get": "iam.roles.get",
    "iam.projects.roles.get": "iam.roles.get",
    "logging.entries.list": "logging.logEntries.list",
    "pubsub.projects.subscriptions.pull": "pubsub.subscriptions.consume",
    "sql.Backups.ListBackups": "cloudsql.backupRuns.list",
    "backupdr.projects.locations.backupVaults.list": "backupdr.backupVaults.list",
}
_REGIONAL = re.compile(r"(?<=^compute\.)region([A-Z])")
_LONGEST_REASON = 300


class CallFailed(Exception):
    """One call that stays failed: which operation, in which project (or `*`) and location; the error is the cause."""

    def __init__(self, operation: str, project: str, location: str) -> None:
        super().__init__(f"{operation} in {project}/{location}")
        self.operation, self.project, self.location = operation, project, location

    @property
    def place(self) -> str:
        return f"{self.project}/{self.location}" if self.project != "*" else "any project"

    @property
    def not_found(self) -> bool:
        return self.seen.status == 404

    @property
    def final(self) -> bool:
        """Whether the cloud has decided, so that asking again changes nothing: refused, switched off, not there."""
        seen = self.seen
        return seen.status in (403, 404) and not seen.throttled

    @property
    def seen(self) -> "_Described":
        return _described(self.__cause__ or self)


class ListTruncated(Exception):
    """A list that ended well but says of itself that something is missing."""

    def __init__(self, operation: str, place: str, warning: str) -> None:
        super().__init__(f"{operation} in {place} left something out ({warning}): collect again later")


class Unread(Exception):
    """Something whose policy could not be read, where only the policy says whether it belongs to the list."""

    def __init__(self, why: Miss) -> None:
        super().__init__(why.reason)
        self.why = why


def permission(operation: str) -> str:
    """The IAM permission behind a method, e.g. `compute.snapshots.list` for `compute.regionSnapshots.list`."""
    if operation in _PERMISSIONS:
        return _PERMISSIONS[operation]
    name = operation.replace("cloudresourcemanager.", "resourcemanager.", 1)
    name = _REGIONAL.sub(lambda match: match[1].lower(), name)
    return name.removesuffix(".aggregatedList") + ".list" if name.endswith(".aggregatedList") else name


def classify(error: BaseException) -> Miss | None:
    """What a failed reading means, in words; None if it is not a cloud's answer but a bug."""
    if isinstance(error, Unread):
        return error.why
    return miss(error) if isinstance(error, CallFailed | ListTruncated) else None


def miss(error: CallFailed | ListTruncated) -> Miss:
    """What a failed call or a list with holes means, in words."""
    if isinstance(error, ListTruncated):
        return Miss(Outcome.PARTIAL, _bounded(str(error)))
    outcome, words = _judge(error.seen, error)
    return Miss(outcome, _bounded(words))


def passing(error: BaseException) -> Retry | None:
    """Whether an error may pass by itself: throttling slows the bucket down, 5xx and broken connections only wait."""
    seen = _described(error)
    if seen.throttled:
        return Retry(throttled=True, after=seen.after)
    if seen.lost or (seen.status or 0) >= 500:
        return Retry(throttled=False, after=seen.after)
    return None


def is_cloud_error(error: BaseException) -> bool:
    """Whether an exception is an answer of the cloud, or the lack of one, rather than a bug of ours."""
    return _described(error) != _Described()


@dataclass(frozen=True, slots=True)
class _Described:
    """What matters of an exception, whichever library raised it."""

    status: int | None = None
    """HTTP status."""
    reasons: frozenset[str] = frozenset()
    """Compute's `errors[].reason` and the ErrorInfo's."""
    consumer: str = ""
    """`projects/…`: whose switched-off API or exhausted quota it is, where the ErrorInfo says so."""
    after: float = 0.0
    lost: bool = False
    """No answer, or one that broke off or cannot be parsed."""
    unsigned: bool = False
    """The credentials themselves did not work."""

    @property
    def throttled(self) -> bool:
        return self.status == 429 or bool(self.reasons & _THROTTLED)


def _described(error: BaseException) -> _Described:
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth.exceptions import GoogleAuthError, TransportError
    from google.protobuf.json_format import ParseError  # type: ignore[import-untyped]
    from requests.exceptions import RequestException

    if isinstance(error, GoogleAPICallError):
        details = [each for each in (*error.errors, *error.details) if isinstance(each, dict)]
        reasons = frozenset(str(each["reason"]) for each in details if "reason" in each)
        consumer = next((str(each["metadata"]["consumer"]) for each in details if "consumer" in _metadata(each)), "")
        return _Described(error.code or 500, reasons, consumer, _retry_after(error.response))
    if isinstance(error, (TransportError, RequestException, ParseError)):
        return _Described(lost=True)
    if isinstance(error, GoogleAuthError):
        return _Described(lost=True) if getattr(error, "retryable", False) else _Described(unsigned=True)
    return _Described()


def _metadata(detail: dict[str, Any]) -> Mapping[str, Any]:
    found = detail.get("metadata")
    return found if isinstance(found, dict) else {}


def _retry_after(response: object) -> float:
    headers = getattr(response, "headers", None) or {}
    text = str(headers.get("Retry-After", ""))
    return min(float(text), 120.0) if re.fullmatch(r"\d{1,6}", text) else 0.0


def _judge(seen: _Described, call: CallFailed) -> tuple[Outcome, str]:
    operation, place = call.operation, call.place
    first = operation.split(".")[0]
    host, service = _SERVICES.get(first, (first, first))
    if seen.unsigned or seen.status == 401:
        how = "sign in again (gcloud auth application-default login) or renew the service account's key"
        return Outcome.DENIED, f"the credentials are not or no longer accepted for {operation} in {place}: {how}"
    if seen.throttled:
        return Outcome.THROTTLED, f"{operation} was throttled in {place} until we gave up: collect again later"
    if seen.reasons & _DISABLED:
        if first == "compute":
            how = "what was made before it was switched off could still be there"
            return Outcome.DISABLED, f"the {service} is not enabled in project {call.project}: {how}"
        whose = seen.consumer.removeprefix("projects/")
        how = f"gcloud services enable {host}.googleapis.com" + (f" --project {whose}" if whose else "")
        return Outcome.DISABLED, f"the {service} is not enabled for {place}: {how}"
    if _UNPAID in seen.reasons:
        return Outcome.DISABLED, f"billing is off in project {call.project}, so {operation} is refused: switch it on"
    if _PERIMETER in seen.reasons:
        how = "let the collector into the service perimeter"
        return Outcome.DENIED, f"{operation} blocked in {place} by VPC Service Controls: {how}"
    if seen.status == 403:
        how = f"grant {permission(operation)} to the collector"
        if operation == "cloudresourcemanager.projects.get":
            return Outcome.DENIED, f"project {call.project} is not visible: {how}, or correct the project's id"
        return Outcome.DENIED, f"{operation} denied in {place}: {how}"
    if seen.status == 404:
        return Outcome.FAILED, f"{operation} found nothing in {place}: it was deleted, or the name is wrong"
    if seen.lost:
        return Outcome.FAILED, f"{operation} in {place} got no complete answer: check the network, then collect again"
    return Outcome.FAILED, f"{operation} in {place} was answered with HTTP {seen.status}: collect again later"


def _bounded(words: str) -> str:
    return " ".join(words.split())[:_LONGEST_REASON]
