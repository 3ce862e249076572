//! Contracts that can't be had, in words.

use tonic::Code;

use super::{Failure, connection};
use crate::{
    client::{CallError, DescribeError},
    contract::{Misfit, SchemaError},
    delivery::Undescribed,
};

/// What names the method, where there is a choice.
const METHOD: &str = "--method /PKG.SERVICE/METHOD names the one that takes records";

/// What describes a server that does not do so itself.
const OTHER_WAYS: &str = "describe it with --proto FILE or --protoset FILE";

impl Failure {
    /// What describes the server's contract, `origin`, does not do.
    pub(crate) fn schema(origin: &str, error: SchemaError) -> Self {
        match error {
            SchemaError::Proto(words) => Self::usage(format!("{origin} can't be compiled"))
                .cause(words)
                .hint("--import-path DIR says where its imports are; --protoset takes what protoc --include_imports --descriptor_set_out=FILE writes"),
            SchemaError::Descriptors(words) => Self::usage(format!("{origin} is no whole set of descriptors"))
                .cause(words)
                .hint("protoc --include_imports --descriptor_set_out=FILE writes one"),
            SchemaError::Syntax { file, syntax } => {
                Self::usage(format!("{origin} can't be understood"))
                    .cause(format!("{file} is written in {syntax}: proto2 and proto3 are known"))
                    .hint("describe what a push needs in proto3 and name it with --proto FILE")
            }
            SchemaError::NoMethod { wanted, found } => {
                let cause = if found.is_empty() {
                    "it declares no method at all".to_owned()
                } else {
                    format!("it has {}", list(&found))
                };
                Self::usage(format!("{origin} has no method {wanted}"))
                    .cause(cause)
                    .hint(METHOD)
            }
            SchemaError::Methods(found) => {
                Self::usage(format!("{origin} has more than one method that it might be"))
                    .cause(format!("they are {}", list(&found)))
                    .hint(METHOD)
            }
            SchemaError::Misfit {
                method,
                message,
                what,
            } => Self::usage(format!("{origin} has a call that records don't fit into"))
                .cause(format!("{method}: {}", misfit(&message, what)))
                .hint(METHOD),
        }
    }

    /// A server that was asked for its contract and did not tell.
    pub(crate) fn undescribed(server: &str, error: &Undescribed) -> Self {
        let (error, tries) = match error {
            Undescribed::Connect { error, tries } => return Self::connect(error).after(*tries),
            Undescribed::Call { error, tries } => (error, *tries),
        };
        match error {
            DescribeError::Call(CallError::Status {
                code: Code::Unimplemented,
                ..
            }) => Self::rpc(
                Code::Unimplemented,
                format!("{server} has no server reflection"),
            )
            .hint(OTHER_WAYS),
            DescribeError::Call(error @ CallError::TimedOut(_)) => Self::call(server, error)
                .after(tries)
                .hint(format!("--timeout waits longer; or {OTHER_WAYS}")),
            DescribeError::Call(error) => Self::call(server, error).after(tries),
            DescribeError::Refused(code, message) => {
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
            DescribeError::Nonsense(what) => Self::rpc(
                Code::Internal,
                format!("{server}: its reflection can't be understood"),
            )
            .cause(format!("the answer was {what}"))
            .hint(OTHER_WAYS),
        }
    }
}

fn misfit(message: &str, what: Misfit) -> String {
    match what {
        Misfit::Streams => {
            "it streams: a call with one request and one response is wanted".to_owned()
        }
        Misfit::List(fields) => format!(
            "{message} has no list of messages, or no single one, that can be the records: {}",
            list(&fields)
        ),
        Misfit::Token(fields) => format!(
            "{message} has no bytes or string, or no single one, that can be the device token: {}",
            list(&fields)
        ),
        Misfit::Time(fields) => format!(
            "{message} has no integer, in seconds, or google.protobuf.Timestamp, or no single one, that can be the expire time: {}",
            list(&fields)
        ),
        Misfit::Oneof(name) => {
            format!("{message} holds either a token or an expire time, in the oneof {name}")
        }
        Misfit::Code(fields) => format!(
            "{message} is not empty and has no integer or enum, outside of a oneof, or no single one, whose name ends in code: {}",
            list(&fields)
        ),
        Misfit::Required(field) => {
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
