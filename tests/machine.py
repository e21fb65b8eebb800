"""A virtual machine with Debian's kernel, for what the kernel underneath may lack. Its files are
ours, read only, but for /tmp, /run and a folder that is shared."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.desktop import missing

PROGRAMS = ("qemu-system-x86_64", "busybox", "apt-get", "apt-cache", "dpkg-deb")
KERNEL = "linux-image-amd64"
MODULES = (
    "drivers/virtio/virtio", "drivers/virtio/virtio_ring", "drivers/virtio/virtio_pci",
    "drivers/virtio/virtio_pci_modern_dev", "drivers/virtio/virtio_pci_legacy_dev",
    "net/9p/9pnet", "net/9p/9pnet_virtio", "fs/netfs/netfs", "fs/fscache/fscache", "fs/9p/9p",
    "drivers/input/evdev", "drivers/input/misc/uinput",
)  # fmt: skip
SHARED = "/run/shared"
INIT = f"""#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for again in 1 2 3 4; do for module in /modules/*; do insmod $module 2>/dev/null; done; done
options=trans=virtio,version=9p2000.L,msize=262144
mount -t 9p -o $options,ro,cache=loose root /root
mount -t tmpfs none /root/tmp; mount -t tmpfs none /root/run
for one in proc sys dev; do mount --move /$one /root/$one; done
mkdir -p /root/dev/pts /root/dev/shm /root{SHARED}
mount -t devpts none /root/dev/pts; mount -t tmpfs none /root/dev/shm
mount -t 9p -o $options shared /root{SHARED}
job="sh {SHARED}/job >/dev/console 2>&1; sync; echo o >/proc/sysrq-trigger; sleep 60"
exec switch_root /root /bin/sh -c "$job"
"""


def lacks_machine() -> str:
    """What is missing to start one, as a reason to skip."""
    return missing(*PROGRAMS) or ("" if platform.machine() == "x86_64" else "needs x86-64")


def unpack(packages: list[str], folder: Path) -> None:
    """Debian packages without installing them; skips the test where none can be fetched."""
    archives = folder / "archives"
    archives.mkdir()
    done = subprocess.run(
        ["apt-get", "download", "-qq", *packages], cwd=archives, capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"cannot fetch {packages}: {done.stderr.strip()}")
    for archive in archives.iterdir():
        subprocess.run(["dpkg-deb", "-x", archive, folder], check=True)
    shutil.rmtree(archives)


def kernel_package() -> str:
    """The newest kernel that Debian has here."""
    told = subprocess.run(["apt-cache", "depends", KERNEL], capture_output=True, text=True).stdout
    names = [line.split()[-1] for line in told.splitlines() if "Depends: linux-image-" in line]
    if not names:
        pytest.skip(f"apt-get knows no {KERNEL}: apt-get update")
    return names[0]


def run(job: str, shared: Path, system: Path, *, timeout_s: float) -> str:
    """What a shell script prints in a machine that ends with it; ``shared`` is its ``SHARED``."""
    shared.chmod(0o755)  # for those who are not root there
    (shared / "job").write_text(job)
    boot, modules = _ramdisk(system)
    machine = [
        "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "1024", "-nographic",
        "-no-reboot", "-net", "none", "-kernel", str(boot), "-initrd", str(modules),
        "-append", "console=ttyS0 quiet panic=-1",
        "-virtfs", "local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap",
        "-virtfs", f"local,path={shared},mount_tag=shared,security_model=none",
    ]  # fmt: skip
    done = subprocess.run(
        machine, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=True
    )
    return done.stdout.decode(errors="replace").replace("\r", "")


def _ramdisk(system: Path) -> tuple[Path, Path]:
    """The kernel, and the first files that it sees."""
    (kernel,) = (system / "boot").glob("vmlinuz-*")
    (modules,) = (system / "lib" / "modules").iterdir()
    root, archive = system / "ramdisk", system / "ramdisk.cpio"
    for name in ("bin", "modules", "proc", "sys", "dev", "root"):
        (root / name).mkdir(parents=True)
    shutil.copy(shutil.which("busybox") or "", root / "bin" / "busybox")
    for module in MODULES:
        for file in modules.glob(f"kernel/{module}.ko*"):
            shutil.copy(file, root / "modules")
    (root / "init").write_text(INIT)
    (root / "init").chmod(0o755)
    names = "\n".join(str(path.relative_to(root)) for path in [root, *root.rglob("*")])
    with archive.open("wb") as out:
        subprocess.run(
            ["busybox", "cpio", "-o", "-H", "newc"], input=names.encode(), cwd=root,
            stdout=out, stderr=subprocess.DEVNULL, check=True,
        )  # fmt: skip
    return kernel, archive
