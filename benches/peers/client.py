"""An ordinary client with Python's grpcio: reads CSV with two columns and sends requests of 10,000 records one after the other.

Usage: client.py ADDRESS CACERT FILE. PYTHONPATH must contain the generated module sensor_pb2.
"""

import csv
import pathlib
import sys

import grpc
import sensor_pb2

BATCH_RECORDS = 10_000


def main():
    address, cacert, file = sys.argv[1:]
    credentials = grpc.ssl_channel_credentials(pathlib.Path(cacert).read_bytes())
    with grpc.secure_channel(address, credentials, (("grpc.ssl_target_name_override", "localhost"),)) as channel:
        call = channel.unary_unary(
            "/Internal/UpdateSensorExpireTime",
            request_serializer=sensor_pb2.SensorExpireTimeRequest.SerializeToString,
            response_deserializer=sensor_pb2.SensorExpireTimeResponse.FromString,
        )
        with open(file, newline="") as rows:
            request = sensor_pb2.SensorExpireTimeRequest()
            for row in csv.DictReader(rows):
                request.sensorExpire.add(deviceToken=row["device_token"].encode(), expireTime=int(row["expire_time"]))
                if len(request.sensorExpire) == BATCH_RECORDS:
                    assert call(request, timeout=10).code == 0
                    request = sensor_pb2.SensorExpireTimeRequest()
            if request.sensorExpire:
                assert call(request, timeout=10).code == 0


main()
