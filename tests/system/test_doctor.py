"""tools/doctor on made-up hosts: quiet on a good one, and each planted defect is found by the check that is meant to find it, with a
command to mend it. And on this host it runs to its end, with and without a measurement."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

DOCTOR = pathlib.Path(__file__).resolve().parents[2] / "tools" / "doctor"
NIC = "0000:00:06.0"
DEVICE = f"sys/bus/pci/devices/{NIC}"
GOOD = {
    "proc/cpuinfo": "flags\t\t: fpu avx2 bmi2 fma constant_tsc nonstop_tsc",
    "proc/meminfo": "HugePages_Total:     512\nHugePages_Free:      500",
    "proc/irq/24/effective_affinity_list": "0",
    "proc/sys/kernel/osrelease": "6.1.0-13-amd64",
    "proc/sys/kernel/sched_rt_runtime_us": "950000",
    "boot/config-6.1.0-13-amd64": "CONFIG_XDP_SOCKETS=y\nCONFIG_BPF_SYSCALL=y",
    "sys/devices/system/cpu/isolated": "1-2",
    "sys/devices/system/cpu/online": "0-2",
    "sys/devices/system/node/node0/cpulist": "0-2,48-50",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc",
    "sys/kernel/debug/x86/pat_memtype_list": "PAT: [mem 0x00000000febe0000-0x00000000febf0000] write-combining",
    f"{DEVICE}/vendor": "0x1d0f",
    f"{DEVICE}/numa_node": "0",
    f"{DEVICE}/resource": "0x00000000febf4000 0x00000000febf7fff 0x0\n0x0 0x0 0x0\n0x00000000febe0000 0x00000000febeffff 0x0",
    f"{DEVICE}/driver": "->drivers/vfio-pci",
    f"{DEVICE}/iommu_group": "->groups/7",
    "proc/900/limits": "Max locked memory         unlimited            unlimited            bytes",
}


def poller(pid, number, cpu, policy=0):
    fields = ["S"] + ["0"] * 37 + [str(policy), "0"]
    task = f"proc/{pid}/task/{pid + number}"
    return {f"{task}/comm": f"lcore-worker-{number}\n", f"{task}/status": f"Name:\tlcore-worker\nCpus_allowed_list:\t{cpu}\n", f"{task}/stat": f"1 (lcore-worker-{number}) {' '.join(fields)}"}


for each in (1, 2):
    GOOD.update(poller(900, each, each))
    GOOD[f"sys/devices/system/cpu/cpu{each}/cpufreq/scaling_governor"] = "performance"
    GOOD[f"sys/devices/system/cpu/cpu{each}/topology/thread_siblings_list"] = f"{each},{each + 48}"

DEFECTS = [  # (check, level, what is different there)
    ("cpu_flags", "FAIL", {"proc/cpuinfo": "flags : fpu avx2 fma"}),
    ("pollers_apart", "FAIL", poller(950, 1, 2)),
    ("isolation", "WARN", {"sys/devices/system/cpu/isolated": "1"}),
    ("interrupts", "WARN", {"proc/irq/30/effective_affinity_list": "2"}),
    ("governor", "WARN", {"sys/devices/system/cpu/cpu2/cpufreq/scaling_governor": "powersave"}),
    ("siblings", "WARN", {"sys/devices/system/cpu/online": "0-2,49"}),
    ("numa", "WARN", {"sys/devices/system/node/node0/cpulist": "0,24-47"}),
    ("hugepages", "WARN", {"proc/meminfo": "HugePages_Total: 0\nHugePages_Free: 0"}),
    ("nic_driver", "FAIL", {f"{DEVICE}/driver": "->drivers/ena"}),
    ("iommu", "FAIL", {f"{DEVICE}/iommu_group": None}),
    ("write_combining", "WARN", {"sys/kernel/debug/x86/pat_memtype_list": "PAT: [mem 0x00000000febe0000-0x00000000febf0000] uncached-minus"}),
    ("write_combining", "FAIL", {f"{DEVICE}/driver": "->drivers/igb_uio"}),
    ("rt_throttling", "FAIL", poller(900, 1, 1, policy=1)),
    ("clock_source", "WARN", {"sys/devices/system/clocksource/clocksource0/current_clocksource": "xen"}),
    ("locked_memory", "FAIL", {"proc/900/limits": "Max locked memory         65536            65536            bytes"}),
    ("af_xdp", "WARN", {"boot/config-6.1.0-13-amd64": "CONFIG_BPF_SYSCALL=y"}),
    ("af_xdp", "WARN", {"proc/sys/kernel/osrelease": "5.4.0"}),
]


def plant(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            continue
        if text.startswith("->"):
            path.symlink_to(text[2:])
        else:
            path.write_text(text)


def wrong(files):
    """{check: level} of all that is not OK there; each names a command."""
    with tempfile.TemporaryDirectory(prefix="veltrix-doctor-") as root:
        plant(pathlib.Path(root), files)
        done = subprocess.run([DOCTOR, "--root", root, "--nic", NIC, "--json"], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    rows = [row for row in json.loads(done.stdout) if row["level"] != "OK"]
    assert all(row["mend"] for row in rows), rows
    assert done.returncode == any(row["level"] == "FAIL" for row in rows), rows
    return {row["check"]: row["level"] for row in rows}


def main():
    assert wrong(GOOD) == {}, wrong(GOOD)
    for name, level, files in DEFECTS:
        found = wrong({**GOOD, **files})
        assert found == {name: level}, f"planted {name} {level}, found {found}"
    here = subprocess.run([DOCTOR], capture_output=True, text=True, check=False)
    assert here.returncode in (0, 1) and len(here.stdout.splitlines()) >= 15, here
    rows = json.loads(subprocess.run([DOCTOR, "--jitter", "0.5", "--cpus", str(max(os.sched_getaffinity(0))), "--json"], capture_output=True, text=True, check=False).stdout)
    assert rows[-1]["check"] == "jitter" and 0 < rows[-1]["median_us"] <= rows[-1]["p999_us"] <= rows[-1]["max_us"], rows[-1]
    print(f"quiet on a good host; {len(DEFECTS)} planted defects found, each by its own check")


if __name__ == "__main__":
    sys.exit(main())
