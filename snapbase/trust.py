"""Pure: a principal, seen from the account that owns the data -> a trust class, with a label.

A trust list is a value: it is stored with the run it judged, so that the same store always gives the same report.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from snapbase.model import Principal, PrincipalKind
from snapbase.settings import TrustSection


class TrustClass(StrEnum):
    """From harmless to worst; a principal that moves down this list is a finding of its own."""

    OWN = "own"
    """The account that owns the data."""
    ORG = "org"
    """Another account, project or person of our own organisation."""
    TRUSTED = "trusted"
    PROVIDER = "provider"
    """A service of the cloud provider."""
    FORMER_ORG = "former-org"
    UNKNOWN = "unknown"
    ANYONE = "anyone"

    @property
    def rank(self) -> int:
        return _RANKS[self]

    @property
    def foreign(self) -> bool:
        """Nobody has said this principal may hold our data."""
        return self.rank >= TrustClass.FORMER_ORG.rank


_RANKS = {each: rank for rank, each in enumerate(TrustClass)}


@dataclass(frozen=True, slots=True)
class Judgement:
    trust: TrustClass
    label: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class TrustedEntry:
    """One line of `[trust] accounts`."""

    id: str
    name: str = ""
    reason: str = ""
    until: str = ""
    """ISO date; empty: no end."""
    kinds: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    """Globs of what the data was taken from; an entry that has any holds for nothing else."""

    def holds(self, kind: str, on: date, source: str = "") -> bool:
        if self.until and on > date.fromisoformat(self.until):
            return False
        return _fits(kind, self.kinds) and _fits(source, self.sources)


@dataclass(frozen=True, slots=True)
class TrustList:
    """Who counted as whom when a run was judged."""

    own: frozenset[str] = frozenset()
    """Accounts, subscriptions and projects (ids and numbers) that snapbase reads."""
    members: frozenset[str] = frozenset()
    """Accounts of our organisations, as last listed."""
    former: frozenset[str] = frozenset()
    """Accounts that were members once."""
    organizations: frozenset[str] = frozenset()
    tenants: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    entries: tuple[TrustedEntry, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    """Names for holders that nobody vouches for; they change no judgement."""

    def to_json(self) -> dict[str, Any]:
        """Plain and sorted: the same list gives the same bytes."""
        sets = ("own", "members", "former", "organizations", "tenants", "domains")
        return {name: sorted(getattr(self, name)) for name in sets} | {
            "entries": [asdict(e) for e in self.entries],
            "labels": dict(sorted(self.labels.items())),
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "TrustList":
        entries = tuple(
            TrustedEntry(**{**each, "kinds": tuple(each["kinds"]), "sources": tuple(each.get("sources", ()))})
            for each in body["entries"]
        )
        sets = {name: frozenset(body[name]) for name in body if name not in ("entries", "labels")}
        return cls(**sets, entries=entries, labels=body.get("labels", {}))

    def widened_since(self, before: "TrustList") -> tuple[tuple[str, str], ...]:
        """What a person added since: (subject, words) pairs. Members come and go by themselves and are not listed."""
        added: list[tuple[str, str]] = []
        for name in ("organizations", "tenants", "domains"):
            new = sorted(getattr(self, name) - getattr(before, name))
            added.extend((f"trust:{name}:{value}", f"{name[:-1]} {value} is now ours") for value in new)
        for entry in self.entries:
            known = [each for each in before.entries if each.id == entry.id]
            if all(_wider(entry, old) for old in known):
                what = "is trusted for more or for longer" if known else "is now trusted"
                added.append((f"trust:account:{entry.id}", f"{entry.name or entry.id} {what}: {entry.reason}"))
        return tuple(added)

    def about(self, principal: Principal) -> list[TrustedEntry]:
        """What people wrote of a principal, or of the account it belongs to."""
        home = _home(principal)
        return [each for each in self.entries if each.id == principal.id or each.id in home]

    def judge(self, principal: Principal, *, account: str, kind: str, on: date, source: str = "") -> Judgement:
        """The class of `principal` for data of `kind` in `account`, taken from `source`, on a day."""
        if principal.kind in (PrincipalKind.PUBLIC, PrincipalKind.AUTHENTICATED):
            return Judgement(TrustClass.ANYONE)
        home = _home(principal)
        if account in home:
            return Judgement(TrustClass.OWN)
        about = self.about(principal)
        holding = next((each for each in about if each.holds(kind, on, source)), None)
        if holding is not None:
            return Judgement(TrustClass.TRUSTED, holding.name or None)
        if any(home & ours for ours in (self.own, self.members, self.organizations, self.tenants, self.domains)):
            return Judgement(TrustClass.ORG)
        if principal.kind == PrincipalKind.SERVICE:
            return Judgement(TrustClass.PROVIDER)
        if home & self.former:
            return Judgement(TrustClass.FORMER_ORG, "left the organisation")
        return Judgement(TrustClass.UNKNOWN, _why_unknown(principal, about) or self.labels.get(principal.id))


def from_config(section: TrustSection) -> TrustList:
    """The part of a trust list that people write."""
    entries = tuple(
        TrustedEntry(e.id, e.name, e.reason, e.until.isoformat() if e.until else "", tuple(e.kinds), tuple(e.sources))
        for e in sorted(section.accounts, key=lambda each: each.id)
    )
    return TrustList(
        organizations=frozenset(section.organizations),
        tenants=frozenset(section.tenants),
        domains=frozenset(section.domains),
        entries=entries,
    )


def worse(
    principals: Iterable[Principal], before: TrustList, after: TrustList, *, on: tuple[date, date]
) -> set[Principal]:
    """Principals that some list trusted more on the earlier day than the later list does on the later day.

    Each glob stands for what it fits. One with a choice of letters does not: whoever has such a one may be worse off.
    """
    listed = [entry for trust in (before, after) for entry in trust.entries]
    cases = sorted({(kind, source) for e in listed for kind in e.kinds or ("",) for source in e.sources or ("",)})
    choosing = any("[" in glob for entry in listed for glob in (*entry.kinds, *entry.sources))
    found = set()
    for principal in principals:
        if choosing and any("[" in f"{each.kinds}{each.sources}" for each in before.about(principal)):
            found.add(principal)
            continue
        for kind, source in {*cases, ("", "")}:
            then = before.judge(principal, account="", kind=kind, on=on[0], source=source)
            now = after.judge(principal, account="", kind=kind, on=on[1], source=source)
            if now.trust.rank > then.trust.rank:
                found.add(principal)
                break
    return found


def _wider(new: TrustedEntry, old: TrustedEntry) -> bool:
    longer = bool(old.until) and (not new.until or new.until > old.until)
    limits = ((new.kinds, old.kinds), (new.sources, old.sources))
    return longer or any(then and not (now and set(now) <= set(then)) for now, then in limits)


def _fits(value: str, globs: tuple[str, ...]) -> bool:
    return not globs or any(fnmatchcase(value, glob) for glob in globs)


_ORGANIZATION = re.compile(r"(?:^|:organizations::\d{12}:(?:organization|ou)/)(o-[a-z0-9]+)(?:/|$)")
"""In an ARN, or by itself or before a path, as conditions on aws:PrincipalOrgID and aws:PrincipalOrgPaths name it."""
_SERVICE_ACCOUNT = re.compile(r"@([a-z][a-z0-9.:-]*)\.iam\.gserviceaccount\.com$")
_NUMBERED_ACCOUNT = re.compile(r"^(\d+)(?:-compute@developer|@cloudservices|@cloudbuild)\.gserviceaccount\.com$")
SERVICE_AGENT = re.compile(
    r"^service-(\d+)@(?:compute-system|container-engine-robot|containerregistry|gs-project-accounts|dataproc-accounts"
    r"|dataflow-service-producer-prod|serverless-robot-prod|gcf-admin-robot|cloud-redis|gcp-sa-[a-z0-9-]+)"
    r"\.iam\.gserviceaccount\.com$"
)
"""Google's own account in a project, by the project's number: nobody can be let act as it (IAM documentation, "Service
agents"). The name alone proves nothing: whoever has a project can call an account of theirs `service-42`."""
_APPSPOT_ACCOUNT = re.compile(r"^([a-z][a-z0-9-]*)@appspot\.gserviceaccount\.com$")
_WORKLOAD_ACCOUNT = re.compile(r"^([a-z][a-z0-9.:-]*)\.svc\.id\.goog\[")
"""A Kubernetes account of a GKE cluster: `project.svc.id.goog[namespace/account]`."""
_CONTAINED = re.compile(
    r"(?:principal(?:Set)?:)?//[a-z]+\.googleapis\.com/(?:projects/|organizations/|(?=folders/))([^/]+(?:/\d+)?)"
)
"""Workload identity pools, all service accounts of a project, folder (`folders/NUMBER`) or organisation, and what a
service itself runs there, by the number of what they lie in. A pool of a workforce does not say whose it is (IAM
documentation, "Principal identifiers")."""


@lru_cache(maxsize=4096)
def _home(principal: Principal) -> frozenset[str]:
    """The accounts, organisations, tenants and domains that a principal's own id proves it belongs to."""
    kind, key = principal.kind, principal.id
    if kind in (PrincipalKind.ORGANIZATION, PrincipalKind.ORGANIZATIONAL_UNIT):
        match = _ORGANIZATION.search(key)
        return frozenset({match[1]} if match else ())
    if kind in (PrincipalKind.ACCOUNT, PrincipalKind.SUBSCRIPTION, PrincipalKind.TENANT):
        return frozenset({key})
    if kind == PrincipalKind.DOMAIN:
        return frozenset({key.lower()})
    if kind in (PrincipalKind.USER, PrincipalKind.GROUP) and "@" in key:
        return frozenset({key.rpartition("@")[2].lower()})
    if kind == PrincipalKind.SERVICE_ACCOUNT:
        shapes = (_SERVICE_ACCOUNT, _NUMBERED_ACCOUNT, SERVICE_AGENT, _APPSPOT_ACCOUNT, _WORKLOAD_ACCOUNT)
        found = [pattern.search(key) for pattern in shapes]
        return frozenset(match[1] for match in found if match)
    if kind == PrincipalKind.PROJECT_TEAM:
        return frozenset({key.rpartition(":")[2]})
    if kind == PrincipalKind.FEDERATED and key.endswith("/*"):
        # Everyone whom the pool's identity provider lets in, whoever the pool belongs to.
        return frozenset()
    if kind == PrincipalKind.FEDERATED:
        match = _CONTAINED.match(key)
        return frozenset({match[1]} if match else ())
    return frozenset()


def _why_unknown(principal: Principal, about: Sequence[TrustedEntry]) -> str | None:
    for entry in about[:1]:
        return f"{entry.name or 'trusted'}, but not for this kind or no longer (until {entry.until or 'always'})"
    if unresolved(principal):
        return "directory object, home tenant not resolved"
    return None


def unresolved(principal: Principal) -> bool:
    """An Azure directory object: a role assignment does not tell a guest from an employee (Microsoft Graph would)."""
    kinds = (PrincipalKind.USER, PrincipalKind.GROUP, PrincipalKind.SERVICE_PRINCIPAL)
    return principal.kind in kinds and "@" not in principal.id
