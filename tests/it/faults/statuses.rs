//! gRPC and HTTP statuses: some end a request, and the others cause a retry.

use tonic::Code;

use super::{
    FAST_RETRIES, ONE_BY_ONE, push, push_one_record,
    responses::{Fail, Retry, case, check_all, response},
};

use crate::support::{
    fault_server::{
        FaultServer,
        action::{Action, Response, http, ok, status},
    },
    records::records,
};

#[test]
fn does_not_retry_final_statuses() {
    check_all([
        case("UNKNOWN", status(Code::Unknown, ""), Fail, 66, &[]),
        case("INTERNAL", status(Code::Internal, ""), Fail, 77, &[]),
        case("CANCELLED", status(Code::Cancelled, ""), Fail, 65, &[]),
        case("DATA_LOSS", status(Code::DataLoss, ""), Fail, 79, &[]),
        case(
            "INVALID_ARGUMENT",
            status(Code::InvalidArgument, ""),
            Fail,
            67,
            &[],
        ),
        case("NOT_FOUND", status(Code::NotFound, ""), Fail, 69, &[]),
        case(
            "ALREADY_EXISTS",
            status(Code::AlreadyExists, ""),
            Fail,
            70,
            &[],
        ),
        case(
            "PERMISSION_DENIED",
            status(Code::PermissionDenied, ""),
            Fail,
            71,
            &[],
        ),
        case(
            "FAILED_PRECONDITION",
            status(Code::FailedPrecondition, ""),
            Fail,
            73,
            &[],
        ),
        case("OUT_OF_RANGE", status(Code::OutOfRange, ""), Fail, 75, &[]),
        case(
            "UNIMPLEMENTED",
            status(Code::Unimplemented, ""),
            Fail,
            76,
            &[],
        ),
        case(
            "UNAUTHENTICATED",
            status(Code::Unauthenticated, ""),
            Fail,
            80,
            &[],
        ),
    ]);
}

#[test]
fn final_statuses_are_reported_with_their_messages() {
    check_all([
        case(
            "INVALID_ARGUMENT with a message",
            status(Code::InvalidArgument, "so%20it%20is"),
            Fail,
            67,
            &["INVALID_ARGUMENT", "so it is"],
        ),
        case(
            "NOT_FOUND with a message",
            status(Code::NotFound, "so%20it%20is"),
            Fail,
            69,
            &["NOT_FOUND", "so it is"],
        ),
        case(
            "PERMISSION_DENIED with a message",
            status(Code::PermissionDenied, "so%20it%20is"),
            Fail,
            71,
            &["PERMISSION_DENIED", "so it is"],
        ),
        case(
            "UNAUTHENTICATED with a message",
            status(Code::Unauthenticated, "so%20it%20is"),
            Fail,
            80,
            &["UNAUTHENTICATED", "so it is"],
        ),
        response(
            "status details that are not base64",
            Response::status(Code::Internal, "details")
                .with_header("grpc-status-details-bin", "!!!"),
            Fail,
            77,
            &["details"],
        ),
    ]);
}

/// Returns a proxy's response with this HTTP status, and with trailers that a gRPC server sent.
fn http_with_trailers(status: u16) -> Response {
    Response::body(b"<html>")
        .with_content_type("text/html")
        .with_status(status)
}

#[test]
fn maps_http_statuses_to_grpc_statuses() {
    check_all([
        case("HTTP 400", http(400), Fail, 77, &["HTTP status 400"]),
        case(
            "HTTP 401",
            http(401),
            Fail,
            80,
            &["HTTP status 401", "--bearer-token-file"],
        ),
        case("HTTP 403", http(403), Fail, 71, &["HTTP status 403"]),
        case(
            "HTTP 404",
            http(404),
            Fail,
            76,
            &["HTTP status 404", "--method"],
        ),
        case(
            "HTTP 421",
            http(421),
            Fail,
            66,
            &["hint: check --servername and --authority"],
        ),
        case(
            "HTTP 431",
            http(431),
            Fail,
            66,
            &["hint: pass fewer or shorter --header values"],
        ),
        case("HTTP 429", http(429), Retry, 78, &["HTTP status 429"]),
        case("HTTP 500", http(500), Fail, 66, &["HTTP status 500"]),
        case(
            "HTTP 502",
            http(502),
            Retry,
            78,
            &["HTTP status 502", "hint: run the command again later"],
        ),
        case("HTTP 503", http(503), Retry, 78, &["HTTP status 503"]),
        case("HTTP 504", http(504), Retry, 78, &["HTTP status 504"]),
    ]);
}

#[test]
fn maps_http_statuses_of_answers_with_trailers() {
    check_all([
        response(
            "HTTP 400, trailers",
            http_with_trailers(400),
            Fail,
            77,
            &["HTTP status 400"],
        ),
        response(
            "HTTP 401, trailers",
            http_with_trailers(401),
            Fail,
            80,
            &["HTTP status 401"],
        ),
        response(
            "HTTP 403, trailers",
            http_with_trailers(403),
            Fail,
            71,
            &["HTTP status 403"],
        ),
        response(
            "HTTP 404, trailers",
            http_with_trailers(404),
            Fail,
            76,
            &["HTTP status 404"],
        ),
        response(
            "HTTP 429, trailers",
            http_with_trailers(429),
            Retry,
            78,
            &["HTTP status 429"],
        ),
        response(
            "HTTP 502, trailers",
            http_with_trailers(502),
            Retry,
            78,
            &["HTTP status 502"],
        ),
        response(
            "HTTP 503, trailers",
            http_with_trailers(503),
            Retry,
            78,
            &["HTTP status 503"],
        ),
        response(
            "HTTP 418, trailers",
            http_with_trailers(418),
            Fail,
            66,
            &["HTTP status 418"],
        ),
        response(
            "HTTP 503 with a gRPC status, which has precedence",
            Response::status(Code::ResourceExhausted, "quota").with_status(503),
            Retry,
            72,
            &["quota"],
        ),
    ]);
}

#[test]
fn statuses_without_a_known_cause_get_no_hint() {
    for status in [407, 408, 414] {
        let push = push_one_record(&FaultServer::serving([http(status)]), &[]).exits(66);
        assert!(!push.stderr.contains("hint: "), "{push}");
    }
}

#[test]
fn goaway_after_long_headers_gets_the_hint_to_shorten_them() {
    for (length, hint) in [
        (100, "hint: check the server's log"),
        (9000, "hint: pass fewer or shorter --header values"),
    ] {
        let goaway = Action::GoawayBefore(h2::Reason::ENHANCE_YOUR_CALM);
        let header = format!("--header=x: {}", "y".repeat(length));
        push_one_record(&FaultServer::serving([goaway]), &[&header])
            .exits(78)
            .stderr_contains(hint);
    }
}

#[test]
fn hint_of_a_partial_push_repeats_no_advice() {
    for (fault, hint) in [
        (
            http(503),
            "hint: run the command again later; sending a record twice is safe",
        ),
        (
            http(414),
            "hint: run the command again: sending a record twice is safe",
        ),
    ] {
        let flags = [FAST_RETRIES, ONE_BY_ONE].concat();
        push(&FaultServer::serving([ok(), fault]), &flags, &records(3))
            .exits(3)
            .stderr_contains(hint);
    }
}

#[test]
fn retries_transient_statuses() {
    check_all([
        case(
            "UNAVAILABLE",
            status(Code::Unavailable, "later"),
            Retry,
            78,
            &[],
        ),
        case("ABORTED", status(Code::Aborted, ""), Retry, 74, &[]),
        case(
            "DEADLINE_EXCEEDED",
            status(Code::DeadlineExceeded, ""),
            Retry,
            68,
            &[],
        ),
        case(
            "RESOURCE_EXHAUSTED",
            status(Code::ResourceExhausted, "quota"),
            Retry,
            72,
            &[],
        ),
        response(
            "UNAVAILABLE with details that are not base64",
            Response::status(Code::Unavailable, "").with_header("grpc-status-details-bin", "!!!"),
            Retry,
            78,
            &[],
        ),
    ]);
}
