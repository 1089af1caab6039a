"""Formulas changed while players play: pushed, refused, shadowed, canaried, undone, rolled back, kept over a restart. The texts are the
shipped ones, edited; every command goes through veltrixctl or the real socket."""
import re
import subprocess
import sys
import time

from appliance import APP, ROOT, Appliance, refused, run

TEXTS = {kind: (ROOT / "lua" / "formulas" / f"{kind}.lua").read_text() for kind in ("battle", "loot", "pairing")}
MORE_LOOT = [("return tier * 100 + 1 + rarity, amount", "return tier * 100 + 1 + rarity, min(amount * 2, 50)"), ("amount = { 2, 8 }", "amount = { 2, 20 }"),
             ("amount = { 1, 4 }", "amount = { 1, 50 }"), ("amount = { 1, 16 }", "amount = { 1, 50 }")]


def edited(kind, version, *edits):
    text = TEXTS[kind].replace("version = 1,", f"version = {version},")
    for old, new in edits:
        assert old in text, f"{kind}.lua has no \"{old}\" any more"
        text = text.replace(old, new)
    return text


def file_of(server, kind, text):
    folder = server.folder / "new"
    folder.mkdir(exist_ok=True)
    path = folder / f"{kind}.lua"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def versions(server):
    return {row["kind"]: row["version"] for row in server.ask("formula list")}


def idle(server, seconds=20):
    """How the patch on its way has ended."""
    return server.until(lambda: (lambda s: s["stage"] == "idle" and s["last"])(server.ask("formula status")), "the patch ends", seconds)


def playing(players=1200, shards=6):
    server = Appliance(players=players, shards=shards)
    server.ask("tune", key="shards.hunt_ms", value="2000")
    server.play(rate=20000)
    server.until_playing()
    return server


def pushed_and_back():
    server = playing()
    out = server.ctl("formula", "check", file_of(server, "loot", edited("loot", 2)))
    assert "checked: the file is good, 2 examples" in out and versions(server)["loot"] == 1, out
    out = server.ctl("formula", "gate", server.folder / "new" / "loot.lua")
    assert "job ns, p50" in out and "gated" in out and versions(server)["loot"] == 1, out
    out = server.ctl("formula", "push", server.folder / "new" / "loot.lua", "--shadow", "1s", "--why", "a test")
    assert "live: on all shards" in out and versions(server)["loot"] == 2, out
    shadow = server.ask("formula status")["shadow"]
    assert shadow[0]["jobs"] > 0 and all(row["largest"] == 0 and row["answered_otherwise"] == 0 for row in shadow), shadow
    took = [server.ask("formula rollback", kind="loot", version=version)["took_ms"] for version in (1, 2, 1)]
    assert versions(server)["loot"] == 1
    print(f"rolled back in {min(took):.1f} to {max(took):.1f} ms, beside a load generator on the control core")
    server.ctl("formula", "undo")
    assert versions(server)["loot"] == 2
    refused("bad_argument", "live already", server.ask, "formula rollback", kind="loot", version=2)
    refused("not_found", "no version 9 of loot", server.ask, "formula rollback", kind="loot", version=9)
    out = server.ctl("formula", "diff", "loot", 1, 2)
    assert "-    version = 1," in out and "+    version = 2," in out, out
    assert "version = 2," in server.ask("formula show", kind="loot")["text"]
    events = [row["event"] for row in server.ask("formula history", kind="loot")]
    assert {"live", "checked", "gated", "shadowed", "rolled back to", "live again"} <= set(events), events
    steps = server.ask("formula status")
    wanted = {"pushes": 1, "checks": 1, "gates": 1, "gate_passes": 3, "gate_refusals": 0, "shadows": 1, "lives": 5, "rollbacks": 4, "undos": 1, "canaries": 0, "refusals": 0}
    assert {key: steps[key] for key in wanted} == wanted and steps["shadow_jobs"] > 0 == steps["shadow_jobs_otherwise"], steps
    failures = sum(row["failures"] for row in server.ask("formula list"))
    assert failures == 0 and server.ask("status")["totals"]["jobs_timed_out"] == 0
    server.stop()
    return server


def what_is_refused():
    server = Appliance()
    text = edited("battle", 2, ("return clamp(floor(damage + 0.5), 5, 60), critical", "local s = math.sin; damage = damage + 1e-9 * s(s(damage)) return clamp(floor(damage + 0.5), 5, 60), critical"))
    out = server.ctl("formula", "push", file_of(server, "battle", text), code=1)
    assert "refused: half of its batches" in out and "the live version's" in out, out
    out = server.ctl("formula", "push", file_of(server, "battle", TEXTS["battle"] + "\n-- otherwise\n"), code=1)
    assert "battle version 1 is another text already" in out, out
    out = server.ctl("formula", "push", file_of(server, "battle", TEXTS["battle"][:200]), code=1)
    assert "refused: battle.lua:" in out, out
    out = server.ctl("formula", "push", file_of(server, "battle", b"\x1bLJ\x02 bytecode"), code=1)
    assert "is bytecode, expected Lua text" in out, out
    out = server.ctl("formula", "push", file_of(server, "battle", "-" * (50 << 20)), code=2)
    assert "32768" in out or "32 KiB" in out, out
    out = server.ctl("formula", "push", server.folder / "nothing.lua", code=2)
    assert "expected a file named battle.lua" in out, out
    # The objective is a setting: no formula takes no time.
    server.ask("tune", key="gate.batch_us", value="1")
    server.ask("tune", key="gate.batch_max_us", value="1")
    slower = edited("pairing", 2, ("limits = { job_ns = 20 },", ""), ("return 50", "local s = math.sin; part = part + 1e-9 * s(s(s(s(part)))) return 50"))
    out = server.ctl("formula", "gate", file_of(server, "pairing", slower), code=1)
    assert "refused: " in out and ("the objective is 1 us" in out or "the live version's" in out), out
    server.ask("tune", key="gate.live_percent", value="100000")
    assert "the objective is 1 us" in server.ctl("formula", "gate", server.folder / "new" / "pairing.lua", code=1)
    for key in ("gate.batch_us", "gate.batch_max_us"):
        server.ask("tune", key=key, value="100000")
    assert "gated" in server.ctl("formula", "gate", server.folder / "new" / "pairing.lua")
    refused("bad_argument", "", server.ask, "formula push", kind="magic", text="x")
    refused("not_found", "no formula waits to be confirmed", server.ask, "formula confirm")
    refused("busy", "leaves none to compare with", server.ask, "formula push", kind="battle", text=edited("battle", 3), canary=3)
    server.ask("formula push", kind="battle", text=edited("battle", 3))
    refused("busy", "battle is on its way", server.ask, "formula push", kind="loot", text=edited("loot", 3))
    assert idle(server)["good"] and versions(server)["battle"] == 3
    assert all(line["version"] == 1 for line in server.ask("formula list") if line["kind"] != "battle")
    server.stop()


def undone_unless_confirmed():
    server = Appliance()
    server.ask("formula push", kind="loot", text=edited("loot", 2), timeout=1)
    server.until(lambda: server.ask("formula status")["stage"] == "confirm", "it is live and waits", 20)
    assert versions(server)["loot"] == 2
    last = idle(server)
    assert last["outcome"] == "undone" and "nobody confirmed it" in last["sentence"] and versions(server)["loot"] == 1, last
    server.ask("formula push", kind="loot", text=edited("loot", 2), timeout=60)
    server.until(lambda: server.ask("formula status")["stage"] == "confirm", "it is live and waits", 20)
    server.ctl("formula", "confirm")
    assert idle(server)["good"] and versions(server)["loot"] == 2
    steps = server.ask("formula status")
    assert steps["pushes"] == 2 and steps["timeouts"] == 1 and steps["confirms"] == 1 and steps["rollbacks"] == 1, steps
    # Over a restart what was made live goes on, though the folder has version 1.
    folder, config = server.folder, server.config
    server.stop()
    again = subprocess.Popen([APP / "veltrixd" / "veltrixd", "--config", config, "--no-huge"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "ready" in again.stdout.readline()
    out = subprocess.run([APP / "veltrixctl" / "veltrixctl", "--socket", folder / "control.sock", "formula", "list"], capture_output=True, text=True, check=True).stdout
    again.terminate()
    again.wait(timeout=30)
    assert re.search(r"^loot .* 2 +2 ", out, re.M), out


def a_canary_of_twice_the_loot():
    server = playing()
    started = time.monotonic()
    server.ask("formula push", kind="loot", text=edited("loot", 2, *MORE_LOOT), canary=3, **{"for": 60})
    last = idle(server, 60)
    print(f"rolled back after {time.monotonic() - started:.1f} s: {last['sentence']}")
    assert last["outcome"] == "rolled back" and "loot in an hour of hunts" in last["sentence"] and versions(server)["loot"] == 1, last
    rows = {row["figure"]: row["verdict"] for row in server.ask("formula status")["canary"]}
    assert rows["loot in an hour of hunts"] == "breached", rows
    # Limits are settings: the same loot is within 300 % of the others', and the version is no worse for having been rolled back.
    server.ask("tune", key="canary.loot_percent", value="300")
    server.ask("formula push", kind="loot", text=edited("loot", 2, *MORE_LOOT), canary=3, **{"for": 3})
    last = idle(server, 60)
    assert last["outcome"] == "live" and versions(server)["loot"] == 2, last
    server.ask("formula rollback", kind="loot", version=1)
    server.ask("tune", key="canary.loot_percent", value="25")
    # One that changes nothing is left alone, and goes live.
    server.ask("formula push", kind="loot", text=edited("loot", 3), canary=3, **{"for": 6})
    last = idle(server, 30)
    assert last["good"] and last["outcome"] == "live" and versions(server)["loot"] == 3, last
    server.ask("formula push", kind="loot", text=edited("loot", 4), canary=2, **{"for": 60})
    server.until(lambda: server.ask("formula status")["stage"] == "canary", "the canary plays", 20)
    server.ctl("formula", "undo")
    assert idle(server)["outcome"] == "given up" and versions(server)["loot"] == 3
    steps = server.ask("formula status")
    assert steps["canaries"] == 4 and steps["canary_breaches"] == 1 and steps["undos"] == 1, steps
    server.stop()


if __name__ == "__main__":
    sys.exit(run([("pushed, rolled back", pushed_and_back), ("what is refused", what_is_refused), ("undone unless confirmed", undone_unless_confirmed),
                  ("a canary of twice the loot", a_canary_of_twice_the_loot)]))
