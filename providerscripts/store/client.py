"""A client of S3 by boto3. Import it when the first request is made: it costs 0.1 s."""

from __future__ import annotations

import os
from typing import Any

from boto3.session import Session
from botocore.config import Config
from botocore.loaders import Loader
from botocore.session import Session as Engine

__all__ = ["open_client"]


#: S3, and whom botocore's chain of credentials asks for a role, a web identity or a single sign-on.
_SERVICES = ["s3", "sts", "sso", "sso-oidc", "signin"]


class _FewServices(Loader):
    """Finds the data of a service without a look into every other one's directory, four hundred of them: 20 ms."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002
        """Of all services, those that are asked for."""
        return list(_SERVICES)


def open_client(
    endpoint: str | None,
    region: str | None,
    style: str,
    keys: tuple[str | None, str | None, str | None],
    timing: tuple[float, float, int],
) -> Any:
    """The client. Errors as botocore's.

    `keys` are access key, secret key and session token, None for what the ordinary chain finds. `timing` is seconds
    to connect, seconds to read, and how often a request is tried in all.
    """
    engine = Engine()
    data = engine.get_config_variable("data_path")
    places = [os.path.expanduser(os.path.expandvars(place)) for place in data.split(os.pathsep)] if data else None
    engine.register_component("data_loader", _FewServices(extra_search_paths=places))
    connect, read, attempts = timing
    return Session(*keys, botocore_session=engine).client(
        "s3",
        region_name=region,
        endpoint_url=endpoint,
        config=Config(
            connect_timeout=connect,
            read_timeout=read,
            retries={"mode": "standard", "total_max_attempts": attempts},
            max_pool_connections=20,
            s3={"addressing_style": style},  # type: ignore[arg-type]
            # Several vendors refuse the chunked encoding that checksums bring along.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
