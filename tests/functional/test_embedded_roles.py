# SPDX-License-Identifier: Apache-2.0
"""The fixture's policies allow the roles that Glance's own policy defaults allow."""

from __future__ import annotations

import json
import subprocess

import pytest

from glance_compat.fixture.glance.configuration import ACTIONS, Settings
from glance_compat.fixture.glance.releases import RELEASES
from glance_compat.fixture.identity.users import Identity, User
from tests.functional.cloud import Cloud, Layout
from tests.functional.cloud.topology import GLANCE_33

pytestmark = pytest.mark.functional

#: Evaluate all policies of the Glance that is installed, for the roles on the command line.
PROGRAM = """
import json, sys
from oslo_config import cfg
from glance.api import policy
from glance.context import RequestContext

cfg.CONF([], project="glance", default_config_files=[])
enforcer = policy.Enforcer()
target = {"project_id": "own", "owner": "own", "member_id": "own", "visibility": "private"}
found = {name: {} for name in enforcer.registered_rules}
for caller, (roles, project) in json.loads(sys.argv[1]).items():
    scope = {} if project else {"system_scope": "all"}
    context = RequestContext(user_id="u", project_id=project, roles=roles, **scope)
    for name in found:
        found[name][caller] = enforcer.check(context, name, target)
print(json.dumps(found))
"""

#: Roles, and the project of the token; None: the token is for the system.
CALLERS: dict[str, tuple[tuple[str, ...], str | None]] = {
    "admin": (("admin",), "own"),
    "manager": (("manager",), "own"),
    "member": (("member",), "own"),
    "reader": (("reader",), "own"),
    "service": (("service",), "own"),
    "service and member": (("service", "member"), "own"),
    "no role": ((), "own"),
    "unknown role": (("juggler",), "own"),
    "admin of the system": (("admin",), None),
    "reader of the system": (("reader",), None),
}

#: Policies that the fixture has no operation for.
LEFT_OUT = {
    "add_task": "an internal policy of Glance; tasks_api_access decides",
    "get_task": "an internal policy of Glance; tasks_api_access decides",
    "get_tasks": "an internal policy of Glance; tasks_api_access decides",
    "modify_task": "an internal policy of Glance; tasks_api_access decides",
    "cache_clean": "the cache of a site is not emulated",
    "cache_prune": "the cache of a site is not emulated",
    "list_cached_nodes": "the cache of a site is not emulated",
    "manage_image_cache": "the cache of a site is not emulated",
    "download_from_store": "the import method glance-download is not emulated",
    "get_member": "without get_image, the image is not found",
    "get_members": "without get_image, the image is not found",
    "get_metadef_object": "get_metadef_namespace decides",
    "get_metadef_objects": "get_metadef_namespace decides",
    "get_metadef_properties": "get_metadef_namespace decides",
    "get_metadef_property": "get_metadef_namespace decides",
    "get_metadef_resource_type": "get_metadef_namespace decides",
    "get_metadef_tag": "get_metadef_namespace decides",
    "get_metadef_tags": "get_metadef_namespace decides",
    "context_is_admin": "a rule for other rules",
    "default": "a rule for other rules",
    "metadef_admin": "a rule for other rules",
    "metadef_default": "a rule for other rules",
    "service_api": "a rule for other rules",
}


@pytest.fixture(scope="module")
def allowed(cloud: Cloud) -> dict[str, dict[str, bool]]:
    """Whether Glance 33 allows a policy to a caller."""
    cloud.url("glance-33")
    callers = {
        name: (sorted(User("u", roles=roles).all_roles), project)
        for name, (roles, project) in CALLERS.items()
    }
    python = Layout.from_environment().program(GLANCE_33, "python")
    done = subprocess.run(
        [str(python), "-W", "ignore", "-c", PROGRAM, json.dumps(callers)],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, dict[str, bool]] = json.loads(done.stdout)
    return found


def test_every_policy_of_glance_is_emulated_or_left_out(
    allowed: dict[str, dict[str, bool]],
) -> None:
    # copy_from is a policy of v1.
    assert set(allowed) | {"copy_from"} == ACTIONS | set(LEFT_OUT)


def test_roles_are_those_of_glance(allowed: dict[str, dict[str, bool]]) -> None:
    settings = Settings(RELEASES["33"], ("v2",))
    callers = {
        name: Identity("u", project, User("u", roles=roles).all_roles)
        for name, (roles, project) in CALLERS.items()
    }
    ours = {
        action: {name: settings.allows(action, caller) for name, caller in callers.items()}
        for action in ACTIONS & set(allowed)
    }
    assert ours == {action: allowed[action] for action in ours}
