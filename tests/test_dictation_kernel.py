"""Typing as a keyboard of the kernel's, through all that stands between it and a text: a virtual
machine with Debian's kernel and udev, sway that reads its devices by libinput, a terminal."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from streamasr.edge.dictation.keyboards import RULE
from tests.desktop import missing
from tests.machine import SHARED, kernel_package, lacks_machine, run, unpack

NEEDED = lacks_machine() or missing("sway", "swaymsg", "foot", "wl-copy", "setpriv")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(NEEDED), reason=NEEDED),
]
TEXT = 'Hello, World: it\'s 10% @ the "cafe" <x> {y} [z] ~ ^ ` ê ñ – … Я🙂 end\nnext'
JOB = f"""
S={SHARED} H=/tmp/home; export SYSTEMD_IGNORE_CHROOT=1 SEATD_VTBOUND=0
mkdir -m 700 $H; chown 65534:65534 $H; mkdir -p /run/udev/rules.d
cd $S/system/lib/udev/rules.d
cp 50-udev-default.rules 60-input-id.rules $S/*.rules /run/udev/rules.d
# it finds out by its name what it is to be
cp $S/system/bin/udevadm /tmp/udevadm; cp /tmp/udevadm /tmp/systemd-udevd
/tmp/systemd-udevd --daemon
/tmp/udevadm trigger --action=add --subsystem-match=input --subsystem-match=misc
/tmp/udevadm settle
export HOME=$H XDG_RUNTIME_DIR=$H WAYLAND_DISPLAY=wayland-1
export LIBSEAT_BACKEND=seatd WLR_BACKENDS=headless,libinput WLR_RENDERER=pixman
$S/system/usr/sbin/seatd -u nobody 2>$S/seatd.log & sleep 1
person="setpriv --reuid=65534 --regid=65534 --clear-groups"
echo "output * resolution 320x200" >$H/config
$person sway -c $H/config 2>$S/sway.log &
for try in $(seq 60); do ls $H/sway-ipc* >/dev/null 2>&1 && break; sleep 1; done
export SWAYSOCK=$(ls $H/sway-ipc*)
$person foot sh -c "stty -echo -icanon; cat >$H/caught" 2>$S/foot.log &
for try in $(seq 60); do [ -e $H/caught ] && break; sleep 1; done
cd {Path.cwd()}; $person {sys.executable} -B $S/guest.py $H/caught
"""
GUEST = f"""
import json, os, subprocess, sys, time
from pathlib import Path
from streamasr.core.dictation.edits import Edit
from streamasr.edge.dictation.keyboards import NAME
from streamasr.edge.dictation.ways import open_typist

caught, text = Path(sys.argv[1]), {TEXT!r}

def until(condition):
    end = time.monotonic() + 90
    while not condition() and time.monotonic() < end:
        time.sleep(0.2)

def sway(*args):
    # it may be too busy to answer in time
    answers = []
    def ask():
        answers.append(subprocess.run(["swaymsg", *args], capture_output=True, text=True))
        return answers[-1].returncode == 0
    until(ask)
    return answers[-1].stdout

def shown():
    out = ""
    for letter in caught.read_text()[start:]:
        out = out[:-1] if letter == "\\x7f" else out + letter
    return out

typist = open_typist("uinput", os.environ)
until(lambda: NAME.decode() in sway("-t", "get_inputs"))
for layout in ("us", "de", "fr"):
    sway("input", "*", "xkb_layout", layout)
    typist.settle()
    start = len(caught.read_text())
    typist.write(Edit(0, "Hello wro"))
    typist.write(Edit(2, "rld"))
    typist.write(Edit(len("Hello world"), text))
    until(lambda: shown() == text)
    print("RESULT", json.dumps([layout, typist.is_ready(), shown()]), flush=True)
typist.close()
"""


def test_the_kernels_keyboard_types_in_any_layout_and_pastes_the_rest(tmp_path: Path) -> None:
    system = tmp_path / "system"
    system.mkdir()
    unpack([kernel_package(), "udev", "seatd"], system)
    (tmp_path / "guest.py").write_text(GUEST)
    # nobody is logged in there, so the right goes to a group instead
    rule = RULE.replace('TAG+="uaccess"', 'GROUP="nogroup", MODE="0660"')
    (tmp_path / "60-uinput.rules").write_text(rule + "\n")
    (tmp_path / "99-input.rules").write_text('SUBSYSTEM=="input", GROUP="nogroup", MODE="0660"\n')
    told = run(JOB, tmp_path, system, timeout_s=800)
    shutil.rmtree(system)  # half a gigabyte
    results = [
        json.loads(line.partition("RESULT ")[2]) for line in told.splitlines() if "RESULT" in line
    ]
    assert results == [[layout, True, TEXT] for layout in ("us", "de", "fr")], told
