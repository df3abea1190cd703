"""Microsoft Azure, through Azure Resource Manager."""

from snapbase.collect.azure.errors import classify
from snapbase.collect.azure.session import AzureConnection
from snapbase.collect.collector import CloudDescriptor
from snapbase.model import Cloud

CLOUD = CloudDescriptor(name=Cloud.AZURE, title="Microsoft Azure", connect=AzureConnection, classify=classify)
