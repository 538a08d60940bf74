"""Google Cloud Storage: one bucket, with the key of a service account (its JSON file is the credential)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from daemon.forward.destinations.objects import ONE_TRY, ObjectOptions, Objects
from daemon.forward.destinations.place import Credential

if TYPE_CHECKING:
    from obstore.store import GCSStore


class GcsOptions(ObjectOptions):
    """Which bucket, and as whom."""

    bucket: Annotated[str, Field(min_length=3, max_length=222, description="Name of the bucket")]
    service_account_file: Credential


class Gcs(Objects):
    options: GcsOptions
    keeps = "bucket"

    def store(self) -> GCSStore:
        from obstore.store import GCSStore

        return GCSStore(
            self.options.bucket,
            service_account_key=self.place.secret(self.options.service_account_file).get_secret_value(),
            client_options=self.client_options(),
            retry_config=ONE_TRY,
        )
