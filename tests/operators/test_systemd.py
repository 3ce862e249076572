"""samples/systemd/: the units are valid and confined, and their command line pushes an export."""

import datetime
import pathlib
import re
import shutil

import pytest
from conftest import PERMANENT_EXIT_CODES, ROOT, SAMPLES, nightly_config, run, write_export
from test_boot import SCRIPT

UNITS = SAMPLES / "systemd"
SERVICE = "sensor-license@north.service"

# The highest exposure that `systemd-analyze security` may find, in tenths.
MAX_EXPOSURE = 25


def settings(unit):
    """Returns the values of each setting of a unit."""
    text = (UNITS / unit).read_text().replace("\\\n", " ").replace("%i", "north")
    values = {}
    for name, value in re.findall(r"^([A-Za-z]+)=(.*)$", text, re.MULTILINE):
        values.setdefault(name, []).append(value)
    return values


def seconds(timespan):
    number, unit = re.fullmatch(r"(\d+)(m|min|h)", timespan).groups()
    return int(number) * {"m": 60, "min": 60, "h": 3600}[unit]


@pytest.fixture
def service():
    return settings("sensor-license@.service")


@pytest.fixture
def root(tmp_path):
    """A root directory with the units and the programs that they start."""
    shutil.copytree("/usr/lib/systemd/system", tmp_path / "usr/lib/systemd/system", symlinks=True)
    for unit in UNITS.glob("*@.*"):
        shutil.copy(unit, tmp_path / "usr/lib/systemd/system")
    for program in ["bin/sh", "usr/bin/logger"]:
        path = tmp_path / program
        path.parent.mkdir(exist_ok=True, parents=True)
        path.touch(0o755)
    return tmp_path


def verify(root):
    units = [SERVICE, "sensor-license@north.timer", "sensor-license-failure@north.service"]
    return run("systemd-analyze", "verify", "--man=no", f"--root={root}", *units)


def test_units_are_valid(root):
    result = verify(root)
    assert result.returncode == 0 and not result.stderr


def test_verification_finds_an_unknown_setting(root):
    with open(root / "usr/lib/systemd/system/sensor-license@.service", "a") as file:
        file.write("DynamicUsers=yes\n")
    assert "DynamicUsers" in verify(root).stderr


def test_exposure_is_low(root):
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", f"--root={root}"]
    assert run(*command, f"--threshold={MAX_EXPOSURE}", SERVICE).returncode == 0


def test_exit_codes_that_no_retry_fixes_are_not_retried(service):
    (codes,) = service["RestartPreventExitStatus"]
    assert [int(code) for code in codes.split()] == sorted(PERMANENT_EXIT_CODES)


def test_timeouts_and_start_limit_fit_together(service):
    max_time = seconds(re.search(r"--max-time=(\S+)", service["ExecStart"][0]).group(1))
    timeout = seconds(service["TimeoutStartSec"][0])
    assert timeout > max_time
    # All attempts are within the interval, so that the limit ends the retries.
    attempts_end = int(service["StartLimitBurst"][0]) * (timeout + seconds(service["RestartSec"][0]))
    assert attempts_end < seconds(service["StartLimitIntervalSec"][0]) < 24 * 3600


def test_command_line_pushes_the_export(binary, certificates, receiver, service, tmp_path, monkeypatch):
    contents = {
        "north.toml": nightly_config(receiver.address),
        "north.token": "a-bearer-token\n",
        "north.crt": certificates["client.crt"].read_text(),
        "north.key": certificates["client.key"].read_text(),
        "server.crt": certificates.ca.read_text(),
    }
    for folder in ["bin", "credentials", "lib/sensor-license", "lib/sensor-license-metrics"]:
        (tmp_path / folder).mkdir(parents=True)
    for credential in service["LoadCredential"]:
        name, path = credential.split(":")
        assert path == f"/etc/sensor-license/{name}"
        content = contents.pop(name).replace("/var/", f"{tmp_path}/")
        (tmp_path / "credentials" / name).write_text(content)
    assert not contents, "each file that the config file names is a credential"
    (tmp_path / "bin/sensor-license").symlink_to(binary)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")

    (command,) = service["ExecStart"]
    command = re.fullmatch(r"/bin/sh -c '(.*)'", command).group(1).replace("$$", "$").replace("%%", "%")
    command = command.replace("${CREDENTIALS_DIRECTORY}", f"{tmp_path}/credentials")
    command = re.sub(r"(?<=[ =])/var/", f"{tmp_path}/", command)
    # The test may run at midnight.
    for day in [datetime.date.today() + datetime.timedelta(days) for days in range(2)]:
        export = write_export(tmp_path / f"spool/sensor-license/north-{day}.csv", 1000)
    for outcome in ["acknowledged", "unchanged"]:
        result = run("sh", "-c", command, cwd="/")
        assert result.returncode == 0 and f"1000 {outcome}" in result.stdout and not result.stderr
    metrics = (tmp_path / "lib/sensor-license-metrics/north.prom").read_text()
    assert re.search(r'^sensor_license_exit_code{site="north"} 0$', metrics, re.MULTILINE)
    totals, records = receiver.stop()
    assert totals["records"] == 1000 and records == export


def test_document_shows_the_config_file():
    _, _, config = (UNITS / "config.toml").read_text().partition("\n\n")
    assert f"```toml\n{config}```\n" in (ROOT / "docs/automation.md").read_text()


def test_boot_runs_the_commands_of_the_document():
    document = (ROOT / "docs/automation.md").read_text()
    commands = re.findall(r"^ *((?:journalctl|systemctl|systemd-\w+)\b.*)$", document, re.MULTILINE)
    assert commands
    script = SCRIPT.replace("push first", "systemctl start sensor-license@north.service").splitlines()
    for command in commands:
        assert command in script, command
