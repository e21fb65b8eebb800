"""Read and write models in the ARPA format that every language model toolkit knows."""

from __future__ import annotations

import io
from collections.abc import Iterator
from lzma import LZMAError
from pathlib import Path
from typing import TextIO

import numpy as np

from streamasr.edge.lm.files import open_text, write_text
from streamasr.edge.lm.ngram import SPECIAL, NGram, Order, split_keys
from streamasr.errors import BundleError

LN10 = float(np.log(10.0))
DECIMALS = 2


def write_arpa(model: NGram, file: Path) -> None:
    """Write a model; a name that ends in .gz or .xz is compressed, the same bytes every time.

    Two decimals are kept: a model of books lost nothing by it, and a sixth of its size.
    """
    text = io.StringIO()
    text.write("\\data\\\n")
    for length, size in enumerate(model.sizes, start=1):
        text.write(f"ngram {length}={size}\n")
    for length, order in enumerate(model.orders, start=1):
        text.write(f"\n\\{length}-grams:\n")
        _write_order(text, model, order, length)
    text.write("\n\\end\\\n")
    write_text(text.getvalue(), file)


def _write_order(text: TextIO, model: NGram, order: Order, length: int) -> None:
    words = model.words
    is_top = length == len(model.orders)
    logs = np.round(order.log_probs / LN10, DECIMALS).tolist()
    backoffs = np.round(order.backoffs / LN10, DECIMALS).tolist()
    rows = split_keys(order.keys, model.base, length).tolist()
    for row, log, backoff in zip(rows, logs, backoffs, strict=True):
        text.write(f"{log:.4g}\t{' '.join([words[i] for i in row])}")
        text.write(f"\t{backoff:.4g}\n" if backoff and not is_top else "\n")


def read_arpa(file: Path) -> NGram:
    """Read a model; raises BundleError where the file is not whole."""
    try:
        with open_text(file) as lines:
            return _parse(line.rstrip("\n") for line in lines)
    except FileNotFoundError:
        raise BundleError(f"no such language model: {file}") from None
    except (
        ValueError, IndexError, KeyError, EOFError, OSError, LZMAError,
        MemoryError,  # sizes that no model has
    ) as error:  # fmt: skip
        raise BundleError(f"{file} is no ARPA language model: {error}") from None


def read_words(file: Path) -> list[str]:
    """A model's words without the special ones, the most frequent first; the rest of the file is
    not read. Raises BundleError where it is broken before."""
    found: dict[str, float] = {}
    try:
        with open_text(file) as text:
            lines = (line.rstrip("\n") for line in text)
            size = _header(lines)[0]
            _skip_to(lines, "\\1-grams:")
            for _ in range(size):
                log, word, *_ = next(lines, "").split("\t")
                found[word] = float(log)
    except FileNotFoundError:
        raise BundleError(f"no such language model: {file}") from None
    except (ValueError, IndexError, EOFError, OSError, LZMAError) as error:
        raise BundleError(f"{file} is no ARPA language model: {error}") from None
    return sorted(found.keys() - set(SPECIAL), key=lambda word: (-found[word], word))


def _parse(lines: Iterator[str]) -> NGram:
    sizes = _header(lines)
    ids: dict[str, int] = {word: i for i, word in enumerate(SPECIAL)}
    orders = []
    for length, size in enumerate(sizes, start=1):
        _skip_to(lines, f"\\{length}-grams:")
        logs, backoffs = np.zeros(size), np.zeros(size)
        grams = np.zeros((size, length), np.int64)
        for row in range(size):
            log, words, *rest = next(lines, "").split("\t")
            if length == 1:
                ids.setdefault(words, len(ids))
            grams[row] = [ids[word] for word in words.split(" ")]
            logs[row] = float(log)
            backoffs[row] = float(rest[0]) if rest else 0.0
        keys = np.zeros(size, np.int64)
        for column in range(length):
            keys = keys * len(ids) + grams[:, column]
        by_key = np.argsort(keys)
        orders.append(Order(keys[by_key], logs[by_key] * LN10, backoffs[by_key] * LN10))
    _skip_to(lines, "\\end\\")
    return NGram(tuple(ids), tuple(orders))


def _header(lines: Iterator[str]) -> list[int]:
    _skip_to(lines, "\\data\\")
    sizes = []
    for line in lines:
        if not line.startswith("ngram "):
            break
        sizes.append(int(line.partition("=")[2]))
    return sizes


def _skip_to(lines: Iterator[str], marker: str) -> None:
    for line in lines:
        if line == marker:
            return
    raise ValueError(f"{marker} is missing")
