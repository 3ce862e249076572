"""samples/prometheus/: the alert rules work, and the dashboard shows metrics that exist."""

import functools
import http.server
import json
import pathlib
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
import yaml
from conftest import SAMPLES, run, write_export

ALERTS = SAMPLES / "prometheus/alerts.yml"
DASHBOARD = SAMPLES / "prometheus/dashboard.json"
METRIC = re.compile(r"\bsensor_license_\w+")
LABEL_VALUE = re.compile(r'(\w+)="([^"]*)"')


@pytest.fixture(scope="session")
def metrics_file(binary, tmp_path_factory):
    """The metrics of a push to a receiver, with a ledger."""
    folder = tmp_path_factory.mktemp("metrics")
    export, metrics, ca = folder / "north.csv", folder / "metrics", folder / "ca.crt"
    write_export(export, 10)
    server = subprocess.Popen(
        [binary, "serve", "--listen=127.0.0.1:0", f"--write-cacert={ca}"], stdout=subprocess.PIPE, text=True
    )
    try:
        address = server.stdout.readline().removeprefix("listening on https://").strip()
        command = [binary, "push", f"--server={address}", f"--cacert={ca}", f"--ledger={folder / 'ledger'}"]
        command += [f"--metrics-file={metrics}", "--metrics-label=site=north", export]
        assert run(*command).returncode == 0
    finally:
        server.terminate()
        server.wait()
    return metrics


@pytest.fixture(scope="session")
def series(metrics_file):
    """Returns the labels of each series, by the name of the metric."""
    series = {}
    for line in metrics_file.read_text().splitlines():
        if not line.startswith("#"):
            name, labels = re.match(r"(\w+)(?:{(.*)})? ", line).groups()
            series.setdefault(name, []).append(dict(LABEL_VALUE.findall(labels or "")))
    return series


def dashboard_queries():
    """Returns the query of each panel, with all values for the variables."""
    dashboard = json.loads(DASHBOARD.read_text())
    names = {variable["name"] for variable in dashboard["templating"]["list"]}
    queries = {}
    for panel in dashboard["panels"]:
        (target,) = panel["targets"]
        assert set(re.findall(r"\$(\w+)", target["expr"])) <= names, panel["title"]
        queries[panel["title"]] = re.sub(r"\$\w+", ".*", target["expr"])
    assert len(queries) == len(dashboard["panels"])
    return queries


def alert_queries():
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def test_rules_are_valid():
    assert run("promtool", "check", "rules", "--lint=all", "--lint-fatal", ALERTS).returncode == 0


def test_rules_raise_the_expected_alerts():
    tests = pathlib.Path(__file__).with_name("alerts_test.yml")
    assert run("promtool", "test", "rules", tests).returncode == 0
    cases = [case for test in yaml.safe_load(tests.read_text())["tests"] for case in test["alert_rule_test"]]
    tested = {case["alertname"] for case in cases if case.get("exp_alerts")}
    assert tested == alert_queries().keys(), "each alert is raised by a test"


@pytest.mark.parametrize("queries", [alert_queries, dashboard_queries])
def test_queries_use_metrics_that_exist(queries, series):
    for title, query in queries().items():
        names = METRIC.findall(query)
        assert names, title
        for name in names:
            assert name in series, f"{title}: {name}"
        for label, value in LABEL_VALUE.findall(query):
            if not query.count(f'{label}=~"{value}"'):
                assert any(one.get(label) == value for name in names for one in series[name]), f"{title}: {value}"


def test_variables_of_the_dashboard_use_metrics_that_exist(series):
    for variable in json.loads(DASHBOARD.read_text())["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"]).groups()
            # Prometheus adds the label "instance".
            assert label == "instance" or all(label in one for one in series[metric])


def test_panels_do_not_overlap():
    taken = set()
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        place = panel["gridPos"]
        columns = range(place["x"], place["x"] + place["w"])
        rows = range(place["y"], place["y"] + place["h"])
        cells = {(column, row) for column in columns for row in rows}
        assert columns.stop <= 24 and not cells & taken, panel["title"]
        taken |= cells


class Prometheus:
    """A running Prometheus that reads the metrics file from a web server, and the alert rules."""

    def __init__(self, metrics_file, folder):
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=metrics_file.parent)
        self.files = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.files.serve_forever, daemon=True).start()
        target = {"targets": [f"127.0.0.1:{self.files.server_port}"]}
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(ALERTS)],
            "scrape_configs": [{"job_name": "node", "metrics_path": "/metrics", "static_configs": [target]}],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
            + [f"--web.listen-address={self.address}", "--log.level=error"]
        )

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.files.shutdown()

    def get(self, path, **parameters):
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            if error.code == 503:  # Prometheus is not ready yet.
                raise
            raise AssertionError(f"{parameters}: {error.read().decode()}") from error

    def wait_until(self, is_reached):
        """Waits at most a minute, and returns whether the state was reached."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if is_reached():
                    return True
            except urllib.error.URLError:
                assert self.process.poll() is None, "Prometheus ended"
            time.sleep(0.2)
        return False


@pytest.fixture(scope="session")
def prometheus(metrics_file, tmp_path_factory):
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed")
    prometheus = Prometheus(metrics_file, tmp_path_factory.mktemp("prometheus"))
    try:
        assert prometheus.wait_until(lambda: prometheus.get("query", query="sensor_license_exit_code")["result"])
        yield prometheus
    finally:
        prometheus.stop()


def test_each_panel_has_data(prometheus):
    for title, query in dashboard_queries().items():
        result = prometheus.get("query", query=query)["result"]
        assert result, title
        print(title, [(one["metric"], one["value"][1]) for one in result])


def test_successful_push_raises_no_alert(prometheus):
    def unexpected():
        (group,) = prometheus.get("rules")["groups"]
        assert {rule["name"] for rule in group["rules"]} == alert_queries().keys()
        return [rule for rule in group["rules"] if rule["state"] != "inactive" or rule["health"] != "ok"]

    # The rules can be evaluated once before Prometheus has read the metrics.
    assert prometheus.wait_until(lambda: not unexpected()), unexpected()


def test_metrics_file_has_no_syntax_error(metrics_file):
    assert run("promtool", "check", "metrics", input=metrics_file.read_text()).returncode == 0
