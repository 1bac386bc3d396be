# SPDX-License-Identifier: Apache-2.0
"""The stores of v2, and the data of images in single stores."""

from __future__ import annotations

import contextlib
import typing
import urllib.parse
from collections.abc import Mapping

from glance_compat import exceptions
from glance_compat.backends.v2.images import V2Images
from glance_compat.redaction import quote_value
from glance_compat.transport.messages import Response
from glance_compat.types import Store


class V2Stores(V2Images):
    """The stores of v2, and the data of images in single stores."""

    def stores(self) -> list[Store]:
        """Return the stores of the site.

        A request for their types is sent if the caller may be an admin: Glance 33 permits it to
        admins and services only.
        """
        self._require("stores", "list the stores")
        if "store-detail" in self._get_offer().capabilities and self._transport.may_be_admin():
            with contextlib.suppress(exceptions.Forbidden, exceptions.NotFound):
                return self._list_stores("/v2/info/stores/detail")
        return self._list_stores("/v2/info/stores")

    def _list_stores(self, path: str) -> list[Store]:
        response = self._send("GET", path, "stores", None)
        return [_store(response, record) for record in response.objects_at("stores")]

    def delete_from_store(self, image_id: str, store: str) -> None:
        self._require("store-delete", "delete data from one store", image_id)
        path = f"/v2/stores/{urllib.parse.quote(store, safe='')}/"
        path += urllib.parse.quote(image_id, safe="")
        try:
            self._send("DELETE", path, "delete", image_id, success=204)
        except (
            exceptions.ImageNotAuthorized,
            exceptions.ImageNotFound,
            exceptions.ImageDeleteConflict,
        ) as error:
            raise self._explain_kept(error, image_id, store) from error

    def _explain_kept(
        self, error: exceptions.GlanceCompatError, image_id: str, store: str
    ) -> exceptions.GlanceCompatError:
        """Return a more specific error for data that was not deleted from a store.

        Glance 33 responds with 403 also if no other store has the data, with 404 also if the store
        does not have it, and with 409 if the store does not exist, the image is not active, or the
        data is in use (api/v2/images.py).
        """
        found = self.show(image_id, sent=("stores",))
        stores = found["stores"] or []
        what = f"cannot delete the data of image {image_id} from store {quote_value(store)}"
        if found["status"] != "active":
            error_class: type[exceptions.GlanceCompatError] = exceptions.ImageNotActive
            why = f"the status of the image is {found['status']}, not active"
        elif store not in stores:
            error_class = exceptions.NotFound
            why = f"the data is in {', '.join(map(quote_value, stores)) or 'no store'}"
        elif stores == [store]:
            error_class = exceptions.ImageDeleteConflict
            why = (
                "no other store has it; copy the data to another store first, or delete the image"
            )
        else:
            return error
        return error_class(
            f"{what}: {why}",
            status=error.status,
            request_id=error.request_id,
            endpoint=self._transport.endpoint,
            image_id=image_id,
        )


def _store(response: Response, record: Mapping[str, typing.Any]) -> Store:
    # Glance sends "true" as a string, and omits what is false (verified on Glance 33).
    store_id, description, store_type = (
        record.get(name) for name in ("id", "description", "type")
    )
    if not isinstance(store_id, str) or not store_id:
        raise response.invalid("has an invalid store: it has no id")
    return {
        "id": store_id,
        "description": description if isinstance(description, str) else None,
        "default": record.get("default") in (True, "true"),
        "read_only": record.get("read-only") in (True, "true"),
        "type": store_type if isinstance(store_type, str) else None,
    }
