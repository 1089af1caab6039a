"""A small netcode 1.02 server from the text of the standard alone, to try clients against: no socket, no clock. Slow and
scalar; the appliance's own server is lib/session's."""
import os
import struct

import netcode_wire as wire

INTERVAL_S = 0.1
DISCONNECT_PACKETS = 10


class Session:
    """An address that showed a good token; connected once its challenge is answered."""

    def __init__(self, private, now):
        self.private, self.heard, self.sent, self.began = private, now, now, now
        self.index, self.confirmed, self.sequence, self.window = None, False, 0, wire.ReplayWindow()
        self.payloads = []


class Server:
    """send(data, address) is called for what leaves; time is handed in, in Unix seconds."""

    def __init__(self, protocol_id, key, address, slots, send):
        self.protocol_id, self.key, self.address, self.slots, self.send = protocol_id, key, address, slots, send
        self.sessions, self.used, self.left = {}, {}, []
        self.global_sequence, self.challenge_sequence, self.challenge_key = 1 << 63, 0, os.urandom(wire.KEY_BYTES)

    def connected(self):
        return {address: one for address, one in self.sessions.items() if one.index is not None}

    def send_global(self, kind, body, private, to):
        self.send(wire.packet(kind, self.global_sequence, body, private.server_key, self.protocol_id), to)
        self.global_sequence += 1

    def send_sealed(self, kind, body, session, to, now):
        self.send(wire.packet(kind, session.sequence, body, session.private.server_key, self.protocol_id), to)
        session.sequence += 1
        session.sent = now

    def send_keep_alive(self, session, to, now):
        self.send_sealed(wire.KEEP_ALIVE, struct.pack("<II", session.index, self.slots), session, to, now)

    def send_payload(self, body, to, now):
        session = self.sessions[to]
        if not session.confirmed:
            self.send_keep_alive(session, to, now)
        self.send_sealed(wire.PAYLOAD, body, session, to, now)

    def receive(self, data, source, now):
        """None, or the rule by which the packet is ignored."""
        try:
            if data[:1] == b"\0":
                self.on_request(data, source, now)
            elif source in self.sessions:
                self.on_sealed(data, source, now)
            else:
                raise wire.Refused("no key for this address")
        except wire.Refused as refusal:
            return str(refusal)
        return None

    def on_request(self, data, source, now):
        expire, nonce, sealed = wire.request_read(data, self.protocol_id, now)
        private = wire.PrivateToken.unsealed(sealed, self.protocol_id, expire, nonce, self.key)
        if self.address not in private.servers:
            raise wire.Refused("server address")
        connected = self.connected()
        if source in connected or private.client_id in (one.private.client_id for one in connected.values()):
            raise wire.Refused("address or client id is connected")
        if self.used.setdefault(sealed[-wire.TAG_BYTES:], source) != source:
            raise wire.Refused("token was used from another address")
        if len(connected) >= self.slots:
            self.send_global(wire.DENIED, b"", private, source)
            return
        if source not in self.sessions:
            self.sessions[source] = Session(private, now)
        body = struct.pack("<Q", self.challenge_sequence) + wire.challenge_sealed(private.client_id, private.user, self.challenge_sequence, self.challenge_key)
        self.challenge_sequence += 1
        self.send_global(wire.CHALLENGE, body, private, source)

    def on_sealed(self, data, source, now):
        session = self.sessions[source]
        kind, _, body = wire.packet_read(data, wire.SERVER_TAKES, session.private.client_key, self.protocol_id, session.window)
        if kind == wire.RESPONSE:
            self.on_response(body, session, source, now)
            return
        if session.index is None:
            raise wire.Refused("not connected")
        if kind == wire.DISCONNECT:
            self.forget(source, "disconnected")
            return
        session.heard, session.confirmed = now, True
        if kind == wire.PAYLOAD:
            session.payloads.append(body)

    def on_response(self, body, session, source, now):
        client_id, _ = wire.challenge_unsealed(body[8:], struct.unpack_from("<Q", body)[0], self.challenge_key)
        connected = self.connected()
        if session.index is not None or client_id in (one.private.client_id for one in connected.values()):
            raise wire.Refused("address or client id is connected")
        if len(connected) >= self.slots:
            self.send_global(wire.DENIED, b"", session.private, source)
            return
        session.index = min(set(range(self.slots)) - {one.index for one in connected.values()})
        session.heard = now
        self.send_keep_alive(session, source, now)

    def forget(self, address, why):
        self.left.append((address, why))
        del self.sessions[address]

    def disconnect(self, address, now):
        for _ in range(DISCONNECT_PACKETS):
            self.send_sealed(wire.DISCONNECT, b"", self.sessions[address], address, now)
        self.forget(address, "disconnected here")

    def update(self, now):
        for address, session in list(self.sessions.items()):
            limit = session.private.timeout
            if limit > 0 and now - session.heard >= limit:
                self.forget(address, "timed out")
            elif session.index is not None and now - session.sent >= INTERVAL_S:
                self.send_keep_alive(session, address, now)
