"""`tune` and `config` through the real socket, while players play: every key that can be changed live goes to both ends of
its range and back, and the books balance."""
import sys
import time

from appliance import Appliance, refused, run

server = Appliance(players=1200, shards=4)


def value(key):
    return server.ask("tune", key=key)["value"].strip('"')


def actions():
    return server.ask("status")["totals"]["actions_in"]


def ends(row):
    """Both ends of a key's range: the words of a choice, or the numbers."""
    if " to " in row["range"]:
        return row["range"].split(" to ")
    return row["range"].split()


def every_live_key():
    server.play(rate=8000, seconds=120)
    server.until_playing()
    rows = server.ask("tune")
    assert len(rows) >= 16, rows
    for row in rows:
        key, before = row["key"], value(row["key"])
        assert row["unit"] or row["range"], row
        assert row["applies"] and row["summary"] and row["default"], row
        for end in ends(row):
            server.ask("tune", key=key, value=end)
            assert value(key) == end, f"{key}: {value(key)} after {end} was set"
            moved = actions()
            server.until(lambda: actions() > moved, f"actions go on with {key} = {end}", 5)
        server.ask("tune", key=key, value=before)
        assert value(key) == before
    status = server.ask("status")
    assert status["accounts_balance"], status["totals"]
    assert all(row["saved"] == "" for row in server.ask("tune")), "everything is as it was saved"


def changes_are_felt():
    """The same key in other words: what it governs follows it."""
    server.ask("tune", key="shards.proposal_ms", value="100")
    before = server.ask("status")["totals"]["matches_declined"]
    server.until(lambda: server.ask("status")["totals"]["matches_declined"] > before, "proposals time out after 100 ms", 10)
    server.ask("tune", key="shards.proposal_ms", value="10000")
    server.ask("tune", key="shards.speed_cm_s", value="1")
    server.until(lambda: server.ask("status")["totals"]["moves_too_fast"] > 0, "moves are too fast at 1 cm/s")
    server.ask("tune", key="shards.speed_cm_s", value="1200")
    server.ask("tune", key="transport.packets_per_s", value="1000")
    server.until(lambda: sum(lcore["io"]["paced"] for lcore in server.ask("status")["lcores"]) > 0, "packets are paced at 1000 a second")
    server.ask("tune", key="transport.packets_per_s", value="0")


def refusals():
    refused("out_of_range", "from 1 to 1000 us", server.ask, "tune", key="idle.sleep_us", value="0")
    refused("bad_argument", "busy pause sleep", server.ask, "tune", key="idle.policy", value="lazy")
    refused("bad_argument", "takes a restart", server.ask, "tune", key="shards.count", value="5")
    refused("not_found", "no key", server.ask, "tune", key="shards.cuont", value="5")
    refused("bad_argument", "text", server.ask, "tune", key=5)
    refused("bad_argument", "is not in", server.ask, "config check", file="/etc/passwd")
    refused("bad_argument", "is not in", server.ask, "config check", file="../x")
    refused("not_found", "No such file", server.ask, "config check", file="nothing.lua")
    refused("not_found", "waits", server.ask, "config confirm")


def drift_and_save():
    assert server.ask("config diff") == []
    server.ask("tune", key="shards.hunt_ms", value="90000")
    assert server.ask("config diff") == [{"key": "shards.hunt_ms", "running": "90000", "file": "180000", "applies": "now"}]
    row = next(row for row in server.ask("config show", section="shards.") if row["key"] == "shards.hunt_ms")
    assert row["from"] == "drift" and row["saved"] == "180000", row
    assert "drift" in server.ctl("config", "show", "shards.hunt")
    server.ask("config save")
    assert server.ask("config diff") == []
    assert "hunt_ms = 90000" in server.config.read_text()
    assert (server.folder / "veltrix.lua.before").exists()
    assert server.ask("config check") == {"file": "good", "differences": 0}
    server.ctl("tune", "shards.hunt_ms", "180000", "--save")
    assert "hunt_ms" not in server.config.read_text(), "a default is left out"


def write(name, text):
    base = server.config.read_text().rstrip().removesuffix("}")
    (server.folder / name).write_text(base + text + "}\n")


def apply_confirm_undo():
    write("night.lua", "idle = { policy = 'pause' }, control = { socket = '/elsewhere' }, log = { level = 'debug' },")
    result = server.ask("config apply", file="night.lua")
    assert {row["key"] for row in result["changed"]} == {"idle.policy", "log.level"}, result
    assert "control.socket" in {row["key"] for row in result["restart"]}, result
    assert value("idle.policy") == "pause" and value("log.level") == "debug"
    assert server.ask("config undo")["changed"] and value("idle.policy") == "sleep"
    server.ask("config apply", file="night.lua", timeout=1)
    refused("busy", "confirm", server.ask, "config apply", file="night.lua")
    assert value("idle.policy") == "pause"
    time.sleep(1.3)
    assert value("idle.policy") == "sleep", "nobody confirmed: back"
    server.ask("config apply", file="night.lua", timeout=1)
    server.ask("config confirm")
    time.sleep(1.3)
    assert value("idle.policy") == "pause"
    server.ask("config undo")
    assert value("idle.policy") == "sleep"
    write("bad.lua", "idle = { policy = 'lazy' },")
    refused("failed", "idle.policy is \"lazy\"", server.ask, "config check", file="bad.lua")
    refused("failed", "idle.policy is \"lazy\"", server.ask, "config apply", file="bad.lua")


def history():
    last = server.ask("history", last=50)
    undone = [entry for entry in last if entry["command"] == "config undo" and entry["user"] == "veltrixd"]
    assert len(undone) == 1, "the change that nobody confirmed is in the history as veltrixd's own"
    tuned = [entry for entry in last if entry["command"] == "tune" and entry.get("new") == "90000"]
    assert tuned and tuned[0]["old"] == "180000" and tuned[0]["user"] == "root" and tuned[0]["arguments"]["key"] == "shards.hunt_ms", last
    assert "USER=root" in server.log() and "COMMAND=tune" in server.log()


if __name__ == "__main__":
    code = run([("every live key to both ends of its range, under load", every_live_key), ("changes are felt", changes_are_felt), ("refusals", refusals),
                ("drift and save", drift_and_save), ("apply, confirm, undo", apply_confirm_undo), ("history", history)])
    server.stop()
    sys.exit(code)
