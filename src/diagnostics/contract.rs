//! Failures to load a contract from descriptors.

use super::failure::Failure;
use crate::contract::ContractError;

/// Returns the failure for descriptors that do not describe a usable contract. `source_name` is the
/// name of the file or server with the descriptors.
pub(crate) fn contract_unusable(source_name: &str, error: &ContractError) -> Failure {
    let hint = match error {
        ContractError::InvalidProto(_) => {
            "name the folder of its imports with --import-path, or pass a descriptor set with --protoset"
        }
        ContractError::InvalidDescriptors(_) => {
            "write them from proto2 or proto3: protoc --include_imports --descriptor_set_out=FILE"
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
