"""A language model into a model's bundle: files, priors of its phones, checksums.

attach(Path("models/mine"), Path("lm"), clips)
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamasr.app.facts import write_facts
from streamasr.app.lm.posteriors import listen
from streamasr.app.manifest import read_manifest, thin_out
from streamasr.app.mixing import read_clip
from streamasr.core.features import SAMPLE_RATE
from streamasr.core.graph import Calibration, SearchOptions
from streamasr.core.phones import PHONES
from streamasr.core.recognizer import Engine
from streamasr.edge import bundle
from streamasr.edge.bundle import ARPA_FILE, LEXICON_FILE, checksum
from streamasr.edge.engines import open_engine
from streamasr.edge.lm.compile import load_graph
from streamasr.errors import BundleError, ConfigError

LICENCE_FILE = "lm/LICENCE.cmudict.txt"
PRIOR_S = 3600.0
PRIOR_CLIPS = 400
RAREST = 1e-5
"""Priors are not taken for less."""
CMUDICT_LICENCE = """\
The pronunciations in lexicon.txt.xz are made from the CMU Pronouncing Dictionary.

Copyright (C) 1993-2015 Carnegie Mellon University. All rights reserved.

Redistribution and use in source and binary forms, with or without
modification, are permitted provided that the following conditions
are met:

1. Redistributions of source code must retain the above copyright
   notice, this list of conditions and the following disclaimer.
   The contents of this file are deemed to be source code.

2. Redistributions in binary form must reproduce the above copyright
   notice, this list of conditions and the following disclaimer in
   the documentation and/or other materials provided with the
   distribution.

This work was supported in part by funding from the Defense Advanced
Research Projects Agency, the Office of Naval Research and the National
Science Foundation of the United States of America, and by member
companies of the Carnegie Mellon Sphinx Speech Consortium. We acknowledge
the contributions of many volunteers to the expansion and improvement of
this dictionary.

THIS SOFTWARE IS PROVIDED BY CARNEGIE MELLON UNIVERSITY ``AS IS'' AND
ANY EXPRESSED OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO,
THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR
PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL CARNEGIE MELLON UNIVERSITY
NOR ITS EMPLOYEES BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL,
SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT
LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE,
DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY
THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT
(INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
"""


def attach(folder: Path, language: Path, clips: Iterable[NDArray[np.float32]]) -> None:
    """Put the language model in the folder ``language`` into the bundle ``folder``.

    ``clips`` are training speech to measure the priors of the phones on. Scales start
    from their defaults.
    """
    loaded = bundle.load(folder)
    if loaded.config.phones != len(PHONES):
        raise BundleError(f"{folder.name} has no head for {len(PHONES)} phones")
    sources = {part: language / Path(part).name for part in (ARPA_FILE, LEXICON_FILE)}
    for source in sources.values():
        if not source.is_file():
            raise ConfigError(f"{language} has no {source.name}", remedy="see `streamasr lm build`")
    engine = open_engine(folder, device="cpu", kind="onnx", capacity=16, decoder="greedy")
    priors = log_priors(engine, clips)
    (folder / "lm").mkdir(exist_ok=True)
    for part, source in sources.items():
        shutil.copy(source, folder / part)
    (folder / LICENCE_FILE).write_text(CMUDICT_LICENCE)
    info = loaded.info
    info["checksums"] |= {part: checksum(folder / part) for part in sources}
    emission_ms = 1000 * loaded.facts.emission_samples / SAMPLE_RATE
    info["graph"] = {
        "delay": round(loaded.phone_delay_ms / emission_ms, 3),
        "log_priors": [round(float(value), 4) for value in priors],
        "search": asdict(SearchOptions()),
        "calibration": asdict(Calibration()),
    }
    write_facts(folder, info)
    load_graph(bundle.load(folder))


def log_priors(engine: Engine, clips: Iterable[NDArray[np.float32]]) -> NDArray[np.float64]:
    """The logarithm of each phone's mean posterior."""
    total, count = np.zeros(len(PHONES)), 0
    for emissions in listen(engine, clips):
        assert emissions.phones is not None, "listen gives both heads"
        total += np.exp(emissions.phones.astype(np.float64)).sum(axis=0)
        count += len(emissions.phones)
    if not count:
        raise ConfigError("the priors of phones need speech", remedy="give training speech")
    return np.asarray(np.log(np.maximum(total / count, RAREST)))


def speech(sources: Sequence[Path]) -> Iterator[NDArray[np.float32]]:
    """Clips of files, and of the training utterances of corpora; up to `PRIOR_S`."""
    left = PRIOR_S
    files: list[Path] = []
    for source in sources:
        if source.is_dir():
            utterances = [u for u in read_manifest(source) if u.split == "train"]
            files += [u.path for u in thin_out(utterances, PRIOR_CLIPS)]
        else:
            files.append(source)
    for file in files:
        if left <= 0:
            return
        clip = read_clip(file)
        left -= len(clip) / SAMPLE_RATE
        yield clip
