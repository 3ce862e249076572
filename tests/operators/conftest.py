"""Fixtures of the tests of samples/: the program, certificates, and the reference receiver.

`.ci/samples` runs these tests.
"""

import csv
import json
import os
import pathlib
import re
import signal
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples"

# The exit codes that a retry can fix, and the others. 64+N stands for the gRPC status N. A signal ends
# a push with 129, 130 or 143.
TEMPORARY_EXIT_CODES = {1, 3, 5, 68, 72, 74, 78}
PERMANENT_EXIT_CODES = ({2, 4, 6, 7} | set(range(65, 81))) - TEMPORARY_EXIT_CODES


def pytest_addoption(parser):
    parser.addoption("--binary", help="the sensor-license program")
    parser.addoption("--boot-root", help="the root directory for test_boot.py")


@pytest.fixture(scope="session")
def binary(request):
    path = pathlib.Path(request.config.getoption("--binary")).resolve()
    assert os.access(path, os.X_OK), f"{path} is not a program"
    return path


@pytest.fixture(autouse=True)
def without_configuration(monkeypatch, tmp_path_factory):
    """Hides the configuration and the proxies of the machine from the program."""
    for name in list(os.environ):
        if name.startswith("SENSOR_LICENSE_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))


class Certificates:
    """A CA (`ca.crt`), and certificates of a server and of a client that it issued."""

    def __init__(self, folder):
        self.folder = folder
        self.ca = folder / "ca.crt"
        self._openssl("req", "-x509", *self._new_key("ca"), "-subj", "/CN=Test CA", "-days", "2", "-out", self.ca)
        self._issue("server", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        self._issue("client", "extendedKeyUsage=clientAuth")

    def __getitem__(self, name):
        return self.folder / name

    def _new_key(self, name):
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        return [*key, "-keyout", self.folder / f"{name}.key"]

    def _issue(self, name, extension):
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(extension + "\n")
        self._openssl("req", *self._new_key(name), "-subj", f"/CN={name}", "-out", request)
        self._openssl(
            *["x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.folder / "ca.key", "-CAcreateserial"],
            *["-days", "2", "-extfile", extensions, "-out", self.folder / f"{name}.crt"],
        )

    @staticmethod
    def _openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


class Receiver:
    """A running `sensor-license serve`, which requires a client certificate."""

    def __init__(self, binary, certificates, folder):
        self.dump = folder / "dump.csv"
        self.process = subprocess.Popen(
            [binary, "serve", "--listen=127.0.0.1:0", "--output=json", f"--dump={self.dump}"]
            + [f"--cert={certificates['server.crt']}", f"--key={certificates['server.key']}"]
            + [f"--client-ca={certificates.ca}"],
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        assert line.startswith("listening on https://"), line
        self.address = line.removeprefix("listening on https://").strip()

    def stop(self):
        """Stops the receiver, and returns its totals and its records by token."""
        self.process.send_signal(signal.SIGTERM)
        output, _ = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, output
        with open(self.dump, newline="") as file:
            records = {row["device_token"]: int(row["expire_time"]) for row in csv.DictReader(file)}
        return json.loads(output), records


@pytest.fixture
def receiver(binary, certificates, tmp_path_factory):
    receiver = Receiver(binary, certificates, tmp_path_factory.mktemp("receiver"))
    yield receiver
    if receiver.process.poll() is None:
        receiver.process.kill()
        receiver.process.wait()


def write_export(path, count):
    """Writes a CSV file, and returns its records by token."""
    records = {f"sensor-{number:06}": 4_070_908_800 + number for number in range(count)}
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{token},{time}\n" for token, time in records.items()]
    path.write_text("device_token,expire_time\n" + "".join(lines))
    return records


def nightly_config(server):
    """Returns the config file of the nightly push, with its optional options, for this server."""
    config = (SAMPLES / "systemd/config.toml").read_text()
    return re.sub(r"^# ([\w-]+ = )", r"\1", config, flags=re.MULTILINE).replace("license.example.com:443", server)


def run(*command, **options):
    """Runs a command. Its output is a part of the result, and of the report if a test fails."""
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=120, **options)
    print(f"$ {' '.join(map(str, command))}\n{result.stdout}{result.stderr}exit code {result.returncode}")
    return result
