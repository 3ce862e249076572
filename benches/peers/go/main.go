// An ordinary client in Go: it reads CSV with two columns and sends requests of 10,000 records one
// after the other. It validates nothing.
package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"io"
	"log"
	"os"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"peers/sensor"
)

const batchRecords = 10000

func main() {
	address, cacert, file := os.Args[1], os.Args[2], os.Args[3]
	tlsCredentials, err := credentials.NewClientTLSFromFile(cacert, "localhost")
	if err != nil {
		log.Fatal(err)
	}
	conn, err := grpc.Dial(address, grpc.WithTransportCredentials(tlsCredentials))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	input, err := os.Open(file)
	if err != nil {
		log.Fatal(err)
	}
	rows := csv.NewReader(bufio.NewReaderSize(input, 1<<20))
	rows.ReuseRecord = true
	if _, err := rows.Read(); err != nil {
		log.Fatal(err)
	}
	request := &sensor.SensorExpireTimeRequest{}
	for {
		row, err := rows.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		expireTime, err := strconv.ParseUint(row[1], 10, 32)
		if err != nil {
			log.Fatal(err)
		}
		request.SensorExpire = append(request.SensorExpire, &sensor.SensorExpire{
			DeviceToken: []byte(row[0]),
			ExpireTime:  uint32(expireTime),
		})
		if len(request.SensorExpire) == batchRecords {
			send(conn, request)
			request = &sensor.SensorExpireTimeRequest{}
		}
	}
	if len(request.SensorExpire) > 0 {
		send(conn, request)
	}
}

func send(conn *grpc.ClientConn, request *sensor.SensorExpireTimeRequest) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	response := &sensor.SensorExpireTimeResponse{}
	if err := conn.Invoke(ctx, "/Internal/UpdateSensorExpireTime", request, response); err != nil {
		log.Fatal(err)
	}
	if response.Code != 0 {
		log.Fatal(response.Code)
	}
}
