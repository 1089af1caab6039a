"""Commands of the control socket that look at a playing appliance or change what it does, each through the real socket and
some through veltrixctl; what players feel is that the books balance."""
import json
import os
import signal
import subprocess
import sys
import time

from appliance import CTL, Appliance, Client, refused, run

server = Appliance(players=1200, shards=4)


def totals():
    return server.ask("status")["totals"]


def each_lcore():
    server.play(rate=8000, seconds=110)
    server.until_playing()
    server.until(lambda: server.ask("rates") and server.ask("rates")[-1]["actions"] > 1000, "a second of play")
    rows = server.ask("lcores")
    assert len(rows) == 1 and rows[0]["lcore"] == 1 and rows[0]["roles"] == ["io", "shard"], rows
    row = rows[0]
    assert 0 < row["busy_percent"] <= 100 and 10 < row["cycles_per_event"] < 100000 and row["packets_per_burst"] >= 1 and row["passes_per_s"] > 100, row
    assert row["pause_us_max"] >= row["pause_us_p999"] * 0.9 > 0 and row["doing"] in ("start", "receive", "shards", "send", "idle"), row
    seconds = server.ask("rates", last=2)
    assert 1 <= len(seconds) <= 2 and seconds[-1]["us_p50"] > 0 and seconds[-1]["us_p999"] >= seconds[-1]["us_p50"], seconds
    assert seconds[-1]["packets_in"] > 100 and seconds[-1]["online"] > 500, seconds


def each_shard():
    rows = server.ask("shards")
    assert [row["shard"] for row in rows] == [0, 1, 2, 3] and all(row["mode"] == "open" and row["online"] > 0 for row in rows), rows
    assert sum(row["actions"] for row in rows) > 1000 and all(0 <= row["ring_percent"] <= 100 for row in rows)
    queues = server.ask("queues")
    assert [row["shard"] for row in queues] == [0, 1, 2, 3] and sum(row["matched"] for row in queues) > 0, queues
    assert all(0 < row["mean_wait_s"] < 10 for row in queues if row["matched"] > 10), queues


def pause_drain_resume():
    assert server.ask("shard pause", shard=1) == {"shard": 1, "mode": "paused"}
    server.until(lambda: server.ask("shards")[1]["mode"] == "paused", "shard 1 is paused")
    server.until(lambda: server.ask("queues")[1]["waiting"] > 0, "tickets wait in shard 1")
    assert any("paused" in alarm["alarm"] for alarm in server.ask("alarms"))
    waiting = server.until(lambda: [p for p in range(1, 1200, 4) if look(p)["state"] == "searching"][:1], "a player searches in shard 1")[0]
    assert look(waiting)["why"] == "the shard is paused: no new matches", look(waiting)
    before = server.ask("queues")[1]["matched"]
    time.sleep(0.3)
    assert server.ask("queues")[1]["matched"] == before
    server.ask("shard resume", shard=1)
    server.until(lambda: server.ask("queues")[1]["matched"] > before, "shard 1 matches again")
    assert server.ask("shard drain", all=True)["mode"] == "draining"
    server.until(lambda: all(row["mode"] == "draining" for row in server.ask("shards")), "all drain")
    refusals = totals()["actions_refused"]
    server.until(lambda: totals()["actions_refused"] > refusals, "FIND is refused")
    server.ask("shard resume", all=True)
    server.until(lambda: all(row["mode"] == "open" for row in server.ask("shards")), "all are open")
    refused("out_of_range", "from 0 to 3", server.ask, "shard pause", shard=4)
    refused("bad_argument", "--all", server.ask, "shard pause")
    refused("bad_argument", "--all", server.ask, "shard pause", shard=1, all=True)


def look(player):
    return server.ask("player", player=player)


def one_player_one_match():
    def hunting():
        for number in range(400):
            view = look(number)
            if view["state"] == "hunting":
                return view
        return None
    view = server.until(hunting, "somebody hunts")
    assert view["shard"] == view["player"] % 4 and view["match"] > 0 and view["link"] == "plain", view
    assert view["last_actions"] and any(step["action"] == "FIND" for step in view["last_actions"]) or view["last_actions"][0]["action"] in ("SUMMON", "STRIKE", "ACCEPT"), view
    found = server.ask("match", match=view["match"])
    match = next((match for match in found if match["shard"] == view["shard"]), None)
    assert match is not None and view["player"] in [side["player"] for side in match["seats"]] and match["state"] in ("hunting", "settling"), (view, found)
    assert "last_actions" in server.ctl("player", view["player"])
    refused("not_found", "has not been here", server.ask, "player", player=4000000)
    refused("out_of_range", "from 0 to", server.ask, "player", player=-1)
    refused("not_found", "no shard has a match", server.ask, "match", match=4294967295)


def memory():
    result = server.ask("mem", mimalloc=True)
    assert len(result["shards"]) == 4 and result["resident_bytes"] > 10 << 20
    for row in result["shards"]:
        assert row["peak_bytes"] >= row["live_bytes"] > 100000, row
        assert row["live_bytes"] // 2 <= row["retained_bytes"] <= row["reserved_bytes"] == 32 << 20, row
        assert row["objects"] > 0
    assert result["dpdk"]["used_bytes"] > 0, result["dpdk"]
    assert result["dpdk"]["packets"] and all(0 <= pool["mbufs_in_use"] <= pool["mbufs"] for pool in result["dpdk"]["packets"]), result["dpdk"]
    assert any("segments" in row["line"] or "reserved" in row["line"] for row in result["mimalloc"]), result["mimalloc"][:3]


def log_level():
    """What is logged changes at once; what is wrong is refused with the words that may be said."""
    assert server.ask("log level") == {"level": "info", "held_back": 0, "not_read": 0}
    assert server.ask("log level", level="debug")["level"] == "debug"
    assert server.ask("tune", key="log.level")["value"] == '"debug"'
    refused("bad_argument", "warning", server.ask, "log level", level="loud")
    server.ask("log level", level="info")


def trace():
    feed = Client(server.socket)
    result = feed.ask("trace", every=1, count=200)
    assert result["stream"] and result["every"] == 1
    lines = [feed.next()["event"] for _ in range(200)]
    last = feed.next()["event"]
    assert last["end"] and last["sent"] == 200, last
    assert {"action", "result"} <= {key for line in lines for key in line} and all(line["ms"] > 0 and 0 <= line["shard"] < 4 for line in lines)
    assert any(line.get("action") == "MOVE" for line in lines) and any(line.get("code") == "OK" for line in lines)
    feed.ask("trace", player=8, count=20)
    lines = [feed.next()["event"] for _ in range(20)]
    assert all(line["player"] == 8 for line in lines), lines
    assert feed.next()["event"]["end"]
    feed.ask("trace", shard=2, every=1, action="PING")
    lines = [feed.next()["event"] for _ in range(30)]
    assert all(line["shard"] == 2 and line.get("action", "PING") == "PING" for line in lines), lines
    # A feed and its own connection's questions do not disturb each other.
    feed.socket.sendall(b'{"id":99,"command":"trace stop"}\n')
    while (reply := feed.next()).get("id") != 99:
        pass
    assert reply["ok"] and reply["result"]["sent"] >= 30, reply
    feed.close()
    refused("out_of_range", "from 0 to 3", server.ask, "trace", shard=4)
    refused("bad_argument", "FIND CANCEL", server.ask, "trace", action="JUMP")
    text = server.ctl("trace", "--every", 1, "--count", 5)
    assert len(text.splitlines()) == 6 and "player=" in text and "end=yes" in text, text


def a_trace_that_nobody_reads():
    """Its lines are dropped and counted; the daemon and everybody else go on."""
    feed = Client(server.socket)
    feed.ask("trace", every=1)
    time.sleep(1.5)
    before = totals()["actions_in"]
    server.until(lambda: totals()["actions_in"] > before + 1000, "players play on")
    feed.close()
    assert server.ask("status")["accounts_balance"]


def capture():
    refused("not_found", "no capture runs", server.ask, "capture stop")
    refused("bad_argument", "without a folder", server.ask, "capture start", file="../x.pcapng")
    refused("out_of_range", "from 1 to 1", server.ask, "capture start", file="x.pcapng", port=2)
    result = server.ask("capture start", file="play.pcapng", packets=100000, seconds=30)
    assert result["running"] and result["file"].endswith("play.pcapng")
    refused("busy", "runs already", server.ask, "capture start", file="other.pcapng")
    server.until(lambda: server.ask("capture show")["packets"] > 500, "500 packets")
    result = server.ask("capture stop")
    assert not result["running"] and result["packets"] > 500, result
    refused("failed", "File exists", server.ask, "capture start", file="play.pcapng")
    # Both directions are there, and every packet is the game's; the dissector tells actions from results.
    lua = os.path.join(os.path.dirname(__file__), "../../../lua/wireshark/veltrix.lua")
    shown = subprocess.run(["tshark", "-X", f"lua_script:{lua}", "-r", result["file"], "-T", "fields", "-e", "udp.dstport"], capture_output=True, text=True, check=True).stdout.split()
    assert len(shown) == result["packets"] and 0 < shown.count("40000") < len(shown), (len(shown), shown.count("40000"))
    server.ask("capture start", file="short.pcapng", packets=50)
    server.until(lambda: not server.ask("capture show")["running"], "it ends by itself")
    assert server.ask("capture show")["packets"] == 50


def watch_and_script():
    child = subprocess.Popen([CTL, "--socket", server.socket, "--json", "lcores", "--watch=0.1"], stdout=subprocess.PIPE, text=True)
    lines = [json.loads(child.stdout.readline()) for _ in range(3)]
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=5) == 0 and all(line[0]["lcore"] == 1 for line in lines)
    out = server.ctl(text="# what an operator's script says\nshards\nalarms\nquit\nnonsense\n")
    assert "ring_percent" in out
    server.ctl(text="shards\nnonsense\nshards\n", code=2)
    assert "expected seconds" in server.ctl("shards", "--watch=never", code=2)


def plain_text_by_socat():
    out = subprocess.run(["socat", "-", f"UNIX-CONNECT:{server.socket}"], input="shards\nplayer 8\nshard puase 1\n", capture_output=True, text=True, check=True).stdout
    assert "ring_percent" in out and "last_actions" in out and 'error: unknown_command: there is no command "shard puase"; did you mean "shard pause"?' in out, out


def bad_neighbours():
    """Clients that break the protocol: each is told so, and the others do not feel it."""
    client = Client(server.socket)
    for line, code in ((b"{", "bad_json"), (b"[]", "bad_request"), (b'{"command":7}', "bad_request"), (b'{"command":"stauts"}', "unknown_command"), (b"\xff", "bad_json")):
        client.socket.sendall(line + b"\n")
        reply = client.next()
        assert not reply["ok"] and reply["error"]["code"] == code, (line, reply)
    chunk = b"y" * (1 << 20)
    client.socket.sendall(b'"')
    for _ in range(100):  # a line of 100 MB: read and thrown away
        client.socket.sendall(chunk)
    client.socket.sendall(b'"\n{"id":7,"command":"help"}\n')
    assert client.next()["error"]["code"] == "too_long"
    assert client.next()["ok"]
    client.close()
    idle = [Client(server.socket) for _ in range(40)]  # that never say a word, and one that never reads
    for other in idle:
        other.socket.sendall(b'{"command":"status"}\n' * 20)
    began = time.monotonic()
    assert server.ask("status")["accounts_balance"]
    assert time.monotonic() - began < 2
    for other in idle:
        other.close()
    again = subprocess.run([str(CTL.parent.parent / "veltrixd" / "veltrixd"), "--config", server.config, "--no-huge"], capture_output=True, text=True, check=False)
    assert again.returncode == 1 and "a living process listens" in again.stderr, again.stderr
    server.until(lambda: totals()["actions_in"] > 0, "it lives")


def shutdown_with_drain():
    server.ask("tune", key="shards.hunt_ms", value="1000")
    result = server.ask("shutdown", drain=True, timeout=60)
    assert result["shutdown"] == "when the last hunt is over"
    server.until(lambda: server.process.poll() is not None, "it ends when the last hunt is over", 30)
    assert server.process.returncode == 0, server.log()


if __name__ == "__main__":
    code = run([("lcores and rates", each_lcore), ("shards and queues", each_shard), ("player and match", one_player_one_match), ("shard pause, drain, resume", pause_drain_resume),
                ("mem", memory), ("log level", log_level), ("trace", trace), ("a trace that nobody reads", a_trace_that_nobody_reads), ("capture", capture), ("--watch and scripts", watch_and_script),
                ("plain text by socat", plain_text_by_socat), ("bad neighbours", bad_neighbours), ("shutdown --drain", shutdown_with_drain)])
    server.stop()
    sys.exit(code)
