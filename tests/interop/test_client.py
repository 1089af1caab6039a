"""The Python client against the Python server over a network in memory, with a clock of our own: handshake, payload both
ways, disconnect from either side, every time-out and error state of the standard, fail-over, and loss. Then the same client
as a command over real sockets."""
import json
import os
import pathlib
import random
import select
import socket
import subprocess
import sys
import tempfile
import time

import netcode_client as client_module
import netcode_server
import netcode_wire as wire

PROTOCOL, KEY, BEGIN = 0x5658, bytes(range(32)), 1_000_000.0
SERVERS = [("10.0.0.1", 40000), ("fd00::1", 40001)]
CLIENT_ADDRESS = ("10.0.0.9", 5000)
TICK_S = 0.02


class World:
    """Servers by address and one client; what is sent arrives a tick later, unless the network loses it."""

    def __init__(self, servers=SERVERS[:1], slots=2, token_servers=None, loss=0.0, **token):
        self.now, self.loss, self.random = BEGIN, loss, random.Random(1)
        self.down, self.up, self.bytes_up, self.bytes_down = [], [], 0, 0
        self.servers = {address: netcode_server.Server(PROTOCOL, KEY, address, slots, self.to_client) for address in servers}
        arguments = {"client_id": 7, "servers": token_servers or servers, "protocol_id": PROTOCOL, "key": KEY, "timeout": 2, "expire_seconds": 30, "now": BEGIN, **token}
        self.token = wire.issue(**arguments).to_bytes()
        self.client = client_module.Client(self.token, self.to_server, self.now)

    def to_client(self, data, to):
        assert to == CLIENT_ADDRESS
        self.down.append(data)
        self.bytes_down += len(data)

    def to_server(self, data, to):
        self.up.append((data, to))
        self.bytes_up += len(data)

    def lost(self):
        return self.random.random() < self.loss

    def tick(self):
        self.now += TICK_S
        up, down, self.up, self.down = self.up, self.down, [], []
        for data, to in up:
            if to in self.servers and not self.lost():
                self.servers[to].receive(data, CLIENT_ADDRESS, self.now)
        for data in down:
            if not self.lost():
                self.client.receive(data, self.client.address, self.now)
        for server in self.servers.values():
            server.update(self.now)
        self.client.update(self.now)

    def run(self, seconds, until=lambda: False):
        end = self.now + seconds
        while self.now < end and not until():
            self.tick()
        return self

    def connect(self):
        self.run(10, lambda: self.client.state == client_module.CONNECTED)
        assert self.client.state == client_module.CONNECTED, self.client.states
        return self

    @property
    def session(self):
        return self.servers[self.client.address].sessions[CLIENT_ADDRESS]


def a_client_connects():
    world = World().connect()
    assert world.client.states == [client_module.REQUESTING, client_module.RESPONDING, client_module.CONNECTED]
    assert (world.client.client_index, world.client.max_clients) == (0, 2)
    assert world.session.private.client_id == 7
    assert world.bytes_down <= world.bytes_up
    world.run(10)
    assert world.client.state == client_module.CONNECTED and world.session.confirmed


def payload_goes_both_ways():
    world = World().connect()
    world.servers[SERVERS[0]].send_payload(b"first", CLIENT_ADDRESS, world.now)
    world.client.send_payload(b"hello", world.now)
    world.run(0.1)
    world.servers[SERVERS[0]].send_payload(b"x" * 1200, CLIENT_ADDRESS, world.now)
    world.run(0.1)
    assert world.session.payloads == [b"hello"] and world.client.payloads == [b"first", b"x" * 1200]


def either_side_disconnects():
    world = World().connect()
    world.client.disconnect(world.now)
    world.run(0.1)
    assert world.client.state == client_module.DISCONNECTED and world.servers[SERVERS[0]].left == [(CLIENT_ADDRESS, "disconnected")]
    world = World().connect()
    world.servers[SERVERS[0]].disconnect(CLIENT_ADDRESS, world.now)
    world.run(0.1)
    assert world.client.states[-1] == client_module.DISCONNECTED


def silence_times_out():
    world = World().connect()
    world.loss = 1.0
    world.run(1.9)
    assert world.client.state == client_module.CONNECTED
    world.run(0.3)
    assert world.client.state == client_module.TIMED_OUT and world.servers[SERVERS[0]].left == [(CLIENT_ADDRESS, "timed out")]
    world = World(timeout=-1).connect()
    world.loss = 1.0
    world.run(100)
    assert world.client.state == client_module.CONNECTED and not world.servers[SERVERS[0]].left


def requests_and_responses_time_out():
    world = World(servers=[], token_servers=SERVERS[:1]).run(5)
    assert world.client.states == [client_module.REQUESTING, client_module.REQUEST_TIMED_OUT]
    world = World()
    world.servers[SERVERS[0]].on_response = lambda *_: None
    world.run(5)
    assert world.client.states == [client_module.REQUESTING, client_module.RESPONDING, client_module.RESPONSE_TIMED_OUT]


def a_full_server_denies():
    world = World(slots=0).run(5)
    assert world.client.states == [client_module.REQUESTING, client_module.CONNECTION_DENIED]


def the_next_server_is_tried():
    world = World(servers=SERVERS[1:], token_servers=SERVERS).connect()
    assert world.client.states == [client_module.REQUESTING] * 2 + [client_module.RESPONDING, client_module.CONNECTED] and world.client.address == SERVERS[1]
    world = World(servers=SERVERS)
    world.servers[SERVERS[0]].slots = 0
    world.connect()
    assert world.client.address == SERVERS[1]


def a_token_expires():
    world = World(servers=[], token_servers=SERVERS, timeout=60, expire_seconds=5).run(10)
    assert world.client.states == [client_module.REQUESTING, client_module.TOKEN_EXPIRED]
    for spoilt in (world.token[:-1], b"X" + world.token[1:], world.token[:1089] + b"\0\0\0\0" + world.token[1093:]):
        assert client_module.Client(spoilt, None, BEGIN).state == client_module.INVALID_TOKEN


def a_token_works_for_one_address():
    world = World().connect()
    server = world.servers[SERVERS[0]]
    request = wire.ConnectToken.from_bytes(world.token).request()
    assert server.receive(request, ("10.0.0.8", 1), world.now) == "address or client id is connected"
    world.client.disconnect(world.now)
    world.run(0.1)
    assert server.receive(request, ("10.0.0.8", 1), world.now) == "token was used from another address"


def a_bad_network_is_survived():
    world = World(loss=0.4, timeout=5)
    world.connect()
    for number in range(200):
        world.client.send_payload(bytes([number]), world.now)
        world.run(0.1)
    received = [body[0] for body in world.session.payloads]
    assert world.client.state == client_module.CONNECTED and 80 < len(received) == len(set(received)) < 160


def over_real_sockets():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, tempfile.TemporaryDirectory() as folder:
        one.bind(("127.0.0.1", 0))
        address = one.getsockname()
        server = netcode_server.Server(PROTOCOL, KEY, address, 4, one.sendto)
        path = f"{folder}/token"
        pathlib.Path(path).write_bytes(wire.issue(9, [address], PROTOCOL, KEY).to_bytes())
        process = subprocess.Popen([sys.executable, os.path.join(os.path.dirname(__file__), "netcode_client.py"), path, "--payload", "cafe", "--seconds", "0.5"],
                                   stdout=subprocess.PIPE, text=True)
        echoed, deadline = 0, time.time() + 20
        while process.poll() is None and time.time() < deadline:
            if select.select([one], [], [], 0.02)[0]:
                data, source = one.recvfrom(2048)
                server.receive(data, source, time.time())
                for body in server.sessions[source].payloads[echoed:] if source in server.sessions else ():
                    server.send_payload(body[::-1], source, time.time())
                    echoed += 1
            server.update(time.time())
        shown = [json.loads(line) for line in process.communicate(timeout=5)[0].splitlines()]
        assert process.returncode == 0, shown
    assert [line["state"] for line in shown if "state" in line] == [1, 2, 3, 0] and {"payload": "feca"} in shown
    assert [why for _, why in server.left] == ["disconnected"]


def main():
    for check in (a_client_connects, payload_goes_both_ways, either_side_disconnects, silence_times_out, requests_and_responses_time_out, a_full_server_denies,
                  the_next_server_is_tried, a_token_expires, a_token_works_for_one_address, a_bad_network_is_survived, over_real_sockets):
        check()
        print(f"{check.__name__}: ok")


if __name__ == "__main__":
    main()
