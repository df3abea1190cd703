"""What an audit log says somebody did: one noun for three clouds, frozen values, no I/O."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from snapbase.model import Principal


class Action(StrEnum):
    """What an event does to data that can be taken home."""

    CREATE = "create"
    COPY = "copy"
    SHARE = "share"
    UNSHARE = "unshare"
    RESTORE = "restore"
    """A disk, volume or database made from a snapshot."""
    MOUNT = "mount"
    """Such a disk attached to a machine."""
    EXPORT = "export"
    """Made into a file or a URL outside of the snapshot service."""
    READ_BLOCKS = "read-blocks"
    DELETE = "delete"
    RECYCLE = "recycle"
    """Taken back out of a recycle bin."""
    MODIFY = "modify"
    INHIBIT = "inhibit"
    """Recovery made harder: a lock, a retention, a backup plan or a key taken away."""
    POLICY = "policy-change"
    """What shares, guards or keeps snapshots was changed."""
    ENUMERATE = "enumerate"


class ActorKind(StrEnum):
    HUMAN = "human"
    ROLE = "role"
    """A role session or service account: software, or a human behind it."""
    SERVICE = "service"
    """A service of the cloud itself: a scheduler, AWS Backup, GuardDuty."""
    FOREIGN = "foreign"
    """An account that is not the one the log belongs to."""
    UNKNOWN = "unknown"


class Result(StrEnum):
    SUCCEEDED = "succeeded"
    STARTED = "started"
    """Accepted; whether it succeeded another record says, or none yet."""
    DENIED = "denied"
    FAILED = "failed"
    DRY_RUN = "dry-run"


@dataclass(frozen=True, slots=True)
class Actor:
    id: str
    """As the log names it: an ARN, a user principal name, an object id, an email; empty where it names nobody."""
    kind: str = ActorKind.UNKNOWN
    issuer: str = ""
    """What stands behind a session: the role's ARN, the delegating service account."""
    via: str = ""
    """The cloud's service that acted on the actor's behalf (`invokedBy`)."""
    account: str = ""
    """The actor's own account, where the log says so."""

    @property
    def principal(self) -> str:
        """Who it is across sessions: the issuer where there is one."""
        return self.issuer or self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing somebody did or tried, once, however many records speak of it."""

    cloud: str
    id: str
    """Unique within its cloud: CloudTrail's eventID, Azure's correlation id with the operation, GCP's insertId."""
    at: datetime
    name: str
    """The cloud's own: `ec2:DeleteSnapshot`, `Microsoft.Compute/snapshots/delete`, `compute.snapshots.insert`."""
    action: str
    actor: Actor
    account: str
    """AWS: account id; Azure: subscription id; GCP: project id: whose log it is in."""
    region: str = ""
    source_ip: str = ""
    """An address, or the name of a service of the cloud."""
    user_agent: str = ""
    subjects: tuple[str, ...] = ()
    """What it was done to, as resources are addressed in the store: `Resource.address`, or the beginning of its uid."""
    source: str = ""
    """The disk, volume, database or snapshot it was made from."""
    made: str = ""
    """What came of it: the new snapshot, volume, disk."""
    targets: tuple[Principal, ...] = ()
    """To whom a share gives, or from whom an un-share takes."""
    result: str = Result.SUCCEEDED
    detail: str = ""
    """An error's code, the bucket of an export, the new retention: whatever the action needs to be understood."""
    ids: int = 1
    """Of a listing: how many ids it asked for; 0 is an enumeration."""
