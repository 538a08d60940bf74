"""The names of the seeds' own .env file, as settings."""

from __future__ import annotations

import os
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource


class SeedsEnvironment(PydanticBaseSettingsSource):
    """The names that the application before this one used: BACKEND_UPLOAD_ENABLED, BACKEND_API_URL, BACKEND_API_KEY.

    They make a destination "backend" of kind rest; what the file says of a destination of that name is before them.
    """

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - pydantic-settings names it
        """Nothing is set field by field."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """The settings that these variables mean."""
        url = os.environ.get("BACKEND_API_URL", "")
        if not url or os.environ.get("BACKEND_UPLOAD_ENABLED", "").lower() not in {"1", "true", "yes", "on"}:
            return {}
        backend = {"kind": "rest", "url": url}
        if os.environ.get("BACKEND_API_KEY"):
            backend["api_key_file"] = "BACKEND_API_KEY"
        return {"forward": {"destinations": {"backend": backend}}}
