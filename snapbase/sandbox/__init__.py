"""Local AWS, Azure and GCP endpoints that speak real HTTP to the real SDKs."""
