"""samples/prometheus/: the alert rules work, and all queries are valid and use metrics that exist."""

import json
import pathlib
import re

import pytest
import yaml
from conftest import SAMPLES, run, write_export

ALERTS = SAMPLES / "prometheus/alerts.yml"
DASHBOARD = SAMPLES / "prometheus/dashboard.json"
LABEL_VALUE = re.compile(r'(\w+)="([^"]*)"')


@pytest.fixture
def metrics(binary, certificates, receiver, tmp_path):
    """The metrics of a push to a receiver, with a ledger."""
    write_export(tmp_path / "north.csv", 10)
    command = [binary, "push", f"--server={receiver.address}", f"--cacert={certificates.ca}"]
    command += [f"--cert={certificates['client.crt']}", f"--key={certificates['client.key']}"]
    command += [f"--ledger={tmp_path / 'ledger'}", f"--metrics-file={tmp_path / 'metrics'}"]
    assert run(*command, "--metrics-label=site=north", tmp_path / "north.csv").returncode == 0
    return (tmp_path / "metrics").read_text()


def alert_queries():
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def dashboard_queries():
    """Returns the query of each panel, with all values for the variable."""
    dashboard = json.loads(DASHBOARD.read_text())
    queries = {}
    for panel in dashboard["panels"]:
        (target,) = panel["targets"]
        queries[panel["title"]] = target["expr"].replace("$site", ".*")
    assert len(queries) == len(dashboard["panels"])
    return queries


def test_rules_have_no_problem():
    assert run("promtool", "check", "rules", "--lint=all", "--lint-fatal", ALERTS).returncode == 0


def test_rules_raise_the_expected_alerts():
    tests = pathlib.Path(__file__).with_name("alerts_test.yml")
    assert run("promtool", "test", "rules", tests).returncode == 0
    cases = [case for test in yaml.safe_load(tests.read_text())["tests"] for case in test["alert_rule_test"]]
    tested = {case["alertname"] for case in cases if case.get("exp_alerts")}
    assert tested == alert_queries().keys(), "each alert is raised by a test"


def test_queries_of_the_dashboard_are_valid(tmp_path):
    rules = [{"record": "panel:query", "expr": query} for query in dashboard_queries().values()]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert run("promtool", "check", "rules", tmp_path / "rules.yml").returncode == 0


def test_queries_use_metrics_that_exist(metrics):
    (site,) = re.findall(r"label_values\((\w+), site\)", DASHBOARD.read_text())
    queries = alert_queries() | dashboard_queries() | {"site": site}
    for title, query in queries.items():
        names = re.findall(r"sensor_license_\w+", query)
        assert names, title
        for name in names:
            series = re.findall(rf"^{name}{{(.*)}} ", metrics, re.MULTILINE)
            assert series, f"{title}: {name}"
            for label, value in LABEL_VALUE.findall(query):
                assert any(f'{label}="{value}"' in labels for labels in series), f"{title}: {label}"
            for label in re.findall(r'by \((\w+)\)|(?:{|, )(\w+)=~', query):
                assert all(f'{"".join(label)}="' in labels for labels in series), f"{title}: {label}"


def test_metrics_have_no_problem(metrics):
    assert run("promtool", "check", "metrics", input=metrics).returncode == 0
