"""samples/ci/: the pipelines are valid, and their shell steps do what they should."""

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
from conftest import SAMPLES, TEMPORARY_EXIT_CODES, run, write_export

CI = SAMPLES / "ci"
ACTION = CI / "github/action.yml"
WORKFLOW = CI / "github/license-expirations.yml"
GITLAB = CI / "gitlab/license-expirations.gitlab-ci.yml"
JENKINSFILE = CI / "jenkins/Jenkinsfile"

SERVER = "license.example.com:443"
BAD_LINE = 3


@pytest.fixture
def workspace(tmp_path):
    """A checked out repository with a valid file of licenses."""
    path = tmp_path / "workspace"
    write_export(path / "licenses/north.csv", 10)
    return path


@pytest.fixture
def bad_workspace(workspace):
    """A checked out repository with a bad expiration time in line `BAD_LINE`."""
    lines = (workspace / "licenses/north.csv").read_text().splitlines()
    lines[BAD_LINE - 1] = "sensor-bad,31/12/2099"
    (workspace / "licenses/south.csv").write_text("\n".join(lines) + "\n")
    return workspace


class Release:
    """A release archive on a local web server."""

    def __init__(self, binary, folder):
        archive = folder / "sensor-license.tar.gz"
        with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
            tar.add(binary, "sensor-license-0.2.0-x86_64-unknown-linux-gnu/sensor-license")
        self.sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/{archive.name}"


@pytest.fixture(scope="session")
def release(binary, tmp_path_factory):
    release = Release(binary, tmp_path_factory.mktemp("release"))
    yield release
    release.server.shutdown()


def test_github_files_match_their_schemas():
    for schema, file in [("vendor.github-actions", ACTION), ("vendor.github-workflows", WORKFLOW)]:
        assert run("check-jsonschema", "--builtin-schema", schema, file).returncode == 0


def test_gitlab_template_matches_its_schema():
    command = ["check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"]
    assert run(*command, GITLAB).returncode == 0


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


def test_actionlint_knows_the_inputs_of_the_action(repository):
    workflow = repository / ".github/workflows/license-expirations.yml"
    workflow.write_text(workflow.read_text().replace("files: licenses/*.csv", "file: licenses/*.csv"))
    assert run("actionlint", cwd=repository).returncode == 1


def test_zizmor_finds_no_problem(repository):
    config = pathlib.Path(__file__).with_name("zizmor.yml")
    result = run("zizmor", "--offline", "--persona=pedantic", "--config", config, repository)
    assert result.returncode == 0


def github_steps():
    return yaml.safe_load(ACTION.read_text())["runs"]["steps"]


def gitlab_script(job):
    jobs = yaml.safe_load(GITLAB.read_text())
    lines = jobs[".sensor-license"]["before_script"] + jobs[job]["script"]
    return "set -e\n" + "\n".join(lines) + "\n"


def jenkins_scripts():
    scripts = re.findall(r"\bsh (?:'''(.*?)'''|'(.*?)')", JENKINSFILE.read_text(), re.DOTALL)
    return [textwrap.dedent(long or short) for long, short in scripts]


@pytest.mark.parametrize(
    ("shell", "script", "disabled"),
    [("bash", step["run"], "") for step in github_steps()]
    # SC2086: the file patterns of GitLab's variable must expand.
    + [("sh", gitlab_script(f"{job}-license-expirations"), "SC2086") for job in ["check", "push"]]
    + [("sh", script, "") for script in jenkins_scripts()],
    ids=lambda value: "" if "\n" in value else None,
)
def test_shellcheck_finds_no_problem(shell, script, disabled):
    assert run("shellcheck", f"--shell={shell}", f"--exclude={disabled}", "-", input=script).returncode == 0


class GitHubJob:
    """Runs the steps of the action as a runner of GitHub does."""

    def __init__(self, job, workspace, release):
        steps = yaml.safe_load(WORKFLOW.read_text())["jobs"][job]["steps"]
        (self.inputs,) = [step["with"] for step in steps if step["uses"] == "./.github/actions/sensor-license"]
        self.inputs |= {"archive": release.url, "sha256": release.sha256}
        self.workspace = workspace
        self.temp = workspace.parent / "runner-temp"
        self.temp.mkdir()
        self.summary = workspace.parent / "summary.md"

    def run(self):
        """Returns the result of the last step that ran."""
        action = yaml.safe_load(ACTION.read_text())
        defaults = {name: value.get("default") for name, value in action["inputs"].items()}
        inputs = defaults | self.inputs
        assert inputs.keys() == defaults.keys()
        for step in action["runs"]["steps"]:
            assert step["shell"] == "bash"
            environment = os.environ | {
                "RUNNER_TEMP": str(self.temp),
                "TMPDIR": str(self.temp),
                "GITHUB_STEP_SUMMARY": str(self.summary),
                "GITHUB_ACTIONS": "true",
            }
            for name, value in step["env"].items():
                environment[name] = inputs[re.fullmatch(r"\${{ inputs\.([\w-]+) }}", value).group(1)]
            command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
            result = run(*command, env=environment, cwd=self.workspace)
            if result.returncode != 0:
                break
        return result


def test_github_check_annotates_bad_lines(bad_workspace, release):
    job = GitHubJob("check", bad_workspace, release)
    result = job.run()
    assert result.returncode == 4
    annotation, _summary = re.findall(r"^::error (.*?)::", result.stdout, re.MULTILINE)
    assert {"file=licenses/south.csv", f"line={BAD_LINE}"} <= set(annotation.split(","))
    assert job.summary.read_text().strip()


def test_github_check_passes_valid_files(workspace, release):
    job = GitHubJob("check", workspace, release)
    result = job.run()
    assert result.returncode == 0 and "::error" not in result.stdout


def test_github_check_refuses_patterns_without_files(workspace, release):
    job = GitHubJob("check", workspace, release)
    job.inputs["files"] = "license/*.csv"
    result = job.run()
    assert result.returncode == 2 and "::error::no file matches" in result.stdout


def test_github_job_refuses_another_archive(workspace, release):
    job = GitHubJob("check", workspace, release)
    job.inputs["sha256"] = "0" * 64
    assert "WARNING: 1 computed checksum did NOT match" in job.run().stderr


def test_github_push_sends_changed_records(workspace, release, certificates, receiver):
    job = GitHubJob("push", workspace, release)
    assert f"--server={SERVER}\n" in job.inputs["options"]
    job.inputs["options"] = job.inputs["options"].replace(SERVER, receiver.address) + "".join(
        f"--{option}={certificates[file]}\n"
        for option, file in [("cacert", "ca.crt"), ("cert", "client.crt"), ("key", "client.key")]
    )
    job.inputs["bearer-token"] = "a-bearer-token"
    for _ in range(2):
        assert job.run().returncode == 0
        left = {path.name for path in job.temp.iterdir()}
        assert left == {"sensor-license", "sensor-license.tar.gz"}, "the bearer token was removed"
    totals, _ = receiver.stop()
    assert totals["records"] == 10
    steps = yaml.safe_load(WORKFLOW.read_text())["jobs"]["push"]["steps"]
    paths = {step["with"]["path"] for step in steps if step["uses"].startswith("actions/cache/")}
    assert [(workspace / path).is_file() for path in paths] == [True], "the cached file is the ledger"


def connection_variables(certificates, receiver):
    """Returns the CI/CD variables that name the server and its credentials."""
    pem = certificates.folder / "client.pem"
    pem.write_text(certificates["client.crt"].read_text() + certificates["client.key"].read_text())
    token = certificates.folder / "token"
    token.write_text("a-bearer-token\n")
    return {
        "SENSOR_LICENSE_SERVER": receiver.address,
        "SENSOR_LICENSE_BEARER_TOKEN_FILE": str(token),
        "SENSOR_LICENSE_CERT": str(pem),
        "SENSOR_LICENSE_CACERT": str(certificates.ca),
    }


def run_gitlab_job(job, workspace, release, variables):
    defaults = yaml.safe_load(GITLAB.read_text())[".sensor-license"]["variables"]
    assert {"TOOL_ARCHIVE", "TOOL_SHA256"} <= defaults.keys()
    tool = {"TOOL_ARCHIVE": release.url, "TOOL_SHA256": release.sha256}
    script = gitlab_script(f"{job}-license-expirations")
    return run("sh", "-c", script, cwd=workspace, env=os.environ | defaults | tool | variables)


def test_gitlab_check_reports_bad_lines(bad_workspace, release, certificates, receiver):
    variables = connection_variables(certificates, receiver)
    result = run_gitlab_job("check", bad_workspace, release, variables)
    assert result.returncode == 4
    reports = yaml.safe_load(GITLAB.read_text())["check-license-expirations"]["artifacts"]["reports"]
    (finding,) = json.loads((bad_workspace / reports["codequality"]).read_text())
    assert {"description", "check_name", "fingerprint", "severity", "location"} <= finding.keys()
    assert finding["location"] == {"path": "licenses/south.csv", "lines": {"begin": BAD_LINE}}
    junit = xml.etree.ElementTree.parse(bad_workspace / reports["junit"])
    assert f"licenses/south.csv:{BAD_LINE}" in [case.get("name") for case in junit.findall(".//testcase[failure]")]


def test_gitlab_check_passes_valid_files(workspace, release):
    assert run_gitlab_job("check", workspace, release, {}).returncode == 0
    assert json.loads((workspace / "gl-code-quality-report.json").read_text()) == []
    assert not xml.etree.ElementTree.parse(workspace / "junit.xml").findall(".//failure")


def test_gitlab_push_sends_changed_records(workspace, release, certificates, receiver):
    variables = connection_variables(certificates, receiver)
    for _ in range(2):
        assert run_gitlab_job("push", workspace, release, variables).returncode == 0
    totals, _ = receiver.stop()
    assert totals["records"] == 10
    job = yaml.safe_load(GITLAB.read_text())["push-license-expirations"]
    assert [(workspace / path).is_file() for path in job["cache"]["paths"]] == [True]


def test_gitlab_retries_the_exit_codes_that_a_retry_can_fix():
    job = yaml.safe_load(GITLAB.read_text())["push-license-expirations"]
    assert job["retry"]["exit_codes"] == sorted(TEMPORARY_EXIT_CODES)


@pytest.fixture
def installed(binary, tmp_path, monkeypatch):
    """The program on the PATH, as the package installs it."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sensor-license").symlink_to(binary)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")


@pytest.mark.usefixtures("installed")
def test_jenkins_check_reports_bad_lines(bad_workspace):
    check, _ = jenkins_scripts()
    assert run("sh", "-xec", check, cwd=bad_workspace).returncode == 4
    junit = xml.etree.ElementTree.parse(bad_workspace / "junit.xml")
    assert f"licenses/south.csv:{BAD_LINE}" in [case.get("name") for case in junit.findall(".//testcase[failure]")]


@pytest.mark.usefixtures("installed")
def test_jenkins_push_sends_changed_records(workspace, certificates, receiver):
    _, push = jenkins_scripts()
    variables = connection_variables(certificates, receiver)
    names = set(re.findall("SENSOR_LICENSE_[A-Z_]+", JENKINSFILE.read_text()))
    assert names == {"SENSOR_LICENSE_SERVER", "SENSOR_LICENSE_BEARER_TOKEN_FILE"}
    for _ in range(2):
        assert run("sh", "-xec", push, cwd=workspace, env=os.environ | variables).returncode == 0
    totals, _ = receiver.stop()
    assert totals["records"] == 10
