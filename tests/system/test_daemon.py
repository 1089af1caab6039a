"""What veltrixd promises to whoever starts and stops it: sentences for every class of bad configuration, exit codes,
systemd's notifications, a stop that drains and reports, and what each idle policy costs. Over memif, without huge pages."""
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

import appliance

VELTRIXD = appliance.APP / "veltrixd" / "veltrixd"
IO, CONTROL = '{ cpu = 0, roles = { "io", "shard" }, port = 1 }', '{ cpu = 1, roles = { "control" } }'
PORT = '{ kind = "ring", addresses = { "10.0.0.1" } }'
# What is wrong, lcores, ports, the rest of the file, what the sentence must say.
REFUSED = [
    ("unknown section", f"{IO}, {CONTROL}", PORT, "shard = {}", ["shard is a table", "expected no such key"]),
    ("unknown key", f"{IO}, {CONTROL}", PORT, "shards = { cuont = 4 }", ["shards.cuont is 4", "expected no such key"]),
    ("wrong type", f"{IO}, {CONTROL}", PORT, 'shards = { count = "four" }', ['shards.count is "four"', "expected a whole number from 1 to 256 shards"]),
    ("wrong type, boolean", f"{IO}, {CONTROL}", PORT, "memory = { huge = 1 }", ["memory.huge is 1", "expected true or false"]),
    ("out of range", f"{IO}, {CONTROL}", PORT, "transport = { udp_port = 70000 }", ["transport.udp_port is 70000", "expected a whole number from 1 to 65535"]),
    ("not a power of two", f"{IO}, {CONTROL}", PORT, "shards = { ring_events = 500 }", ["shards.ring_events is 500", "expected a power of two from 64"]),
    ("no such choice", f"{IO}, {CONTROL}", PORT, 'idle = { policy = "nap" }', ['idle.policy is "nap"', "expected one of: busy pause sleep"]),
    ("CPU used twice", f'{IO}, {CONTROL}, {{ cpu = 0, roles = {{ "shard" }} }}', PORT, "", ["lcores[3].cpu is 0", "lcores[1] does not have already"]),
    ("shards without an lcore", f'{{ cpu = 0, roles = {{ "io" }}, port = 1 }}, {CONTROL}', PORT, "", ['lcores has 0 with the role "shard"', "expected 1 to"]),
    ("packets without an lcore", f'{{ cpu = 0, roles = {{ "shard" }} }}, {CONTROL}', PORT, "", ['lcores has 0 with the role "io"', "expected 1 to"]),
    ("no control lcore", IO, PORT, "", ['lcores has 0 with the role "control"', "expected 1 to"]),
    ("a queue that nobody polls", f"{IO}, {CONTROL}", '{ kind = "ring", addresses = { "10.0.0.1" }, queues = 2 }', "", ["ports[1].queues is 2", "queue 1 has none"]),
    ("no such driver", f"{IO}, {CONTROL}", '{ kind = "ne2000" }', "", ['ports[1].kind is "ne2000"', "expected one of: memif af_xdp"]),
    ("must be given", '{ roles = { "control" } }', PORT, "", ["lcores[1].cpu is absent", "expected a whole number from 0 to 511"]),
    ("calls a library", f"{IO}, {CONTROL}", PORT, 'ledger = { path = os.getenv("HOME") }', [":4:", "'os'"]),
    ("does not parse", f"{IO}, {CONTROL}", PORT, "shards = = 4", [":4:", "unexpected symbol"]),
]


def write(folder, lcores, ports, rest):
    path = pathlib.Path(folder) / "veltrix.lua"
    path.write_text(f"return {{\n    lcores = {{ {lcores} }},\n    ports = {{ {ports} }},\n    {rest}\n}}\n")
    return path


def veltrixd(*words):
    return subprocess.run([VELTRIXD, *words], capture_output=True, text=True, check=False, timeout=60)


def bad_configurations_are_refused(folder):
    for name, lcores, ports, rest, says in REFUSED:
        path = write(folder, lcores, ports, rest)
        done = veltrixd("--check", path)
        assert done.returncode == 1, f"{name}: exit {done.returncode}, expected 1: {done.stderr}"
        assert done.stderr.count("\n") == 1 and str(path) in done.stderr and not done.stdout, f"{name}: expected one line that names the file: {done.stderr}"
        for part in says:
            assert part in done.stderr, f"{name}: lacks '{part}': {done.stderr}"
    done = veltrixd("--check", "/nonexistent.lua")
    assert done.returncode == 1 and "/nonexistent.lua: No such file" in done.stderr, done.stderr


def good_configurations_are_good(folder):
    done = veltrixd("--check", write(folder, f"{IO}, {CONTROL}", PORT, ""))
    assert done.returncode == 0 and done.stdout.endswith(": good\n") and not done.stderr, done


def wrong_arguments_are_explained(_):
    for words in ([], ["--nonsense"], ["--check"], ["--print", "nonsense"], ["--config", "a", "b"]):
        done = veltrixd(*words)
        assert done.returncode == 2 and "usage: veltrixd --config FILE" in done.stderr, f"{words}: {done}"
    done = veltrixd("--help")
    assert done.returncode == 0 and "usage: veltrixd --config FILE" in done.stdout and not done.stderr, done


def what_is_missing_is_said_at_start(folder):
    """Each thing that start-up needs and does not find ends it with 1 and names itself."""
    missing = [('kind = "af_packet", target = "nonexistent0", addresses = { "10.0.0.1" }', "", 'no interface "nonexistent0"'),
               ('kind = "ring", addresses = { "10.0.0.1" }', "", "/nonexistent/state/ledger.db"),
               ('kind = "ring", addresses = { "10.0.0.1" }', "", "/nonexistent/formulas")]
    for number, (port, more, says) in enumerate(missing):
        server = appliance.Appliance(folder, port, more=more)
        path = pathlib.Path(folder) / "veltrix.lua"
        text = path.read_text()
        if number == 1:
            path.write_text(re.sub(r"control = \{", f'control = {{ history = "{folder}/history",', re.sub(r"ledger = \{.*?\}", 'ledger = { path = "/nonexistent/state/ledger.db" }', text)))
        if number == 2:
            path.write_text(re.sub(r"formulas = \{.*?\}", 'formulas = { folder = "/nonexistent/formulas" }', text))
        if server.start():
            server.stop()
            raise AssertionError(f"it started without: {says}")
        code, errors = server.process.wait(timeout=30), server.errors.read_text()
        assert code == 1 and says in errors, f"exit {code}, expected 1 and '{says}': {errors}"


def memif(folder):
    return f'kind = "memif", target = "{folder}/memif.sock", owned = true, addresses = {{ "10.99.0.1" }}, queues = 1, descriptors = 1024'


def load(folder, seconds, *more):
    """veltrix-load playing games, started and not waited for."""
    return subprocess.Popen([str(word) for word in (
        appliance.APP / "veltrix-load" / "veltrix-load", "--players", 1000, "--rate", 20000, "--seconds", seconds, "--cpu", appliance.OTHER_CPU, "--server-ip", "10.99.0.1",
        "--udp-port", appliance.UDP_PORT, "--memif", f"{folder}/memif.sock", "--no-huge", "--quiet", "--json", f"{folder}/load.json", *more)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def systemd_is_told(folder):
    path = f"{folder}/notify.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.settimeout(10)
        server = appliance.Appliance(folder, memif(folder))
        appliance.os.environ["NOTIFY_SOCKET"] = path
        try:
            assert server.start(), server.errors.read_text()
        finally:
            del appliance.os.environ["NOTIFY_SOCKET"]
        assert "READY=1" in listener.recv(4096).decode().split("\n")
        listener.settimeout(0.2)
        try:
            assert False, f"said before it was asked to stop: {listener.recv(4096)}"
        except TimeoutError:
            pass
        server.process.send_signal(signal.SIGTERM)
        listener.settimeout(10)
        assert "STOPPING=1" in listener.recv(4096).decode().split("\n")
        assert server.process.wait(timeout=30) == 0


def report_of(errors):
    """The figures of the last report."""
    found = re.search(r"packets (\d+) = accounted (\d+); actions (\d+) = queued (\d+) \+ shed (\d+); queued = taken (\d+); taken = ended (\d+)", errors)
    assert found, f"no report: {errors}"
    return [int(figure) for figure in found.groups()]


def a_stop_drains_and_reports(folder, number):
    server = appliance.Appliance(folder, memif(folder))
    assert server.start(), server.errors.read_text()
    players = load(folder, 3, "--receipts", f"{folder}/receipts")
    time.sleep(2)
    began = time.monotonic()
    code = server.stop(number)
    took_s, errors = time.monotonic() - began, server.errors.read_text()
    players.wait(timeout=30)
    drained = re.search(r"drained in (\d+) ms, (\d+) events, jobs and grants left", errors)
    assert code == 0 and took_s < 5, f"exit {code} after {took_s:.1f} s: {errors}"
    assert drained and int(drained.group(2)) == 0 and int(drained.group(1)) < 3000, errors
    packets, accounted, actions, queued, shed, taken, ended = report_of(errors)
    assert packets == accounted > 1000 and actions == queued + shed and queued == taken == ended > 1000, errors
    seen = {int(line) for line in open(f"{folder}/receipts")}
    kept = {int(line) for line in subprocess.run(["sqlite3", f"{folder}/ledger.db", "select receipt from grants"], capture_output=True, text=True, check=True).stdout.split()}
    assert seen and seen <= kept, f"{len(seen - kept)} of {len(seen)} receipts are not in the ledger"


def sigterm_drains_and_reports(folder):
    a_stop_drains_and_reports(folder, signal.SIGTERM)


def sigint_does_the_same(folder):
    a_stop_drains_and_reports(folder, signal.SIGINT)


def memory_replace(process, old, new):
    """Writes `new` over the one place in the process's writable memory that reads `old`."""
    places = []
    with open(f"/proc/{process}/maps") as maps, open(f"/proc/{process}/mem", "r+b", buffering=0) as memory:
        for line in maps:
            bounds, rights = line.split()[:2]
            first, last = (int(bound, 16) for bound in bounds.split("-"))
            if not rights.startswith("rw") or last - first > 1 << 31:
                continue
            try:
                memory.seek(first)
                data = memory.read(last - first)
            except OSError:
                continue
            places += [first + found.start() for found in re.finditer(re.escape(old), data)]
        assert len(places) == 1, f"{len(places)} places look like the counters"
        memory.seek(places[0])
        memory.write(new)


def an_account_that_does_not_balance_is_found_out(folder):
    """One packet too many in an io lcore's counters: the end must say so, and with 3."""
    server = appliance.Appliance(folder, memif(folder))
    assert server.start(), server.errors.read_text()
    load(folder, 1).wait(timeout=30)
    time.sleep(0.5)
    counters = server.io()["io"]
    figures = [counters[key] for key in ("packets_in", "bytes_in", "packets_out", "bytes_out")]
    assert min(figures) > 1000
    old = b"".join(figure.to_bytes(8, "little") for figure in figures)
    memory_replace(server.process.pid, old, (figures[0] + 1).to_bytes(8, "little") + old[8:])
    code, errors = server.stop(), server.errors.read_text()
    assert code == 3, f"exit {code}, expected 3: {errors}"
    packets, accounted, *_ = report_of(errors)
    assert packets == accounted + 1, errors


def cpu_share(process, seconds):
    """Of one CPU, the data-plane thread's (the process's busiest): what it ran and what it waited for others to let it run."""
    def wanted_ns():
        return {path.name: sum(int(ns) for ns in (path / "schedstat").read_text().split()[:2]) for path in pathlib.Path(f"/proc/{process}/task").iterdir()}
    before, began = wanted_ns(), time.monotonic()
    time.sleep(seconds)
    after, passed = wanted_ns(), time.monotonic() - began
    return max(after[thread] - before.get(thread, 0) for thread in after) / (passed * 1e9)


def idle_policies_do_what_they_say(folder):
    """Busy and pause keep the core, sleep gives it back, and not before after_polls; all of them serve."""
    shares, passes = {}, {}
    for name, lua in (("busy", 'policy = "busy"'), ("pause", 'policy = "pause"'), ("sleep", 'policy = "sleep", after_polls = 100, sleep_us = 200'),
                      ("sleep late", 'policy = "sleep", after_polls = 1000000000, sleep_us = 200')):
        with appliance.Appliance(folder, memif(folder), more=f"idle = {{ {lua} }},") as server:
            before = server.io()["passes"]
            shares[name] = cpu_share(server.process.pid, 1)
            passes[name] = server.io()["passes"] - before
            assert load(folder, 0.5).wait(timeout=30) == 0, name
    print(f"share of a core: {', '.join(f'{name} {share:.2f}' for name, share in shares.items())}; passes a second: {passes}")
    assert min(shares["busy"], shares["pause"], shares["sleep late"]) > 0.7 and shares["sleep"] < 0.5
    assert passes["sleep"] < 20000 < 100000 < min(passes["busy"], passes["pause"], passes["sleep late"])


def one_core_has_all_roles(folder):
    """The smallest machine: io, shards, control, ledger and formula worker on one core, games played from another."""
    server = appliance.Appliance(folder, memif(folder), more="idle = { policy = 'sleep', after_polls = 10, sleep_us = 50 },")
    path = pathlib.Path(folder) / "veltrix.lua"
    path.write_text(re.sub(r"lcores = .*", f'lcores = {{ {{ cpu = {appliance.SERVER_CPU}, roles = {{ "io", "shard", "control" }}, port = 1, queue = 0 }} }},', path.read_text()))
    with server:
        for thread in pathlib.Path(f"/proc/{server.process.pid}/task").iterdir():
            allowed = re.search(r"Cpus_allowed_list:\s*(\S+)", (thread / "status").read_text()).group(1)
            name = (thread / "comm").read_text().strip()
            if not name.startswith(("eal-", "rte_", "telemetry-")): # EAL's own wait elsewhere, asleep
                assert allowed == str(appliance.SERVER_CPU), f"thread {name} may run on {allowed}"
        assert load(folder, 2).wait(timeout=30) == 0
        assert server.io()["io"]["actions_in"] > 5000


def main():
    tests = [one_core_has_all_roles, bad_configurations_are_refused, good_configurations_are_good, wrong_arguments_are_explained, what_is_missing_is_said_at_start, systemd_is_told,
             sigterm_drains_and_reports, sigint_does_the_same, an_account_that_does_not_balance_is_found_out, idle_policies_do_what_they_say]
    failed = 0
    for test in tests:
        with tempfile.TemporaryDirectory(prefix="veltrix-daemon-") as folder:
            try:
                test(folder)
                print(f"{test.__name__}: as promised", flush=True)
            except AssertionError as error:
                failed += 1
                print(f"{test.__name__}: {error}", flush=True)
    return 1 if failed else 0


sys.exit(main())
