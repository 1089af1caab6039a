"""The designer's desk: `veltrixctl formula try` on given inputs, over a range, on captured sets, as a picture, beside another version and through
the gate; and players' jobs fetched from a running appliance for it."""
import csv
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

from appliance import CTL, ROOT, Appliance, run

BATTLE = ROOT / "lua" / "formulas" / "battle.lua"
PISTOL = ("distance_m=0..90", "weapon=1")


def desk(*words, code=0, path=None):
    """Runs it; what it printed. No appliance is there to be asked."""
    environment = {"PATH": path} if path else None
    done = subprocess.run([CTL, "--socket", "/nonexistent/socket", *map(str, words)], capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert done.returncode == code, f"{words}: exit {done.returncode}, expected {code}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def tried(*words):
    return json.loads(desk("--json", "formula", "try", *words))


def accepted(*words):
    """A time that the gate has measured while others had the core is measured again."""
    for _ in range(4):
        done = subprocess.run([CTL, *map(str, words)], capture_output=True, text=True, check=False, timeout=60)
        if " us" not in done.stderr:
            break
    assert done.returncode == 0 and "accepted: passed" in done.stdout, done.stdout + done.stderr
    return done.stdout


def edited(folder, name, *edits):
    text = BATTLE.read_text()
    for old, new in edits:
        assert old in text, f"battle.lua has no \"{old}\" any more"
        text = text.replace(old, new)
    path = pathlib.Path(folder) / name
    path.write_text(text)
    return path


def given_inputs():
    one = tried(BATTLE, "attacker_rating=1500", "target_rating=1500", "distance_m=2", "weapon=0", "target_health=100", "attacker_streak=0")
    assert one["inputs"]["weapon"] == 0 and 36 <= one["rows"][0]["damage"] <= 60 and one["jobs"] == 1, one
    assert one["rows"] == tried(BATTLE, "attacker_rating=1500", "target_rating=1500", "distance_m=2", "weapon=0", "target_health=100", "attacker_streak=0")["rows"]
    version = one["versions"][0]
    assert version["version"] == 1 and version["compiled"] and version["raised_an_error"] == 0 and 0 < version["job_ns"] < 1000, version
    rows = tried(BATTLE, *PISTOL, "--steps", 10, "--seeds", 200)["rows"]
    assert [row["distance_m"] for row in rows] == [10 * i for i in range(10)], rows
    assert rows[0]["damage"] > 2.5 * rows[2]["damage"] > 0 and rows[2]["damage"] == rows[9]["damage"], "a third of it from 20 m on"
    assert all(row["damage_least"] < row["damage"] < row["damage_most"] for row in rows), rows
    # A whole input has as many rows as it has values.
    assert [row["weapon"] for row in tried(BATTLE, "weapon=0..3")["rows"]] == [0, 1, 2, 3]
    table = desk("formula", "try", BATTLE, *PISTOL, "--steps", 3)
    assert "distance_m  damage  critical" in table and "target_rating=2000" in table and "job_ns" in table, table


def wrong_words():
    assert "expected NAME=VALUE or NAME=LOW..HIGH with a name out of attacker_rating" in desk("formula", "try", BATTLE, "speed=3", code=1)
    assert "declares distance_m from 0 to 90" in desk("formula", "try", BATTLE, "distance_m=0..91", code=1)
    assert "expected a number" in desk("formula", "try", BATTLE, "distance_m=far", code=1)
    assert "expected one at most" in desk("formula", "try", BATTLE, "distance_m=0..90", "weapon=0..3", code=1)
    assert "expected a file named battle.lua" in desk("formula", "try", ROOT / "README.md", code=2)
    assert "No such file" in desk("formula", "try", "battle-nowhere.lua", code=1)
    assert "needs file" in desk("formula", "try", code=2)
    assert "has no output luck" in desk("formula", "try", BATTLE, *PISTOL, "--plot", "luck", code=1)
    assert "expected one input given as LOW..HIGH" in desk("formula", "try", BATTLE, "--plot", "damage", code=1)
    assert "no batch.lua in /tmp" in desk("formula", "try", BATTLE, "--runtime", "/tmp", code=1)


def what_is_wrong_with_a_formula():
    with tempfile.TemporaryDirectory(prefix="veltrix-try-") as folder:
        end = "return clamp(floor(damage + 0.5), 5, 60), critical"
        assert "battle-1.lua:" in desk("formula", "try", edited(folder, "battle-1.lua", ("formula = function(", "formula = = function(")), code=1)
        out = desk("formula", "try", edited(folder, "battle-2.lua", (end, "if attacker_rating == 1234.5 then while true do end end " + end)), *PISTOL, "attacker_rating=1234.5", code=1)
        assert "battle-2.lua: battle did not end within 100 ms on one of 64 jobs, the first of which is attacker_rating 1234.5" in out, out
        seen = tried(edited(folder, "battle-3.lua", (end, "if attacker_rating == 1234.5 then local none; damage = none.x end " + end)), *PISTOL, "attacker_rating=1234.5")["versions"][0]
        assert seen["raised_an_error"] > 0 and "attempt to index" in seen["error"], seen
        # 100 is more than it declares: play would make 60 of it.
        seen = tried(edited(folder, "battle-4.lua", (end, "if attacker_rating == 1234.5 then return 100, critical end " + end)), *PISTOL, "attacker_rating=1234.5", "--steps", 9)
        assert seen["versions"][0]["moved_into_range"] == 9 and seen["rows"][0]["damage"] == 60, seen


def two_versions():
    with tempfile.TemporaryDirectory(prefix="veltrix-try-") as folder:
        more = edited(folder, "battle-2.lua", ("version = 1,", "version = 2,"), ("[0] = 40, 32, 26, 30", "[0] = 40, 36, 26, 30"))
        both = tried(more, *PISTOL, "--seeds", 50, "--against", BATTLE)
        assert [row["version"] for row in both["versions"]] == [2, 1], both["versions"]
        assert all(row["damage_difference"] > 0 and row["critical_difference"] == 0 for row in both["rows"]), both["rows"]
        assert all(row["damage_difference"] == 0 for row in tried(more, "weapon=0", "distance_m=0..90", "--against", BATTLE)["rows"]), "blades are as they were"
        assert "live       1 this       2" in accepted("formula", "try", more, "--gate", "--against", BATTLE)
        slow = edited(folder, "battle-3.lua", ("version = 1,", "version = 3,"), ("return clamp(floor", "local s = math.sin; damage = damage + 1e-9 * s(s(s(s(damage)))) return clamp(floor"))
        out = desk("formula", "try", slow, "--gate", "--against", BATTLE, code=1)
        assert "REFUSED: half of its batches" in out and "the live version's" in out, out


def pictures():
    letters = desk("formula", "try", BATTLE, *PISTOL, "--plot", "damage")
    lines = [line for line in letters.splitlines() if "|" in line]
    assert len(lines) == 18 and "60 |" in lines[0] and "damage, health" in letters and "mean of 64 seeds" in letters, letters
    falls = [next(i for i, line in enumerate(lines) if line.split("|")[1].ljust(64)[column] == "*") for column in (0, 12, 63)]
    assert falls[0] < falls[1] < falls[2] == max(falls), f"a pistol's damage falls with the distance: {falls}\n{letters}"
    with tempfile.TemporaryDirectory(prefix="veltrix-try-") as folder:
        picture = pathlib.Path(folder) / "it's.png"
        if shutil.which("gnuplot"):
            desk("formula", "try", BATTLE, *PISTOL, "--plot", "damage", "--png", picture)
            assert picture.read_bytes().startswith(b"\x89PNG"), "no PNG"
        # Where there is none, one line says how to get it.
        out = desk("formula", "try", BATTLE, *PISTOL, "--plot", "damage", "--png", picture, code=1, path="/nowhere")
        assert "apt-get install gnuplot-nox" in out and out.count("\n") == 1, out


def captured_sets():
    with tempfile.TemporaryDirectory(prefix="veltrix-try-") as folder:
        path = pathlib.Path(folder) / "jobs.csv"
        path.write_text("seed,distance_m,weapon\n1,2,0\n2,80,2\n")
        rows = tried(BATTLE, "--jobs", path, "target_health=100")["rows"]
        assert [row["distance_m"] for row in rows] == [2, 80] and rows[0]["damage"] > rows[1]["damage"] and rows[0]["target_health"] == 100, rows
        path.write_text(json.dumps([{"seed": 1, "distance_m": 2, "weapon": 0}, {"seed": 2, "distance_m": 80, "weapon": 2}]))
        assert tried(BATTLE, "--jobs", path, "target_health=100")["rows"] == rows
        for text, words in {"": "is empty", "seed,speed\n1,2\n": "no input of battle", "seed,weapon\n1\n": "line 2, value 1", "seed,weapon\n1,x\n": "line 2, value 2",
                            "seed,weapon\n1,nan\n": "line 2, value 2", "seed,weapon\n-1,0\n": "line 2, value 1", "[{\"weapon\": \"x\"}]": "job 1: weapon", "[3]": "job 1 is no object",
                            "[{": "line 1", "seed,weapon\n": "holds no jobs"}.items():
            path.write_text(text)
            assert words in desk("formula", "try", BATTLE, "--jobs", path, code=1), text


def players_jobs():
    server = Appliance(players=600, shards=3)
    path = server.folder / "jobs.csv"
    out = server.ctl("formula", "record", "battle", path, code=1)
    assert "recorded: 0 jobs" in out and not path.exists(), out
    assert "formula record battle" in server.ctl("formula", "jobs", "battle", code=1)
    server.play(rate=12000)
    server.until_playing()
    assert "recorded:" in server.ctl("formula", "record", "battle", path)
    with open(path, encoding="utf-8") as file:
        jobs = list(csv.DictReader(file))
    assert len(jobs) > 10 and all(0 <= float(job["weapon"]) <= 3 and int(job["seed"]) >= 0 for job in jobs), jobs[:3]
    server.ctl("formula", "record", "battle", server.folder / "jobs.json")
    for file in ("jobs.csv", "jobs.json"):
        seen = tried(BATTLE, "--jobs", server.folder / file)
        assert seen["jobs"] > 10 and seen["versions"][0]["moved_into_range"] == 0, seen["versions"]
    assert server.ask("formula status")["pushes"] == 0
    server.stop()
    table = accepted("formula", "try", BATTLE, "--jobs", path, "--plot", "damage", "--over", "distance_m", "--gate")
    assert "distance_m, m" in table, table


if __name__ == "__main__":
    sys.exit(run([("given inputs", given_inputs), ("wrong words", wrong_words), ("what is wrong with a formula", what_is_wrong_with_a_formula), ("two versions", two_versions),
                  ("pictures", pictures), ("captured sets", captured_sets), ("players' jobs", players_jobs)]))
