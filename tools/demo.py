"""The demonstration: veltrixd and veltrix-load as two processes joined by a port, whole games, and at the
end the books of both sides and the ledger held against each other. Exit 0 only if all of them balance."""
import argparse
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
APP = pathlib.Path(os.environ.get("VELTRIX_BUILD", ROOT / "build")) / "app"
WITH_US = ("setpriv", "--pdeathsig", "KILL")  # a veltrixd whose test was ended would poll on
RESIDENT_MB_MAX = 256  # of veltrixd: what the service before it took with as many players
PROTOCOL = "0x5658"
HUGE_PAGES = 256  # 2 MiB each: packet pools and tables of both processes
VETH, PEER = "vxdemo0", "vxdemo1"
INSIDE = "VELTRIX_DEMO_INSIDE"  # set in the network namespace of its own


def arguments():
    parser = argparse.ArgumentParser(prog="tools/demo", description=__doc__)
    parser.add_argument("--veth", action="store_true", help="over a veth pair with AF_XDP instead of shared memory")
    parser.add_argument("--netcode", action="store_true", help="players connect by netcode 1.02, each with a token and a session of its own")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--players", type=int, default=120000)
    parser.add_argument("--shards", type=int, default=40)
    parser.add_argument("--rate", type=int, default=400000, help="actions a second")
    parser.add_argument("--json", help="write the figures to this file")
    parser.add_argument("--no-huge", action="store_true")
    parser.add_argument("--kill-worker", action="store_true", help="kill the formula worker half way: nothing may be lost")
    return parser.parse_args()


def take_hugepages():
    """True when there are enough free; tries to get them."""
    path = pathlib.Path("/proc/sys/vm/nr_hugepages")
    try:
        if int(path.read_text()) < HUGE_PAGES:
            path.write_text(str(HUGE_PAGES))
        free = [int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("HugePages_Free")]
        return bool(free) and free[0] >= HUGE_PAGES // 2
    except OSError:
        return False


def write_config(folder, options, huge):
    port = f'{{ kind = "af_xdp", target = "{VETH}", owned = true, addresses = {{ "10.99.0.1" }}, queues = 1, descriptors = 1024 }}' if options.veth \
        else f'{{ kind = "memif", target = "{folder}/memif.sock", owned = true, addresses = {{ "10.99.0.1" }}, queues = 1, descriptors = 1024 }}'
    transport = f'kind = "netcode", private_keys = {{ "{folder}/private.key" }}, protocol_id = "{PROTOCOL}", ' if options.netcode else ""
    text = f"""return {{
    lcores = {{ {{ cpu = 0, roles = {{ "io", "shard" }}, port = 1, queue = 0 }}, {{ cpu = {os.cpu_count() - 1}, roles = {{ "control" }} }} }},
    ports = {{ {port} }},
    memory = {{ huge = {str(huge).lower()}, mbufs = 16384 }},
    transport = {{ {transport}udp_port = 40000, players = {options.players} }},
    shards = {{ count = {options.shards} }},
    formulas = {{ folder = "{ROOT}/lua/formulas" }},
    ledger = {{ path = "{folder}/ledger.db" }},
    control = {{ socket = "{folder}/control.sock" }},
    metrics = {{ port = 0 }},
}}
"""
    path = folder / "veltrix.lua"
    path.write_text(text)
    return path


def enter_namespace():
    """Begins anew in a network namespace that goes with this process: the machine's own interfaces see nothing."""
    if INSIDE not in os.environ:
        os.execvpe("unshare", ["unshare", "-n", sys.executable, *sys.argv], {**os.environ, INSIDE: "1"})


def veth_up():
    if subprocess.run(f"ip link add {VETH} type veth peer name {PEER}".split(), check=False).returncode != 0:
        print("demo: no veth pair here: needs CAP_NET_ADMIN and the veth module (modprobe veth)")
        sys.exit(77)
    for command in (f"ip link set {VETH} up", f"ip link set {PEER} up",
                    f"ethtool -K {VETH} tx off", f"ethtool -K {PEER} tx off"):
        subprocess.run(command.split(), check=True, stdout=subprocess.DEVNULL)


def start_server(config, folder, huge):
    command = [*WITH_US, APP / "veltrixd" / "veltrixd", "--config", config] + ([] if huge else ["--no-huge"])
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    line = server.stdout.readline()
    if "ready" not in line:
        server.wait()
        sys.exit(f"demo: veltrixd did not start (exit {server.returncode})")
    print(line.strip(), flush=True)
    return server


def status(folder):
    answer = subprocess.run([APP / "veltrixctl" / "veltrixctl", "--socket", folder / "control.sock", "--json", "status"], capture_output=True, text=True, check=True)
    reply = json.loads(answer.stdout)
    return reply.get("result", reply)


def server_side(folder):
    """The half of the live view that only the server knows."""
    now = status(folder)
    return f", {now['resident_bytes'] / 2**20:.0f} MiB, shed {sheds(now)}"


def sheds(now):
    return sum(sum(lcore["io"]["actions_shed"]) for lcore in now["lcores"] if "io" in lcore)


def play(options, folder, huge):
    port = ["--af-xdp", PEER] if options.veth else ["--memif", folder / "memif.sock"]
    if options.netcode:
        port += ["--transport", "netcode", "--key", folder / "private.key", "--protocol", PROTOCOL]
    command = [APP / "veltrix-load" / "veltrix-load", "--players", options.players, "--rate", options.rate, "--seconds", options.seconds, "--cpu", os.cpu_count() - 1,
               "--server-ip", "10.99.0.1", "--udp-port", 40000, "--json", folder / "load.json", "--receipts", folder / "receipts", *port] + ([] if huge else ["--no-huge"])
    with subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True) as load:
        seconds = 0
        for line in load.stdout:
            seconds += " players, " in line
            if options.kill_worker and " players, " in line and seconds == options.seconds // 2:
                os.kill(status(folder)["formulas"]["worker_pid"], signal.SIGKILL)
            print(line.rstrip() + (server_side(folder) if " players, " in line else ""), flush=True)
    code = load.returncode
    if not (folder / "load.json").exists():
        sys.exit(f"demo: veltrix-load stopped with exit {code}")
    return code, json.loads((folder / "load.json").read_text())


def ledger_agrees(folder, findings):
    """Every receipt that a player saw is in the ledger, and the ledger has no other."""
    seen = {int(line) for line in open(folder / "receipts")}
    rows = sqlite3.connect(folder / "ledger.db").execute("select receipt from grants").fetchall()
    kept = {row[0] & (2**64 - 1) for row in rows}
    if seen - kept:
        findings.append(f"{len(seen - kept)} receipts seen by players are not in the ledger")
    if kept - seen:
        findings.append(f"{len(kept - seen)} receipts in the ledger were never seen by a player")
    return len(kept)


def main():
    options = arguments()
    if options.veth:
        enter_namespace()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="veltrix-demo-"))
    huge = not options.no_huge and take_hugepages()
    if not huge:
        print("demo: no hugepages here, running with --no-huge")
    if options.veth:
        veth_up()
    if options.netcode:
        subprocess.run([APP / "veltrixctl" / "veltrixctl", "token", "keygen", folder / "private.key"], check=True, stdout=subprocess.DEVNULL)
    findings = []
    server = start_server(write_config(folder, options, huge), folder, huge)
    try:
        code, load = play(options, folder, huge)
        now = status(folder)
    finally:
        server.send_signal(signal.SIGTERM)
        server_code = server.wait(timeout=30)
    if code != 0:
        findings.append(f"veltrix-load found something wrong (exit {code})")
    if server_code != 0:
        findings.append(f"veltrixd's accounts do not balance (exit {server_code})")
    if options.kill_worker and (now["formulas"]["worker_deaths"] < 1 or now["formulas"]["worker_starts"] < 2):
        findings.append("the killed formula worker was not replaced")
    load["grants"] = ledger_agrees(folder, findings)
    load["shards"] = options.shards
    load["veltrixd_resident_bytes"] = now["resident_bytes"]
    load["sheds"] = sheds(now)
    print(f"veltrixd: {now['resident_bytes'] / 2**20:.0f} MiB resident, {load['sheds']} actions shed, {load['grants']} grants in the ledger")
    if now["resident_bytes"] > RESIDENT_MB_MAX * 10**6:
        findings.append(f"veltrixd took {now['resident_bytes'] / 10**6:.0f} MB, at most {RESIDENT_MB_MAX} are allowed")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(load, indent=1) + "\n")
    for finding in findings:
        print("demo: WRONG:", finding)
    print("demo: every account balances" if not findings else "demo: accounts do not balance")
    return 0 if not findings else 1


if __name__ == "__main__":
    sys.exit(main())
