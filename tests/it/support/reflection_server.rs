//! A gRPC server whose contract is given as descriptors. The server stores the calls that it
//! receives.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use bytes::{Buf, Bytes};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, FileDescriptor};
use serde_json::Value;
use tokio::net::TcpStream;
use tonic::Code;
use tonic_reflection::pb::v1::{
    ErrorResponse, FileDescriptorResponse, ListServiceResponse, ServerReflectionRequest,
    ServerReflectionResponse, ServiceResponse, server_reflection_request::MessageRequest,
    server_reflection_response::MessageResponse,
};

use super::{
    async_server::{ServerTask, serve_connections},
    fault_server::action::{Response, framed},
    grpc_server::{read_body, send_response},
    program::{Run, push_to},
};

/// The answer of a server to reflection requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reflection {
    None,
    V1,
    V1Alpha,
    /// Sends imported files together with the file that imports them.
    V1WithImports,
    /// Never answers reflection requests.
    Silent,
}

/// A server that answers every call, except reflection calls, with the same message.
pub(crate) struct ReflectionServer {
    pub(crate) address: String,
    _task: ServerTask,
    pool: DescriptorPool,
    calls: Arc<Mutex<Vec<(String, Bytes)>>>,
}

/// A call that a server received: its path, and the request as JSON.
#[derive(Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) path: String,
    pub(crate) request: Value,
}

/// Compiles a `.proto` file of a folder and the files that it imports.
pub(crate) fn compile(folder: &Path, file: &str) -> DescriptorPool {
    let mut compiler = protox::Compiler::new([folder]).expect("a compiler");
    compiler.open_file(folder.join(file)).expect("it compiles");
    compiler.descriptor_pool()
}

impl ReflectionServer {
    pub(crate) fn start(pool: DescriptorPool, reflection: Reflection, response: &[u8]) -> Self {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let server = Service {
            pool: pool.clone(),
            reflection,
            response: response.to_vec(),
            calls: Arc::clone(&calls),
        };
        let server = Arc::new(server);
        let task = serve_connections(move |stream| {
            let server = Arc::clone(&server);
            async move {
                // A client may disconnect at any time, so connection errors are ignored.
                let _ = server.connection(stream).await;
            }
        });
        Self {
            address: task.address.clone(),
            _task: task,
            pool,
            calls,
        }
    }

    /// Pushes `input` to this server.
    pub(crate) fn push(&self, flags: &[&str], input: &[u8]) -> Run {
        let common = ["--plaintext", "--output=json"];
        push_to(&self.address, &[&common, flags].concat(), input)
    }

    /// Returns all calls except reflection calls.
    pub(crate) fn calls(&self) -> Vec<Call> {
        let calls = self.calls.lock().expect("calls");
        calls
            .iter()
            .map(|(path, message)| {
                let (service, method) = path[1..].split_once('/').expect("a path");
                let service = self.pool.get_service_by_name(service).expect("a service");
                let method = service
                    .methods()
                    .find(|candidate| candidate.name() == method);
                let input = method.expect("a method").input();
                let message = DynamicMessage::decode(input, message.clone()).expect("a request");
                assert_eq!(
                    message.unknown_fields().count(),
                    0,
                    "fields that the contract lacks"
                );
                Call {
                    path: path.clone(),
                    request: serde_json::to_value(&message).expect("JSON"),
                }
            })
            .collect()
    }
}

struct Service {
    pool: DescriptorPool,
    reflection: Reflection,
    response: Vec<u8>,
    calls: Arc<Mutex<Vec<(String, Bytes)>>>,
}

impl Service {
    async fn connection(self: Arc<Self>, stream: TcpStream) -> Result<(), h2::Error> {
        let mut connection = h2::server::handshake(stream).await?;
        while let Some(request) = connection.accept().await {
            let (request, respond) = request?;
            tokio::spawn(Arc::clone(&self).answer(request, respond));
        }
        Ok(())
    }

    async fn answer(
        self: Arc<Self>,
        request: http::Request<h2::RecvStream>,
        respond: h2::server::SendResponse<Bytes>,
    ) -> Result<(), h2::Error> {
        let path = request.uri().path().to_owned();
        let mut message = Bytes::from(read_body(request.into_body()).await?);
        // Removes the prefix that gRPC gives every message.
        message.advance(5);
        let answer = if let Some(call) = path.strip_prefix("/grpc.reflection.") {
            let version = match self.reflection {
                Reflection::Silent => return std::future::pending().await,
                Reflection::None => "none",
                Reflection::V1 | Reflection::V1WithImports => "v1",
                Reflection::V1Alpha => "v1alpha",
            };
            let is_known = call == format!("{version}.ServerReflection/ServerReflectionInfo");
            is_known.then(|| self.reflect(message))
        } else {
            self.calls.lock().expect("calls").push((path, message));
            Some(self.response.clone())
        };
        let response = match answer {
            Some(message) => Response::body(&framed(&message)),
            None => Response::status(Code::Unimplemented, ""),
        };
        send_response(respond, &response)
    }

    /// Answers a reflection request. The messages of the protocol's versions v1 and v1alpha are the
    /// same.
    fn reflect(&self, message: Bytes) -> Vec<u8> {
        let request = ServerReflectionRequest::decode(message).expect("a reflection request");
        let file = |name: &str| {
            let file = self.pool.get_file_by_name(name)?;
            let mut files = vec![file.clone()];
            if self.reflection == Reflection::V1WithImports {
                files.extend(file.dependencies());
            }
            Some(MessageResponse::FileDescriptorResponse(
                FileDescriptorResponse {
                    file_descriptor_proto: files
                        .iter()
                        .map(FileDescriptor::encode_to_vec)
                        .collect(),
                },
            ))
        };
        let response = match request.message_request.expect("a reflection request") {
            MessageRequest::ListServices(_) => {
                let names = self
                    .pool
                    .services()
                    .map(|service| service.full_name().to_owned());
                let own = ["grpc.health.v1.Health".to_owned()].into_iter();
                Some(MessageResponse::ListServicesResponse(ListServiceResponse {
                    service: own
                        .chain(names)
                        .map(|name| ServiceResponse { name })
                        .collect(),
                }))
            }
            MessageRequest::FileContainingSymbol(symbol) => self
                .pool
                .get_service_by_name(&symbol)
                .and_then(|service| file(service.parent_file().name())),
            MessageRequest::FileByFilename(name) => file(&name),
            other => panic!("not expected: {other:?}"),
        };
        let not_found = || {
            MessageResponse::ErrorResponse(ErrorResponse {
                error_code: 5,
                error_message: "not \x1b[31mhere".to_owned(),
            })
        };
        ServerReflectionResponse {
            message_response: Some(response.unwrap_or_else(not_found)),
            ..ServerReflectionResponse::default()
        }
        .encode_to_vec()
    }
}
