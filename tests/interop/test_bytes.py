"""lib/netcode and the Python that was written from the standard's text agree on every byte: tokens, requests, packets,
challenges, user data, both ways, and refuse the same things. usage: test_bytes.py NETCODE_BYTES VELTRIXCTL"""
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

import netcode_wire as wire

ROOT = pathlib.Path(__file__).resolve().parents[2]
RANDOM = random.Random(3)


class Bytes:
    """lib/netcode, by way of its test program."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, command, *arguments):
        words = [value.hex() or "-" if isinstance(value, bytes) else str(value) for value in arguments]
        self.process.stdin.write(" ".join([command, *words]) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().rstrip("\n")
        assert answer, f"{command}: no answer"
        return answer

    def refused(self, command, *arguments):
        """The reason, or None."""
        answer = self.ask(command, *arguments)
        return answer.removeprefix("refused ") if answer.startswith("refused ") else None

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(10) == 0


def random_bytes(count):
    return RANDOM.randbytes(count)


def random_servers():
    servers = []
    for _ in range(RANDOM.randint(1, 32)):
        port = RANDOM.randint(1, 65535)
        servers.append((f"10.{RANDOM.randint(0, 255)}.0.{RANDOM.randint(1, 254)}", port) if RANDOM.random() < 0.5 else
                       (wire.ipaddress.IPv6Address(random_bytes(16)).compressed, port))
    return servers


def as_text(servers):
    return ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in servers)


def as_servers(text):
    found = re.findall(r"\[?([0-9a-f:.]+?)\]?:(\d+)(?:,|$)", text)
    return [(wire.ipaddress.ip_address(host).compressed, int(port)) for host, port in found]


def random_sequence():
    return RANDOM.choice([0, 255, 256, 2**32, 2**63, 2**64 - 1, RANDOM.getrandbits(RANDOM.randint(1, 64))])


def tokens_of_theirs_are_read_by_us(c):
    for _ in range(30):
        key, user, servers, protocol = random_bytes(32), random_bytes(256), random_servers(), RANDOM.getrandbits(64)
        client, timeout = RANDOM.getrandbits(64), RANDOM.randint(-1, 60)
        token = wire.issue(client, servers, protocol, key, expire_seconds=30, timeout=timeout, user=user, now=1000)
        shown = c.ask("token-read", token.to_bytes()).split(" ")
        assert shown[:4] == [str(protocol), "1000", "1030", str(timeout)], shown[:4]
        assert as_servers(shown[4]) == servers and shown[5:7] == [token.client_key.hex(), token.server_key.hex()]
        assert bytes.fromhex(shown[7]) == token.request()
        index, *opened = c.ask("request-read", protocol, 1029, token.request(), random_bytes(32), key).split(" ")
        assert index == "1" and opened[:2] == [str(client), str(timeout)] and as_servers(opened[2]) == servers
        assert opened[3:] == [token.client_key.hex(), token.server_key.hex(), user.hex()]


def tokens_of_ours_are_read_by_them(c):
    for _ in range(30):
        key, nonce, client_key, server_key, user = map(random_bytes, (32, 24, 32, 32, 256))
        servers, client, protocol = random_servers(), RANDOM.getrandbits(64), RANDOM.getrandbits(64)
        data = bytes.fromhex(c.ask("token-issue", client, 10, protocol, 1000, 1045, key, nonce, client_key, server_key, user, as_text(servers)))
        token = wire.ConnectToken.from_bytes(data)
        private = wire.PrivateToken.unsealed(token.private, protocol, 1045, nonce, key)
        assert token == wire.ConnectToken(protocol, 1000, 1045, nonce, token.private, 10, servers, client_key, server_key)
        assert private == wire.PrivateToken(client, 10, servers, client_key, server_key, user)
        assert private.sealed(protocol, 1045, nonce, key) == token.private and token.to_bytes() == data


def requests_are_refused_by_both(c):
    key, protocol = random_bytes(32), 77
    good = wire.issue(5, [("10.0.0.1", 40000)], protocol, key, now=1000).request()
    cases = {"netcode_bad_length": good[:-1], "netcode_other_version": good[:8] + b"X" + good[9:], "netcode_other_game": good[:14] + b"\1" + good[15:],
             "netcode_token_forged": good[:200] + bytes([good[200] ^ 1]) + good[201:]}
    for expected, data in cases.items():
        assert c.refused("request-read", protocol, 1000, data, key) == expected, expected
        try:
            expire, nonce, sealed = wire.request_read(data, protocol, 1000)
            wire.PrivateToken.unsealed(sealed, protocol, expire, nonce, key)
            raise AssertionError(f"{expected}: taken by the Python reader")
        except wire.Refused:
            pass
    assert c.refused("request-read", protocol, 1044, good, key) is None
    assert c.refused("request-read", protocol, 1045, good, key) == "netcode_expired"
    later = good[:22] + (2000).to_bytes(8, "little") + good[30:]
    assert c.refused("request-read", protocol, 1045, later, key) == "netcode_token_forged"


def packets_go_both_ways(c):
    c.ask("window-reset")
    for _ in range(400):
        kind, key, protocol, sequence = RANDOM.randint(1, 6), random_bytes(32), RANDOM.getrandbits(64), random_sequence()
        least, most = wire.BODY_BYTES[kind]
        body = random_bytes(RANDOM.randint(least, most))
        side, takes = ("server", wire.SERVER_TAKES) if kind in wire.SERVER_TAKES else ("client", wire.CLIENT_TAKES)
        theirs = wire.packet(kind, sequence, body, key, protocol)
        assert bytes.fromhex(c.ask("packet-write", kind, sequence, key, protocol, body)) == theirs
        c.ask("window-reset")
        assert c.ask("packet-read", side, key, protocol, theirs) == f"{kind} {sequence} {body.hex() or '-'}"
        assert wire.packet_read(theirs, takes, key, protocol) == (kind, sequence, body)


def spoilt_packets_are_judged_alike(c):
    """Flipped, cut and lengthened packets, and such as replay: both take or both refuse."""
    key, protocol, window, taken = random_bytes(32), 9, wire.ReplayWindow(), 0
    c.ask("window-reset")
    newest = 0
    for _ in range(3000):
        newest += RANDOM.choice([0, 1, 1, 1, 2, 300 if RANDOM.random() < 0.02 else 1])
        kind, sequence = RANDOM.randint(0, 7), max(0, newest - RANDOM.choice([0, 0, 0, 1, 5, 255, 256]))
        body = random_bytes({2: 308, 3: 308, 4: 8, 5: 20}.get(kind, 0)) if RANDOM.random() < 0.9 else random_bytes(RANDOM.randint(0, 1210))
        data = bytearray(wire.packet(kind, sequence, body, key, protocol))
        how = RANDOM.random()
        if how < 0.2:
            data[RANDOM.randrange(len(data))] ^= 1 << RANDOM.randrange(8)
        elif how < 0.3:
            del data[RANDOM.randrange(len(data)):]
        elif how < 0.35:
            data += random_bytes(RANDOM.randint(1, 30))
        if not data or data[0] == 0 or len(body) > 1200:
            continue
        try:
            expected = "{} {} {}".format(*(value.hex() or "-" if isinstance(value, bytes) else value for value in
                                           wire.packet_read(bytes(data), wire.SERVER_TAKES, key, protocol, window)))
            taken += 1
        except wire.Refused:
            expected = None
        answer = c.ask("packet-read", "server", key, protocol, bytes(data))
        assert answer == expected if expected else answer.startswith("refused "), (bytes(data).hex(), answer, expected)
    assert taken > 500, taken


def challenges_go_both_ways(c):
    for _ in range(20):
        client, user, sequence, key = RANDOM.getrandbits(64), random_bytes(256), random_sequence(), random_bytes(32)
        sealed = wire.challenge_sealed(client, user, sequence, key)
        assert bytes.fromhex(c.ask("challenge-seal", client, user, sequence, key)) == sealed
        assert c.ask("challenge-open", sealed, sequence, key) == f"{client} {user.hex()}"
        assert c.refused("challenge-open", sealed, sequence ^ 1, key)


def user_data_is_read(c):
    data = wire.user_data(shard=3, region=2, display=0xfeedface, party=11, party_size=3, roles=5, rating=1712.25, deviation=81.5, permissions=("play", "test"),
                          latencies=[(2, 18), (9, 211)], attributes=(7, 0, 255, 1), sets=(3, 65535))
    assert c.ask("user-read", data) == "3 2 4277009102 11 3 5 1712.25 81.5 9 2=18 9=211 7,0,255,1 3,65535"
    assert c.ask("user-read", wire.user_data()).startswith("65535 0 0 0 1 0 1500 350 3")
    assert c.refused("user-read", bytes(256)) == 'user data does not begin with "VX"'
    assert c.refused("user-read", wire.user_data(rating=float("nan"))).startswith("the rating is not a number")


def command(ctl, *words, fails=None):
    done = subprocess.run([ctl, "--json", *words], capture_output=True, text=True, timeout=10)
    if fails is not None:
        assert done.returncode != 0 and fails in done.stderr, (words, done.returncode, done.stdout, done.stderr)
        return None
    assert done.returncode == 0, (words, done.stderr)
    return json.loads(done.stdout)


def documented_recipe():
    """The Python of docs/tokens.md."""
    return re.search(r"```python\n(.*?)```", (ROOT / "docs" / "tokens.md").read_text(), re.S).group(1)


def veltrixctl_issues_and_inspects(_, ctl):
    with tempfile.TemporaryDirectory() as folder:
        key_file, token_file, other = f"{folder}/key", f"{folder}/token", f"{folder}/other"
        command(ctl, "token", "keygen", key_file)
        command(ctl, "token", "keygen", key_file, fails="exists already")
        assert os.stat(key_file).st_mode & 0o7777 == 0o600
        key = bytes.fromhex(open(key_file).read())
        words = ["token", "issue", token_file, "--client", "0xfffffffffffffffe", "--server", "10.0.0.1:40000,[fd00::1]:40001", "--key", key_file, "--protocol", "0x5658"]
        command(ctl, *words, "--shard", "4", "--party", "9", "--party_size", "2", "--rating", "1650.5", "--latencies", "1=20,2=95", "--timeout", "7", "--attributes", "4,2",
                "--sets", "0,6")
        command(ctl, *words, fails="exists already")
        assert os.stat(token_file).st_mode & 0o7777 == 0o600
        token = wire.ConnectToken.from_bytes(open(token_file, "rb").read())
        private = wire.PrivateToken.unsealed(token.private, 0x5658, token.expire, token.nonce, key)
        assert (private.client_id, private.timeout, private.servers) == (2**64 - 2, 7, [("10.0.0.1", 40000), ("fd00::1", 40001)])
        assert private.user == wire.user_data(shard=4, display=2**32 - 2, party=9, party_size=2, rating=1650.5, latencies=[(1, 20), (2, 95)], attributes=(4, 2, 0, 0), sets=(0, 6))
        shown = command(ctl, "token", "inspect", token_file, "--key", key_file)
        assert shown["client"] == str(2**64 - 2) and shown["parts_agree"] and not shown["expired"] and 0 < shown["left_s"] <= 45
        assert shown["user"]["shard"] == 4 and shown["user"]["permissions"] == ["play", "ranked"] and "client_key" not in shown
        secrets = command(ctl, "token", "inspect", token_file, "--secrets")
        assert secrets["server_key"] == token.server_key.hex() and secrets["wireshark"] == f"0x5658 {token.client_key.hex()} {token.server_key.hex()}"
        command(ctl, "token", "keygen", other)
        command(ctl, "token", "inspect", token_file, "--key", other, fails="does not open under the key")
        command(ctl, "token", "isue", token_file, fails="token i")  # a word of ours is never asked of a daemon
        command(ctl, "token", "inspect", key_file, fails="is no connect token: a connect token has 2048 bytes")
        os.chmod(key_file, 0o640)
        command(ctl, "token", "inspect", token_file, "--key", key_file, fails="has mode 0640")
        for wrong, sentence in ({"--client": "-1"}, "client is"), ({"--server": "10.0.0.1"}, "is not an address with a port"), ({"--protocol": "0x"}, "protocol is"), \
                ({"--party_size": "2"}, "a party has 1 to 16"), ({"--permissions": "fly"}, 'there is no "fly"'), ({"--attributes": "256"}, "4 numbers below 256"), ({"--sets": "1,2,3"}, "2 numbers below 65536"), ({"--latencies": "1:20"}, "is not REGION=MS"), \
                ({"--latencies": "0=20"}, "region that is 0"), ({"--rating": "1e9"}, "rating"), ({"--timeout": "0"}, "timeout is 0"), ({"--shard": "256"}, "shard"):
            arguments = {"--client": "1", "--server": "10.0.0.1:1", "--key": key_file, "--protocol": "1", **wrong}
            command(ctl, "token", "issue", f"{folder}/none", *[word for pair in arguments.items() for word in pair], fails=sentence)
            assert not os.path.exists(f"{folder}/none")


def the_recipe_in_the_docs_works(_, ctl):
    with tempfile.TemporaryDirectory() as folder:
        key_file, token_file = f"{folder}/key", f"{folder}/token"
        command(ctl, "token", "keygen", key_file)
        names = {}
        exec(compile(documented_recipe(), "docs/tokens.md", "exec"), names)
        key = bytes.fromhex(open(key_file).read())
        with open(token_file, "wb") as file:
            file.write(names["connect_token"](key, 0x5658, 4711, [("10.0.0.1", 40000), ("fd00::1", 40000)], names["user_data"](display=12, rating=1800.0)))
        shown = command(ctl, "token", "inspect", token_file, "--key", key_file)
        assert shown["client"] == "4711" and shown["parts_agree"] and shown["servers"] == ["10.0.0.1:40000", "[fd00::1]:40000"], shown
        assert shown["user"]["display"] == 12 and shown["user"]["rating"] == 1800.0 and shown["user"]["shard"] == "any", shown["user"]


def main():
    program, ctl = sys.argv[1:]
    c = Bytes(program)
    for check in (tokens_of_theirs_are_read_by_us, tokens_of_ours_are_read_by_them, requests_are_refused_by_both, packets_go_both_ways,
                  spoilt_packets_are_judged_alike, challenges_go_both_ways, user_data_is_read):
        check(c)
        print(f"{check.__name__}: ok")
    for check in (veltrixctl_issues_and_inspects, the_recipe_in_the_docs_works):
        check(c, ctl)
        print(f"{check.__name__}: ok")
    c.close()


if __name__ == "__main__":
    main()
