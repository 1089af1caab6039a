"""veltrixd under test: its configuration from a few words, its start, its control socket, its end."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
APP = pathlib.Path(os.environ.get("VELTRIX_BUILD", ROOT / "build")) / "app"
WITH_US = ("setpriv", "--pdeathsig", "KILL")  # a veltrixd whose test was ended would poll on
SERVER_CPU, OTHER_CPU = 0, os.cpu_count() - 1
SKIPPED = 77
UDP_PORT = 40000


def run(command):
    subprocess.run(command.split(), check=True, stdout=subprocess.DEVNULL)


def veth(name, peer, **macs):
    """A pair in this network namespace; ends the test as skipped where there can be none."""
    if subprocess.run(f"ip link add {name} type veth peer name {peer}".split(), check=False).returncode != 0:
        print("no veth pair here: needs CAP_NET_ADMIN and the veth module (modprobe veth)")
        sys.exit(SKIPPED)
    for end in (name, peer):
        run(f"sysctl -qw net.ipv6.conf.{end}.disable_ipv6=1")
        run(f"ip link set {end} {'address ' + macs[end] if end in macs else ''} up")


class Appliance:
    """One veltrixd without huge pages, io and shards on one core; a context manager. `port`, `transport` and `more` are Lua."""

    def __init__(self, folder, port, players=1000, shards=2, more="", transport=""):
        self.folder, self.process = pathlib.Path(folder), None
        self.errors = self.folder / "stderr"
        (self.folder / "veltrix.lua").write_text(f"""return {{
    lcores = {{ {{ cpu = {SERVER_CPU}, roles = {{ "io", "shard" }}, port = 1, queue = 0 }}, {{ cpu = {OTHER_CPU}, roles = {{ "control" }} }} }},
    ports = {{ {{ {port} }} }},
    memory = {{ huge = false, mbufs = 16384 }},
    transport = {{ udp_port = {UDP_PORT}, players = {players}, {transport} }},
    shards = {{ count = {shards} }},
    formulas = {{ folder = "{ROOT}/lua/formulas" }},
    ledger = {{ path = "{folder}/ledger.db" }},
    control = {{ socket = "{folder}/control.sock" }},
    metrics = {{ port = 0 }},
    {more}
}}
""")

    def start(self):
        """True when it is ready."""
        with open(self.errors, "w") as errors:
            self.process = subprocess.Popen([*WITH_US, APP / "veltrixd" / "veltrixd", "--config", self.folder / "veltrix.lua", "--no-huge"],
                                            stdout=subprocess.PIPE, stderr=errors, text=True)
        return "ready" in self.process.stdout.readline()

    def __enter__(self):
        assert self.start(), "veltrixd did not start: " + self.errors.read_text()
        return self

    def __exit__(self, *_):
        code = self.stop()
        print(self.errors.read_text(), end="", flush=True)
        assert code == 0, f"veltrixd ended with {code}"

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def ctl(self, *words):
        """The result of a command; fails with veltrixctl's own words."""
        answer = subprocess.run([APP / "veltrixctl" / "veltrixctl", "--socket", self.folder / "control.sock", "--json", *words], capture_output=True, text=True, check=False)
        assert answer.returncode == 0, f"veltrixctl {' '.join(words)}: {answer.stderr}"
        return json.loads(answer.stdout)

    def io(self):
        return next(lcore for lcore in self.ctl("status")["lcores"] if "io" in lcore)

    def counters(self):
        """Of the port: the card's, the driver's, the XDP program's."""
        return self.ctl("ports")[0]["counters"]

    def busy_share(self, seconds):
        """How busy the io lcore is over the next seconds, in parts of 1."""
        before, begun = self.io(), time.monotonic()
        time.sleep(seconds)
        after, cycles = self.io(), (time.monotonic() - begun) * self.ctl("status")["cycles_per_s"]
        return (after["busy_cycles"] - before["busy_cycles"]) / cycles
