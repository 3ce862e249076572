//! Contracts that can't be had, in words.

use tonic::Code;

use super::{Failure, connection};
use crate::{
    client::{CallError, ReflectionError},
    contract::{MethodProblem, SchemaError},
    delivery::FetchDescriptorsError,
};

/// What names the method, where there is a choice.
const METHOD: &str = "--method /PKG.SERVICE/METHOD names the one that takes records";

/// What describes a server that does not do so itself.
const OTHER_WAYS: &str = "describe it with --proto FILE or --protoset FILE";

impl Failure {
    /// What describes the server's contract, `origin`, does not do.
    pub(crate) fn schema(origin: &str, error: SchemaError) -> Self {
        match error {
            SchemaError::InvalidProto(words) => Self::usage(format!("{origin} can't be compiled"))
                .cause(words)
                .hint("--import-path DIR says where its imports are; --protoset takes what protoc --include_imports --descriptor_set_out=FILE writes"),
            SchemaError::InvalidDescriptors(words) => Self::usage(format!("{origin} is no whole set of descriptors"))
                .cause(words)
                .hint("protoc --include_imports --descriptor_set_out=FILE writes one"),
            SchemaError::UnsupportedSyntax { file, syntax } => {
                Self::usage(format!("{origin} can't be understood"))
                    .cause(format!("{file} is written in {syntax}: proto2 and proto3 are known"))
                    .hint("describe what a push needs in proto3 and name it with --proto FILE")
            }
            SchemaError::MethodNotFound { wanted, found } => {
                let cause = if found.is_empty() {
                    "it declares no method at all".to_owned()
                } else {
                    format!("it has {}", list(&found))
                };
                Self::usage(format!("{origin} has no method {wanted}"))
                    .cause(cause)
                    .hint(METHOD)
            }
            SchemaError::AmbiguousMethod(found) => {
                Self::usage(format!("{origin} has more than one method that it might be"))
                    .cause(format!("they are {}", list(&found)))
                    .hint(METHOD)
            }
            SchemaError::UnsuitableMethod {
                method,
                message,
                problem,
            } => Self::usage(format!("{origin} has a call that records don't fit into"))
                .cause(format!("{method}: {}", method_problem(&message, problem)))
                .hint(METHOD),
        }
    }

    /// A server that was asked for its contract and did not tell.
    pub(crate) fn undescribed(server: &str, error: &FetchDescriptorsError) -> Self {
        let (error, attempts) = match error {
            FetchDescriptorsError::Connect { error, attempts } => {
                return Self::connect(error).after(*attempts);
            }
            FetchDescriptorsError::Call { error, attempts } => (error, *attempts),
        };
        match error {
            ReflectionError::Call(CallError::Status {
                code: Code::Unimplemented,
                ..
            }) => Self::rpc(
                Code::Unimplemented,
                format!("{server} has no server reflection"),
            )
            .hint(OTHER_WAYS),
            ReflectionError::Call(error @ CallError::TimedOut(_)) => Self::call(server, error)
                .after(attempts)
                .hint(format!("--timeout waits longer; or {OTHER_WAYS}")),
            ReflectionError::Call(error) => Self::call(server, error).after(attempts),
            ReflectionError::Refused { code, message } => {
                let code = match Code::from_i32(*code) {
                    Code::Ok => Code::Unknown,
                    code => code,
                };
                Self::rpc(
                    code,
                    format!(
                        "{server}: its reflection answered {}",
                        connection::name(code)
                    ),
                )
                .cause(message)
                .hint(format!("check --method, or {OTHER_WAYS}"))
            }
            ReflectionError::InvalidAnswer(what) => Self::rpc(
                Code::Internal,
                format!("{server}: its reflection can't be understood"),
            )
            .cause(format!("the answer was {what}"))
            .hint(OTHER_WAYS),
        }
    }
}

fn method_problem(message: &str, problem: MethodProblem) -> String {
    match problem {
        MethodProblem::Streaming => {
            "it streams: a call with one request and one response is wanted".to_owned()
        }
        MethodProblem::NoRecordsField(fields) => format!(
            "{message} has no list of messages, or no single one, that can be the records: {}",
            list(&fields)
        ),
        MethodProblem::NoTokenField(fields) => format!(
            "{message} has no bytes or string, or no single one, that can be the device token: {}",
            list(&fields)
        ),
        MethodProblem::NoTimeField(fields) => format!(
            "{message} has no integer, in seconds, or google.protobuf.Timestamp, or no single one, that can be the expire time: {}",
            list(&fields)
        ),
        MethodProblem::SharedOneof(name) => {
            format!("{message} holds either a token or an expire time, in the oneof {name}")
        }
        MethodProblem::NoCodeField(fields) => format!(
            "{message} is not empty and has no integer or enum, outside of a oneof, or no single one, whose name ends in code: {}",
            list(&fields)
        ),
        MethodProblem::UnknownRequiredField(field) => {
            format!("{message} requires the field {field}, of which records say nothing")
        }
    }
}

/// As many as a line holds.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 12;
    match names.len() {
        0 => "no field".to_owned(),
        all if all > SHOWN => format!("{}, and {} more", names[..SHOWN].join(", "), all - SHOWN),
        _ => names.join(", "),
    }
}
