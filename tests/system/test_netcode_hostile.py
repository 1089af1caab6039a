"""What a netcode server has to bear, against a running veltrixd over a veth pair and AF_XDP: packets replayed, flipped, cut,
reflected, reordered, from elsewhere, at both ends of the sequence numbers; clients that share an id or a token, and one that
never speaks again. Each is counted under its own name, nothing of it is answered, and the player who is connected meanwhile goes on
playing. Clients are written from the standard's text. Runs in a network namespace of its own (unshare -n)."""
import random
import select
import socket
import struct
import sys
import tempfile
import time

import appliance

sys.path.insert(0, str(appliance.ROOT / "tests" / "interop"))
import netcode_client as netcode  # noqa: E402
import netcode_wire as wire  # noqa: E402

NIC, PEER = "vxhost0", "vxhost1"
SERVER, CLIENT, CLIENT_2, NOBODY = "10.98.0.1", "10.98.0.2", "10.98.0.3", "10.98.0.9"
PORT, PLAYERS, PROTOCOL, TIMEOUT_S = appliance.UDP_PORT, 8, 0x1122334455667788, 3
ADDRESS = (SERVER, PORT)
PING, PONG = 10, 0x02
RANDOM = random.Random(11)
LAST = 2**64 - 1


def actions(number, kind=PING):
    return struct.pack("<BBBBIII", 0x56, 1, 1, 0, 0, number, 0) + struct.pack("<BBHIII", kind, 0, 0, 0, 0, 0)


class Player(netcode.UdpClient):
    """A client that remembers what it sent and received, and can be made to say anything."""

    key = b""  # the backend's

    def __init__(self, client_id, servers=None, bind=None, token=None):
        self.sent, self.received, self.number = [], [], 0
        self.token = token or wire.issue(client_id, servers or [ADDRESS], PROTOCOL, self.key, timeout=TIMEOUT_S)
        super().__init__(self.token.to_bytes(), bind)
        take = self.client.receive
        self.client.receive = lambda data, source, now: (self.received.append(data), take(data, source, now))

    def send(self, data, address):
        self.sent.append(data)
        super().send(data, address)

    def says(self, *packets):
        """As they are, and the client does not know of it."""
        for data in packets:
            super().send(data, ADDRESS)

    def hears(self, condition, seconds):
        """Receives until the condition holds, and sends nothing meanwhile."""
        deadline = time.monotonic() + seconds
        while not condition() and (left := deadline - time.monotonic()) > 0:
            for one in select.select(list(self.sockets.values()), [], [], left)[0]:
                data, source = one.recvfrom(2048)
                self.client.receive(data, source[:2], time.monotonic())
        return condition()

    def connect(self, seconds=6):
        assert self.run_until(lambda: self.client.state == netcode.CONNECTED, seconds), self.client.states
        return self

    def asked(self):
        """As far as the challenge, which is not answered."""
        self.client.update(time.monotonic())
        assert self.hears(lambda: self.client.state == netcode.RESPONDING, 2), self.client.states
        return self

    def pings(self):
        """Sends a PING; true when it is answered."""
        self.number += 1
        self.client.send_payload(actions(self.number), time.monotonic())
        return self.run_until(lambda: self.number in self.pongs(), 1)

    def pongs(self):
        found = [struct.unpack_from("<BBHI", body, at) for body in self.client.payloads for at in range(8, len(body), 8)]
        return [number for kind, _, _, number in found if kind == PONG]

    def packet(self, kind, sequence, body):
        return wire.packet(kind, sequence, body, self.token.client_key, PROTOCOL)

    def leaves(self):
        self.client.disconnect(time.monotonic())
        self.close()


class Counted:
    """with Counted(server, reason=how_many): what is counted inside, beyond what good clients cause; nothing else is. The name
    forged_or_replayed is for packets whose numbers decide."""

    QUIET = {"none", "netcode_keep_alive", "netcode_handshake", "netcode_connected", "netcode_disconnect", "control_answered", "control_ignored"}

    def __init__(self, server, **expected):
        self.server, self.expected, self.before = server, expected, {}

    def read(self):
        counts = {reason: count for reason, count in self.server.io()["io"]["packets"].items() if reason not in self.QUIET}
        if "forged_or_replayed" in self.expected:
            counts["forged_or_replayed"] = counts.pop("netcode_forged") + counts.pop("netcode_replayed")
        return counts

    def differences(self):
        return {reason: count - self.before[reason] for reason, count in self.read().items() if count != self.before[reason]}

    def __enter__(self):
        self.before = self.read()

    def __exit__(self, kind, *_):
        deadline = time.monotonic() + 2
        while kind is None and self.differences() != self.expected:
            assert time.monotonic() < deadline, f"counted {self.differences()}, expected {self.expected}"
            time.sleep(0.02)


def admission(server, name):
    return server.ctl("status")["admission"][name]


def eventually(condition, seconds=2):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)


def replayed(server, player):
    """The session so far once more: its payloads and keep-alives change nothing."""
    player.run_until(lambda: False, 0.5)
    old, pongs = [data for data in player.sent if data[0] & 0xf >= wire.KEEP_ALIVE], len(player.pongs())
    assert len(old) >= 5
    with Counted(server, netcode_replayed=len(old)):
        player.says(*reversed(old))
    assert not player.hears(lambda: len(player.pongs()) > pongs, 0.2)


def flipped(server, player):
    """A packet that never arrived, with every bit of it spoilt in turn but the first byte's, which says what it is."""
    good = player.packet(wire.PAYLOAD, player.client.sequence + 100000, actions(90))
    spoilt = []
    for bit in range(8, 8 * len(good)):
        data = bytearray(good)
        data[bit // 8] ^= 1 << bit % 8
        spoilt.append(bytes(data))
    with Counted(server, netcode_forged=len(spoilt)):
        player.says(*spoilt)


def cut_and_odd(server, player):
    """Short, long, of no type, of a type that only a server sends; each by its own name."""
    number = player.client.sequence + 50
    good = player.packet(wire.PAYLOAD, number, actions(91))
    cases = {"netcode_short": [b"\x15", good[:17]], "netcode_bad_type": [b"\x17" + good[1:], b"\x10" + good[1:]], "netcode_bad_prefix": [b"\x05" + good[1:], b"\x95" + good[1:]],
             "netcode_not_taken": [player.packet(wire.CHALLENGE, number, bytes(308)), player.packet(wire.DENIED, number, b"")],
             "netcode_forged": [good[:-1], good + b"\0"], "netcode_other_version": [bytes(1078)],
             "netcode_bad_length": [player.packet(wire.PAYLOAD, number, bytes(1201)), player.packet(wire.KEEP_ALIVE, number + 1, bytes(7)), bytes(1077), bytes(1079)]}
    with Counted(server, **{reason: len(packets) for reason, packets in cases.items()}):
        player.says(*[data for packets in cases.values() for data in packets])
    player.client.sequence = number + 2


def authentic_and_wrong(server, player):
    """What the plain transport refuses is refused here, too, whoever says it."""
    good = actions(92)
    bodies = {"bad_magic": b"\x76" + good[1:], "bad_count": good[:-1], "short_header": b"\x56", "bad_action": actions(92, kind=99), "bad_player": good[:4] + b"\1\0\0\0" + good[8:]}
    with Counted(server, **{reason: 1 for reason in bodies}):
        for body in bodies.values():
            player.client.send_payload(body, time.monotonic())


def reflected(server, player):
    """What the server has sent, sent back to it."""
    back = [data for data in player.received if data[0] & 0xf >= wire.KEEP_ALIVE][-5:]
    challenges = [data for data in player.received if data[0] & 0xf == wire.CHALLENGE]
    assert len(back) == 5 and challenges
    with Counted(server, forged_or_replayed=5, netcode_not_taken=len(challenges)):
        player.says(*back, *challenges)


def elsewhere(server, player):
    """The session's packets from another port, as behind a NAT that has forgotten, and from another host."""
    for host in (CLIENT, CLIENT_2):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger, Counted(server, netcode_unknown=3):
            number = player.client.sequence
            stranger.bind((host, 0))
            for data in (player.packet(wire.PAYLOAD, number, actions(93)), player.packet(wire.KEEP_ALIVE, number + 1, bytes(8)), player.packet(wire.DISCONNECT, number + 2, b"")):
                stranger.sendto(data, ADDRESS)
            assert not select.select([stranger], [], [], 0.1)[0], "a stranger was answered"


def reordered(server, player):
    """Two hundred payloads whose sequence numbers come in any order: each is taken, once."""
    begin, count = player.client.sequence, 200
    numbers = list(range(begin, begin + count))
    RANDOM.shuffle(numbers)
    with Counted(server):
        for i, number in enumerate(numbers):
            player.says(player.packet(wire.PAYLOAD, number, actions(player.number + 1 + i)))
            player.hears(lambda: False, 0.002)
        player.number += count
        assert player.hears(lambda: set(range(1, player.number + 1)) <= set(player.pongs()), 3)
    assert len(player.pongs()) == len(set(player.pongs()))
    player.client.sequence = begin + count


def at_both_ends(server, _):
    """A client whose numbers jump to the last there are, and what lies 255 and 256 below them."""
    player = Player(50).connect()
    player.says(player.packet(wire.PAYLOAD, LAST, actions(1)))
    assert player.hears(lambda: 1 in player.pongs(), 1)
    with Counted(server, netcode_replayed=3):
        player.says(*[player.packet(wire.KEEP_ALIVE, number, bytes(8)) for number in (LAST, LAST - 255, LAST - 256, 0)])
    player.says(player.packet(wire.PAYLOAD, LAST - 1, actions(2)))
    assert player.hears(lambda: 2 in player.pongs(), 1)
    player.says(player.packet(wire.DISCONNECT, LAST - 2, b""))
    player.close()
    eventually(lambda: admission(server, "clients") == 1)


def challenges(server, _):
    """The response has to come from where the challenge went, and the challenge to be as it was."""
    player, spoilt = Player(60).asked(), bytearray(308)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger, Counted(server, netcode_unknown=1):
        stranger.bind((CLIENT_2, 0))
        stranger.sendto(player.packet(wire.RESPONSE, 1, player.client.challenge), ADDRESS)
        assert not select.select([stranger], [], [], 0.1)[0]
    other = Player(61).asked()
    spoilt[:] = player.client.challenge
    spoilt[20] ^= 1
    with Counted(server, netcode_challenge_forged=3):
        player.says(player.packet(wire.RESPONSE, 2, bytes(spoilt)), player.packet(wire.RESPONSE, 3, bytes(308)))
        other.says(other.packet(wire.RESPONSE, 4, player.client.challenge))  # another client's
    with Counted(server, netcode_not_connected=2):  # payload before it is connected
        player.says(player.packet(wire.PAYLOAD, 5, actions(1)), player.packet(wire.KEEP_ALIVE, 6, bytes(8)))
    for one in (player, other):
        one.connect().leaves()
    eventually(lambda: admission(server, "clients") == 1)


def shared(server, player):
    """A second client with the same id, and a token that is shown twice."""
    before = {name: admission(server, name) for name in ("ignored_client_connected", "ignored_token_other_address", "ignored_token_consumed")}
    second = Player(1)
    assert not second.run_until(lambda: second.client.state != netcode.REQUESTING, 0.5)
    second.close()
    eventually(lambda: admission(server, "ignored_client_connected") > before["ignored_client_connected"])
    first = Player(70).asked()
    thief = Player(70, bind=(CLIENT_2, 0), token=first.token)
    assert not thief.run_until(lambda: thief.client.state != netcode.REQUESTING, 0.3)
    assert admission(server, "ignored_token_other_address") > before["ignored_token_other_address"]
    first.connect().leaves()
    eventually(lambda: admission(server, "clients") == 1)
    assert not thief.run_until(lambda: thief.client.state != netcode.REQUESTING, 0.3)
    assert admission(server, "ignored_token_consumed") > before["ignored_token_consumed"]
    thief.close()
    assert player.client.state == netcode.CONNECTED


def silent(server, player):
    """One that never speaks again is gone after its time-out; one that has nothing to say stays, by keep-alives alone."""
    dead, lost = Player(80).connect(), admission(server, "gone_lost")
    assert player.run_until(lambda: False, TIMEOUT_S + 2) is False and player.client.state == netcode.CONNECTED
    assert admission(server, "gone_lost") == lost + 1 and admission(server, "clients") == 1
    with Counted(server, netcode_unknown=1):
        dead.says(dead.packet(wire.PAYLOAD, dead.client.sequence, actions(1)))
    dead.close()


def fail_over(server, player):
    """A token whose first server is not there."""
    second = Player(90, servers=[(NOBODY, PORT), ADDRESS])
    assert player.run_until(lambda: second.step(0) or second.client.state == netcode.CONNECTED, TIMEOUT_S + 3), second.client.states
    assert second.client.states == [netcode.REQUESTING, netcode.REQUESTING, netcode.RESPONDING, netcode.CONNECTED]
    assert second.pings()
    second.leaves()
    assert player.run_until(lambda: False, 0.1) is False and player.client.state == netcode.CONNECTED
    eventually(lambda: admission(server, "clients") == 1)


def main():
    appliance.veth(NIC, PEER)
    for name in (NIC, PEER):
        appliance.run(f"ethtool -K {name} tx off rxvlan off txvlan off")
    for address in (CLIENT, CLIENT_2):
        appliance.run(f"ip addr add {address}/24 dev {PEER}")
    with tempfile.TemporaryDirectory(prefix="veltrix-hostile-") as folder:
        appliance.run(f"{appliance.APP}/veltrixctl/veltrixctl token keygen {folder}/key")
        with open(f"{folder}/key", encoding="ascii") as file:
            Player.key = bytes.fromhex(file.read())
        port = f'kind = "af_xdp", target = "{NIC}", owned = true, addresses = {{ "{SERVER}" }}, queues = 1, descriptors = 1024'
        transport = f'kind = "netcode", private_keys = {{ "{folder}/key" }}, protocol_id = "0x{PROTOCOL:x}", grace_ms = 0'
        with appliance.Appliance(folder, port, players=PLAYERS, transport=transport) as server:
            player = Player(1).connect()
            for check in (replayed, flipped, cut_and_odd, authentic_and_wrong, reflected, elsewhere, reordered, at_both_ends, challenges, shared, silent, fail_over):
                assert player.pings()
                check(server, player)
                assert player.pings(), f"after {check.__name__} the player is no longer answered"
                print(f"{check.__name__}: counted, unanswered", flush=True)
            player.leaves()
            sessions = server.io()["io"]["sessions"]
            assert sessions["unproved_bytes_out"] <= sessions["unproved_bytes_in"] and server.ctl("status")["accounts_balance"]
    return 0


if __name__ == "__main__":
    sys.exit(main())
