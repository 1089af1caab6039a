"""netcode clients, written from the standard's text, on ordinary UDP sockets against a running veltrixd over a veth pair
and AF_XDP: connect, play, leave, fall silent, come back, be refused. Runs in a network namespace of its own (unshare -n)."""
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import time

import appliance

sys.path.insert(0, str(appliance.ROOT / "tests" / "interop"))
import netcode_client as netcode  # noqa: E402

NIC, PEER = "vxnet0", "vxnet1"
SERVER, CLIENT, SERVER_6, CLIENT_6 = "10.99.0.1", "10.99.0.2", "fd99::1", "fd99::2"
PORT, PLAYERS, PROTOCOL = appliance.UDP_PORT, 4, "0x1122334455667788"
FIND, PING = 1, 10
PONG, QUEUE_STATUS = 0x02, 0x41


def ctl(*words):
    subprocess.run([appliance.APP / "veltrixctl" / "veltrixctl", *map(str, words)], check=True, stdout=subprocess.DEVNULL)


class Backend:
    """Issues tokens with veltrixctl."""

    def __init__(self, folder):
        self.folder, self.count = pathlib.Path(folder), 0
        self.key = self.folder / "new.key"
        for name in ("old.key", "new.key", "foreign.key"):
            ctl("token", "keygen", self.folder / name)

    def token(self, client, server=f"{SERVER}:{PORT}", key=None, **more):
        self.count += 1
        path = self.folder / f"token{self.count}"
        words = [f"{name}={value}" for name, value in {"protocol": PROTOCOL, "timeout": 3, **more}.items()]
        ctl("token", "issue", path, client, server, key or self.key, *words)
        return path.read_bytes()


def action(kind, number, seen=0):
    return struct.pack("<BBBBIII", 0x56, 1, 1, 0, 0, number, seen) + struct.pack("<BBHIII", kind, 0, 0, 0, 0, 0)


def results(client):
    """Of all payloads so far: (type, action number)."""
    found = []
    for body in client.payloads:
        at = 8
        while at < len(body):
            found.append((body[at], struct.unpack_from("<I", body, at + 4)[0]))
            at += 24 if body[at] & 0x40 else 8
    return found


def connected(token, seconds=3):
    udp = netcode.UdpClient(token)
    udp.run_until(lambda: udp.client.state == netcode.CONNECTED or udp.client.state <= netcode.DISCONNECTED, seconds)
    return udp


def asks(udp, kind, number, wanted):
    """Sends an action; True when its answer comes."""
    udp.client.send_payload(action(kind, number), time.monotonic())
    return udp.run_until(lambda: (wanted, number) in results(udp.client), 1)


def eventually(condition, seconds=2):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def counted(server, reason):
    return server.io()["io"]["packets"][reason]


def admission(server, name):
    return server.ctl("status")["admission"][name]


def check_games(server, backend):
    """Over IPv4 and IPv6: connected, answered, gone without a trace."""
    for address in (f"{SERVER}:{PORT}", f"[{SERVER_6}]:{PORT}"):
        udp = connected(backend.token(1, address))
        assert udp.client.state == netcode.CONNECTED and udp.client.max_clients == PLAYERS and udp.client.client_index < PLAYERS, udp.client.states
        assert asks(udp, PING, 1, PONG) and asks(udp, FIND, 2, QUEUE_STATUS)
        assert admission(server, "clients") == 1
        udp.client.disconnect(time.monotonic())
        assert eventually(lambda: admission(server, "clients") == 0 and server.ctl("status")["totals"]["players_online"] == 0)
        udp.close()


def check_a_whole_game(server, backend):
    """Two players of veltrix-player, from FIND to HUNT_ENDED, over ordinary sockets; what they were granted is in the ledger."""
    players = []
    for client in (11, 12):
        backend.token(client, timeout=10, shard=0)  # players of one shard meet
        words = [appliance.APP / "veltrix-player" / "veltrix-player", "--token", backend.folder / f"token{backend.count}", "--auto", "--json", "--seconds", "90"]
        players.append(subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    told = []
    for player in players:
        out, errors = player.communicate(timeout=120)
        assert player.returncode == 0, f"exit {player.returncode}: {out[-500:]}{errors}"
        told.append([json.loads(line) for line in out.splitlines() if line.startswith("{")])
    for results_of in told:
        names = [line.get("result") for line in results_of]
        wanted = ["QUEUE_STATUS", "PROPOSAL", "HUNT_STARTED", "HUNT_ENDED"]
        assert [name for name in names if name in wanted] == wanted, names
    receipts = {line["b"] << 32 | line["a"] for results_of in told for line in results_of if line.get("result") == "LOOT_GRANTED"}
    kept = subprocess.run(["sqlite3", f"{backend.folder}/ledger.db", "select receipt from grants"], capture_output=True, text=True, check=True).stdout.split()
    assert receipts and receipts == {int(line) for line in kept}, (receipts, kept)
    assert eventually(lambda: admission(server, "clients") == 0, 5)


def check_keys(backend):
    for name, wanted in (("old.key", netcode.CONNECTED), ("foreign.key", None)):
        udp = connected(backend.token(2, key=backend.folder / name), 0.7)
        assert (udp.client.state == netcode.CONNECTED) == (wanted == netcode.CONNECTED), (name, udp.client.states)
        if udp.client.state == netcode.CONNECTED:
            udp.client.disconnect(time.monotonic())
        udp.close()


def check_lost_and_back(server, backend):
    """A client that dies in the queue comes back from another port, with a fresh token, to its place there."""
    udp = connected(backend.token(3))
    assert asks(udp, FIND, 1, QUEUE_STATUS)
    index = udp.client.client_index
    udp.close()
    second = connected(backend.token(3), 0.7)
    assert second.client.state == netcode.REQUESTING  # ignored: the client is connected, as far as we know
    second.close()
    assert eventually(lambda: admission(server, "clients_in_grace") == 1, 5)
    again = connected(backend.token(3))
    assert again.client.state == netcode.CONNECTED and again.client.client_index == index
    assert again.run_until(lambda: (QUEUE_STATUS, 0) in results(again.client), 1), "the queue's status, unasked"
    assert admission(server, "resumed") == 1 and admission(server, "ignored_client_connected") > 0
    again.client.disconnect(time.monotonic())
    again.close()


def check_full(server, backend):
    everybody = [connected(backend.token(10 + i)) for i in range(PLAYERS + 1)]
    states = [udp.client.state for udp in everybody]
    assert states == [netcode.CONNECTED] * PLAYERS + [netcode.CONNECTION_DENIED], states
    assert admission(server, "denied_full") == 1
    for udp in everybody[:PLAYERS]:
        assert udp.run_until(lambda: False, 0.1) is False and udp.client.state == netcode.CONNECTED
        udp.client.disconnect(time.monotonic())
        udp.close()
    assert eventually(lambda: admission(server, "clients") == 0)


def check_refusals(server, backend):
    for reason, token in (("netcode_token_forged", backend.token(20, key=backend.folder / "foreign.key")), ("netcode_other_server", backend.token(20, "10.99.0.9:40000")),
                          ("netcode_other_game", backend.token(20, protocol=7)), ("netcode_expired", backend.token(20, expire=1))):
        if reason == "netcode_expired":
            time.sleep(2)
        before, sent = counted(server, reason), server.io()["io"]["packets_out"]
        udp = netcode.UdpClient(token)
        request = udp.client.token.request()
        udp.send(request, (SERVER, PORT))
        assert eventually(lambda: counted(server, reason) > before), reason
        assert server.io()["io"]["packets_out"] == sent, f"{reason}: something was answered"
        udp.close()


def check_goodbye(server, backend):
    """The server stops, and says so; tokens of before its restart are refused after it."""
    udp, token = connected(backend.token(30)), backend.token(31)
    assert udp.client.state == netcode.CONNECTED
    server.process.terminate()
    assert udp.run_until(lambda: udp.client.state == netcode.DISCONNECTED, 3), udp.client.states
    udp.close()
    assert server.process.wait(timeout=30) == 0
    time.sleep(1.1)  # dates are whole seconds
    assert server.start()
    old = netcode.UdpClient(token)
    assert not old.run_until(lambda: old.client.state == netcode.CONNECTED, 0.7) and counted(server, "netcode_before_start") > 0
    old.close()
    new = connected(backend.token(31))
    assert new.client.state == netcode.CONNECTED
    new.close()


def main():
    appliance.veth(NIC, PEER)
    for name in (NIC, PEER):
        appliance.run(f"ethtool -K {name} tx off rxvlan off txvlan off")
    appliance.run(f"sysctl -qw net.ipv6.conf.{PEER}.disable_ipv6=0")
    appliance.run(f"ip addr add {CLIENT}/24 dev {PEER}")
    appliance.run(f"ip addr add {CLIENT_6}/64 dev {PEER} nodad")
    with tempfile.TemporaryDirectory(prefix="veltrix-netcode-") as folder:
        backend = Backend(folder)
        port = f'kind = "af_xdp", target = "{NIC}", owned = true, addresses = {{ "{SERVER}", "{SERVER_6}" }}, queues = 1, descriptors = 1024'
        transport = f'kind = "netcode", private_keys = {{ "{folder}/new.key", "{folder}/old.key" }}, protocol_id = "{PROTOCOL}", grace_ms = 10000'
        with appliance.Appliance(folder, port, players=PLAYERS, transport=transport) as server:
            check_games(server, backend)
            check_a_whole_game(server, backend)
            check_keys(backend)
            check_lost_and_back(server, backend)
            check_full(server, backend)
            check_refusals(server, backend)
            check_goodbye(server, backend)
            status = server.ctl("status")
            sessions = server.io()["io"]["sessions"]
            assert sessions["unproved_bytes_out"] <= sessions["unproved_bytes_in"] and status["accounts_balance"]
    print("netcode over veth: games, one of two veltrix-players, keys, lost and back, full, refusals, goodbye")
    return 0


if __name__ == "__main__":
    sys.exit(main())
