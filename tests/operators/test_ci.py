"""samples/ci/: the pipelines are valid, and their shell steps check and push files."""

import functools
import hashlib
import http.server
import json
import os
import pathlib
import re
import shutil
import tarfile
import textwrap
import threading
import xml.etree.ElementTree

import pytest
import yaml
from conftest import ROOT, SAMPLES, TEMPORARY_EXIT_CODES, run, write_export

CI = SAMPLES / "ci"
ACTION = CI / "github/action.yml"
WORKFLOW = CI / "github/license-expirations.yml"
GITLAB = CI / "gitlab/license-expirations.gitlab-ci.yml"
JENKINSFILE = CI / "jenkins/Jenkinsfile"
OWN_WORKFLOWS = sorted((ROOT / ".github/workflows").iterdir())

BAD_FILE = "licenses/south.csv"
BAD_LINE = 3


@pytest.fixture
def workspace(tmp_path, binary, monkeypatch):
    """A repository with a file of licenses, and the program on the `PATH`, as the package installs it."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sensor-license").symlink_to(binary)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    path = tmp_path / "workspace"
    write_export(path / "licenses/north.csv", 10)
    return path


@pytest.fixture
def bad_workspace(workspace):
    (workspace / BAD_FILE).write_text("device_token,expire_time\na,2099-12-31\nb,31/12/2099\n")
    return workspace


@pytest.fixture(scope="session")
def release(binary, tmp_path_factory):
    """The URL and the checksum of a release archive on a local web server."""
    folder = tmp_path_factory.mktemp("release")
    archive = folder / "release.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        tar.add(binary, "sensor-license-0.2.0-x86_64-unknown-linux-gnu/sensor-license")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{archive.name}", hashlib.sha256(archive.read_bytes()).hexdigest()
        server.shutdown()


@pytest.fixture
def variables(certificates, receiver, tmp_path):
    """The environment variables that name the server and its credentials."""
    (tmp_path / "token").write_text("a-bearer-token\n")
    return {
        "SENSOR_LICENSE_SERVER": receiver.address,
        "SENSOR_LICENSE_BEARER_TOKEN_FILE": str(tmp_path / "token"),
        "SENSOR_LICENSE_CERT": str(certificates["client.crt"]),
        "SENSOR_LICENSE_KEY": str(certificates["client.key"]),
        "SENSOR_LICENSE_CACERT": str(certificates.ca),
    }


def load(path):
    return yaml.safe_load(path.read_text())


def github_script(job, name):
    (script,) = [step["run"] for step in load(WORKFLOW)["jobs"][job]["steps"] if step.get("name") == name]
    return script


def gitlab_script(job):
    jobs = load(GITLAB)
    return "\n".join(jobs[".sensor-license"]["before_script"] + jobs[f"{job}-license-expirations"]["script"])


def jenkins_scripts():
    scripts = re.findall(r"\bsh (?:'''(.*?)'''|'(.*?)')", JENKINSFILE.read_text(), re.DOTALL)
    return [textwrap.dedent(long or short) for long, short in scripts]


def run_gitlab_job(job, workspace, release, variables):
    tool = {"TOOL_ARCHIVE": release[0], "TOOL_SHA256": release[1]}
    assert tool.keys() <= load(GITLAB)[".sensor-license"]["variables"].keys()
    return run("sh", "-ec", gitlab_script(job), cwd=workspace, env=os.environ | tool | variables)


def assert_junit_has_bad_line(path):
    cases = xml.etree.ElementTree.parse(path).findall(".//testcase[failure]")
    assert f"{BAD_FILE}:{BAD_LINE}" in [case.get("name") for case in cases]


def test_files_match_their_schemas():
    check = ["check-jsonschema", "--builtin-schema"]
    assert run(*check, "vendor.github-actions", ACTION).returncode == 0
    assert run(*check, "vendor.github-workflows", WORKFLOW, *OWN_WORKFLOWS).returncode == 0
    assert run(*check, "vendor.gitlab-ci", "--data-transform", "gitlab-ci", GITLAB).returncode == 0


@pytest.fixture
def repository(tmp_path):
    """A repository with the action and the workflow in the places that their comments name."""
    for source in [ACTION, WORKFLOW]:
        target = tmp_path / re.search(r"^# Copy to ([\w./-]+\.yml)", source.read_text()).group(1)
        target.parent.mkdir(parents=True)
        shutil.copy(source, target)
    assert run("git", "init", "--quiet", tmp_path).returncode == 0
    return tmp_path


def test_actionlint_finds_no_problem(repository):
    assert run("actionlint", cwd=repository).returncode == 0
    assert run("actionlint", *OWN_WORKFLOWS).returncode == 0


def test_zizmor_finds_no_problem(repository):
    zizmor = ["zizmor", "--offline", "--persona=pedantic", "--config"]
    assert run(*zizmor, pathlib.Path(__file__).with_name("zizmor.yml"), repository).returncode == 0
    assert run(*zizmor, ROOT / ".github/zizmor.yml", *OWN_WORKFLOWS).returncode == 0


def test_shellcheck_finds_no_problem():
    (install,) = [step["run"] for step in load(ACTION)["runs"]["steps"]]
    bash = [install, github_script("check", "Check"), github_script("push", "Push")]
    sh = [gitlab_script("check"), gitlab_script("push"), *jenkins_scripts()]
    for shell, scripts in [("bash", bash), ("sh", sh)]:
        for script in scripts:
            assert run("shellcheck", f"--shell={shell}", "-", input=script).returncode == 0


@pytest.mark.parametrize("is_expected", [True, False])
def test_github_action_installs_only_the_expected_archive(release, tmp_path, is_expected):
    (step,) = load(ACTION)["runs"]["steps"]
    url, sha256 = release
    values = {"inputs.archive": url, "inputs.sha256": sha256 if is_expected else "0" * 64}
    inputs = {name: values[value.strip("${ }")] for name, value in step["env"].items()}
    inputs |= {"RUNNER_TEMP": str(tmp_path), "GITHUB_PATH": str(tmp_path / "path")}
    result = run("bash", "-eo", "pipefail", "-c", step["run"], env=os.environ | inputs)
    assert (result.returncode == 0) == is_expected
    if is_expected:
        folder = (tmp_path / "path").read_text().strip()
        assert run(f"{folder}/sensor-license", "--version").returncode == 0


def test_github_check_annotates_bad_lines(bad_workspace, tmp_path):
    summary = tmp_path / "summary.md"
    environment = os.environ | {"GITHUB_STEP_SUMMARY": str(summary)}
    result = run("bash", "-ec", github_script("check", "Check"), cwd=bad_workspace, env=environment)
    assert result.returncode == 4
    assert f"::error file={BAD_FILE},line={BAD_LINE}," in result.stdout
    assert f"{BAD_FILE}:{BAD_LINE}" in summary.read_text()
    (bad_workspace / BAD_FILE).unlink()
    result = run("bash", "-ec", github_script("check", "Check"), cwd=bad_workspace, env=environment)
    assert result.returncode == 0 and "::error" not in result.stdout


def test_github_push_sends_changed_records(workspace, variables, receiver):
    script = github_script("push", "Push").replace("license.example.com:443", receiver.address)
    assert variables["SENSOR_LICENSE_SERVER"] in script
    del variables["SENSOR_LICENSE_BEARER_TOKEN_FILE"]
    environment = os.environ | variables | {"TOKEN": "a-bearer-token"}
    for outcome in ["acknowledged", "unchanged"]:
        result = run("bash", "-ec", script, cwd=workspace, env=environment)
        assert result.returncode == 0 and f"10 {outcome}" in result.stdout
    steps = load(WORKFLOW)["jobs"]["push"]["steps"]
    caches = {step["with"]["path"] for step in steps if "actions/cache/" in step.get("uses", "")}
    assert [(workspace / path).is_file() for path in caches] == [True], "the cached file is the ledger"


def test_gitlab_check_reports_bad_lines(bad_workspace, release):
    reports = load(GITLAB)["check-license-expirations"]["artifacts"]["reports"]
    assert run_gitlab_job("check", bad_workspace, release, {}).returncode == 4
    (finding,) = json.loads((bad_workspace / reports["codequality"]).read_text())
    assert {"description", "check_name", "fingerprint", "severity", "location"} <= finding.keys()
    assert finding["location"] == {"path": BAD_FILE, "lines": {"begin": BAD_LINE}}
    assert_junit_has_bad_line(bad_workspace / reports["junit"])
    (bad_workspace / BAD_FILE).unlink()
    assert run_gitlab_job("check", bad_workspace, release, {}).returncode == 0
    assert json.loads((bad_workspace / reports["codequality"]).read_text()) == []


def test_gitlab_push_sends_changed_records(workspace, release, variables):
    names = set(re.findall(r"^# +(SENSOR_LICENSE_\w+)", GITLAB.read_text(), re.MULTILINE))
    assert names <= variables.keys()
    for outcome in ["acknowledged", "unchanged"]:
        result = run_gitlab_job("push", workspace, release, variables)
        assert result.returncode == 0 and f"10 {outcome}" in result.stdout
    job = load(GITLAB)["push-license-expirations"]
    assert [(workspace / path).is_file() for path in job["cache"]["paths"]] == [True]
    assert job["retry"]["exit_codes"] == sorted(TEMPORARY_EXIT_CODES)


def test_jenkins_check_reports_bad_lines(bad_workspace):
    check, _ = jenkins_scripts()
    assert run("sh", "-xec", check, cwd=bad_workspace).returncode == 4
    assert_junit_has_bad_line(bad_workspace / "junit.xml")


def test_jenkins_push_sends_changed_records(workspace, variables):
    _, push = jenkins_scripts()
    names = set(re.findall("SENSOR_LICENSE_[A-Z_]+", JENKINSFILE.read_text()))
    assert names <= variables.keys()
    for outcome in ["acknowledged", "unchanged"]:
        result = run("sh", "-xec", push, cwd=workspace, env=os.environ | variables)
        assert result.returncode == 0 and f"10 {outcome}" in result.stdout
