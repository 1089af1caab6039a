"""netcode 1.02 in Python, from the text of its standard alone: tokens, packets, the replay window, and this project's
user data. Shares nothing with lib/netcode but libsodium underneath PyNaCl; written to be read beside STANDARD.md, with
the corrections of IMPLEMENTERS.md (nonce layout, address types 1 and 2, 300 bytes of challenge)."""
import dataclasses
import ipaddress
import os
import struct
import time

from nacl import bindings
from nacl.exceptions import CryptoError

VERSION = b"NETCODE 1.02\0"
REQUEST, DENIED, CHALLENGE, RESPONSE, KEEP_ALIVE, PAYLOAD, DISCONNECT = range(7)
BODY_BYTES = {DENIED: (0, 0), CHALLENGE: (308, 308), RESPONSE: (308, 308), KEEP_ALIVE: (8, 8), PAYLOAD: (1, 1200), DISCONNECT: (0, 0)}
CLIENT_TAKES = {DENIED, CHALLENGE, KEEP_ALIVE, PAYLOAD, DISCONNECT}
SERVER_TAKES = {REQUEST, RESPONSE, KEEP_ALIVE, PAYLOAD, DISCONNECT}
KEY_BYTES, TAG_BYTES, NONCE_BYTES, USER_BYTES, SERVERS_MAX = 32, 16, 24, 256, 32
PRIVATE_BYTES, CHALLENGE_BYTES, TOKEN_BYTES, REQUEST_BYTES = 1024, 300, 2048, 1078
REPLAY_NUMBERS = 256


class Refused(Exception):
    """Bytes that are not what the standard allows; str() says which rule."""


# ---- seals ----

def packet_nonce(sequence):
    return bytes(4) + struct.pack("<Q", sequence)


def seal(text, aad, sequence, key):
    return bindings.crypto_aead_chacha20poly1305_ietf_encrypt(text, aad, packet_nonce(sequence), key)


def unseal(sealed, aad, sequence, key):
    try:
        return bindings.crypto_aead_chacha20poly1305_ietf_decrypt(sealed, aad, packet_nonce(sequence), key)
    except CryptoError as error:
        raise Refused("does not authenticate") from error


# ---- addresses: (host, port) ----

def address_bytes(address):
    host = ipaddress.ip_address(address[0])
    if host.version == 4:
        return b"\x01" + host.packed + struct.pack("<H", address[1])
    words = struct.unpack(">8H", host.packed)
    return b"\x02" + struct.pack("<8H", *words) + struct.pack("<H", address[1])


def address_read(data, at):
    kind = data[at]
    if kind == 1:
        host, (port,) = ipaddress.IPv4Address(data[at + 1:at + 5]), struct.unpack_from("<H", data, at + 5)
        return (str(host), port), at + 7
    if kind == 2:
        host = ipaddress.IPv6Address(struct.pack(">8H", *struct.unpack_from("<8H", data, at + 1)))
        return (str(host), struct.unpack_from("<H", data, at + 17)[0]), at + 19
    raise Refused("address type")


def addresses_bytes(addresses):
    assert 1 <= len(addresses) <= SERVERS_MAX
    return struct.pack("<I", len(addresses)) + b"".join(map(address_bytes, addresses))


def addresses_read(data, at):
    (count,) = struct.unpack_from("<I", data, at)
    if not 1 <= count <= SERVERS_MAX:
        raise Refused("number of server addresses")
    addresses, at = [], at + 4
    for _ in range(count):
        address, at = address_read(data, at)
        addresses.append(address)
    return addresses, at


# ---- tokens ----

@dataclasses.dataclass
class PrivateToken:
    client_id: int
    timeout: int
    servers: list
    client_key: bytes  # client to server
    server_key: bytes  # server to client
    user: bytes = bytes(USER_BYTES)

    def to_bytes(self):
        data = struct.pack("<Qi", self.client_id, self.timeout) + addresses_bytes(self.servers) + self.client_key + self.server_key + self.user
        return data.ljust(PRIVATE_BYTES, b"\0")

    @classmethod
    def from_bytes(cls, data):
        client_id, timeout = struct.unpack_from("<Qi", data)
        servers, at = addresses_read(data, 12)
        return cls(client_id, timeout, servers, data[at:at + 32], data[at + 32:at + 64], data[at + 64:at + 64 + USER_BYTES])

    @staticmethod
    def aad(protocol_id, expire):
        return VERSION + struct.pack("<QQ", protocol_id, expire)

    def sealed(self, protocol_id, expire, nonce, key):
        return bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(self.to_bytes()[:-TAG_BYTES], self.aad(protocol_id, expire), nonce, key)

    @classmethod
    def unsealed(cls, sealed, protocol_id, expire, nonce, key):
        try:
            return cls.from_bytes(bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, cls.aad(protocol_id, expire), nonce, key) + bytes(TAG_BYTES))
        except CryptoError as error:
            raise Refused("private token does not authenticate") from error


@dataclasses.dataclass
class ConnectToken:
    protocol_id: int
    create: int
    expire: int
    nonce: bytes
    private: bytes
    timeout: int
    servers: list
    client_key: bytes
    server_key: bytes

    def to_bytes(self):
        data = VERSION + struct.pack("<QQQ", self.protocol_id, self.create, self.expire) + self.nonce + self.private + struct.pack("<i", self.timeout)
        return (data + addresses_bytes(self.servers) + self.client_key + self.server_key).ljust(TOKEN_BYTES, b"\0")

    @classmethod
    def from_bytes(cls, data):
        if len(data) != TOKEN_BYTES:
            raise Refused("token length")
        if data[:13] != VERSION:
            raise Refused("version")
        protocol_id, create, expire = struct.unpack_from("<QQQ", data, 13)
        if create > expire:
            raise Refused("expires before it was created")
        (timeout,) = struct.unpack_from("<i", data, 1085)
        servers, at = addresses_read(data, 1089)
        return cls(protocol_id, create, expire, data[37:61], data[61:1085], timeout, servers, data[at:at + 32], data[at + 32:at + 64])

    def request(self):
        """The connection request packet."""
        return b"\0" + VERSION + struct.pack("<QQ", self.protocol_id, self.expire) + self.nonce + self.private


def issue(client_id, servers, protocol_id, key, expire_seconds=45, timeout=15, user=bytes(USER_BYTES), now=None, private_servers=None):
    """A connect token as a backend makes it. private_servers: what only the server sees, when it differs."""
    create = int(time.time() if now is None else now)
    expire = create + expire_seconds
    private = PrivateToken(client_id, timeout, private_servers or servers, os.urandom(KEY_BYTES), os.urandom(KEY_BYTES), user)
    nonce = os.urandom(NONCE_BYTES)
    return ConnectToken(protocol_id, create, expire, nonce, private.sealed(protocol_id, expire, nonce, key), timeout, servers, private.client_key, private.server_key)


def challenge_sealed(client_id, user, sequence, key):
    return seal((struct.pack("<Q", client_id) + user).ljust(CHALLENGE_BYTES - TAG_BYTES, b"\0"), b"", sequence, key)


def challenge_unsealed(sealed, sequence, key):
    text = unseal(sealed, b"", sequence, key)
    return struct.unpack_from("<Q", text)[0], text[8:8 + USER_BYTES]


# ---- packets ----

def sequence_bytes(sequence):
    return max(1, (sequence.bit_length() + 7) // 8)


def packet(kind, sequence, body, key, protocol_id):
    count = sequence_bytes(sequence)
    prefix = bytes([count << 4 | kind])
    return prefix + sequence.to_bytes(count, "little") + seal(body, VERSION + struct.pack("<Q", protocol_id) + prefix, sequence, key)


class ReplayWindow:
    """The standard's three rules, with a set of what was received."""

    def __init__(self):
        self.newest, self.received = None, set()

    def seen(self, sequence):
        return sequence in self.received or (self.newest is not None and sequence + REPLAY_NUMBERS <= self.newest)

    def take(self, sequence):
        self.received.add(sequence)
        if self.newest is None or sequence > self.newest:
            self.newest = sequence
        self.received = {number for number in self.received if number + REPLAY_NUMBERS > self.newest}


def packet_read(data, takes, key, protocol_id, window=None):
    """(type, sequence, body) of a sealed packet; the steps are in the standard's order."""
    if len(data) < 18:
        raise Refused("shorter than 18 bytes")
    kind, count = data[0] & 0xf, data[0] >> 4
    if kind >= 7 or kind == REQUEST:
        raise Refused("packet type")
    if kind not in takes:
        raise Refused("packet type is not taken here")
    if not 1 <= count <= 8:
        raise Refused("sequence bytes")
    if len(data) < 1 + count + TAG_BYTES:
        raise Refused("shorter than sequence and tag")
    sequence = int.from_bytes(data[1:1 + count], "little")
    replayable = window is not None and kind in (KEEP_ALIVE, PAYLOAD, DISCONNECT)
    if replayable and window.seen(sequence):
        raise Refused("already received")
    body = unseal(data[1 + count:], VERSION + struct.pack("<Q", protocol_id) + data[:1], sequence, key)
    if replayable:
        window.take(sequence)
    least, most = BODY_BYTES[kind]
    if not least <= len(body) <= most:
        raise Refused("body length")
    return kind, sequence, body


def request_read(data, protocol_id, now):
    """(expire, nonce, sealed private token) of a connection request."""
    if len(data) != REQUEST_BYTES or data[0] != 0:
        raise Refused("request length")
    if data[1:14] != VERSION:
        raise Refused("version")
    theirs, expire = struct.unpack_from("<QQ", data, 14)
    if theirs != protocol_id:
        raise Refused("protocol id")
    if expire <= now:
        raise Refused("expired")
    return expire, data[30:54], data[54:]


# ---- user data of docs/protocol.md ----

PERMISSIONS = {"play": 1, "ranked": 2, "observe": 4, "test": 8}


def user_data(shard=65535, region=0, display=0, party=0, party_size=1, roles=0, rating=1500.0, deviation=350.0, permissions=("play", "ranked"), latencies=(),
              attributes=(0, 0, 0, 0), sets=(0, 0)):
    """latencies: (region, ms) pairs, at most 8."""
    bits = sum(PERMISSIONS[name] for name in permissions)
    data = b"VX" + struct.pack("<BBHHIIBxHffI", 1, len(latencies), shard, region, display, party, party_size, roles, rating, deviation, bits)
    data += b"".join(struct.pack("<HH", *pair) for pair in latencies)
    return (data.ljust(64, b"\0") + struct.pack("<4B2H", *attributes, *sets)).ljust(USER_BYTES, b"\0")
