"""Azure Blob Storage: block blobs in one container, with a shared access signature (preferred) or the account's key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from daemon.forward.destinations.objects import ONE_TRY, ObjectOptions, Objects

if TYPE_CHECKING:
    from obstore.store import AzureConfig, AzureStore


class AzureOptions(ObjectOptions):
    """Which container, and as whom."""

    account: Annotated[str, Field(min_length=3, max_length=24, description="Name of the storage account")]
    container: Annotated[str, Field(min_length=3, max_length=63, description="Name of the container")]
    endpoint: Annotated[str, Field(description="Address of the account where it is not the usual one")] = ""
    sas_file: Annotated[
        str, Field(description="Credential: shared access signature, as the portal shows it")
    ] = ""
    key_file: Annotated[str, Field(description="Credential: key of the account")] = ""

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if bool(self.sas_file) == bool(self.key_file):
            raise ValueError("one of sas_file and key_file must be given")
        return self


class Azure(Objects):
    options: AzureOptions
    keeps = "container"

    def store(self) -> AzureStore:
        from obstore.store import AzureStore

        options = self.options
        config: AzureConfig = {
            "account_name": options.account,
            "endpoint": options.endpoint or f"https://{options.account}.blob.core.windows.net",
        }
        if options.sas_file:
            config["sas_key"] = self.place.secret(options.sas_file).get_secret_value().removeprefix("?")
        else:
            config["account_key"] = self.place.secret(options.key_file).get_secret_value()
        return AzureStore(
            options.container,
            config=config,
            client_options=self.client_options(),
            retry_config=ONE_TRY,
        )
