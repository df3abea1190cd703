"""Managed images."""

from snapbase.sandbox.azure.bodies import check_compute
from snapbase.sandbox.azure.estate import now
from snapbase.sandbox.azure.routing import Tracked

IMAGES = Tracked(
    "Microsoft.Compute/images",
    check=lambda body: check_compute(body, "Image"),
    born=lambda _: {"provisioningState": "Succeeded"},
    stamp=lambda: {"systemData": {"createdAt": now(), "createdByType": "User"}},
    at_once=True,
    check_update=lambda body: check_compute(body, "ImageUpdate"),
)
ROUTES = IMAGES.routes()
