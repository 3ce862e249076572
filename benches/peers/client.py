"""A client as one would write it with Python's grpcio: reads CSV with two columns, sends requests of 10,000 records in turn.

Usage: client.py ADDRESS CACERT FILE, with the generated module sensor_pb2 on the path.
"""

import csv
import pathlib
import sys

import grpc
import sensor_pb2 as pb

BATCH = 10_000


def main():
    address, cacert, file = sys.argv[1:]
    credentials = grpc.ssl_channel_credentials(pathlib.Path(cacert).read_bytes())
    with grpc.secure_channel(address, credentials, (("grpc.ssl_target_name_override", "localhost"),)) as channel:
        call = channel.unary_unary(
            "/Internal/UpdateSensorExpireTime",
            request_serializer=pb.SensorExpireTimeRequest.SerializeToString,
            response_deserializer=pb.SensorExpireTimeResponse.FromString,
        )
        with open(file, newline="") as rows:
            request = pb.SensorExpireTimeRequest()
            for row in csv.DictReader(rows):
                request.sensorExpire.add(deviceToken=row["device_token"].encode(), expireTime=int(row["expire_time"]))
                if len(request.sensorExpire) == BATCH:
                    assert call(request, timeout=10).code == 0
                    request = pb.SensorExpireTimeRequest()
            if request.sensorExpire:
                assert call(request, timeout=10).code == 0


main()
