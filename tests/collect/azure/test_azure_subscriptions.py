"""Which subscriptions there are, those nobody let us into among them, and how a server signs in to read them."""

import os
from pathlib import Path

import pytest

from snapbase.collect.azure.errors import Unread
from snapbase.collect.azure.signin import SignIn
from snapbase.model import ANYWHERE, Outcome
from snapbase.sandbox.azure.server import SUBSCRIPTIONS, TENANT
from snapbase.sandbox.faults import FaultKind
from snapbase.settings import AzureEntry
from tests.collect.azure.arm import SUBSCRIPTION, WHO, Arm


def test_a_subscription_only_the_management_groups_know_is_not_silently_missing(arm: Arm) -> None:
    hidden = SUBSCRIPTIONS[1]
    arm.sandbox.hidden.add(hidden)

    found = {target.account: target for target in arm.connect().targets()}

    assert found[SUBSCRIPTION].failure is None
    assert found[hidden].location == ANYWHERE
    failure = found[hidden].failure
    assert failure is not None
    assert failure.outcome == Outcome.DENIED


def test_where_management_groups_cannot_be_read_the_visible_subscriptions_are_it(arm: Arm) -> None:
    arm.sandbox.hidden.add(SUBSCRIPTIONS[1])
    arm.fault(FaultKind.DENIED, "Microsoft.Management/managementGroups/descendants/read")

    assert [target.account for target in arm.connect().targets()] == [SUBSCRIPTION]


@pytest.mark.parametrize("kind", [FaultKind.THROTTLED, FaultKind.ERROR])
def test_subscriptions_that_could_not_be_told_this_time_are_said_after_those_that_could(
    arm: Arm, kind: FaultKind
) -> None:
    arm.fault(kind, "Microsoft.Management/managementGroups/descendants/read")
    targets = arm.connect().targets()

    assert {next(targets).account for _ in SUBSCRIPTIONS} == set(SUBSCRIPTIONS)
    with pytest.raises(Unread):
        next(targets)


@pytest.mark.parametrize(
    ("endpoint", "scope", "graph"),
    [
        (None, "https://management.azure.com/.default", "https://graph.microsoft.com"),
        (
            "https://management.chinacloudapi.cn",
            "https://management.chinacloudapi.cn/.default",
            "https://microsoftgraph.chinacloudapi.cn",
        ),
        (
            "https://management.usgovcloudapi.net/",
            "https://management.core.usgovcloudapi.net/.default",
            "https://graph.microsoft.us",
        ),
        ("https://arm.stack.example", "https://arm.stack.example/.default", ""),
    ],
)
def test_each_cloud_has_its_own_audience_and_directory(endpoint: str | None, scope: str, graph: str) -> None:
    from azure.core import AzureClouds
    from azure.mgmt.core.tools import get_arm_endpoints

    sign_in = SignIn(AzureEntry(endpoint=endpoint))

    assert (sign_in._scope, sign_in.graph) == (scope, graph)
    known = {tuple(get_arm_endpoints(each)["credential_scopes"]) for each in AzureClouds}
    assert (scope,) in known or not graph


def _certificate(folder: Path) -> Path:
    """A certificate with its key, as AZURE_CLIENT_CERTIFICATE_PATH wants it."""
    import trustme

    file = folder / "app.pem"
    issued = trustme.CA().issue_cert("app.corp.example", key_type=trustme.KeyType.RSA)
    issued.private_key_and_cert_chain_pem.write_to_path(file)
    return file


@pytest.mark.parametrize("way", ["secret", "certificate", "workload identity", "managed identity"])
def test_servers_sign_in_without_a_person(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What azure-identity is asked to try, in the order of DefaultAzureCredential; no token is fetched."""
    for name in [name for name in os.environ if name.startswith(("AZURE_", "IDENTITY_", "MSI_"))]:
        monkeypatch.delenv(name)
    settings = {
        "secret": {"AZURE_CLIENT_SECRET": "x"},
        "certificate": {"AZURE_CLIENT_CERTIFICATE_PATH": str(_certificate(tmp_path))},
        "workload identity": {"AZURE_FEDERATED_TOKEN_FILE": str(tmp_path / "token")},
        "managed identity": {},
    }
    for name, value in ({"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": WHO} | settings[way]).items():
        monkeypatch.setenv(name, value)

    credential = SignIn(AzureEntry(tenant_id=TENANT))._credential.credential

    found = [type(each).__name__ for each in credential.credentials]
    inner = next(each for each in credential.credentials if type(each).__name__ == "EnvironmentCredential")
    by_environment = type(getattr(inner, "_credential", None)).__name__
    expected = {"secret": "ClientSecretCredential", "certificate": "CertificateCredential"}
    assert by_environment == expected.get(way, "NoneType")
    assert ("WorkloadIdentityCredential" in found) is (way == "workload identity")
    assert "ManagedIdentityCredential" in found
    assert not any("Interactive" in each for each in found)
