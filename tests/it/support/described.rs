//! A server with a contract of its own, which it tells by reflection, and what it got.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use bytes::{Buf, Bytes};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, FileDescriptor};
use serde_json::Value;
use tokio::net::TcpStream;
use tonic_reflection::pb::v1::{
    ErrorResponse, FileDescriptorResponse, ListServiceResponse, ServerReflectionRequest,
    ServerReflectionResponse, ServiceResponse, server_reflection_request::MessageRequest,
    server_reflection_response::MessageResponse,
};

use super::{
    faults::answer::framed,
    tls::{Serving, serve},
};

/// How a server tells of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reflection {
    None,
    V1,
    V1Alpha,
    /// Imports come along with the file that imports them.
    Whole,
    /// No question is answered.
    Silent,
}

/// The server, which answers whatever call with the same message until the test ends.
pub(crate) struct Described {
    pub(crate) address: String,
    _serving: Serving,
    pool: DescriptorPool,
    calls: Arc<Mutex<Vec<(String, Bytes)>>>,
}

/// The files of a folder of `.proto` files, from this one on.
pub(crate) fn compile(folder: &Path, file: &str) -> DescriptorPool {
    let mut compiler = protox::Compiler::new([folder]).expect("a compiler");
    compiler.open_file(folder.join(file)).expect("it compiles");
    compiler.descriptor_pool()
}

impl Described {
    pub(crate) fn start(pool: DescriptorPool, reflection: Reflection, response: &[u8]) -> Self {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let server = Server {
            pool: pool.clone(),
            reflection,
            response: response.to_vec(),
            calls: Arc::clone(&calls),
        };
        let server = Arc::new(server);
        let serving = serve(move |stream| {
            let server = Arc::clone(&server);
            async move {
                // A client may leave whenever it likes.
                let _ = server.connection(stream).await;
            }
        });
        Self {
            address: serving.address.clone(),
            _serving: serving,
            pool,
            calls,
        }
    }

    /// The calls that were not reflection: the path, and the request as JSON.
    pub(crate) fn calls(&self) -> Vec<(String, Value)> {
        let calls = self.calls.lock().expect("calls");
        let calls = calls.iter();
        calls
            .map(|(path, message)| {
                let (service, method) = path[1..].split_once('/').expect("a path");
                let service = self.pool.get_service_by_name(service).expect("a service");
                let method = service.methods().find(|one| one.name() == method);
                let input = method.expect("a method").input();
                let message = DynamicMessage::decode(input, message.clone()).expect("a request");
                assert_eq!(
                    message.unknown_fields().count(),
                    0,
                    "fields of another contract"
                );
                (path.clone(), serde_json::to_value(&message).expect("JSON"))
            })
            .collect()
    }
}

struct Server {
    pool: DescriptorPool,
    reflection: Reflection,
    response: Vec<u8>,
    calls: Arc<Mutex<Vec<(String, Bytes)>>>,
}

impl Server {
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
        mut respond: h2::server::SendResponse<Bytes>,
    ) -> Result<(), h2::Error> {
        let path = request.uri().path().to_owned();
        let mut body = request.into_body();
        let mut message = Vec::new();
        while let Some(data) = body.data().await {
            let data = data?;
            body.flow_control().release_capacity(data.len())?;
            message.extend(data);
        }
        let mut message = Bytes::from(message);
        message.advance(5);
        let answer = if let Some(call) = path.strip_prefix("/grpc.reflection.") {
            let version = match self.reflection {
                Reflection::Silent => return std::future::pending().await,
                Reflection::None => "none",
                Reflection::V1 | Reflection::Whole => "v1",
                Reflection::V1Alpha => "v1alpha",
            };
            let is_known = call == format!("{version}.ServerReflection/ServerReflectionInfo");
            is_known.then(|| self.reflect(message))
        } else {
            self.calls.lock().expect("calls").push((path, message));
            Some(self.response.clone())
        };
        let head = http::Response::builder().header("content-type", "application/grpc");
        let Some(answer) = answer else {
            let head = head.header("grpc-status", "12").body(()).expect("a head");
            respond.send_response(head, true)?;
            return Ok(());
        };
        let mut stream = respond.send_response(head.body(()).expect("a head"), false)?;
        stream.send_data(framed(&answer).into(), false)?;
        let trailers = [("grpc-status", "0")].map(|(name, value)| {
            let name = http::HeaderName::from_static(name);
            (name, http::HeaderValue::from_static(value))
        });
        stream.send_trailers(trailers.into_iter().collect())
    }

    /// Both versions of the protocol look the same on the wire.
    fn reflect(&self, message: Bytes) -> Vec<u8> {
        let request = ServerReflectionRequest::decode(message).expect("a question");
        let file = |name: &str| {
            let file = self.pool.get_file_by_name(name)?;
            let mut files = vec![file.clone()];
            if self.reflection == Reflection::Whole {
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
        let answer = match request.message_request.expect("a question") {
            MessageRequest::ListServices(_) => {
                let names = self.pool.services().map(|one| one.full_name().to_owned());
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
            other => panic!("nobody asks {other:?}"),
        };
        let refusal = || {
            MessageResponse::ErrorResponse(ErrorResponse {
                error_code: 5,
                error_message: "not \x1b[31mhere".to_owned(),
            })
        };
        ServerReflectionResponse {
            message_response: Some(answer.unwrap_or_else(refusal)),
            ..ServerReflectionResponse::default()
        }
        .encode_to_vec()
    }
}
