"""Checks interoperability with Python's grpcio in both directions, value by value.

Usage: run.py BINARY

A copy of the Python client that sensor-license replaces pushes to `serve`. `push` pushes to a
grpcio server. The server certificates are like those that the replaced client trusts: self-signed,
CA:TRUE, with a common name and without a subject alternative name.
"""

import concurrent.futures
import contextlib
import csv
import json
import pathlib
import signal
import subprocess
import sys
import tempfile

import grpc
import grpc_tools
from grpc_tools import protoc

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMON_NAME = "license.internal"
PATH = "/Internal/UpdateSensorExpireTime"

# The records of the two clients that sensor-license replaces.
ORIGINALS = [(b"fadfadftetwtwtwt", 1232312313), (b"fadsfadfadfasfdtest", 1580962440)]


def generate(folder):
    """Compiles the contract with protoc, and returns the module with the message types."""
    included = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    status = protoc.main(
        ["protoc", f"-I{ROOT / 'proto'}", f"-I{included}", f"--python_out={folder}", str(ROOT / "proto/sensor.proto")]
    )
    assert status == 0, "protoc failed"
    sys.path.insert(0, str(folder))
    import sensor_pb2

    return sensor_pb2


def make_certificate(folder, name="server", common_name=COMMON_NAME):
    key, certificate = folder / f"{name}.key", folder / f"{name}.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={common_name}"]
        + ["-keyout", key, "-out", certificate],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    text = subprocess.run(
        ["openssl", "x509", "-in", certificate, "-noout", "-text"], check=True, capture_output=True, text=True
    ).stdout
    assert "CA:TRUE" in text and "Alternative Name" not in text, text
    return key, certificate


class Client:
    """A client like the replaced one.

    It trusts only the server's own certificate, `root`, and expects `name` in that certificate
    instead of the target's host.
    """

    def __init__(self, pb, target, root, name):
        self.pb = pb
        self.channel = grpc.secure_channel(
            target,
            grpc.ssl_channel_credentials(root_certificates=root.read_bytes()),
            options=(("grpc.ssl_target_name_override", name),),
        )

    def update(self, licenses):
        if not licenses:
            return None
        request = self.pb.SensorExpireTimeRequest(
            sensorExpire=[self.pb.SensorExpire(deviceToken=token, expireTime=time) for token, time in licenses]
        )
        assert len(request.sensorExpire) == len(licenses)
        call = self.channel.unary_unary(
            PATH,
            request_serializer=self.pb.SensorExpireTimeRequest.SerializeToString,
            response_deserializer=self.pb.SensorExpireTimeResponse.FromString,
        )
        return call(request, timeout=10)


class Server:
    """A grpcio server that stores the requests that it receives."""

    def __init__(self, pb, key, certificate, clients=None):
        self.pb = pb
        self.requests = []
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=4))
        method = grpc.unary_unary_rpc_method_handler(
            self.update,
            request_deserializer=pb.SensorExpireTimeRequest.FromString,
            response_serializer=pb.SensorExpireTimeResponse.SerializeToString,
        )
        service = grpc.method_handlers_generic_handler("Internal", {"UpdateSensorExpireTime": method})
        self.server.add_generic_rpc_handlers((service,))
        pair = (key.read_bytes(), certificate.read_bytes())
        roots = clients.read_bytes() if clients else None
        credentials = grpc.ssl_server_credentials([pair], roots, require_client_auth=clients is not None)
        self.port = self.server.add_secure_port("127.0.0.1:0", credentials)
        self.server.start()

    def update(self, request, context):
        self.requests.append(
            (
                [(bytes(one.deviceToken), one.expireTime) for one in request.sensorExpire],
                dict(context.invocation_metadata()),
                context.time_remaining(),
            )
        )
        return self.pb.SensorExpireTimeResponse(code=0)

    def take(self):
        requests, self.requests = self.requests, []
        return requests


@contextlib.contextmanager
def serving(binary, folder, *flags):
    dump = folder / "dump.csv"
    process = subprocess.Popen(
        [binary, "serve", "--listen", "127.0.0.1:0", "--dump", dump, "--token-encoding", "hex", *flags],
        stdout=subprocess.PIPE,
        text=True,
    )
    received = []
    try:
        address = process.stdout.readline().split("://")[1].strip()
        yield address, received
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        with open(dump, newline="") as file:
            received += [(bytes.fromhex(row["device_token"]), int(row["expire_time"])) for row in csv.DictReader(file)]
    finally:
        process.kill()


def push(binary, *args, code=0):
    return run(binary, "push", *args, code=code)


def run(binary, command, *args, code):
    done = subprocess.run([binary, command, "--output", "json", *args], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, (args, done)
    return json.loads(done.stdout)


def many(count):
    """Returns records with arbitrary bytes in their tokens and times over the whole range."""
    return [(bytes([n % 256, n // 256, 255 - n % 256]) + b"\x00token", n * 4294967295 // (count - 1)) for n in range(count)]


def python_to_serve(pb, binary, folder, key, certificate):
    with serving(binary, folder, "--cert", certificate, "--key", key) as (address, received):
        client = Client(pb, address, certificate, COMMON_NAME)
        assert client.update([]) is None
        assert client.update(ORIGINALS).code == 0
        assert client.update(many(1000)).code == 0
    assert received == sorted(ORIGINALS + many(1000)), "what serve holds differs"
    made = folder / "made.pem"
    with serving(binary, folder, "--write-cacert", made) as (address, received):
        assert Client(pb, address, made, "localhost").update(ORIGINALS).code == 0
    assert received == ORIGINALS


def push_to_python(pb, binary, folder, key, certificate):
    server = Server(pb, key, certificate)
    flags = ["--server", f"127.0.0.1:{server.port}", "--cacert", certificate, "--servername", COMMON_NAME]
    as_csv, as_json = folder / "originals.csv", folder / "originals.json"
    rows = "".join(f"{token.decode()},{time}\n" for token, time in ORIGINALS)
    as_csv.write_text("device_token,expire_time\n" + rows)
    as_json.write_text(json.dumps([{"device_token": token.decode(), "expire_time": time} for token, time in ORIGINALS]))
    for file in as_csv, as_json:
        summary = push(binary, *flags, file)
        assert summary["records"]["acknowledged"] == 2, summary
        [(records, metadata, remaining)] = server.take()
        assert records == ORIGINALS, records
        assert 0 < remaining <= 10, remaining
        assert metadata["user-agent"].startswith("sensor-license/"), metadata

    # Without --servername, the certificate does not match the address, so `push` sends nothing.
    summary = push(binary, "--server", f"127.0.0.1:{server.port}", "--cacert", certificate, as_csv, code=6)
    assert f"--servername {COMMON_NAME}" in summary["error"]["hint"], summary
    assert not server.take()

    records = many(2500)
    as_hex = folder / "many.csv"
    as_hex.write_text("device_token,expire_time\n" + "".join(f"{token.hex()},{time}\n" for token, time in records))
    summary = push(binary, *flags, "--token-encoding", "hex", "--batch-records", "1000", as_hex)
    assert summary["requests"]["sent"] == 3, summary
    received = [record for request in server.take() for record in request[0]]
    # Several requests are in flight at the same time, so they may arrive in any order.
    assert sorted(received) == sorted(records), "what arrived differs"
    server.server.stop(None)


def probe_python(pb, binary, folder, key, certificate):
    server = Server(pb, key, certificate)
    flags = ["--server", f"127.0.0.1:{server.port}", "--cacert", certificate]
    report = run(binary, "probe", *flags, "--servername", COMMON_NAME, code=0)
    assert [stage["name"] for stage in report["stages"]] == ["DNS", "TCP", "proxy", "TLS", "HTTP/2", "RPC"], report
    report = run(binary, "probe", *flags, code=6)
    assert report["flags"] == ["--servername", COMMON_NAME], report
    run(binary, "probe", *flags, *report["flags"], "--method", "/Internal/Nothing", code=76)
    assert not server.take(), "probe sent a message"
    server.server.stop(None)


def client_authentication(pb, binary, folder, key, certificate):
    client_key, client = make_certificate(folder, "client", "cron")
    stranger_key, stranger = make_certificate(folder, "stranger", "stranger")
    server = Server(pb, key, certificate, clients=client)
    flags = ["--server", f"127.0.0.1:{server.port}", "--cacert", certificate, "--servername", COMMON_NAME]
    records = folder / "originals.csv"
    for command, files in ("push", [records]), ("probe", []):
        run(binary, command, *flags, "--cert", client, "--key", client_key, *files, code=0)
        for identity in [], ["--cert", stranger, "--key", stranger_key]:
            summary = run(binary, command, *flags, *identity, *files, code=6)
            hint = "the client certificate that was sent" if identity else "--cert CLIENT.pem"
            assert hint in summary["error"]["hint"], summary
    assert len(server.take()) == 1
    server.server.stop(None)


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        pb = generate(folder)
        key, certificate = make_certificate(folder)
        python_to_serve(pb, binary, folder, key, certificate)
        print("grpcio's client to serve: every value arrived")
        push_to_python(pb, binary, folder, key, certificate)
        print("push to grpcio's server: every value arrived")
        probe_python(pb, binary, folder, key, certificate)
        print("probe of grpcio's server: nothing arrived")
        client_authentication(pb, binary, folder, key, certificate)
        print("grpcio's server with client authentication: told as it is")


main()
