"""The installed systemd units run under a real systemd, in a container.

Needs --boot-root DIR: the root of a Debian system with systemd in which the package is installed, for
example from debootstrap. The container writes to a file system in memory, so DIR is not changed.
"""

import re
import subprocess

import pytest
from conftest import nightly_config, run

# The drop-in file makes the pauses between attempts and retries shorter.
SCRIPT = """\
#!/bin/sh
exec > /trial/log 2>&1
set -x
umask 027
config=/etc/sensor-license
show() { systemctl show --value --property="$1" sensor-license@north.service; }
push() {
    systemctl start sensor-license@north.service
    until [ "$(show ActiveState)" = inactive ] || [ "$(show ActiveState)" = failed ]; do sleep 0.2; done
    { show Result; show ExecMainStatus; show NRestarts; } > "/trial/$1"
    cat /var/lib/sensor-license-metrics/north.prom >> "/trial/$1"
}
write_export() {
    { echo device_token,expire_time; seq --format="sensor-%g,$1" 1000; } > "$export"
}
receive() {
    systemd-run --quiet --unit=receiver sensor-license serve --write-cacert=$config/server.crt --store=/run/store
    until [ -s $config/server.crt ]; do sleep 0.1; done
}

# A push after midnight reads the export of the next day.
export=/var/spool/sensor-license/north-$(date +%F).csv
ln -s "$export" "/var/spool/sensor-license/north-$(date --date=tomorrow +%F).csv"
systemd-sysusers
systemd-tmpfiles --create
mkdir --parents /run/systemd/system/sensor-license@.service.d
printf '[Service]\\nRestartSec=1s\\nEnvironment=SENSOR_LICENSE_RETRY=0\\n' > /run/systemd/system/sensor-license@.service.d/trial.conf
systemctl daemon-reload
install --mode=0600 /trial/north.toml $config/north.toml
echo a-bearer-token > $config/north.token

receive
write_export 2099-01-01
push first
push second

write_export 2098-01-01
push refused
sensor-license push --config $config/north.toml --refuse-shortened=false "$export"
push overridden

write_export 2099-02-01
systemctl stop receiver
push unreachable
systemctl reset-failed sensor-license@north.service
receive
push recovered

systemctl enable --now sensor-license@north.timer
systemctl list-timers --no-legend sensor-license@north.timer > /trial/timer
stat --format=%a:%U /var/lib/private/sensor-license/north.ledger > /trial/ledger
journalctl --sync
journalctl --unit=sensor-license@north.service
journalctl --no-pager > /trial/journal
"""


@pytest.fixture(scope="module")
def results(request, tmp_path_factory):
    """Boots the system, and returns the folder with the results of the steps."""
    root = request.config.getoption("--boot-root")
    folder = tmp_path_factory.mktemp("trial")
    config = nightly_config("127.0.0.1:9102")
    config = re.sub("^(cert|key) = .*", "", config, flags=re.MULTILINE)
    (folder / "north.toml").write_text(config.replace('max-changes = "20%"', 'max-changes = "100%"'))
    (folder / "run").write_text(SCRIPT)
    (folder / "run").chmod(0o755)
    container = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network"]
    container += [f"--directory={root}", "--volatile=overlay", f"--bind={folder}:/trial", "--boot", "systemd.run=/trial/run"]
    run(*container, stdin=subprocess.DEVNULL)
    for name in ["log", "journal"]:
        print((folder / name).read_text())
    return folder


@pytest.mark.parametrize(
    ("step", "result", "exit_code", "is_retried", "records"),
    [
        ("first", "success", 0, False, {"acknowledged": 1000}),
        ("second", "success", 0, False, {"unchanged": 1000}),
        ("refused", "exit-code", 4, False, {"unsent": 1000}),
        # An administrator has overridden the guard, as root.
        ("overridden", "success", 0, False, {"unchanged": 1000}),
        ("unreachable", "exit-code", 5, True, {"unsent": 1000}),
        ("recovered", "success", 0, False, {"acknowledged": 1000}),
    ],
)
def test_pushes(results, step, result, exit_code, is_retried, records):
    state = (results / step).read_text().split("\n", 3)
    assert state[:2] == [result, str(exit_code)]
    assert (int(state[2]) > 0) == is_retried
    series = re.findall(r'^sensor_license_records{outcome="(\w+)",site="north"} (\d+)$', state[3], re.MULTILINE)
    assert {outcome: int(count) for outcome, count in series if count != "0"} == records


def test_failures_are_reported(results):
    assert (results / "journal").read_text().count("no push of license expirations: see journalctl") == 2


def test_timer_waits_for_the_night(results):
    assert "sensor-license@north.service" in (results / "timer").read_text()


def test_ledger_belongs_to_the_dynamic_user(results):
    mode, user = (results / "ledger").read_text().strip().split(":")
    assert mode == "600" and user != "root"
