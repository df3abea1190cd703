"""How the story acts on the sandbox: Google's own clients, and plain requests where there is none to be had."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from snapbase.sandbox.gcp.server import TOKEN

VERSION = 3
"""Of every policy asked for and set: older ones lose their conditions."""
_ACTOR: ContextVar[str] = ContextVar("actor", default="")


@contextmanager
def signed_in(email: str) -> Iterator[None]:
    """Whom the audit logs name for every call made meanwhile."""
    before = _ACTOR.set(email)
    try:
        yield
    finally:
        _ACTOR.reset(before)


def client(url: str, name: str) -> Any:
    """One of google-cloud-compute's or Resource Manager's clients by class name, talking to the sandbox."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import compute_v1, resourcemanager_v3
    from google.oauth2.credentials import Credentials

    actor = _ACTOR.get()
    credentials = Credentials(f"{TOKEN}{actor}") if actor else AnonymousCredentials()
    options = {"credentials": credentials, "client_options": {"api_endpoint": url}}
    if hasattr(resourcemanager_v3, name):
        return getattr(resourcemanager_v3, name)(transport="rest", **options)
    return getattr(compute_v1, name)(**options)


def send(method: str, url: str, body: Mapping[str, Any], **query: str) -> Any:
    """The JSON answer of an API without a client here: IAM, Cloud SQL, Backup and DR."""
    import requests

    headers = {"Authorization": f"Bearer {TOKEN}{_ACTOR.get()}"} if _ACTOR.get() else {}
    answer = requests.request(method, url, json=body, params=query, headers=headers, timeout=30)
    answer.raise_for_status()
    return answer.json()


def bind_container(url: str, name: str, bindings: Sequence[dict[str, Any]]) -> None:
    """Adds bindings to `projects/…`, `folders/…` or `organizations/…`."""
    from google.iam.v1 import policy_pb2  # type: ignore[import-untyped]

    containers = client(url, f"{name.partition('/')[0].title()}Client")
    policy = containers.get_iam_policy(request={"resource": name, "options": {"requested_policy_version": VERSION}})
    policy.bindings.extend(policy_pb2.Binding(**each) for each in bindings)
    containers.set_iam_policy(request={"resource": name, "policy": policy})


def bind(url: str, api: str, binding: dict[str, Any], **where: str) -> None:
    """Adds a binding to a Compute Engine resource. The etag refuses to overwrite what somebody else changed."""
    from google.cloud import compute_v1

    resources = client(url, f"{api}Client")
    policy = resources.get_iam_policy(request={**where, "options_requested_policy_version": VERSION})
    policy.bindings.append(compute_v1.Binding(binding))
    policy.version = VERSION
    scope = next((name for name in ("zone", "region") if name in where), "global")
    body = getattr(compute_v1, f"{scope.title()}SetPolicyRequest")(policy=policy)
    resources.set_iam_policy(**where, **{f"{scope}_set_policy_request_resource": body})


def insert(url: str, api: str, resource: str, body: Mapping[str, Any], **where: str) -> None:
    """Makes a Compute Engine resource; `resource` is the name of its request's field."""
    client(url, f"{api}Client").insert(**where, **{f"{resource}_resource": body}).result()
