"""The approval log as evidence: revoke, confirm, verify, and what stands of it."""

import base64
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snapbase.errors import ApprovalRefused, ConfigurationError, NotFound, UsageError
from snapbase.model import Approval, Baseline, BaselineScope
from snapbase.operations.approve import claimed_identity
from snapbase.settings import Config
from snapbase.store import Store, bundle
from snapbase.store.baselines import APPROVALS, NewLine, Sign, confirmations, in_force, revocations
from snapbase.store.evidence import Check, Verified
from snapbase.store.restore import Restored

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SOON = timedelta(days=14)
"""An approval that ends within this is said to end soon."""


class Standing(StrEnum):
    """What a line of the log is worth today."""

    IN_FORCE = "in force"
    ENDS_SOON = "ends soon"
    ENDED = "ended"
    BELOW = "below a later whole one"
    PENDING = "waits for a second pair of eyes"
    REVOKED = "revoked"
    SAID = ""
    """A revocation or a confirmation: it is about another line."""


@dataclass(frozen=True, slots=True)
class Line:
    baseline: Baseline
    standing: Standing
    revoked: Baseline | None = None
    """What took it back."""
    confirmed: Baseline | None = None


def lines(store: Store, *, at: datetime | None = None) -> list[Line]:
    """The whole log, oldest first, and what each line is worth."""
    found = store.baselines()
    revoked, confirmed = revocations(found), confirmations(found)
    counted = {each.id for each in in_force(found)}
    now = at or datetime.now(UTC)
    return [
        Line(each, _standing(each, now, counted, revoked, confirmed), revoked.get(each.id), confirmed.get(each.id))
        for each in found
    ]


def _standing(
    line: Baseline, now: datetime, counted: set[int], revoked: dict[int, Baseline], confirmed: dict[int, Baseline]
) -> Standing:
    if line.scope not in APPROVALS:
        return Standing.SAID
    if line.id in revoked:
        return Standing.REVOKED
    if line.pending and line.id not in confirmed:
        return Standing.PENDING
    until = line.approval.until
    if until is not None and until <= now:
        return Standing.ENDED
    if line.id not in counted:
        return Standing.BELOW
    return Standing.ENDS_SOON if until is not None and until <= now + SOON else Standing.IN_FORCE


def revoke(
    store: Store, number: int, *, by: str, reason: str, sign: Sign | None = None, at: datetime | None = None
) -> Line:
    """Takes back one approval, by a line of its own. Needs the store's lock. Returns the line that was taken back."""
    found = _line(store, number)
    if found.standing == Standing.REVOKED:
        raise ApprovalRefused(f"Baseline {number} was revoked already.", hint="`snapbase baselines list` says by whom.")
    if not reason.strip():
        raise UsageError("A revocation needs a reason.", hint="Add --reason 'why this was not fine'.")
    _say(store, BaselineScope.REVOKED, found.baseline, Approval(by, at or datetime.now(UTC), reason), sign)
    return found


def confirm(
    store: Store, number: int, *, by: str, reason: str = "", sign: Sign | None = None, at: datetime | None = None
) -> Line:
    """The second pair of eyes: a pending approval counts from now on. Needs the store's lock."""
    found = _line(store, number)
    if found.standing == Standing.REVOKED:
        raise ApprovalRefused(f"Baseline {number} was revoked.", hint="Approve again.")
    if found.standing != Standing.PENDING:
        raise ApprovalRefused(f"Baseline {number} waits for nobody.", hint="`snapbase baselines list` says what does.")
    if _same(by, found.baseline.approval.by):
        raise ApprovalRefused(
            f"Baseline {number} was approved by {by}: it is for somebody else to confirm.",
            hint="Four eyes are two people: --by another one.",
        )
    later = [each.id for each in in_force(store.baselines()) if each.scope == BaselineScope.WHOLE and each.id > number]
    if later:
        raise ApprovalRefused(
            f"Baseline {later[-1]}, approved as a whole, lies above it: to confirm {number} would change nothing.",
            hint="Approve what is still a finding anew.",
        )
    _say(store, BaselineScope.CONFIRMED, found.baseline, Approval(by, at or datetime.now(UTC), reason), sign)
    return found


def same_identity(line: Baseline, identity: dict[str, str]) -> bool:
    """Whether both pairs of eyes sat at one OS account: recorded and said, since names can be claimed."""
    return {**line.claimed, **identity} == dict(line.claimed)


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def _line(store: Store, number: int) -> Line:
    found = next((each for each in lines(store) if each.baseline.id == number), None)
    if found is None:
        raise NotFound(f"There is no baseline {number}.", hint="`snapbase baselines list` lists them.")
    if found.standing == Standing.SAID:
        raise UsageError(f"Line {number} approves nothing: it is about baseline {found.baseline.about}.")
    return found


def _say(store: Store, scope: BaselineScope, about: Baseline, approval: Approval, sign: Sign | None) -> Baseline:
    line = NewLine(
        scope=scope,
        run_id=about.run_id,
        rev=about.rev,
        trust_id=about.trust_id,
        approval=approval,
        claimed=claimed_identity(),
        entries=0,
        about=about.id,
    )
    return store.append_baseline(line, sign=sign)


def verify(store: Store, *, head: str = "", public_key: Path | None = None) -> Verified:
    """Recomputes the log and what it covered; see `snapbase.store.evidence`."""
    return store.verify_baselines(head=head.strip().lower(), check=checker(public_key) if public_key else None)


def export(store: Store) -> Iterator[str]:
    """The whole log and the content of what is in force, line by line: the same state gives the same bytes."""
    return store.export_baselines()


def load(text: Iterable[str], *, head: str = "", public_key: Path | None = None) -> tuple[bundle.Bundle, Verified]:
    """An exported file, and what it proves by itself. Raises `UsageError` where it is none."""
    found = bundle.parse(text)
    check = checker(public_key) if public_key else None
    return found, bundle.verify(found, head=head.strip().lower(), check=check)


def restore(
    store: Store, found: bundle.Bundle, *, pending: bool = False, sign: Sign | None = None, at: datetime | None = None
) -> Restored:
    """Makes an exported state the approved one here: the next run is compared with it. Needs the store's lock."""
    claimed = {f"imported_by_{name}": value for name, value in claimed_identity().items()}
    return store.import_baselines(found, claimed=claimed, at=at or datetime.now(UTC), pending=pending, sign=sign)


def signer(config: Config) -> Sign | None:
    """Signs the hash of a line with the configured key; None where there is none. Raises `ConfigurationError`."""
    path = config.approval.signing_key
    if path is None:
        return None
    key = _private(path)
    return lambda text: base64.b64encode(key.sign(text.encode())).decode()


def checker(path: Path) -> Check:
    """Whether a signature was made by the private half of a key."""
    from cryptography.exceptions import InvalidSignature

    key = _public(path)

    def check(text: str, signature: str) -> bool:
        try:
            key.verify(base64.b64decode(signature, validate=True), text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True

    return check


def _private(path: Path) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = _loaded(
        path,
        lambda raw: serialization.load_ssh_private_key(raw, None),
        lambda raw: serialization.load_pem_private_key(raw, None),
    )
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"{path} is not an Ed25519 private key.", hint=_MAKE)
    return key


def _public(path: Path) -> "Ed25519PublicKey":
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    key = _loaded(path, serialization.load_ssh_public_key, serialization.load_pem_public_key)
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigurationError(f"{path} is not an Ed25519 public key.", hint=_MAKE)
    return key


_MAKE = "openssl genpkey -algorithm ed25519 -out approval.pem; openssl pkey -in approval.pem -pubout -out approval.pub"


def _loaded(path: Path, openssh: Callable[[bytes], Any], pem: Callable[[bytes], Any]) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from None
    try:
        return openssh(raw) if raw.startswith((b"ssh-", b"-----BEGIN OPENSSH")) else pem(raw)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigurationError(f"{path} holds no key that can be used without a passphrase.", hint=_MAKE) from None
