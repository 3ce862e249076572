//! Failures to load a contract from descriptors.

use super::failure::Failure;
use crate::contract::ContractError;

/// Returns the failure for descriptors that do not describe a usable contract. `source_name` is the
/// name of the file or server with the descriptors.
pub(crate) fn contract_unusable(source_name: &str, error: &ContractError) -> Failure {
    let failure = Failure::usage(format!("cannot use the contract from {source_name}"))
        .with_cause(error.to_string());
    let hint = match error {
        ContractError::MissingProto(_) => {
            "pass the directory of the imports with --import-path, or pass a descriptor set with --protoset"
        }
        ContractError::UnsupportedSyntax { .. } => {
            "pass a proto2 or proto3 file with the same messages and field numbers with --proto"
        }
        ContractError::InvalidDescriptors(_) => {
            "write a descriptor set with: protoc --include_imports --descriptor_set_out=FILE license.proto"
        }
        ContractError::MethodNotFound { found: others, .. }
        | ContractError::UnsuitableMethod { others, .. }
            if others.is_empty() =>
        {
            return failure;
        }
        ContractError::InvalidProto(_) => return failure,
        ContractError::MethodNotFound { .. }
        | ContractError::AmbiguousMethod(_)
        | ContractError::UnsuitableMethod { .. } => {
            "pass the method that takes records with --method /PKG.SERVICE/METHOD"
        }
    };
    failure.with_hint(hint)
}
