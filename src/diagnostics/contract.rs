//! Failures to load a contract from descriptors, or from the server by reflection.

use tonic::Code;

use super::{
    call::{call_failed, status_name},
    connection::connection_failed,
    failure::Failure,
};
use crate::{
    client::{CallError, ReflectionError},
    contract::ContractError,
    delivery::FetchDescriptorsError,
};

const USE_DESCRIPTORS: &str = "describe it with --proto FILE or --protoset FILE";

/// Returns the failure for descriptors that do not describe a usable contract. `source_name` is the
/// name of the file or server with the descriptors.
pub(crate) fn contract_unusable(source_name: &str, error: &ContractError) -> Failure {
    let hint = match error {
        ContractError::InvalidProto(_) => {
            "name the folder of its imports with --import-path, or pass a descriptor set with --protoset"
        }
        ContractError::InvalidDescriptors(_) => {
            "write one with protoc --include_imports --descriptor_set_out=FILE"
        }
        ContractError::UnsupportedSyntax { .. } => {
            "describe the method in proto3 and pass --proto FILE"
        }
        ContractError::MethodNotFound { .. }
        | ContractError::AmbiguousMethod(_)
        | ContractError::UnsuitableMethod { .. } => {
            "pass the method that takes records with --method /PKG.SERVICE/METHOD"
        }
    };
    Failure::usage(format!("cannot use the contract of {source_name}"))
        .with_cause(error.to_string())
        .with_hint(hint)
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
