"""veltrixctl plan: its projections are those of the arithmetic that its assumptions state, for each host of docs/hosts, from costs of a
file and from costs measured in the run; what limits first is named; host files that make no sense are refused in a sentence."""
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import appliance

CTL = appliance.APP / "veltrixctl" / "veltrixctl"
HOSTS = sorted((appliance.ROOT / "docs" / "hosts").glob("*.json"))
COSTS = {"receive": 60, "step": 80, "send": 60, "bytes_per_player": 1000}
LOAD, ACTIONS, MEMORY_SHARE, PROGRAM = 0.7, 4, 0.75, 2097152


def plan(host, *words, good=True):
    done = subprocess.run([CTL, "--json", "plan", "--host", str(host), *words], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == good, done.stdout + done.stderr
    return json.loads(done.stdout) if good else done.stderr


def expected(host, costs):
    """Players by limit, the long way round: every split of the cores is tried."""
    per_core = LOAD * host["tsc_mhz"] * 1e6
    io_rate, shard_rate = per_core / (costs["receive"] + costs["send"]) * 2, per_core / costs["step"] * 2
    near = host["cores"] // host["numa_nodes"] - (host["nic_numa_node"] == 0)
    splits = [(io, host["cores"] - 1 - io) for io in range(1, min(host["nic_queues"], near, host["cores"] - 2) + 1)]
    io, shard = max(splits, key=lambda split: min(split[0] * io_rate, split[1] * shard_rate))
    wire_bytes = (42 + 16 + 2 * 16) + (42 + 8 + 2 * 8) + 2 * 24
    limits = {"cores for packets": io * io_rate / ACTIONS, "cores for shards": shard * shard_rate / ACTIONS,
              "the instance's packet allowance": LOAD * host["packets_per_s"] / ACTIONS if host["packets_per_s"] else math.inf,
              "the network's bits": LOAD * host["network_mbit_per_s"] * 1e6 / 8 / (wire_bytes / 2) / ACTIONS,
              "memory": MEMORY_SHARE * host["memory_mib"] * 2**20 / costs["bytes_per_player"], "the program's own most": PROGRAM}
    return limits, io_rate, shard_rate


def check(host, costs, told):
    limits, io_rate, shard_rate = expected(host, costs)
    least = min(limits, key=limits.get)
    assert told["limited_by"] == least and abs(told["players"] - limits[least]) <= 1, (told, limits)
    for name, players in limits.items():
        assert told["players_by_limit"][name] == "none" if players == math.inf else abs(told["players_by_limit"][name] - players) <= max(1, players * 1e-9), (name, told, limits)
    cpus = told["control_cpus"] + told["io_cpus"] + told["shard_cpus"]
    assert len(set(cpus)) == len(cpus) and max(cpus) < host["cores"] and len(cpus) + told["spare_cores"] == host["cores"], told
    node = host["cores"] // host["numa_nodes"]
    assert all(cpu // node == host["nic_numa_node"] for cpu in told["io_cpus"]) and len(told["io_cpus"]) <= host["nic_queues"], told
    assert told["shard_cpus_away_from_nic"] == sum(cpu // node != host["nic_numa_node"] for cpu in told["shard_cpus"]), told
    assert len(told["io_cpus"]) * io_rate >= told["actions_per_s"] - 10 and len(told["shard_cpus"]) * shard_rate >= told["actions_per_s"] - 10, told


def check_limits(folder, costs):
    """Each limit in its turn: a host that has too little of one thing."""
    host = json.loads((appliance.ROOT / "docs/hosts/c5.metal.json").read_text())
    cases = {"cores for packets": {"packets_per_s": 0, "nic_queues": 1, "tsc_mhz": 300}, "cores for shards": {"packets_per_s": 0, "cores": 4, "numa_nodes": 1, "nic_queues": 8, "tsc_mhz": 100},
             "the instance's packet allowance": {"packets_per_s": 100000}, "the network's bits": {"packets_per_s": 0, "network_mbit_per_s": 10},
             "memory": {"memory_mib": 256, "packets_per_s": 0}, "the program's own most": {"packets_per_s": 0, "network_mbit_per_s": 1000000}}
    for limit, change in cases.items():
        # Shards that cost much more than packets leave no doubt which of the two it is.
        prices = {**COSTS, **({"step": 8000} if limit == "cores for shards" else {})}
        costs.write_text(json.dumps(prices))
        (folder / "host.json").write_text(json.dumps({**host, **change}))
        told = plan(folder / "host.json", "--costs", str(costs))
        check({**host, **change}, prices, told)
        assert told["limited_by"] == limit, (limit, told)
    for node in (0, 1):
        (folder / "host.json").write_text(json.dumps({**host, "nic_numa_node": node, "packets_per_s": 0}))
        costs.write_text(json.dumps(COSTS))
        check({**host, "nic_numa_node": node, "packets_per_s": 0}, COSTS, plan(folder / "host.json", "--costs", str(costs)))


def check_refusals(folder):
    host = json.loads(HOSTS[0].read_text())
    cases = [({**host, "cores": 0}, "cores is 0, expected a whole number from 3 to 256"), ({**host, "memory_mib": "much"}, 'memory_mib is "much", expected a whole number'),
             ({key: value for key, value in host.items() if key != "nic_queues"}, "nic_queues is not there, expected a whole number from 1 to 255"),
             ({**host, "tsc_mhz": 3000.5}, "tsc_mhz is 3000.5, expected"), ({**host, "gpus": 1}, "there is no key gpus"), ({**host, "name": ""}, "name is , expected a text"),
             ({**host, "cores": 9, "numa_nodes": 2}, "cores is 9, expected a multiple of numa_nodes, 2"), ({**host, "cores": 4, "numa_nodes": 4}, "expected two cores on each"),
             ({**host, "numa_nodes": 1, "nic_numa_node": 1}, "nic_numa_node is 1, expected less than numa_nodes, 1"), ([host], "expected an object")]
    for content, sentence in cases:
        (folder / "bad.json").write_text(json.dumps(content))
        said = plan(folder / "bad.json", good=False)
        assert sentence in said and "bad.json" in said, (sentence, said)
    (folder / "bad.json").write_text('{\n "name": "x",\n')
    assert "bad.json, line 3" in (said := plan(folder / "bad.json", good=False)), said
    assert "no.json" in plan(folder / "no.json", good=False)
    (folder / "bad.json").write_text(json.dumps({**COSTS, "step": 0}))
    assert "step is not one, expected a number above 0" in (said := plan(HOSTS[0], "--costs", str(folder / "bad.json"), good=False)), said
    assert "actions" in plan(HOSTS[0], "--actions", "0", good=False)
    return len(cases) + 4


def main():
    assert len(HOSTS) == 4, HOSTS
    with tempfile.TemporaryDirectory(prefix="veltrix-plan-") as name:
        folder, costs = pathlib.Path(name), pathlib.Path(name) / "costs.json"
        costs.write_text(json.dumps(COSTS))
        for path in HOSTS:
            check(json.loads(path.read_text()), COSTS, plan(path, "--costs", str(costs)))
        check_limits(folder, costs)
        print(f"{check_refusals(folder)} files and words refused in a sentence")
        measured = plan(HOSTS[0])
        assert measured["assumptions"]["cost"].endswith("(measured on this machine just now)") and len(measured["assumptions"]) >= 9, measured
        print(json.dumps(measured, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
