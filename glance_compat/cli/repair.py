# SPDX-License-Identifier: Apache-2.0
"""``glance-compat audit --fix-percent-encoding``: decode what glanceclient percent-encoded.

What must live here: code that repairs one image, with a GET before and a GET after. What must
not: code that decodes a string (``glance_compat.audit.percent_encoding``).
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from glance_compat import exceptions
from glance_compat.audit.detectors import find_encoded_texts
from glance_compat.audit.percent_encoding import Confidence, Decoding
from glance_compat.audit.records import IMAGE, NAME, PROPERTY
from glance_compat.metadata.property_names import decode_structured, is_reserved, property_to_str
from glance_compat.service import ImageService

Image = Mapping[str, typing.Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Repair:
    """One row of the repair report: one string, or the image as a whole.

    :param id: the image's id; if the image could not be repaired, the reference that the user
        passed.
    :param subject: ``name``, ``property NAME``, or ``image``.
    :param outcome: what happened, for display.
    :param is_done: whether nothing is left to repair.
    :param before: the percent-encoded string.
    :param after: the decoded string.
    :param confidence: the confidence of the decoding.
    """

    id: str
    subject: str
    outcome: str
    is_done: bool
    before: str | None = None
    after: str | None = None
    confidence: str | None = None


def repair_image(
    services: Sequence[ImageService],
    reference: str,
    *,
    dry_run: bool,
    report: Callable[[str], object],
) -> Iterator[Repair]:
    """Decode the percent-encoded strings of one image.

    :param services: one image service for each API, with the options ``extended`` and
        ``v1_exact_show``. The image is read over all of them, because v2 hides some properties,
        and written over the last one.
    :param reference: the image's id or URL.
    :param dry_run: write nothing.
    :param report: called with a line about each change before it is written.
    """
    try:
        *others, image = [service.show(None, reference) for service in services]
        repairs = _plan_repairs(image, others)
        for one in repairs:
            change = f"{one.before!r} becomes {one.after!r}" if one.is_done else one.outcome
            report(f"{one.id} {one.subject}: {change}")
        planned = [one for one in repairs if one.is_done]
        if planned and not dry_run:
            _write(services[-1], image, planned)
    except exceptions.GlanceCompatError as error:
        outcome = f"failed: {type(error).__name__}: {error}"
        report(f"{reference}: {outcome}")
        yield Repair(reference, IMAGE, outcome, is_done=False)
        return
    if not repairs:
        yield Repair(image["id"], IMAGE, "nothing is percent-encoded", is_done=True)
    outcome = "would be written" if dry_run else "written; nothing else changed"
    yield from (
        dataclasses.replace(one, outcome=outcome) if one.is_done else one for one in repairs
    )


def _plan_repairs(image: Image, others: Iterable[Image]) -> list[Repair]:
    shadowed = [one["shadowed_properties"] or {} for one in (image, *others)]
    texts = {} if image["name"] is None else {NAME: image["name"]}
    texts |= {
        PROPERTY + name: property_to_str(value) or ""
        for properties in (image["properties"], *shadowed)
        for name, value in properties.items()
    }
    return [
        _plan_repair(image["id"], subject, text, decoding)
        for subject, text, decoding in find_encoded_texts(texts)
    ]


def _plan_repair(image_id: str, subject: str, text: str, decoding: Decoding) -> Repair:
    refusal = None
    if decoding.confidence is Confidence.LOW:
        refusal = f"refused because the confidence is low: {decoding.why}"
    elif is_reserved(subject.removeprefix(PROPERTY)) and subject != NAME:
        refusal = "refused because the property has the name of an attribute"
    return Repair(
        image_id,
        subject,
        refusal or "",
        is_done=refusal is None,
        before=text,
        after=decoding.text,
        confidence=decoding.confidence.value,
    )


def _write(service: ImageService, image: Image, repairs: Iterable[Repair]) -> None:
    """Write the decoded strings, then GET the image and check that nothing else changed.

    :raises glance_compat.exceptions.IntegrityError: the image differs from the expected values.
    """
    texts = {one.subject: one.after or "" for one in repairs}
    name = {NAME: texts.pop(NAME)} if NAME in texts else {}
    properties = {subject.removeprefix(PROPERTY): text for subject, text in texts.items()}
    service.update(None, image["id"], {**name, "properties": properties}, purge_props=False)
    shown = {key: decode_structured(key, text) for key, text in properties.items()}
    expected = {**image, **name, "properties": {**image["properties"], **shown}}
    current: Image = service.show(None, image["id"])
    different = sorted(
        key for key in expected if key != "updated_at" and expected[key] != current[key]
    )
    if different:
        raise exceptions.IntegrityError(
            f"the repair was written, but {', '.join(different)} of the image differ from the"
            " expected values, probably because of a concurrent update. Check the image, and"
            " repeat the repair if it is still percent-encoded",
            image_id=image["id"],
        )
