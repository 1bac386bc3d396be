# SPDX-License-Identifier: Apache-2.0
"""Services created from a glanceclient client or from a configuration file."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg

from glance_compat import ImageService, exceptions
from tests.contract.shape import DATA, FORMATS, extended
from tests.contract.targets import Target, is_open, on_real, only
from tests.functional.cloud import Cloud


def client_of(target: Target, *, with_session: bool) -> Any:
    """Return a python-glanceclient client for the API of the target."""
    version = "1" if target.is_v1 else "2"
    with warnings.catch_warnings():
        # Some of its imports are deprecated.
        warnings.simplefilter("ignore")
        from glanceclient import client

        if not with_session:
            token = target.session().get_token()
            return client.Client(version, endpoint=target.url, token=token)
        place = {key: value for key, value in target.place.items() if key == "region_name"}
        return client.Client(
            version,
            session=target.session(),
            endpoint_override=target.place.get("endpoint_override"),
            **place,
        )


@only(is_open)
@pytest.mark.parametrize("with_session", [True, False])
def test_service_from_glanceclient(target: Target, name: str, with_session: bool) -> None:
    client = client_of(target, with_session=with_session)
    try:
        service = ImageService.from_client(client)
        assert service.discover().api == target.kind.api
        created = service.create(None, {"name": name, **FORMATS}, data=DATA)
        assert created["owner"] == target.projects["demo"]
        assert service.show(None, created["id"]) == target.service().show(None, created["id"])
        assert b"".join(service.download(None, created["id"])) == DATA
        assert service.delete(None, created["id"]) is True
    finally:
        if not with_session:
            client.http_client.session.close()


@pytest.mark.parametrize("client", [None, object(), "client", 7])
def test_invalid_client_is_refused(client: object) -> None:
    with pytest.raises(exceptions.InvalidOption):
        ImageService.from_client(client)


@on_real
def test_service_from_configuration_file(
    target: Target, cloud: Cloud, name: str, tmp_path: Path
) -> None:
    user = cloud.user("demo")
    lines = {
        "auth_type": "v3password",
        "auth_url": cloud.auth_url,
        "username": user.name,
        "password": user.password,
        "project_name": user.project,
        "user_domain_name": "Default",
        "project_domain_name": "Default",
        "region_name": target.place["region_name"],
        "extended": "true",
    }
    path = tmp_path / "service.conf"
    path.write_text("\n".join(["[glance_compat]", *(f"{k} = {v}" for k, v in lines.items())]))
    conf = cfg.ConfigOpts()
    conf(["--config-file", str(path)], project="contract")
    service = ImageService.from_conf(conf)
    created = service.create(None, {"name": name})
    target.made.append(created["id"])
    assert (created["owner"], extended(created)["protected"]) == (target.projects["demo"], False)
    assert service.discover().endpoint == target.url


def test_contradicting_configuration_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "service.conf"
    path.write_text("[glance_compat]\nauth_type = none\nendpoint = http://x\nprefer = 3\n")
    conf = cfg.ConfigOpts()
    conf(["--config-file", str(path)], project="contract")
    with pytest.raises(exceptions.InvalidOption):
        ImageService.from_conf(conf)
