#!/usr/bin/python3
"""A netcode 1.02 client from the text of the standard alone, as a library (Client: no socket, no clock) and as a command
over an ordinary UDP socket:

    netcode_client.py TOKEN [--payload HEX]... [--seconds S] [--hold]

prints one JSON object a line: each change of state, each payload received. Exits with 0 when it was connected and ended
the connection itself, with 1 and the last state otherwise."""
import argparse
import json
import select
import socket
import struct
import sys
import time

import netcode_wire as wire

TOKEN_EXPIRED, INVALID_TOKEN, TIMED_OUT, RESPONSE_TIMED_OUT, REQUEST_TIMED_OUT, CONNECTION_DENIED, DISCONNECTED, REQUESTING, RESPONDING, CONNECTED = range(-6, 4)
STATE_NAMES = {TOKEN_EXPIRED: "connect token expired", INVALID_TOKEN: "invalid connect token", TIMED_OUT: "connection timed out",
               RESPONSE_TIMED_OUT: "connection response timed out", REQUEST_TIMED_OUT: "connection request timed out", CONNECTION_DENIED: "connection denied",
               DISCONNECTED: "disconnected", REQUESTING: "sending connection request", RESPONDING: "sending connection response", CONNECTED: "connected"}
INTERVAL_S = 0.1  # "at some rate, like 10HZ"
DISCONNECT_PACKETS = 10


class Client:
    """The client's state machine. send(data, address) is called for what leaves; the caller hands in what arrives and
    the time. `payloads` collects what the server sent."""

    def __init__(self, token_bytes, send, now):
        self.send, self.payloads, self.states = send, [], []
        self.sequence, self.client_index, self.max_clients, self.server = 0, None, None, 0
        self.state = DISCONNECTED
        try:
            self.token = wire.ConnectToken.from_bytes(token_bytes)
        except wire.Refused:
            self.enter(INVALID_TOKEN)
            return
        self.began = now
        self.begin_request(now)

    def enter(self, state):
        self.state = state
        self.states.append(state)

    @property
    def address(self):
        return self.token.servers[self.server]

    def begin_request(self, now):
        self.window, self.challenge = wire.ReplayWindow(), None
        self.heard = now
        self.sent = now - INTERVAL_S
        self.enter(REQUESTING)

    def next_server(self, failure, now):
        """A failure while connecting: the next address, or the failure's state when there is none."""
        if self.server + 1 < len(self.token.servers):
            self.server += 1
            self.begin_request(now)
        else:
            self.enter(failure)

    def send_sealed(self, kind, body, now):
        self.send(wire.packet(kind, self.sequence, body, self.token.client_key, self.token.protocol_id), self.address)
        self.sequence += 1
        self.sent = now

    def send_payload(self, body, now):
        assert self.state == CONNECTED and 1 <= len(body) <= 1200
        self.send_sealed(wire.PAYLOAD, body, now)

    def disconnect(self, now):
        if self.state == CONNECTED:
            for _ in range(DISCONNECT_PACKETS):
                self.send_sealed(wire.DISCONNECT, b"", now)
        self.enter(DISCONNECTED)

    def receive(self, data, source, now):
        """False when the packet is ignored."""
        if self.state <= DISCONNECTED or source != self.address:
            return False
        try:
            kind, _, body = wire.packet_read(data, wire.CLIENT_TAKES, self.token.server_key, self.token.protocol_id, self.window)
        except wire.Refused:
            return False
        handler = {wire.DENIED: self.on_denied, wire.CHALLENGE: self.on_challenge, wire.KEEP_ALIVE: self.on_keep_alive, wire.PAYLOAD: self.on_payload,
                   wire.DISCONNECT: self.on_disconnect}[kind]
        return handler(body, now)

    def on_denied(self, _, now):
        if self.state == CONNECTED:
            return False
        self.next_server(CONNECTION_DENIED, now)
        return True

    def on_challenge(self, body, now):
        if self.state != REQUESTING:
            return False
        self.challenge, self.heard, self.sent = body, now, now - INTERVAL_S
        self.enter(RESPONDING)
        return True

    def on_keep_alive(self, body, now):
        if self.state == REQUESTING:
            return False
        self.heard = now
        if self.state == RESPONDING:
            self.client_index, self.max_clients = struct.unpack("<II", body)
            self.enter(CONNECTED)
        return True

    def on_payload(self, body, now):
        if self.state != CONNECTED:
            return False
        self.heard = now
        self.payloads.append(body)
        return True

    def on_disconnect(self, _, now):
        if self.state != CONNECTED:
            return False
        self.enter(DISCONNECTED)
        return True

    def update(self, now):
        if self.state <= DISCONNECTED:
            return
        if self.state != CONNECTED and now - self.began >= self.token.expire - self.token.create:
            self.enter(TOKEN_EXPIRED)
            return
        if self.token.timeout > 0 and now - self.heard >= self.token.timeout:
            if self.state == CONNECTED:
                self.enter(TIMED_OUT)
                return
            self.next_server(REQUEST_TIMED_OUT if self.state == REQUESTING else RESPONSE_TIMED_OUT, now)
            if self.state <= DISCONNECTED:
                return
        if now - self.sent >= INTERVAL_S:
            self.repeat(now)

    def repeat(self, now):
        if self.state == REQUESTING:
            self.send(self.token.request(), self.address)
            self.sent = now
        elif self.state == RESPONDING:
            self.send_sealed(wire.RESPONSE, self.challenge, now)
        else:
            self.send_sealed(wire.KEEP_ALIVE, bytes(8), now)


class UdpClient:
    """A Client over a socket of its own and the real clock."""

    def __init__(self, token_bytes, bind=None):
        self.sockets = {}
        self.bind = bind
        self.client = Client(token_bytes, self.send, time.monotonic())

    def socket_for(self, address):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        if family not in self.sockets:
            self.sockets[family] = socket.socket(family, socket.SOCK_DGRAM)
            self.sockets[family].bind(self.bind or ("::" if family == socket.AF_INET6 else "0.0.0.0", 0))
            self.sockets[family].setblocking(False)
        return self.sockets[family]

    def send(self, data, address):
        try:
            self.socket_for(address).sendto(data, address)
        except OSError:
            pass  # UDP: as good as lost

    def step(self, wait_s=0.02):
        """Receives what is there within wait_s, then lets time pass."""
        ready, _, _ = select.select(list(self.sockets.values()), [], [], wait_s)
        for one in ready:
            try:
                data, source = one.recvfrom(2048)
            except OSError:
                continue  # an ICMP error of an earlier packet
            self.client.receive(data, source[:2], time.monotonic())
        self.client.update(time.monotonic())

    def run_until(self, condition, seconds):
        """Steps until condition() holds; False when it did not in time."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() >= deadline:
                return False
            self.step()
        return True

    def close(self):
        for one in self.sockets.values():
            one.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("token", help="file of a connect token")
    parser.add_argument("--payload", action="append", default=[], type=bytes.fromhex, help="hexadecimal digits, sent once connected")
    parser.add_argument("--seconds", type=float, default=2, help="how long to stay connected (2)")
    parser.add_argument("--hold", action="store_true", help="leave without a disconnect packet, as a client that dies")
    options = parser.parse_args()
    with open(options.token, "rb") as file:
        udp = UdpClient(file.read())
    client, shown = udp.client, {"states": 0, "payloads": 0}

    def show(condition):
        for state in client.states[shown["states"]:]:
            print(json.dumps({"state": state, "name": STATE_NAMES[state], "client_index": client.client_index, "max_clients": client.max_clients}), flush=True)
        for body in client.payloads[shown["payloads"]:]:
            print(json.dumps({"payload": body.hex()}), flush=True)
        shown.update(states=len(client.states), payloads=len(client.payloads))
        return condition()

    udp.run_until(lambda: show(lambda: client.state == CONNECTED or client.state <= DISCONNECTED), 3600)
    if client.state == CONNECTED:
        for body in options.payload:
            client.send_payload(body, time.monotonic())
        udp.run_until(lambda: show(lambda: client.state != CONNECTED), options.seconds)
    ended_here = client.state == CONNECTED
    if ended_here and not options.hold:
        client.disconnect(time.monotonic())
    show(lambda: True)
    udp.close()
    return 0 if ended_here else 1


if __name__ == "__main__":
    sys.exit(main())
