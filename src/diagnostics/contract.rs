//! Failures to load a contract from descriptors, or from the server by reflection.

use tonic::Code;

use super::{
    call::{call_failed, status_name},
    connection::connection_failed,
    failure::Failure,
};
use crate::{
    client::{CallError, ReflectionError},
    contract::{ContractError, MethodProblem},
    delivery::FetchDescriptorsError,
};

const NAME_METHOD: &str = "--method /PKG.SERVICE/METHOD names the one that takes records";

/// The maximum number of names that a message lists. More names would not fit on a line.
const MAX_NAMES: usize = 12;

const COMPILE_HINT: &str = "--import-path DIR says where its imports are; --protoset takes what protoc --include_imports --descriptor_set_out=FILE writes";

const USE_DESCRIPTORS: &str = "describe it with --proto FILE or --protoset FILE";

/// Returns the failure for descriptors that do not describe a usable contract. `source_name` is the name
/// of the file or server with the descriptors.
pub(crate) fn contract_unusable(source_name: &str, error: ContractError) -> Failure {
    match error {
        ContractError::InvalidProto(reason) => {
            Failure::usage(format!("{source_name} can't be compiled"))
                .with_cause(reason)
                .with_hint(COMPILE_HINT)
        }
        ContractError::InvalidDescriptors(reason) => {
            Failure::usage(format!("{source_name} is no whole set of descriptors"))
                .with_cause(reason)
                .with_hint("protoc --include_imports --descriptor_set_out=FILE writes one")
        }
        ContractError::UnsupportedSyntax { file, syntax } => {
            Failure::usage(format!("{source_name} can't be understood"))
                .with_cause(format!(
                    "{file} is written in {syntax}: proto2 and proto3 are known"
                ))
                .with_hint("describe what a push needs in proto3 and name it with --proto FILE")
        }
        ContractError::MethodNotFound { wanted, found } => {
            let cause = if found.is_empty() {
                "it declares no method at all".to_owned()
            } else {
                format!("it has {}", list_names(&found))
            };
            Failure::usage(format!("{source_name} has no method {wanted}"))
                .with_cause(cause)
                .with_hint(NAME_METHOD)
        }
        ContractError::AmbiguousMethod(found) => Failure::usage(format!(
            "{source_name} has more than one method that it might be"
        ))
        .with_cause(format!("they are {}", list_names(&found)))
        .with_hint(NAME_METHOD),
        ContractError::UnsuitableMethod {
            method,
            message,
            problem,
        } => Failure::usage(format!(
            "{source_name} has a call that records don't fit into"
        ))
        .with_cause(format!(
            "{method}: {}",
            describe_method_problem(&message, problem)
        ))
        .with_hint(NAME_METHOD),
    }
}

/// Returns the failure for a contract that could not be loaded from the server by reflection.
pub(crate) fn reflection_failed(server: &str, error: &FetchDescriptorsError) -> Failure {
    let (error, attempts) = match error {
        FetchDescriptorsError::Connect { error, attempts } => {
            return connection_failed(error).after_attempts(*attempts);
        }
        FetchDescriptorsError::Call { error, attempts } => (error, *attempts),
    };
    match error {
        ReflectionError::Call(CallError::Status {
            code: Code::Unimplemented,
            ..
        }) => Failure::rpc(
            Code::Unimplemented,
            format!("{server} has no server reflection"),
        )
        .with_hint(USE_DESCRIPTORS),
        ReflectionError::Call(error @ CallError::TimedOut(_)) => call_failed(server, error)
            .after_attempts(attempts)
            .with_hint(format!("--timeout waits longer; or {USE_DESCRIPTORS}")),
        ReflectionError::Call(error) => call_failed(server, error).after_attempts(attempts),
        ReflectionError::Refused { code, message } => {
            let code = match Code::from_i32(*code) {
                Code::Ok => Code::Unknown,
                code => code,
            };
            Failure::rpc(
                code,
                format!("{server}: its reflection answered {}", status_name(code)),
            )
            .with_cause(message)
            .with_hint(format!("check --method, or {USE_DESCRIPTORS}"))
        }
        ReflectionError::InvalidResponse(answer) => Failure::rpc(
            Code::Internal,
            format!("{server}: its reflection can't be understood"),
        )
        .with_cause(format!("the answer was {answer}"))
        .with_hint(USE_DESCRIPTORS),
    }
}

/// Describes why records cannot be sent to a method. `message` is the name of the unsuitable
/// message type.
fn describe_method_problem(message: &str, problem: MethodProblem) -> String {
    match problem {
        MethodProblem::Streaming => {
            "it streams: a call with one request and one response is wanted".to_owned()
        }
        MethodProblem::NoRecordsField(fields) => format!(
            "{message} has no list of messages, or no single one, that can be the records: {}",
            list_names(&fields)
        ),
        MethodProblem::NoTokenField(fields) => format!(
            "{message} has no bytes or string, or no single one, that can be the device token: {}",
            list_names(&fields)
        ),
        MethodProblem::NoTimeField(fields) => format!(
            "{message} has no integer, in seconds, or google.protobuf.Timestamp, or no single one, that can be the expire time: {}",
            list_names(&fields)
        ),
        MethodProblem::SharedOneof(name) => {
            format!("{message} holds either a token or an expire time, in the oneof {name}")
        }
        MethodProblem::NoCodeField(fields) => format!(
            "{message} is not empty and has no integer or enum, outside of a oneof, or no single one, whose name ends in code: {}",
            list_names(&fields)
        ),
        MethodProblem::UnknownRequiredField(field) => {
            format!("{message} requires the field {field}, of which records say nothing")
        }
    }
}

/// Lists at most [`MAX_NAMES`] names.
fn list_names(names: &[String]) -> String {
    match names.len() {
        0 => "no field".to_owned(),
        all if all > MAX_NAMES => format!(
            "{}, and {} more",
            names[..MAX_NAMES].join(", "),
            all - MAX_NAMES
        ),
        _ => names.join(", "),
    }
}
