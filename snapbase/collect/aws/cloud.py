"""AWS: which accounts and regions there are to read, and how to get in."""

from collections.abc import Iterator
from typing import Any

from snapbase.collect.aws.errors import CallFailed, classify
from snapbase.collect.aws.session import Clients, Region
from snapbase.collect.collector import CloudDescriptor, Target, Where
from snapbase.collect.runtime import Runtime
from snapbase.errors import CredentialsError
from snapbase.model import ANYWHERE, Cloud, Miss, Outcome
from snapbase.settings import AwsEntry

_HINT = "Sign in (aws sso login), export AWS_ACCESS_KEY_ID, or set `profile` in [[aws]]."


class AwsConnection:
    """One `[[aws]]` entry, signed in."""

    def __init__(self, entry: AwsEntry, runtime: Runtime) -> None:
        from botocore.exceptions import BotoCoreError

        self._entry = entry
        try:
            self.clients = Clients(entry, runtime)
            if self.clients.session.get_credentials() is None:
                raise CredentialsError(f"No AWS credentials for [[aws]] {entry.name}.", hint=_HINT)
        except BotoCoreError as error:
            raise CredentialsError(f"AWS credentials for [[aws]] {entry.name}: {error}", hint=_HINT) from error
        self._identity: dict[str, Any] | None = None

    def identity(self) -> str:
        return str(self._who()["Arn"])

    def targets(self) -> Iterator[Target]:
        own = str(self._who()["Account"])
        home = Region(own, self.clients.home, self.clients)
        if self._entry.organization:
            yield Target(own, "global", home, Where.MANAGEMENT)
        for account, label, unusable in self._accounts(home):
            yield from self._of_account(account, label, unusable, own)

    def _who(self) -> dict[str, Any]:
        from botocore.exceptions import NoCredentialsError, PartialCredentialsError

        if self._identity is None:
            try:
                self._identity = Region("", self.clients.home, self.clients).call("sts", "GetCallerIdentity")
            except CallFailed as error:
                if isinstance(error.cause, NoCredentialsError | PartialCredentialsError):
                    raise CredentialsError(f"No AWS credentials for [[aws]] {self._entry.name}.", hint=_HINT) from error
                raise
        return self._identity

    def _accounts(self, home: Region) -> Iterator[tuple[str, str, Miss | None]]:
        """Account id, name, and why it cannot be read where that is already known."""
        if self._entry.accounts:
            for account in self._entry.accounts:
                yield account, "", None
            return
        if not self._entry.organization:
            yield home.account, "", None
            return
        try:
            listed = list(home.pages("organizations", "ListAccounts", "Accounts"))
        except CallFailed as error:
            # Also where `aws.organizations`, which says so too, is not among the kinds to be read.
            yield home.account, "", None
            yield ANYWHERE, "", classify(error)
            return
        for member in listed:
            number, state = str(member["Id"]), str(member.get("State") or member.get("Status") or "ACTIVE")
            yield number, str(member.get("Name") or ""), _unusable(number, state)

    def _of_account(self, account: str, label: str, unusable: Miss | None, own: str) -> Iterator[Target]:
        if unusable is not None:
            yield Target(account, ANYWHERE, label=label, failure=unusable)
            return
        try:
            if account != own:
                self.clients.enter(account, self._role(account))
            regions = self._regions(account)
        except CallFailed as error:
            yield Target(account, ANYWHERE, label=label, failure=classify(error))
            return
        for region in regions:
            yield Target(account, region, Region(account, region, self.clients), label=label)

    def _role(self, account: str) -> str:
        role = self._entry.role or "snapbase-collector"
        if role.startswith("arn:"):
            return role.replace("{account}", account).replace("{partition}", self._entry.partition)
        return f"arn:{self._entry.partition}:iam::{account}:role/{role}"

    def _regions(self, account: str) -> list[str]:
        if self._entry.regions:
            return list(self._entry.regions)
        home = Region(account, self.clients.home, self.clients)
        listed = home.call("ec2", "DescribeRegions", AllRegions=True).get("Regions", [])
        return sorted(str(each["RegionName"]) for each in listed if each.get("OptInStatus") != "not-opted-in")


def _unusable(account: str, state: str) -> Miss | None:
    if state == "ACTIVE":
        return None
    words = state.lower().replace("_", " ")
    return Miss(
        Outcome.DISABLED, f"account {account} is {words[:40]}: nothing in it can be read until it is active again"
    )


CLOUD = CloudDescriptor(name=Cloud.AWS, title="AWS", connect=AwsConnection, classify=classify)
