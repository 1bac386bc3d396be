# SPDX-License-Identifier: Apache-2.0
"""``glance-compat audit --fix-percent-encoding``: what glanceclient encoded, decoded.

What must live here: repairing one image, with a look before and a look after. What must not: what
text must have been (``glance_compat.audit.percent_encoding``).
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from glance_compat import exceptions
from glance_compat.audit.detectors import NAME, PROPERTY, encoded_texts
from glance_compat.audit.percent_encoding import Reading, Sureness
from glance_compat.metadata.fields import decode_structured, is_reserved, property_to_str
from glance_compat.service import ImageService

Image = Mapping[str, typing.Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """What became of one text, or of one image.

    :param id: as it was given, or the image's.
    :param subject: ``name``, ``property`` and a name, or ``image``.
    :param outcome: for people.
    :param done: nothing is left to be done.
    """

    id: str
    subject: str
    outcome: str
    done: bool
    before: str | None = None
    after: str | None = None
    sureness: str | None = None


def repaired(
    services: Sequence[ImageService],
    reference: str,
    *,
    dry_run: bool,
    tell: Callable[[str], object],
) -> Iterator[Step]:
    """Repair one image.

    :param services: one for each API, with ``extended`` and ``v1_exact_show``. All are read, for
        v2 hides some properties; the last one writes.
    :param reference: the image's id or href.
    :param dry_run: write nothing.
    :param tell: is told what will be written, before it is.
    """
    try:
        *others, image = [service.show(None, reference) for service in services]
        steps = _steps(image, others)
        wanted = [step for step in steps if step.done]
        for step in steps:
            becomes = f"{step.before!r} becomes {step.after!r}" if step.done else step.outcome
            tell(f"{step.id} {step.subject}: {becomes}")
        if wanted and not dry_run:
            _write(services[-1], image, wanted)
    except exceptions.GlanceCompatError as error:
        outcome = f"failed: {type(error).__name__}: {error}"
        tell(f"{reference}: {outcome}")
        yield Step(reference, "image", outcome, done=False)
        return
    if not steps:
        yield Step(image["id"], "image", "nothing is percent-encoded", done=True)
    word = "would be written" if dry_run else "written, and nothing else changed"
    yield from (dataclasses.replace(one, outcome=word) if one.done else one for one in steps)


def _steps(image: Image, others: Iterable[Image]) -> list[Step]:
    shadowed = [one["shadowed_properties"] or {} for one in (image, *others)]
    texts = {} if image["name"] is None else {NAME: image["name"]}
    texts |= {
        PROPERTY + name: property_to_str(value) or ""
        for properties in (image["properties"], *shadowed)
        for name, value in properties.items()
    }
    return [
        _step(image["id"], subject, text, found) for subject, text, found in encoded_texts(texts)
    ]


def _step(image_id: str, subject: str, text: str, found: Reading) -> Step:
    refusal = None
    if found.sureness is Sureness.UNSURE:
        refusal = f"refused, for it is not sure: {found.why}"
    elif is_reserved(subject.removeprefix(PROPERTY)) and subject != NAME:
        refusal = "refused: a property of that name cannot be changed, it is an attribute's"
    return Step(
        image_id,
        subject,
        refusal or "",
        done=refusal is None,
        before=text,
        after=found.text,
        sureness=found.sureness.value,
    )


def _write(service: ImageService, image: Image, steps: list[Step]) -> None:
    """Write what is wanted and nothing else, and look whether that is what is there.

    :raises glance_compat.exceptions.IntegrityError: it is not.
    """
    texts = {step.subject: step.after or "" for step in steps}
    name = {NAME: texts.pop(NAME)} if NAME in texts else {}
    properties = {subject.removeprefix(PROPERTY): text for subject, text in texts.items()}
    service.update(None, image["id"], {**name, "properties": properties}, purge_props=False)
    shown = {key: decode_structured(key, text) for key, text in properties.items()}
    expected = {**image, **name, "properties": {**image["properties"], **shown}}
    now = service.show(None, image["id"])
    different = sorted(
        key for key in expected if key != "updated_at" and expected[key] != now[key]
    )
    if different:
        raise exceptions.IntegrityError(
            f"it was written, but then {', '.join(different)} of the image was not as expected:"
            " somebody else changed it meanwhile",
            image_id=image["id"],
        )
