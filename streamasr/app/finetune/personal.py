"""Personal models: written from an adapted network, installed beside the others, undone.

candidate = write(adapted.model, base, folder, speech=clips)
installed = install(candidate)       # in the user's folder of models
remove("en-small-me")
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamasr.app.facts import read_facts, write_facts
from streamasr.core.phones import PHONES
from streamasr.edge.bundle import (
    CARD_FILE,
    FACTS_FILE,
    PIECES_FILE,
    Bundle,
    available,
    load,
    user_models,
)
from streamasr.errors import BundleError, UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from streamasr.core.network import AcousticModel

PERSONAL = "personal"
"""The table of bundle.toml that only personal models have."""
KEPT = ("graph",)
"""Tables of the model that it was made from which hold for it as well."""
LANGUAGE = "lm"
CARD = """\
# {name}

{base}, adapted to the voice and the microphone of one person by `streamasr finetune`. It is
meant for that person alone: for others it may be worse than {base}. No recording lies in it, but
a model may tell something of the voice that it was made for. The card of {base} follows.

"""


def check_base(base: Bundle) -> None:
    """Raise BundleError where a model cannot be adapted."""
    lacks = []
    if base.config.phones != len(PHONES):
        lacks.append(f"a head of {len(PHONES)} phones")
    if not (base.path / PIECES_FILE).is_file():
        lacks.append(PIECES_FILE)
    if lacks:
        raise BundleError(
            f"{base.path.name} cannot be adapted: it lacks {' and '.join(lacks)}",
            remedy="start from another model, as --model en-small",
        )


def write(
    model: AcousticModel,
    base: Bundle,
    out: Path,
    *,
    speech: Tensor,
) -> Path:
    """Write the model folder ``out``: all as in ``base`` but the network.

    ``speech`` [1, steps · step_samples] calibrates its integers. Returns ``out``.
    """
    from streamasr.app.train.export import write_bundle

    write_bundle(
        out,
        model,
        base.facts.units,
        speech,
        quantised=base.info.get("quantisation", {}).get("int8", True),
        pieces=(base.path / PIECES_FILE).read_bytes(),
        phone_delay_ms=base.phone_delay_ms,
    )
    info = read_facts(out)
    info |= {name: base.info[name] for name in KEPT if name in base.info}
    info["decode"] = base.info["decode"]
    info["training"] = base.info.get("training", {})
    if (base.path / LANGUAGE).is_dir():
        shutil.copytree(base.path / LANGUAGE, out / LANGUAGE)
        sums = base.info["checksums"]
        info["checksums"] |= {n: s for n, s in sums.items() if n.startswith(f"{LANGUAGE}/")}
    info[PERSONAL] = {"base": base.path.name}
    write_facts(out, info)
    card = base.path / CARD_FILE
    below = card.read_text(encoding="utf-8") if card.is_file() else ""
    text = CARD.format(name=out.name, base=base.path.name) + below
    (out / CARD_FILE).write_text(text, encoding="utf-8")
    load(out)
    return out


def note(folder: Path, facts: Mapping[str, Any], results: Mapping[str, Any]) -> None:
    """Put into bundle.toml how a model came about, and what was measured with it."""
    info = read_facts(folder)
    info[PERSONAL] |= facts
    info["results"] = dict(results)
    write_facts(folder, info)


def install(candidate: Path) -> Path:
    """Move a model into the user's folder of models; an older personal one makes room.

    Raises UsageError where a model of that name lies there that is no personal one.
    """
    place = user_models() / candidate.name
    check_name(candidate.name)
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = place.with_name(f".{place.name}.{os.getpid()}")
    shutil.copytree(candidate, fresh)
    shutil.rmtree(place, ignore_errors=True)
    fresh.rename(place)
    return place


def check_name(name: str) -> None:
    """Raise UsageError where installing a model of this name would destroy or hide another."""
    taken = [path for path in available() if path.name == name]
    if taken and not (is_personal(taken[0]) and taken[0].parent.resolve() == _home()):
        raise UsageError(
            f"there is a model {name} already, in {taken[0].parent}", remedy="choose another --name"
        )


def remove(name: str) -> Path:
    """Delete a personal model; raises BundleError where there is none of that name."""
    place = user_models() / name
    if not (place / FACTS_FILE).is_file():
        known = ", ".join(path.name for path in personal_models()) or "none"
        raise BundleError(f"no personal model named {name!r}", remedy=f"there are: {known}")
    if not is_personal(place):
        raise BundleError(f"{name} is no personal model", remedy=f"delete {place} yourself")
    shutil.rmtree(place)
    return place


def personal_models() -> list[Path]:
    """The personal models of this user, by name."""
    return [path for path in sorted(user_models().glob("[!.]*")) if is_personal(path)]


def is_personal(folder: Path) -> bool:
    """Whether a model was made by `streamasr finetune`."""
    return (folder / FACTS_FILE).is_file() and PERSONAL in read_facts(folder)


def _home() -> Path:
    return user_models().resolve()
