"""samples/systemd/: the units run under a real systemd, in a container.

Needs --boot-root DIR: the root directory of a system with systemd, for example from
`debootstrap --include=systemd,systemd-sysv bookworm DIR`. The test changes the directory.
"""

import pathlib
import re
import shutil
import subprocess

import pytest
from conftest import SAMPLES, run

UNITS = SAMPLES / "systemd"

RECEIVER = """\
[Service]
ExecStart=/usr/bin/sensor-license serve --write-cacert=/etc/sensor-license/north/ca.crt --store=/run/store
"""

CONFIG = """\
server = "127.0.0.1:9102"
cacert = ["ca.crt"]
bearer-token-file = "bearer-token"
"""

# Seconds, instead of minutes, between the attempts.
DROP_IN = """\
[Service]
RestartSec=1s
"""

TRIAL = """\
[Unit]
After=multi-user.target

[Service]
Type=oneshot
ExecStart=/bin/sh /trial.sh
ExecStopPost=/usr/bin/systemctl poweroff
"""

# Each step writes what the test expects to a file of its own.
SCRIPT = """\
umask 027
mkdir /trial
export=/var/spool/sensor-license/north.csv
metrics=/var/lib/sensor-license-metrics/north.prom
show() { systemctl show --value --property="$1" sensor-license@north.service; }
push() {
    systemctl start sensor-license@north.service
    until [ "$(show ActiveState)" = inactive ] || [ "$(show ActiveState)" = failed ]; do sleep 0.2; done
    { show Result; show ExecMainStatus; show NRestarts; } > "/trial/$1"
    cp "$metrics" "/trial/$1.prom"
}

systemctl start receiver.service
until [ -s /etc/sensor-license/north/ca.crt ]; do sleep 0.1; done
printf 'device_token,expire_time\\nalpha,2099-01-01\\nbeta,2099-01-02\\n' > "$export"
push first
push second

echo 'gamma,31/12/2099' >> "$export"
push refused

systemctl stop receiver.service
printf 'device_token,expire_time\\nalpha,2099-02-01\\n' > "$export"
push unreachable

systemctl reset-failed sensor-license@north.service
systemctl start receiver.service
push recovered

systemctl enable --now sensor-license@north.timer
systemctl list-timers --no-legend sensor-license@north.timer > /trial/timer
stat --format=%a:%U /var/lib/private/sensor-license/north/ledger > /trial/ledger
journalctl --sync
journalctl --boot --no-pager > /trial/journal
"""


@pytest.fixture(scope="module")
def results(request, binary):
    """Boots the system, and returns the folder with the results of the steps."""
    root = request.config.getoption("--boot-root")
    if root is None:
        pytest.skip("no --boot-root")
    root = pathlib.Path(root)
    system = root / "etc/systemd/system"
    for unit in UNITS.glob("*@.*"):
        shutil.copy(unit, system)
    shutil.copy(binary, root / "usr/bin/sensor-license")
    for folder in ["sysusers.d", "tmpfiles.d"]:
        shutil.copy(UNITS / f"{folder[:-2]}.conf", root / "usr/lib" / folder / "sensor-license.conf")
    for folder in ["trial", "var/lib/private/sensor-license", "var/lib/sensor-license", "etc/sensor-license"]:
        shutil.rmtree(root / folder, ignore_errors=True)

    def write(path, text, mode=0o644):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    write(root / "etc/sensor-license/north/config.toml", CONFIG, 0o600)
    write(root / "etc/sensor-license/north/bearer-token", "a-bearer-token\n", 0o600)
    write(system / "sensor-license@.service.d/trial.conf", DROP_IN)
    write(system / "receiver.service", RECEIVER)
    write(system / "trial.service", TRIAL)
    write(root / "trial.sh", SCRIPT)
    wanted = system / "multi-user.target.wants/trial.service"
    wanted.parent.mkdir(exist_ok=True)
    wanted.unlink(missing_ok=True)
    wanted.symlink_to("../trial.service")

    container = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", f"--directory={root}", "--boot"]
    run(*container, stdin=subprocess.DEVNULL)
    print((root / "trial/journal").read_text())
    return root / "trial"


def outcome(results, step):
    result, code, restarts = (results / step).read_text().split()
    return result, int(code), int(restarts)


def record_count(results, step, outcome):
    """Returns the number of records with this outcome in the metrics of a push."""
    text = (results / f"{step}.prom").read_text()
    return int(re.search(rf'^sensor_license_records{{.*outcome="{outcome}".*}} (\d+)$', text, re.MULTILINE).group(1))


def test_first_push_sends_all_records(results):
    assert outcome(results, "first") == ("success", 0, 0)
    assert record_count(results, "first", "acknowledged") == 2


def test_second_push_sends_nothing(results):
    assert outcome(results, "second") == ("success", 0, 0)
    assert record_count(results, "second", "unchanged") == 2


def test_refused_input_is_not_retried(results):
    assert outcome(results, "refused") == ("exit-code", 4, 0)


def test_unreachable_server_is_retried(results):
    result, code, restarts = outcome(results, "unreachable")
    assert (result, code) == ("exit-code", 5) and restarts > 0


def test_failure_is_reported(results):
    assert (results / "journal").read_text().count("push of license expirations failed: see journalctl") == 2


def test_push_recovers(results):
    assert outcome(results, "recovered") == ("success", 0, 0)


def test_timer_waits_for_the_night(results):
    assert "sensor-license@north.service" in (results / "timer").read_text()


def test_ledger_belongs_to_the_dynamic_user(results):
    mode, user = (results / "ledger").read_text().strip().split(":")
    assert mode == "600" and user != "root"
