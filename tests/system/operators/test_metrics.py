#!/usr/bin/python3
"""What watches a veltrixd that plays: promtool, a real Prometheus with our dashboard and alerts, a browser on the status page,
DPDK's telemetry; and clients of the HTTP port that mean no good."""
import glob
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from appliance import APP, ROOT, Appliance, run

PROMETHEUS_TOOLS = ROOT / "tools" / "prometheus"
NAMES = re.compile(r"\b(?:veltrix_\w+|up|gc_duration_seconds\w*|heap_objects|allocated_objects_total|p99_latency_seconds)\b")


def port_free():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


PORT = port_free()
URL = f"http://127.0.0.1:{PORT}"
appliance = Appliance(metrics_port=PORT)


def fetch(path, method="GET"):
    with urllib.request.urlopen(urllib.request.Request(URL + path, method=method), timeout=10) as answer:
        return answer.read().decode()


def samples(text):
    """{name{labels}: value} of an exposition."""
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if not line.startswith("#")}


def promtool_is_content():
    text = fetch("/metrics")
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout + done.stderr == "", done.stdout + done.stderr
    buckets = {}
    for sample in samples(text):
        if "_bucket{" in sample:
            series = re.sub(r'le="[^"]*"', "", sample)
            buckets[series] = buckets.get(series, 0) + 1
    assert buckets and max(buckets.values()) <= 25, buckets
    assert "player=" not in text


def figures_are_those_of_status():
    before = appliance.ask("status")
    now = samples(fetch("/metrics"))
    after = appliance.ask("status")
    def between(metric, figure):
        assert figure(before) <= now[metric] <= figure(after), f"{metric}: {now[metric]}, status said {figure(before)}, then {figure(after)}"
    between('veltrix_packets_received_total{lcore="1"}', lambda status: status["lcores"][0]["io"]["packets_in"])
    between('veltrix_lcore_passes_total{lcore="1"}', lambda status: status["lcores"][0]["passes"])
    between('veltrix_actions_total{outcome="answered"}', lambda status: status["totals"]["actions_answered"])
    between('veltrix_residence_seconds_count{answer="urgent"}', lambda status: status["lcores"][0]["io"]["residence_urgent"]["count"])
    between("veltrix_ledger_grants_total", lambda status: status["ledger"]["grants_committed"])
    between('veltrix_matches_total{event="started"}', lambda status: status["totals"]["matches_started"])
    for name in before["totals"]:
        counted = f'veltrix_shard_events_total{{event="{name}"}}'
        if counted in now:
            between(counted, lambda status, name=name: status["totals"][name])
    for name in before["lcores"][0]["io"]["packets"]:
        assert name == "none" or f'veltrix_packets_dropped_total{{reason="{name}"}}' in now, name
    arena = appliance.ask("mem")["shards"][2]
    assert now['veltrix_shard_memory_live_bytes{shard="2"}'] == arena["live_bytes"] > 0
    for name in ("veltrix_matchmaking_wait_seconds_count", "veltrix_matchmaking_rating_distance_count", "heap_objects", "allocated_objects_total", "pause_seconds_count", "p99_latency_seconds"):
        assert now[name] > 0, name
    began = now["veltrix_start_time_seconds"]
    assert abs(began + before["uptime_s"] - time.time()) < 3, f"started at {began}, up {before['uptime_s']} s"


def what_is_not_there_is_said():
    for path, method, code in (("/nothing", "GET", 404), ("/metrics/", "GET", 404), ("/metrics", "POST", 405), ("/metrics", "DELETE", 405), ("/", "PUT", 405)):
        try:
            fetch(path, method)
        except urllib.error.HTTPError as error:
            assert error.code == code, f"{method} {path}: {error.code}"
        else:
            raise AssertionError(f"{method} {path} was answered")
    assert fetch("/metrics", "HEAD") == ""


def a_port_in_use_ends_the_start():
    text = appliance.config.read_text()
    with tempfile.TemporaryDirectory() as folder:
        for value, words in ((f"port = {PORT}", f"metrics.port: cannot listen on 127.0.0.1 port {PORT}: Address already in use"),
                             ('port = 1, address = "here"', 'metrics.address: "here" is neither')):
            other = text.replace(str(appliance.folder), folder).replace(f"metrics = {{ port = {PORT} }}", f"metrics = {{ {value} }}")
            with open(f"{folder}/veltrix.lua", "w") as file:
                file.write(other)
            done = subprocess.run([APP / "veltrixd" / "veltrixd", "--config", f"{folder}/veltrix.lua", "--no-huge"], capture_output=True, text=True, timeout=30, check=False)
            assert done.returncode == 1 and words in done.stderr, done.stderr


def hostile_clients_change_nothing():
    """A thousand who say nothing, and some who ask and never read, while players play; then a scrape gets its answer."""
    quiet = appliance.ask("rates", last=5)
    clients = []
    for i in range(1000):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", PORT))
        clients.append(client)
    for client in clients[:50]:
        for _ in range(50):
            try:
                client.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            except OSError:
                break
    appliance.until(lambda: appliance.ask("rates", last=1)[0]["at_s"] > quiet[-1]["at_s"] + 2, "the control thread goes on", 15)
    assert appliance.ask("rates", last=1)[0]["actions"] > quiet[-1]["actions"] / 4
    for client in clients:
        client.close()
    began = time.monotonic()
    appliance.until(lambda: "veltrix_players" in fetch("/metrics"), "a scrape is answered", 15)
    print(f"      a scrape after 1,000 silent connections took {time.monotonic() - began:.2f} s")
    assert appliance.ask("status")["accounts_balance"] in (True, False) and appliance.process.poll() is None


class Prometheus:
    """Debian's Prometheus with our scrape configuration and alerts, a context manager."""

    def __init__(self, target):
        self.folder, self.port = tempfile.mkdtemp(prefix="veltrix-prometheus-"), port_free()
        config = (PROMETHEUS_TOOLS / "prometheus.yml").read_text()
        assert "127.0.0.1:9464" in config
        with open(f"{self.folder}/prometheus.yml", "w") as file:
            file.write(config.replace("127.0.0.1:9464", f"127.0.0.1:{target}").replace("scrape_interval: 5s", "scrape_interval: 1s").replace("evaluation_interval: 15s", "evaluation_interval: 1s"))
        shutil.copy(PROMETHEUS_TOOLS / "alerts.yml", self.folder)
        self.log = open(f"{self.folder}/log", "w")
        self.process = subprocess.Popen(["prometheus", f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/data",
                                         f"--web.listen-address=127.0.0.1:{self.port}"], stdout=self.log, stderr=subprocess.STDOUT, preexec_fn=lambda: os.nice(10))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.log.close()
        shutil.rmtree(self.folder)

    def get(self, path, **parameters):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=10) as answer:
            reply = json.load(answer)
        assert reply["status"] == "success", reply
        return reply["data"]

    def query(self, expression):
        return self.get("query", query=expression)["result"]

    def scrapes(self):
        try:
            return self.query('count_over_time(up{job="veltrix"}[1m])')
        except (OSError, AssertionError):
            return []


def dashboard_queries():
    dashboard = json.loads((ROOT / "tools" / "grafana" / "veltrix.json").read_text())
    return [(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel.get("targets", [])]


def prometheus_has_every_figure():
    """Every query of the dashboard returns data, every alert's expression evaluates over metrics that exist, and none fires."""
    queries = dashboard_queries()
    assert len(queries) > 40
    with Prometheus(PORT) as prometheus:
        appliance.until(lambda: (lambda found: found and float(found[0]["value"][1]) >= 7)(prometheus.scrapes()), "Prometheus scrapes", 45)
        empty = []
        for title, expression in queries:
            values = [float(row["value"][1]) for row in prometheus.query(expression.replace("$__rate_interval", "6s"))]
            if not values or all(value != value for value in values):
                empty.append(f"{title}: {expression}: {values}")
        assert not empty, "no data:\n" + "\n".join(empty)
        rules = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
        assert len(rules) == (PROMETHEUS_TOOLS / "alerts.yml").read_text().count("- alert:") > 10
        for rule in rules:
            assert rule["health"] == "ok", rule
            for name in NAMES.findall(rule["query"]):
                assert prometheus.query(name), f"{rule['name']}: {name} does not exist"
            prometheus.query(rule["query"])
        assert float(prometheus.query("min_over_time(up[1m])")[0]["value"][1]) == 1, prometheus.query("min_over_time(up[1m])")
        series = prometheus.query('count({job="veltrix"})')[0]["value"][1]
        print(f"      {len(queries)} queries and {len(rules)} alerts over {series} series")


class Telemetry:
    """A client as dpdk-telemetry.py is one."""

    def __init__(self):
        paths = glob.glob(f"/var/run/dpdk/veltrixd-{appliance.process.pid}/dpdk_telemetry.v2*")
        assert len(paths) == 1, paths
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(10)
        self.socket.connect(paths[0])
        self.bytes_max = json.loads(self.socket.recv(1024))["max_output_len"]

    def ask(self, command):
        self.socket.send(command.encode())
        return json.loads(self.socket.recv(self.bytes_max + 1))[command.split(",")[0]]


def telemetry_has_the_same_figures():
    client, other = Telemetry(), Telemetry()
    commands = [command for command in client.ask("/") if command.startswith("/veltrix/")]
    text = fetch("/metrics")
    kinds = dict(re.findall(r"# TYPE (\S+) (\w+)", text))
    names = client.ask("/veltrix/metrics")
    assert set(kinds) <= set(names) and len(names) == len(set(names)), set(kinds) - set(names)
    seen = {}
    for command in commands:
        if command != "/veltrix/metrics":
            answer = other.ask(command)
            assert answer and len(json.dumps(answer)) < 16384, command
            seen |= answer
    missing = [name for name in kinds if not any(key.split("/")[0] in (name, name + "_count") for key in seen) and "left_off" not in seen]
    assert not missing, missing
    arena = appliance.ask("mem")["shards"][2]["live_bytes"]
    assert client.ask("/veltrix/memory,veltrix_shard_memory_live_bytes")["veltrix_shard_memory_live_bytes/2"] == arena
    before, now, after = (client.ask("/veltrix/packets,veltrix_packets_received_total")["veltrix_packets_received_total/1"] if i != 1 else
                          samples(fetch("/metrics"))['veltrix_packets_received_total{lcore="1"}'] for i in range(3))
    assert 0 < before <= now <= after
    rest = client.ask("/veltrix/packets,veltrix_packets_dropped_total,5")
    assert rest and set(rest) < set(client.ask("/veltrix/packets,veltrix_packets_dropped_total")), rest
    for wrong in ("veltrix_packets_received_total,x", "n" * 200, "veltrix_players,-1"):
        assert not client.ask("/veltrix/packets," + wrong), wrong
    assert client.ask("/veltrix/packets,nothing") in ({}, None)
    if shutil.which("dpdk-telemetry.py"):
        done = subprocess.run(["dpdk-telemetry.py", "-f", f"veltrixd-{appliance.process.pid}"], input="/veltrix/ledger\n", capture_output=True, text=True, timeout=20, check=False)
        assert "veltrix_ledger_grants_total" in done.stdout, done.stdout + done.stderr


def promtool_checks_the_rules():
    for words in (["check", "rules", PROMETHEUS_TOOLS / "alerts.yml"], ["check", "config", PROMETHEUS_TOOLS / "prometheus.yml"]):
        done = subprocess.run(["promtool", *map(str, words)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def the_status_page_plots():
    browser = shutil.which("chromium")
    if browser is None:
        print("      not looked at: no chromium here (tools/setup installs it)")
        return
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={profile}", "--virtual-time-budget=4000", "--dump-dom", URL + "/"],
                              capture_output=True, text=True, timeout=60, check=False)
    page = done.stdout
    rows = json.loads(fetch("/status.json"))["rows"]
    assert "600 players, 3 shards" in page, page[-2000:] + done.stderr[-500:]
    assert 'id="summary">does not answer' not in page and 'class="stale"' not in page, page[:3000]
    points = re.findall(r'<polyline class="line\d" points="([^"]*)"', page)
    assert len(points) == 11, f"{len(points)} lines have points"
    for line in points:
        assert len(rows) - 10 <= len(line.split()) <= len(rows) and "NaN" not in line, line
    heights = {point.split(",")[1] for point in points[1].split()}
    assert len(heights) > 1, f"p99 is drawn as a flat line: {points[1]}"
    shown = [float(value) for value in re.findall(r'data-value="([^"]*)"', page)]
    assert len(shown) == 11 and shown[1] > 0 and shown[5] >= 0, shown
    assert re.search(r"<tr><td>1</td><td>0</td><td>[\d.]+ %</td>", page)


def playing(test):
    def with_players():
        appliance.until_playing()
        test()
    return with_players


if __name__ == "__main__":
    appliance.play()
    appliance.until(lambda: len(appliance.ask("rates", last=10)) >= 4, "the first seconds have passed", 30)
    STATUS = run([(test.__name__.replace("_", " "), playing(test)) for test in (
        promtool_is_content, figures_are_those_of_status, what_is_not_there_is_said, a_port_in_use_ends_the_start, promtool_checks_the_rules, telemetry_has_the_same_figures, the_status_page_plots,
        prometheus_has_every_figure, hostile_clients_change_nothing)])
    appliance.stop()
    assert not os.path.exists(f"/var/run/dpdk/veltrixd-{appliance.process.pid}"), "EAL's folder was left"
    sys.exit(STATUS)
