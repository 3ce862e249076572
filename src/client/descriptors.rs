//! A server's contract, in its own descriptors, by server reflection.

use std::collections::BTreeMap;

use prost::Message;
use prost_types::FileDescriptorProto;

use super::{
    error::CallError,
    grpc_client::Client,
    reflection::{Answer, Question, Version},
};
use crate::contract;

/// Why a server did not describe itself.
#[derive(Clone, Debug)]
pub(crate) enum ReflectionError {
    /// How the call ended.
    Call(CallError),
    /// The reflection has no answer; its gRPC status and its text.
    Refused { code: i32, message: String },
    /// What it answers is none.
    InvalidAnswer(String),
}

/// The most files that a server may describe itself in, and the most services that it may have.
const MOST: usize = 1000;

/// The infrastructure of gRPC itself: reflection, health and the like.
const OWN: &str = "grpc.";

impl Client {
    /// The files that declare a service, or all services where none is named, and those that they
    /// import. All of it must come within the time of one call.
    ///
    /// # Errors
    ///
    /// Where the server does not say.
    pub(crate) async fn describe(
        &self,
        service: Option<&str>,
    ) -> Result<Vec<FileDescriptorProto>, ReflectionError> {
        let limit = self.call.timeout;
        let described = tokio::time::timeout(limit, self.files(service)).await;
        described.unwrap_or(Err(ReflectionError::Call(CallError::TimedOut(limit))))
    }

    async fn files(
        &self,
        service: Option<&str>,
    ) -> Result<Vec<FileDescriptorProto>, ReflectionError> {
        let mut version = Version::V1;
        let services = match service {
            Some(service) => vec![service.to_owned()],
            None => match self.answer(&mut version, Question::Services).await? {
                Answer::Services(services) => services,
                _ => return Err(nonsense("no list of services")),
            },
        };
        if services.len() > MOST {
            return Err(nonsense(format!("more than {MOST} services")));
        }
        let mut files = BTreeMap::new();
        let mut refused = None;
        for service in services.iter().filter(|name| !name.starts_with(OWN)) {
            // A service that is listed need not be described.
            match self
                .take(&mut version, Question::Symbol(service.clone()), &mut files)
                .await
            {
                Err(error @ ReflectionError::Refused { .. }) => refused = Some(error),
                taken => taken?,
            }
        }
        if let (true, Some(refused)) = (files.is_empty(), refused) {
            return Err(refused);
        }
        self.take_imports(&mut version, &mut files).await?;
        Ok(files.into_values().collect())
    }

    /// Servers may send what a file imports along with it, or wait to be asked.
    async fn take_imports(
        &self,
        version: &mut Version,
        files: &mut BTreeMap<String, FileDescriptorProto>,
    ) -> Result<(), ReflectionError> {
        loop {
            let missing = files
                .values()
                .flat_map(|file| &file.dependency)
                .find(|name| !files.contains_key(*name) && !contract::is_well_known(name));
            let Some(name) = missing.cloned() else {
                return Ok(());
            };
            self.take(version, Question::File(name.clone()), files)
                .await?;
            if !files.contains_key(&name) {
                return Err(nonsense(format!("another file in the place of {name}")));
            }
        }
    }

    /// Takes the files of an answer.
    async fn take(
        &self,
        version: &mut Version,
        question: Question,
        files: &mut BTreeMap<String, FileDescriptorProto>,
    ) -> Result<(), ReflectionError> {
        let Answer::Files(found) = self.answer(version, question).await? else {
            return Err(nonsense("no descriptors"));
        };
        for encoded in found {
            let file = FileDescriptorProto::decode(encoded.as_slice())
                .map_err(|error| nonsense(error.to_string()))?;
            files.insert(file.name().to_owned(), file);
            if files.len() > MOST {
                return Err(nonsense(format!("more than {MOST} files")));
            }
        }
        Ok(())
    }

    async fn answer(
        &self,
        version: &mut Version,
        question: Question,
    ) -> Result<Answer, ReflectionError> {
        match self.ask(version, question).await {
            Ok(Answer::Refused { code, message }) => {
                Err(ReflectionError::Refused { code, message })
            }
            Ok(answer) => Ok(answer),
            Err(error) => Err(ReflectionError::Call(error)),
        }
    }
}

fn nonsense(what: impl Into<String>) -> ReflectionError {
    ReflectionError::InvalidAnswer(what.into())
}
