"""``streamasr export``: a training run to a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streamasr.errors import MissingExtra, UsageError


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The --out of `streamasr train`.")],
    out: Annotated[Path, typer.Argument(metavar="FOLDER", help="The model folder to write.")],
    audio: Annotated[
        list[Path] | None,
        typer.Option(
            "--audio", metavar="FILE", help="Speech to calibrate on; may be given many times."
        ),
    ] = None,
    lm: Annotated[
        Path | None,
        typer.Option("--lm", metavar="DIR", help="Put this language model in; see `streamasr lm`."),
    ] = None,
    float32: Annotated[
        bool, typer.Option("--float", help="Keep the weights as they are: no 8-bit integers.")
    ] = False,
) -> None:
    """Turn a training run into a model folder.

    Needs the extra [train]. Fails, and writes nothing, where the exported model does not
    agree with the trained one on the speech that is given. A run of --task classify needs none.

    \b
    Examples:
      streamasr export runs/en-small models/en-small --audio a.flac --audio b.flac
      streamasr export runs/digits models/digits
    """
    try:
        from streamasr.app.train.classify.export import export_words, is_word_run
        from streamasr.app.train.export import export as write
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "torch", "train") from error
    if is_word_run(run):
        if lm is not None or float32:
            raise UsageError("--lm and --float are not for word classifiers")
        difference = export_words(run, out, audio=audio or ())
        print(f"{out}: probabilities are those of the trained model, to {difference:.1e}")
        return
    agreement = write(run, out, audio=audio or (), quantised=not float32, language=lm)
    print(f"{out}: {agreement.same_best:.2%} of the best units are those of the trained model")
