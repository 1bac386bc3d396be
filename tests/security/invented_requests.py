# SPDX-License-Identifier: Apache-2.0
"""Invented raw requests for the embedded server."""

from __future__ import annotations

import random
from collections.abc import Iterator

#: The id of an image that some of the requests name.
IMAGE = "8f6a0000-0000-4000-8000-000000000001"

_METHODS = (b"GET", b"PUT", b"POST", b"PATCH", b"DELETE", b"HEAD", b"OPTIONS", b"X", b"")
_IMAGE = IMAGE.encode()
_NAMESPACE = b"/v2/metadefs/namespaces/OS::Compute::Watchdog"
_PATHS = (
    *(b"/v1/images", b"/v1/images/detail?limit=1&marker=x", b"/v1/images/" + _IMAGE),
    *(b"/v1/images/" + _IMAGE + b"/members", b"/v1/shared-images/x"),
    *(b"/v2/images", b"/v2/images?limit=-1", b"/v2/images?sort=x:y", b"/v2/images/" + _IMAGE),
    *(b"/v2/images/" + _IMAGE + b"/file", b"/v2/images/" + _IMAGE + b"/import"),
    *(b"/v2/images/" + _IMAGE + b"/stage", b"/v2/images/" + _IMAGE + b"/tags/\xff"),
    *(b"/v2/images/" + _IMAGE + b"/members", b"/v2/images/" + _IMAGE + b"/members/x"),
    *(b"/v2/images/" + _IMAGE + b"/locations", b"/v2/tasks?marker=x", b"/v2/schemas/image"),
    *(b"/v2/images/" + _IMAGE + b"/actions/deactivate", b"/v2/tasks", b"/v2/cache/x"),
    *(b"/v2/metadefs/namespaces", _NAMESPACE, _NAMESPACE + b"/objects", _NAMESPACE + b"/tags"),
    *(_NAMESPACE + b"/properties/watchdog_action", _NAMESPACE + b"/resource_types"),
    *(b"/identity/v3/auth/tokens", b"/identity/v3/users", b"/identity/v3/projects?name=x"),
    *(b"/v2/images?name=in:%22", b"/v2/images?a=%ff", b"/v2/images?created_at=gt:x"),
    *(b"//", b"*", b"http://evil/", b"/%ff%00"),
)
_HOST = b"Host: 127.0.0.1"
_TOKENS = (b"X-Auth-Token: a:b:admin", b"X-Auth-Token: any")
_MEDIA_TYPES = (
    b"Content-Type: application/json",
    b"Content-Type: application/octet-stream",
    b"Content-Type: application/openstack-images-v2.1-json-patch",
)
#: Headers that do not change where a request ends.
_HARMLESS = (
    *(b"Range: bytes=5-1", b"Range: bytes=-", b"Range: x", b"Content-Range: bytes 1-2/3"),
    *(b"x-image-meta-size: -1", b"x-image-meta-min_disk: \xb2", b"x-image-meta-name: a"),
    *(b"x-image-meta-disk_format: raw", b"x-image-meta-container_format: bare"),
    *(b"x-image-meta-property-a: \xe9", b"x-image-meta-is_public: x", b"x-image-meta-id: x"),
    *(b"x-image-meta-location: http://x", b"x-glance-api-copy-from: \xe9", b"Accept: */*;q=x"),
    *(b"Accept: application/vnd.openstack.images-v2.99", b"x-openstack-image-size: \xb2"),
    *(b"X-Subject-Token: other", b"X-Openstack-Append: True", b"x-image-meta-store: slow"),
)
_OTHERS = (
    *(b"Host: [::1", b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: x"),
    *(b"Content-Length: 99999999999999999999", b"Transfer-Encoding: chunked"),
    *(b"Transfer-Encoding: gzip, chunked", b"Expect: 100-continue", b"Connection: Upgrade"),
    *(b"x-image-meta-property-\xff: y", b": empty", b"No colon", b" folded"),
)
_BODIES = (
    *(b"", b"{}", b"[]", b"[{}]", b'{"id": 5}', b'{"name": null, "tags": [{}]}', b"\xff\xfe"),
    *(b'{"name": "a", "disk_format": "raw", "container_format": "bare", "x": "y"}',),
    *(b'[{"op": "add", "path": "/x~", "value": 1}]', b'[{"op": "replace", "path": "/id/id"}]'),
    *(b'[{"op": "add", "path": "/x", "value": "1"}]', b'[{"op": "remove", "path": "/x"}]'),
    *(b'[{"op": "add", "path": "/locations/-", "value": {"url": "x", "metadata": 5}}]',),
    *(b'{"method": {"name": "glance-direct"}, "stores": [{}]}', b'{"method": {"name": []}}'),
    *(b'{"method": {"name": "web-download", "uri": 5}}', b'{"type": "import", "input": []}'),
    *(b'{"url": "x", "validation_data": {"os_hash_value": "1"}}', b'{"member": {}}', b"5\r\nx"),
    *(b'{"member": "x"}', b'{"memberships": [{"member_id": 5}]}', b'{"status": "x"}'),
    *(b'{"namespace": "x", "properties": {"a": {"title": "", "type": "string", "enum": [1]}}}',),
    *(b'{"name": "x", "title": "t", "type": "integer", "minimum": 1e999, "default": {}}',),
    *(b'{"tags": [5]}', b'{"tags": [{"name": "x"}]}', b'{"name": "x", "properties": {"a": []}}'),
    *(b'{"auth": {"identity": {"methods": ["password"], "password": {"user": []}}}}',),
    *(b'{"auth": {"identity": {"methods": ["token"], "token": {"id": {}}}, "scope": []}}',),
    *(b'{"auth": 5}', b'{"auth": {"identity": {"methods": "password"}}}', b"1e999", b"[1e999]"),
    *(b'{"min_disk": 1e999}', b'{"min_disk": 99999999999999999999}', b'{"\\ud800": "\\ud800"}'),
)


def invented(seed: int, count: int) -> Iterator[bytes]:
    """Yield raw requests: well-formed ones, and ones in which bytes are changed.

    :param seed: the same seed yields the same requests.
    """
    chance = random.Random(seed)  # noqa: S311 - repeatable
    for _ in range(count):
        yield _well_formed(chance) if chance.random() < 0.6 else _malformed(chance)


def _well_formed(chance: random.Random) -> bytes:
    """Return a request that reaches Glance or Keystone, with a token and a body."""
    body = chance.choice(_BODIES)
    line = b" ".join([chance.choice(_METHODS[:6]), chance.choice(_PATHS[:-4]), b"HTTP/1.1"])
    headers = [_HOST, chance.choice(_TOKENS), chance.choice(_MEDIA_TYPES)]
    headers += chance.sample(_HARMLESS, chance.randint(0, 3))
    return b"\r\n".join([line, *headers, b"Content-Length: %d" % len(body), b"", body])


def _malformed(chance: random.Random) -> bytes:
    line = b" ".join([chance.choice(_METHODS), chance.choice(_PATHS), b"HTTP/1.1"])
    known = (*_TOKENS, *_MEDIA_TYPES, *_HARMLESS, *_OTHERS)
    chosen = chance.sample(known, chance.randint(0, 8))
    raw = bytearray(b"\r\n".join([line, _HOST, *chosen, b"", chance.choice(_BODIES)]))
    for _ in range(chance.choice((0, 0, 0, 1, 3))):
        place = chance.randrange(len(raw))
        raw[place : place + chance.randint(0, 2)] = chance.randbytes(chance.randint(0, 2))
    return bytes(raw)
