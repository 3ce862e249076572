"""samples/systemd/: the units are valid and confined, and their command line pushes an export."""

import os
import pathlib
import re
import shutil
import tomllib

import pytest
from conftest import PERMANENT_EXIT_CODES, SAMPLES, run, write_export

UNITS = SAMPLES / "systemd"
SERVICE = "sensor-license@north.service"

# The highest exposure that `systemd-analyze security` may find, in tenths.
MAX_EXPOSURE = 25


class Unit:
    """The settings of a unit file."""

    def __init__(self, name):
        text = (UNITS / name).read_text().replace("\\\n", " ")
        pairs = re.findall(r"^([A-Za-z]+)=(.*)$", text, re.MULTILINE)
        self.settings = [(name, value.replace("%i", "north")) for name, value in pairs]

    def values(self, name):
        return [value for setting, value in self.settings if setting == name]

    def value(self, name):
        (value,) = self.values(name)
        return value


def seconds(timespan):
    number, unit = re.fullmatch(r"(\d+)(s|m|min|h)", timespan).groups()
    return int(number) * {"s": 1, "m": 60, "min": 60, "h": 3600}[unit]


@pytest.fixture(scope="session")
def service():
    return Unit("sensor-license@.service")


@pytest.fixture
def root(tmp_path):
    """A root directory with the units and the programs that they start."""
    shutil.copytree("/usr/lib/systemd/system", tmp_path / "usr/lib/systemd/system", symlinks=True)
    for unit in UNITS.glob("*@.*"):
        shutil.copy(unit, tmp_path / "usr/lib/systemd/system")
    for program in ["sensor-license", "logger"]:
        path = tmp_path / "usr/bin" / program
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
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
    codes = [int(code) for code in service.value("RestartPreventExitStatus").split()]
    assert codes == sorted(PERMANENT_EXIT_CODES)


def test_timeouts_and_start_limit_fit_together(service):
    max_time = seconds(re.search(r"--max-time=(\S+)", service.value("ExecStart")).group(1))
    timeout = seconds(service.value("TimeoutStartSec"))
    assert timeout > max_time
    # All attempts are within the interval, so that the limit ends the retries.
    attempts = int(service.value("StartLimitBurst"))
    attempts_end = attempts * (timeout + seconds(service.value("RestartSec")))
    assert attempts_end < seconds(service.value("StartLimitIntervalSec")) < 24 * 3600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the owner of a directory")
def test_group_and_directories_are_created(tmp_path, service):
    for folder in ["sysusers.d", "tmpfiles.d"]:
        (tmp_path / "usr/lib" / folder).mkdir(parents=True)
        shutil.copy(UNITS / f"{folder[:-2]}.conf", tmp_path / "usr/lib" / folder / "sensor-license.conf")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    (tmp_path / "etc/group").write_text("root:x:0:\n")
    assert run("systemd-sysusers", f"--root={tmp_path}").returncode == 0
    assert run("systemd-tmpfiles", "--create", f"--root={tmp_path}").returncode == 0

    groups = [line.split(":") for line in (tmp_path / "etc/group").read_text().splitlines()]
    gids = {name: int(gid) for name, _, gid, _ in groups}
    assert service.value("Group") == "sensor-license-data"
    # systemd gives this name to the dynamic user, and refuses the name of an existing group.
    assert "sensor-license" not in gids
    for path, mode, group in [
        ("etc/sensor-license", 0o700, "root"),
        ("var/spool/sensor-license", 0o2750, "sensor-license-data"),
        ("var/lib/sensor-license-metrics", 0o2775, "sensor-license-data"),
    ]:
        status = (tmp_path / path).stat()
        assert (status.st_mode & 0o7777, status.st_gid) == (mode, gids.get(group, 0)), path


def enable_all_options(config, server):
    """Returns the sample configuration with its optional options, for this server."""
    text = re.sub(r"^# (\w[\w-]* = )", r"\1", config, flags=re.MULTILINE)
    text, count = re.subn(r'^server = ".*"', f'server = "{server}"', text, flags=re.MULTILINE)
    assert count == 1
    assert {"cacert", "cert", "key", "bearer-token-file"} <= tomllib.loads(text).keys()
    return text


def test_command_line_pushes_the_export(binary, certificates, receiver, service, tmp_path):
    credentials, state = tmp_path / "credentials", tmp_path / "state"
    for folder in [credentials, state, tmp_path / "var/lib/sensor-license-metrics"]:
        folder.mkdir(parents=True)
    contents = {
        "config.toml": enable_all_options((UNITS / "config.toml").read_text(), receiver.address),
        "bearer-token": "a-bearer-token\n",
        **{name: certificates[name].read_text() for name in ["ca.crt", "client.crt", "client.key"]},
    }
    for credential in service.values("LoadCredential"):
        name, _, path = credential.partition(":")
        assert path == f"/etc/sensor-license/north/{name}"
        (credentials / name).write_text(contents.pop(name))
    assert not contents, "each file that the configuration names is a credential"

    (name, _, files) = service.value("Environment").partition("=")
    assert name == "INPUT_FILES"
    export = write_export(pathlib.Path(f"{tmp_path}{files}"), 20)
    command = service.value("ExecStart").replace("$INPUT_FILES", files)
    command = command.replace("${CREDENTIALS_DIRECTORY}", str(credentials))
    command = command.replace("${STATE_DIRECTORY}", str(state))
    command = re.sub(r"(?<![\w/.-])/(var|usr)/", rf"{tmp_path}/\1/", command).split()
    assert command[0] == f"{tmp_path}/usr/bin/sensor-license"

    for outcome in ["acknowledged", "unchanged"]:
        result = run(binary, *command[1:], cwd="/")
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
        metrics = (tmp_path / "var/lib/sensor-license-metrics/north.prom").read_text()
        assert re.search(rf'^sensor_license_records{{.*outcome="{outcome}".*}} 20$', metrics, re.MULTILINE)
        assert re.search(r'^sensor_license_exit_code{site="north"} 0$', metrics, re.MULTILINE)
    totals, records = receiver.stop()
    assert totals["records"] == 20 and records == export
    assert (state / "ledger").stat().st_mode & 0o777 == 0o600
