# SPDX-License-Identifier: Apache-2.0
"""Read clouds.yaml, and log in to a cloud, with openstacksdk.

``openstack.config`` reads clouds.yaml, secure.yaml and vendor profiles, as ``openstack`` does.
keystoneauth1 cannot read them, and os-client-config is retired in favour of openstacksdk. The
import of openstacksdk is slow, so this module is imported only when a command needs a cloud.

What must live here: all code that needs openstacksdk. What must not: the precedence of values
(``cloud_config``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import typing
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata

import openstack.config
import openstack.exceptions
from keystoneauth1 import exceptions as ksa_exceptions
from openstack.config import loader, vendors
from openstack.config.cloud_region import CloudRegion

from glance_compat import exceptions
from glance_compat.cli import cloud_config
from glance_compat.redaction import quote_value, redact_text

ApiVersionWish = typing.Literal["1", "2"] | None

#: The name for a cloud that is not from clouds.yaml.
_UNNAMED = "glance-compat"


@dataclasses.dataclass(frozen=True)
class FileCloud:
    """A cloud of clouds.yaml; without a name, the settings of a cloud that is not in it.

    :param config: the reader of openstacksdk.
    :param name: the name of the cloud; None if no cloud of the file is used.
    :param values: its normalized values, including those of the region.
    :param region_name: the requested region, otherwise the first in the file, otherwise None.
    :param profile: the name of its vendor profile.
    :param unknown: keys of its ``auth`` that no plugin of keystoneauth1 has.
    """

    config: openstack.config.OpenStackConfig
    name: str | None
    values: Mapping[str, typing.Any]
    region_name: str | None
    profile: str | None
    unknown: frozenset[str]

    @property
    def image_api_version(self) -> ApiVersionWish:
        """The Images API that the file or its vendor profile requests, or None."""
        asked = str(self.values.get("image_api_version", "")).removeprefix("v")
        return "1" if asked.split(".")[0] == "1" else "2" if asked.split(".")[0] == "2" else None

    def region(self, description: cloud_config.Description) -> CloudRegion:
        """Return openstacksdk's object for the cloud, with its auth plugin; sends no request.

        :raises keystoneauth1.exceptions.OptionError: a value that the plugin needs is missing.
        :raises glance_compat.exceptions.InvalidOption: a value is invalid.
        """
        wrong = sorted(self.unknown - description.auth.keys())
        if wrong:
            raise exceptions.InvalidOption(
                f"cloud {self.name} has the unknown key {quote_value(wrong[0])} in auth: check its"
                f" spelling in {self.config.config_filename}"
            )
        key = self.name or _UNNAMED
        entry = {
            **description.other,
            "auth_type": description.auth_type,
            "auth": dict(description.auth),
        }
        entry.pop("region_name", None)
        if self.profile:
            entry["profile"] = self.profile
        if self.region_name:
            # The file need not list the region; the catalog determines whether it exists.
            entry["regions"] = [{"name": self.region_name, "values": {}}]
        self.config.cloud_config["clouds"][key] = entry
        with _invalid_option():
            return self.config.get_one(cloud=key, region_name=self.region_name)


def read(name: str | None, region_name: str | None, *, lone: bool) -> FileCloud:
    """Read a cloud of clouds.yaml.

    :param name: the name of the cloud; None if the user named none.
    :param region_name: the region whose values to read; None: the first in the file.
    :param lone: whether to use the only cloud of the file if ``name`` is None.
    :raises glance_compat.exceptions.InvalidOption: the file is invalid or does not have the cloud.
    """
    config, clouds = _read_files()
    if name is None and lone and len(clouds) == 1:
        [name] = clouds
    if name is None:
        return FileCloud(config, None, {}, region_name, None, frozenset())
    if name not in clouds:
        raise exceptions.InvalidOption(_describe_missing(name, config.config_filename, clouds))
    return _read_entry(config, name, clouds[name] or {}, region_name)


def list_names() -> list[str]:
    """Return the names of the clouds of clouds.yaml, sorted.

    :raises glance_compat.exceptions.InvalidOption: the file is invalid.
    """
    return sorted(map(str, _read_files()[1]))


def _read_files() -> tuple[openstack.config.OpenStackConfig, Mapping[str, typing.Any]]:
    """Return the reader of openstacksdk, and the clouds of the file."""
    with _invalid_option():
        config = openstack.config.OpenStackConfig(
            config_files=_files("OS_CLIENT_CONFIG_FILE", loader.CONFIG_FILES),
            secure_files=_files("OS_CLIENT_SECURE_FILE", loader.SECURE_FILES),
            # Variables are a separate level; see cloud_config.
            load_envvars=False,
            app_name="glance-compat",
            app_version=metadata.version("glance-compat"),
        )
    # Without any file openstacksdk makes up a cloud of this name (4.0.0 to 4.13.0, loader.py).
    is_made_up = config.default_cloud == "defaults"
    return config, {} if is_made_up else config.cloud_config["clouds"]


def _read_entry(
    config: openstack.config.OpenStackConfig,
    name: str,
    entry: Mapping[str, typing.Any],
    region_name: str | None,
) -> FileCloud:
    profile = entry.get("profile", entry.get("cloud"))
    vendor = (vendors.get_profile(profile) or {}) if profile else {}
    # openstacksdk merges the other values of a vendor profile itself.
    base: dict[str, typing.Any] = {
        key: value for key, value in vendor.items() if key in ("auth_type", "image_api_version")
    }
    top = {key: value for key, value in entry.items() if key not in _NOT_VALUES}
    region, values = _find_region(entry.get("regions") or [], region_name)
    auth = cloud_config.normalize(entry.get("auth") or {})
    known = {*cloud_config.AUTH_OPTIONS, *cloud_config.ALIASES.values()}
    return FileCloud(
        config,
        name,
        {**base, **cloud_config.normalize(top), **cloud_config.normalize(values)},
        region or region_name or entry.get("region_name"),
        profile,
        frozenset(auth.keys() - known),
    )


_NOT_VALUES = frozenset({"profile", "cloud", "regions"})


def _find_region(
    regions: Sequence[str | Mapping[str, typing.Any]], wanted: str | None
) -> tuple[str | None, Mapping[str, typing.Any]]:
    """Return the name and the values of the wanted region, or of the first one."""
    for region in regions:
        found, values = (
            (region, {}) if isinstance(region, str) else (region["name"], region.get("values"))
        )
        if wanted in (None, found):
            return found, values or {}
    return None, {}


def _files(variable: str, usual: Sequence[str]) -> list[str]:
    named = os.environ.get(variable)
    return [named, *usual] if named else list(usual)


def _describe_missing(name: str, filename: str | None, clouds: Mapping[str, object]) -> str:
    if not clouds:
        return f"cloud {quote_value(name)} was not found: there is no clouds.yaml"
    return (
        f"cloud {quote_value(name)} was not found in {filename}; its clouds are:"
        f" {', '.join(sorted(clouds))}"
    )


_RAISED = (
    *(ksa_exceptions.ClientException, openstack.exceptions.SDKException),
    *(TypeError, ValueError, AttributeError),
)


@contextlib.contextmanager
def _invalid_option() -> Iterator[None]:
    """Convert the exceptions of openstacksdk and the plugins to InvalidOption."""
    try:
        yield
    except ksa_exceptions.OptionError:
        # Values are missing; the caller adds how to set them.
        raise
    except _RAISED as error:
        raise exceptions.InvalidOption(
            f"the settings of the cloud are invalid: {redact_text(str(error))}"
        ) from error
