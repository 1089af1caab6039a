"""Whole games through a PCI NIC on a machine that has none to spare: qemu, in software, emulates a PC with an Intel NIC; in it Debian's
kernel, busybox and veltrixd, which takes the NIC by uio_pci_generic and DPDK's driver for it; outside veltrix-load, on the tap interface
that is the other end of the NIC's cable.

    veltrix-load ── net_af_packet ── tap ══ qemu: e1000 ── uio_pci_generic ── DPDK net_e1000 ── veltrixd

Everything is from Debian's packages: kernel and busybox are fetched once (apt-get download) into build/qemu-nic, shared libraries are
those that the build is linked with. uio_pci_generic, because Debian's kernels are built without VFIO's no-IOMMU mode and it needs no
module of its own. In a network namespace of its own (tools/qemu-nic sees to that); ends with 0 only when the NIC was ours, games were
played, every action was answered, veltrixd's accounts balance, and it stopped with 0."""
import argparse
import json
import os
import pathlib
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
APP = pathlib.Path(os.environ.get("VELTRIX_BUILD", ROOT / "build")) / "app"
CACHE = APP.parent / "qemu-nic"
NICS = {"e1000": "net_e1000_em", "igb": "net_e1000_igb", "virtio-net-pci": "net_virtio"}
TAP, SERVER, MAC = "vxq0", "10.99.0.1", "02:00:00:00:00:01"
READY, DONE = "qemu-nic: ready", "qemu-nic: done"
BOOT_S_MAX = 150
SKIPPED = 77
PLUGINS = ("librte_bus_pci", "librte_bus_vdev", "librte_mempool_ring", "librte_net_e1000", "librte_net_virtio", "librte_net_ring", "librte_common")

INIT = f"""#!/bin/busybox sh
# What the virtual machine does: takes the NIC from the kernel, runs veltrixd until a line comes in on the console, says how it went.
/bin/busybox --install -s /bin
mount -t proc none /proc; mount -t sysfs none /sys; mount -t devtmpfs none /dev; mkdir -p /dev/shm /run /tmp; mount -t tmpfs none /run; mount -t tmpfs none /tmp
export PATH=/bin LD_LIBRARY_PATH=/lib
for module in uio uio_pci_generic; do insmod /modules/$module.ko; done
for device in /sys/bus/pci/devices/*; do
    case $(cat $device/class) in 0x0200*) nic=${{device##*/}} ;; esac
done
echo uio_pci_generic > /sys/bus/pci/devices/$nic/driver_override; echo $nic > /sys/bus/pci/drivers_probe
echo "qemu-nic: NIC $nic $(cat /sys/bus/pci/devices/$nic/vendor) $(cat /sys/bus/pci/devices/$nic/device), driver $(basename $(readlink /sys/bus/pci/devices/$nic/driver))"
sed -i "s/NIC_ADDRESS/$nic/" /veltrix.lua
/veltrixd --config /veltrix.lua 2>/tmp/errors >/tmp/out &
pid=$!
until grep -q ready /tmp/out 2>/dev/null; do
    kill -0 $pid 2>/dev/null || {{ cat /tmp/errors; echo "{DONE} started=no"; poweroff -f; }}
    sleep 0.2
done
echo "{READY}"
read line
echo "PORTS $(/veltrixctl --timeout 60 --socket /run/control.sock --json ports)"
echo "STATUS $(/veltrixctl --timeout 60 --socket /run/control.sock --json status)"
kill -TERM $pid; wait $pid
code=$?
tail -n 2 /tmp/errors
echo "{DONE} exit=$code"
poweroff -f
"""
CONFIG = f"""return {{
  lcores = {{ {{ cpu = 1, roles = {{ "io", "shard" }}, port = 1, queue = 0 }}, {{ cpu = 0, roles = {{ "control" }} }} }},
  ports = {{ {{ kind = "pci", target = "NIC_ADDRESS", owned = true, addresses = {{ "{SERVER}" }}, descriptors = 256 }} }},
  memory = {{ huge = true, mbufs = 4096 }},
  transport = {{ udp_port = 40000, players = 1000 }},
  -- Software emulation is some fifty times slower than the CPU: nothing may be judged by its time here.
  shards = {{ count = 2, job_ms = 10000 }}, formulas = {{ folder = "/lua/formulas", deadline_ms = 1000 }}, watch = {{ stall_ms = 60000, dead_ms = 0 }},
  ledger = {{ path = "/run/ledger.db" }}, control = {{ socket = "/run/control.sock" }}, metrics = {{ port = 0 }},
}}
"""


def arguments():
    parser = argparse.ArgumentParser(prog="tools/qemu-nic", description=__doc__)
    parser.add_argument("--nic", choices=NICS, default="e1000")
    parser.add_argument("--players", type=int, default=40)
    parser.add_argument("--rate", type=int, default=200, help="actions a second")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--fetch", action="store_true", help="fetch the packages, which takes a network, and do nothing else")
    parser.add_argument("--json", help="write the report to this file")
    return parser.parse_args()


def run(*words, **more):
    return subprocess.run([str(word) for word in words], check=True, **more)


def output(*words):
    return run(*words, stdout=subprocess.PIPE, text=True).stdout


def packages():
    """Debian's kernel for virtual machines and its static busybox, unpacked; fetched when they are not there."""
    tree = CACHE / "tree"
    if (tree / "bin" / "busybox").exists():
        return tree
    shutil.rmtree(CACHE, ignore_errors=True)
    tree.mkdir(parents=True)
    kernel = re.search(r"Depends: (linux-image-\S+)", output("apt-cache", "depends", "linux-image-cloud-amd64")).group(1)
    if subprocess.run(["apt-get", "download", "-qq", kernel, "busybox-static"], cwd=CACHE, check=False).returncode != 0:
        print(f"qemu-nic: cannot fetch {kernel} and busybox-static: apt-get update, and a way to Debian's mirror?")
        sys.exit(SKIPPED)
    for package in sorted(CACHE.glob("*.deb")):
        run("dpkg-deb", "-x", package, tree)
    return tree


def libraries(files):
    """All that the programs load, by the loader's own word."""
    found = set()
    for file in files:
        found |= set(re.findall(r"(/\S+\.so[.\d]*) \(0x", output("ldd", file)))
    return found


def image(folder):
    """The first and only file system of the virtual machine: its files, packed; and the kernel."""
    tree, root = packages(), folder / "root"
    plugins = [path for path in pathlib.Path("/usr/lib/x86_64-linux-gnu/dpdk").glob("pmds-*/*.so.*") if path.name.startswith(PLUGINS) and re.search(r"\.so\.\d+\.\d+$", path.name)]
    programs = [APP / name / name for name in ("veltrixd", "veltrixctl", "veltrix-formula-worker")]
    for name in ("bin", "lib", "modules", "proc", "sys", "dev", "run", "tmp", "lib64", "usr"):
        (root / name).mkdir(parents=True)
    (root / "usr" / "lib").symlink_to("../lib")
    (root / "var").mkdir()
    (root / "var" / "run").symlink_to("../run")
    (root / "lib" / "x86_64-linux-gnu").symlink_to(".")
    for program in programs:
        shutil.copy(program, root)
    for library in libraries(programs + plugins):
        target = root / "lib64" if "ld-linux" in library else root / "lib"
        shutil.copy(os.path.realpath(library), target / os.path.basename(library))
    for plugin in plugins:
        # EAL loads its folder, the loader what drivers need: links to one file, or DPDK would be there twice.
        folder_of_drivers, file = root / "lib" / "dpdk" / plugin.parent.name, os.path.basename(os.path.realpath(plugin))
        folder_of_drivers.mkdir(parents=True, exist_ok=True)
        shutil.copy(plugin, folder_of_drivers / file)
        shortened = root / "lib" / re.sub(r"\.\d+$", "", file)
        shortened.unlink(missing_ok=True)
        shortened.symlink_to(f"dpdk/{plugin.parent.name}/{file}")
    for name in ("formulas", "runtime"):
        shutil.copytree(ROOT / "lua" / name, root / "lua" / name)
    shutil.copy(tree / "bin" / "busybox", root / "bin" / "busybox")
    for module in ("uio", "uio_pci_generic"):
        shutil.copy(next(tree.glob(f"**/{module}.ko")), root / "modules")
    (root / "veltrix.lua").write_text(CONFIG)
    (root / "init").write_text(INIT)
    (root / "init").chmod(0o755)
    run("sh", "-c", "find . | cpio -o -H newc --quiet | gzip -1 > ../initramfs", cwd=root)
    return next(tree.glob("boot/vmlinuz-*")), folder / "initramfs"


class Machine:
    """The virtual machine and its console; a context manager."""

    def __init__(self, kernel, initramfs, nic):
        # q35: its slots are PCI Express, as igb wants; e1000 is plain PCI and fits too.
        self.command = ["qemu-system-x86_64", "-machine", "q35,accel=tcg", "-cpu", "max", "-smp", "2", "-m", "1024", "-nodefaults", "-display", "none", "-no-reboot",
                        "-serial", "stdio", "-kernel", str(kernel), "-initrd", str(initramfs), "-append", "console=ttyS0 quiet panic=-1 hugepages=80",
                        "-netdev", f"tap,id=wire,ifname={TAP},script=no,downscript=no", "-device", f"{nic},netdev=wire,mac={MAC}"]
        self.lines = []

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.rest = ""
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def wait_for(self, begin, seconds):
        """The first line that begins so; fails with the console's last lines."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            ready = select.select([self.process.stdout], [], [], 0.2)[0]
            text = os.read(self.process.stdout.fileno(), 65536).decode(errors="replace") if ready else ""
            *lines, self.rest = (self.rest + text).split("\n")
            self.lines += [line.strip() for line in lines]
            for line in self.lines:
                if line.startswith(begin):
                    return line
            if ready and text == "":
                break
        raise SystemExit(f"qemu-nic: no line '{begin}' within {seconds} s; the console's last lines:\n" + "\n".join(self.lines[-25:]))

    def say(self, text):
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()


def play(options, folder):
    """veltrix-load's report of whole games over the tap."""
    report = folder / "load.json"
    command = [APP / "veltrix-load" / "veltrix-load", "--players", options.players, "--seconds", options.seconds, "--rate", options.rate, "--server-ip", SERVER, "--server-mac", MAC,
               "--client-ip", "10.99.0.2", "--udp-port", 40000, "--no-huge", "--quiet", "--json", report, "--vdev", f"net_af_packet0,iface={TAP},blocksz=65536,framesz=2048,framecnt=1024"]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if not report.exists():
        raise SystemExit("qemu-nic: veltrix-load failed: " + done.stderr)
    return json.loads(report.read_text())


def judge(options, load, port, status, done):
    wrong = [f"{name} is {load[name]}, not 0" for name in ("actions_unaccounted", "answers_wrong", "chests_doubled") if load[name] != 0]
    if load["matches"] == 0 or load["grants"] == 0:  # how many is a matter of speed, and emulation has none
        wrong.append(f"{load['matches']} matches and {load['grants']} grants: no games")
    if port["driver"] != NICS[options.nic] or port["state"] != "up":
        wrong.append(f"the port is {port['driver']}, {port['state']}")
    if not status["accounts_balance"] or status["totals"]["grants_done"] < load["grants"]:
        wrong.append("veltrixd's accounts do not balance")
    if done != DONE + " exit=0":
        wrong.append("veltrixd ended badly: " + done)
    return wrong


def main():
    options = arguments()
    if options.fetch:
        packages()
        return 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="veltrix-qemu-") as name:
        folder = pathlib.Path(name)
        kernel, initramfs = image(folder)
        run("ip", "tuntap", "add", "dev", TAP, "mode", "tap")
        run("sysctl", "-qw", f"net.ipv6.conf.{TAP}.disable_ipv6=1")
        run("ip", "link", "set", TAP, "up")
        print(f"qemu-nic: {time.monotonic() - began:.0f} s: image of {initramfs.stat().st_size >> 20} MiB, {kernel.name}", flush=True)
        with Machine(kernel, initramfs, options.nic) as machine:
            print(machine.wait_for("qemu-nic: NIC", BOOT_S_MAX), flush=True)
            machine.wait_for(READY, BOOT_S_MAX)
            print(f"qemu-nic: {time.monotonic() - began:.0f} s: veltrixd takes packets", flush=True)
            load = play(options, folder)
            machine.say("stop")
            port = json.loads(machine.wait_for("PORTS ", 60)[6:])[0]
            status = json.loads(machine.wait_for("STATUS ", 60)[7:])
            done = machine.wait_for(DONE, 60)
    wrong = judge(options, load, port, status, done)
    io = next(lcore["io"] for lcore in status["lcores"] if "io" in lcore)
    print(f"qemu-nic: {time.monotonic() - began:.0f} s: {port['driver']}: {load['matches']:.0f} matches, {load['grants']:.0f} grants, {load['actions_sent']:.0f} actions, "
          f"{load['actions_unaccounted']:.0f} unaccounted; {io['packets_in']} packets in, {io['packets_out']} out; {done.removeprefix('qemu-nic: ')}")
    for finding in wrong:
        print("qemu-nic: WRONG:", finding)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps({"load": load, "port": port, "status": status, "wrong": wrong}, indent=1) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
