"""A veltrixd with players, as the operators' tests need it: started on a socket of its own, asked through the real socket."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
APP = pathlib.Path(os.environ.get("VELTRIX_BUILD", ROOT / "build")) / "app"
WITH_US = ("setpriv", "--pdeathsig", "KILL")  # a veltrixd whose test was ended would poll on
CTL = APP / "veltrixctl" / "veltrixctl"
CPUS = os.cpu_count()


class Refused(Exception):
    """An error reply: code and message."""

    def __init__(self, error):
        super().__init__(f"{error['code']}: {error['message']}")
        self.code, self.message = error["code"], error["message"]


class Client:
    """One connection to the control socket."""

    def __init__(self, path, timeout_s=10):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout_s)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rb")

    def line(self, request):
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(self.file.readline())

    def ask(self, command, **arguments):
        reply = self.line({"id": 7, "command": command, **arguments})
        assert reply["id"] == 7, reply
        if not reply["ok"]:
            raise Refused(reply["error"])
        return reply["result"]

    def next(self):
        return json.loads(self.file.readline())

    def close(self):
        self.file.close()
        self.socket.close()


class Appliance:
    def __init__(self, players=600, shards=3, more="", environment=None, log=None, metrics_port=0):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="veltrix-operators-"))
        self.socket = self.folder / "control.sock"
        self.config = self.folder / "veltrix.lua"
        self.players, self.shards, self.load_process = players, shards, None
        self.config.write_text(f"""return {{
    lcores = {{ {{ cpu = 0, roles = {{ "io", "shard" }}, port = 1, queue = 0 }}, {{ cpu = {CPUS - 1}, roles = {{ "control" }} }} }},
    ports = {{ {{ kind = "memif", target = "{self.folder}/memif.sock", owned = true, addresses = {{ "10.99.0.1" }}, queues = 1, descriptors = 1024 }} }},
    memory = {{ huge = false, mbufs = 16384 }},
    transport = {{ udp_port = 40000, players = {players} }},
    shards = {{ count = {shards} }},
    formulas = {{ folder = "{ROOT}/lua/formulas" }},
    ledger = {{ path = "{self.folder}/ledger.db" }},
    control = {{ socket = "{self.socket}", group = "daemon", mode = "0666" }},
    metrics = {{ port = {metrics_port} }},
    {more}
}}
""")
        self.folder.chmod(0o755)
        self.log_path = self.folder / "log"
        self.process = subprocess.Popen([*WITH_US, APP / "veltrixd" / "veltrixd", "--config", self.config, "--no-huge"], stdout=subprocess.PIPE,
                                        stderr=open(self.log_path, "w"), text=True, env={**os.environ, **(environment or {})})
        line = self.process.stdout.readline()
        if "ready" not in line:
            self.process.wait()
            sys.exit(f"veltrixd did not start (exit {self.process.returncode}): {self.log()}")
        self.client = Client(self.socket)

    def log(self):
        return self.log_path.read_text()

    def ask(self, command, **arguments):
        return self.client.ask(command, **arguments)

    def ctl(self, *words, code=0, text=None):
        """Runs veltrixctl; returns what it printed."""
        done = subprocess.run([CTL, "--socket", self.socket, *map(str, words)], capture_output=True, text=True, input=text, check=False, timeout=30)
        assert done.returncode == code, f"veltrixctl {words}: exit {done.returncode}, expected {code}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def play(self, rate=6000, seconds=60, cpu=CPUS - 1):
        self.load_process = subprocess.Popen([APP / "veltrix-load" / "veltrix-load", "--players", str(self.players), "--rate", str(rate), "--seconds", str(seconds), "--cpu",
                                              str(cpu), "--server-ip", "10.99.0.1", "--udp-port", "40000", "--json", self.folder / "load.json", "--memif",
                                              self.folder / "memif.sock", "--no-huge"], stdout=subprocess.PIPE, text=True)

    def play_stop(self):
        if self.load_process is not None:
            self.load_process.send_signal(signal.SIGTERM)
            self.load_process.wait(timeout=30)
            self.load_process = None

    def until(self, condition, what, seconds=10):
        """Waits until condition() is true; its value."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            time.sleep(0.05)
        raise AssertionError(f"{what}: not within {seconds} s")

    def until_playing(self):
        self.until(lambda: self.ask("status")["totals"]["hunts_live"] > 0, "players hunt", 20)

    def stop(self, code=0):
        self.play_stop()
        if self.process.poll() is None:
            self.client.close()
            self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=30) == code, f"veltrixd ended with {self.process.returncode}: {self.log()}"


def refused(code, words, call, *arguments, **named):
    """The call must be refused with this code, and a message that contains the words."""
    try:
        call(*arguments, **named)
    except Refused as error:
        assert error.code == code and words in error.message, f"expected {code} with \"{words}\", got {error}"
        return
    raise AssertionError(f"{arguments} {named} was not refused")


def run(tests):
    """Runs each (name, function) and says how it went; the exit status."""
    failed = 0
    for name, test in tests:
        began = time.monotonic()
        try:
            test()
            print(f"ok    {name} ({time.monotonic() - began:.1f} s)", flush=True)
        except Exception as error:  # pylint: disable=broad-except
            failed += 1
            print(f"WRONG {name}: {type(error).__name__}: {error}", flush=True)
    return 1 if failed else 0
