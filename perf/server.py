"""The processes that perf/compare starts and stops: veltrixd, testpmd and veltrix-load over one memif socket."""
import json
import os
import pathlib
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("VELTRIX_BUILD", ROOT / "build"))
APP = BUILD / "app"
WITH_US = ("setpriv", "--pdeathsig", "KILL")  # a veltrixd whose test was ended would poll on
SERVER_CPU, CLIENT_CPU = 0, os.cpu_count() - 1


def bench_sessions(players, packets, rounds, huge=True):
    """The figures of vx_bench_sessions, which ends by itself when something does not hold."""
    command = [BUILD / "perf" / "sessions" / "vx_bench_sessions", "--players", players, "--packets", packets, "--rounds", rounds] + (["--huge"] if huge else [])
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"vx_bench_sessions ended with {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def report(program, figures, wrong, json_path):
    """Prints a run's figures and what did not hold, writes the JSON that was asked for; the exit status."""
    for key, value in figures.items():
        print(f"{key:32} {value:>16}" if isinstance(value, str) else f"{key:32} {value:>16,.6g}")
    for finding in wrong:
        print(f"{program}: WRONG:", finding)
    if json_path:
        pathlib.Path(json_path).write_text(json.dumps(figures, indent=1) + "\n")
    return 1 if wrong else 0


class Veltrixd:
    """One appliance with io and shards on one core; a context manager."""

    def __init__(self, folder, players, shards=40, huge=True, transport="", metrics_port=0):
        self.folder, self.huge = folder, huge
        self.socket = folder / "memif.sock"
        for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm", "memif.sock"):
            (folder / name).unlink(missing_ok=True)
        (folder / "veltrix.lua").write_text(f"""return {{
    lcores = {{ {{ cpu = {SERVER_CPU}, roles = {{ "io", "shard" }}, port = 1, queue = 0, }}, {{ cpu = {CLIENT_CPU}, roles = {{ "control" }} }} }},
    ports = {{ {{ kind = "memif", target = "{self.socket}", owned = true, addresses = {{ "10.99.0.1" }}, queues = 1, descriptors = 1024 }} }},
    memory = {{ huge = {str(huge).lower()}, mbufs = 16384 }},
    transport = {{ {transport}udp_port = 40000, players = {players} }},
    shards = {{ count = {shards} }},
    formulas = {{ folder = "{ROOT}/lua/formulas" }},
    ledger = {{ path = "{folder}/ledger.db" }},
    control = {{ socket = "{folder}/control.sock" }},
    metrics = {{ port = {metrics_port} }},
}}
""")

    def __enter__(self):
        command = [*WITH_US, APP / "veltrixd" / "veltrixd", "--config", self.folder / "veltrix.lua"] + ([] if self.huge else ["--no-huge"])
        self.log = self.folder / "veltrixd.log"  # a pipe that nobody reads would hold veltrixd up when it is full
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        if "ready" not in self.process.stdout.readline():
            raise SystemExit("compare: veltrixd did not start: " + self.log.read_text())
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(timeout=30) != 0:
            raise SystemExit(f"compare: veltrixd ended with {self.process.returncode}: {self.log.read_text()[-4000:]}")

    def status(self):
        answer = subprocess.run([APP / "veltrixctl" / "veltrixctl", "--socket", self.folder / "control.sock", "--json", "status"],
                                capture_output=True, text=True, check=True)
        reply = json.loads(answer.stdout)
        return reply.get("result", reply)


class Testpmd:
    """testpmd's 5tswap on the same core over the same kind of memif: the bare I/O reference."""

    def __init__(self, folder, huge=True):
        self.socket = folder / "testpmd.sock"
        memory = ["--in-memory", "--single-file-segments"] if huge else ["--no-huge", "--no-shconf", "-m", "512"]
        self.command = ["dpdk-testpmd", "-l", f"{SERVER_CPU},{CLIENT_CPU}", "--main-lcore", str(CLIENT_CPU), *memory, "--no-pci", "--no-telemetry",
                        f"--vdev=net_memif0,role=server,socket={self.socket},socket-abstract=no,bsize=2048,rsize=10", "--", "--nb-cores=1",
                        "--forward-mode=5tswap", "--total-num-mbufs=16384", "--rxd=1024", "--txd=1024", "--stats-period", "60"]

    def __enter__(self):
        self.socket.unlink(missing_ok=True)
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            if self.socket.exists():
                return self
            time.sleep(0.1)
        raise SystemExit("compare: testpmd did not start; try: apt-get install dpdk")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=30)


def load(folder, socket, players, seconds, *more, huge=True):
    """Runs veltrix-load and returns its report."""
    report = folder / "load.json"
    report.unlink(missing_ok=True)
    command = [APP / "veltrix-load" / "veltrix-load", "--players", players, "--seconds", seconds, "--cpu", CLIENT_CPU, "--server-ip", "10.99.0.1",
               "--udp-port", 40000, "--json", report, "--quiet", "--memif", socket, *more] + ([] if huge else ["--no-huge"])
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if not report.exists():
        raise SystemExit("compare: veltrix-load failed: " + done.stderr)
    return json.loads(report.read_text())


def difference(before, after):
    """What one run added to the counters that the figures need."""
    def io_sum(status, key):
        return sum(lcore["io"][key] for lcore in status["lcores"] if "io" in lcore)
    def busy(status):
        return sum(lcore["busy_cycles"] for lcore in status["lcores"])
    names = ("packets_in", "packets_out", "actions_in", "actions_queued")
    return {"busy_cycles": busy(after) - busy(before), **{name: io_sum(after, name) - io_sum(before, name) for name in names}}
