//! What servers tell of themselves where they do: health and reflection.

use std::time::Duration;

use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::{v1, v1alpha};

use super::{
    error::CallError,
    grpc_client::{Client, explain},
};

/// What server reflection is asked (gRPC doc/server-reflection.md).
#[derive(Clone, Debug)]
pub(super) enum Question {
    Services,
    /// The file that declares a service.
    Symbol(String),
    /// A file by its name.
    File(String),
}

/// What it answers.
#[derive(Debug)]
pub(super) enum Answer {
    Services(Vec<String>),
    /// Encoded `google.protobuf.FileDescriptorProto`s.
    Files(Vec<Vec<u8>>),
    /// It has no answer; a gRPC status and a text.
    Refused {
        code: i32,
        message: String,
    },
    /// Something that was not asked.
    Other,
}

/// A version of the reflection protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V1Alpha,
}

/// The largest answer, in bytes.
const LARGEST_ANSWER: usize = 16 << 20;

/// Asks in one version of the protocol. The versions' messages differ in their types alone.
macro_rules! asked {
    ($client:expr, $version:ident, $question:expr) => {{
        use $version::{
            ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
            server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
        };
        let message_request = Some(match $question {
            Question::Services => MessageRequest::ListServices(String::new()),
            Question::Symbol(name) => MessageRequest::FileContainingSymbol(name),
            Question::File(name) => MessageRequest::FileByFilename(name),
        });
        let messages = tokio_stream::once(ServerReflectionRequest {
            message_request,
            ..ServerReflectionRequest::default()
        });
        let mut request = tonic::Request::new(messages);
        request.set_timeout($client.call.timeout);
        let transport = $client.transport();
        let seen = std::sync::Arc::clone(&transport.seen);
        let mut client =
            ServerReflectionClient::with_origin(transport, $client.call.origin.clone())
                .max_decoding_message_size(LARGEST_ANSWER);
        let answer = match client.server_reflection_info(request).await {
            Ok(answers) => answers.into_inner().message().await,
            Err(status) => Err(status),
        };
        match answer.map(|answer| answer.and_then(|answer| answer.message_response)) {
            Ok(Some(MessageResponse::ListServicesResponse(list))) => Ok(Answer::Services(
                list.service.into_iter().map(|one| one.name).collect(),
            )),
            Ok(Some(MessageResponse::FileDescriptorResponse(files))) => {
                Ok(Answer::Files(files.file_descriptor_proto))
            }
            Ok(Some(MessageResponse::ErrorResponse(error))) => Ok(Answer::Refused {
                code: error.error_code,
                message: error.error_message,
            }),
            Ok(_) => Ok(Answer::Other),
            Err(status) => Err(seen.failure(&status)),
        }
    }};
}

impl Client {
    /// Whether the server as a whole says that it serves (gRPC doc/health-checking.md); `None`
    /// where it does not say.
    pub(crate) async fn health(&self, patience: Duration) -> Option<ServingStatus> {
        let mut client = HealthClient::with_origin(self.transport(), self.call.origin.clone());
        let check = client.check(HealthCheckRequest::default());
        let answer = tokio::time::timeout(patience, check).await.ok()?.ok()?;
        Some(answer.into_inner().status())
    }

    /// The services that server reflection lists; `None` where the server has no reflection.
    pub(crate) async fn services(&self, patience: Duration) -> Option<Vec<String>> {
        let mut version = Version::V1;
        let asked = self.ask(&mut version, Question::Services);
        match tokio::time::timeout(patience, asked).await.ok()?.ok()? {
            Answer::Services(services) => Some(services),
            _ => None,
        }
    }

    /// Asks in this version, and in the one before where the server does not know it: many speak that
    /// alone. How long it may take is whoever asks to say.
    ///
    /// # Errors
    ///
    /// How the call ended.
    pub(super) async fn ask(
        &self,
        version: &mut Version,
        question: Question,
    ) -> Result<Answer, CallError> {
        if *version == Version::V1 {
            match self.ask_in(Version::V1, question.clone()).await {
                Err(CallError::Status {
                    code: Code::Unimplemented,
                    ..
                }) => *version = Version::V1Alpha,
                answer => return answer,
            }
        }
        self.ask_in(Version::V1Alpha, question).await
    }

    async fn ask_in(&self, version: Version, question: Question) -> Result<Answer, CallError> {
        let asked = match version {
            Version::V1 => asked!(self, v1, question),
            Version::V1Alpha => asked!(self, v1alpha, question),
        };
        match asked {
            Err(error) => Err(explain(error, self.connected.fate.clone()).await),
            answer => answer,
        }
    }
}
