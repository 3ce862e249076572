//! A contract out of what describes it: a `.proto` file, a descriptor set, or a server's reflection.
//!
//! The method is named, or has the name of `proto/sensor.proto`. In its messages such names count
//! first, however they are cased; where no field has one, the only field that fits does.

use std::path::{Path, PathBuf};

use http::uri::PathAndQuery;
use prost::Message;
use prost_reflect::{
    Cardinality, DescriptorPool, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, Value,
};
use prost_types::{FileDescriptorProto, FileDescriptorSet};

use super::{
    Contract,
    codec::{CodeField, IntegerKind},
    messages::{TimeEncoding, TimeField},
};

/// Why there is no contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SchemaError {
    /// A `.proto` file that can't be compiled, in the compiler's words.
    InvalidProto(String),
    /// No descriptors, or descriptors that don't hold together.
    InvalidDescriptors(String),
    /// A file in another syntax than proto2 and proto3.
    UnsupportedSyntax { file: String, syntax: String },
    /// No such method; those that there are.
    MethodNotFound { wanted: String, found: Vec<String> },
    /// More than one method that it might be.
    AmbiguousMethod(Vec<String>),
    /// A method that does not fit.
    UnsuitableMethod {
        method: String,
        /// The message that is the matter, where it is one.
        message: String,
        problem: MethodProblem,
    },
}

/// What is wrong with a method or one of its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MethodProblem {
    /// The call is not unary.
    Streaming,
    /// No field can be the list of records; the fields.
    NoRecordsField(Vec<String>),
    /// No field, or more than one, can be the token.
    NoTokenField(Vec<String>),
    /// No field, or more than one, can be the expire time.
    NoTimeField(Vec<String>),
    /// The token and the expire time exclude each other.
    SharedOneof(String),
    /// A response says something, and not by a code.
    NoCodeField(Vec<String>),
    /// A field must be set that nothing is known of.
    UnknownRequiredField(String),
}

/// The method's name in `proto/sensor.proto`, and the path of the call there.
const METHOD: &str = "UpdateSensorExpireTime";
const PATH: &str = "/Internal/UpdateSensorExpireTime";

/// Names without underscores, in lower case.
const LIST_NAMES: &[&str] = &["sensorexpire"];
const TOKEN_NAMES: &[&str] = &["devicetoken", "token"];
const TIME_NAMES: &[&str] = &["expiretime"];
const CODE_NAMES: &[&str] = &["code"];

/// Compiles a `.proto` file. Its imports are looked for in `import_paths`, then beside it.
///
/// # Errors
///
/// What is wrong with it, in the compiler's words, which name file, line and column.
pub(crate) fn compile_proto(
    file: &Path,
    import_paths: &[PathBuf],
) -> Result<DescriptorPool, SchemaError> {
    let mut includes = import_paths.to_vec();
    if file.exists() {
        let folder = file.parent().filter(|path| !path.as_os_str().is_empty());
        includes.push(folder.unwrap_or(Path::new(".")).to_owned());
    }
    // The compiler's `Debug` is its message with the place.
    let error = |error: protox::Error| SchemaError::InvalidProto(format!("{error:?}"));
    let mut compiler = protox::Compiler::new(includes).map_err(error)?;
    compiler.open_file(file).map_err(error)?;
    Ok(compiler.descriptor_pool())
}

/// Decodes a `google.protobuf.FileDescriptorSet`.
///
/// # Errors
///
/// Where it is none, or lacks a file that another imports.
pub(crate) fn decode_descriptor_set(set: &[u8]) -> Result<DescriptorPool, SchemaError> {
    let set = FileDescriptorSet::decode(set)
        .map_err(|error| SchemaError::InvalidDescriptors(error.to_string()))?;
    if set.file.is_empty() {
        return Err(SchemaError::InvalidDescriptors(
            "it holds no file".to_owned(),
        ));
    }
    link_files(set.file)
}

/// Files that import one another.
///
/// # Errors
///
/// Where they lack one, or contradict each other.
pub(crate) fn link_files(
    mut files: Vec<FileDescriptorProto>,
) -> Result<DescriptorPool, SchemaError> {
    // Those are there already, and another release's may differ.
    files.retain(|file| !is_well_known(file.name()));
    // Features of editions change what goes over the wire, and are not known here.
    let unknown = |file: &&FileDescriptorProto| !["", "proto2", "proto3"].contains(&file.syntax());
    if let Some(file) = files.iter().find(unknown) {
        return Err(SchemaError::UnsupportedSyntax {
            file: file.name().to_owned(),
            syntax: file.syntax().to_owned(),
        });
    }
    let mut pool = DescriptorPool::global();
    pool.add_file_descriptor_protos(files)
        .map_err(|error| SchemaError::InvalidDescriptors(format!("{error:?}")))?;
    Ok(pool)
}

/// Whether a file is one of protobuf's own, such as `google/protobuf/timestamp.proto`.
pub(crate) fn is_well_known(file: &str) -> bool {
    DescriptorPool::global().get_file_by_name(file).is_some()
}

/// The contract of a method: of the one at this path, else of the one that is named as in
/// `proto/sensor.proto`. Another is not guessed at: what it gets are credentials.
///
/// # Errors
///
/// Where there is no such method, or none that fits.
pub(crate) fn find_contract(
    pool: &DescriptorPool,
    path: Option<&PathAndQuery>,
) -> Result<Contract, SchemaError> {
    let methods: Vec<_> = pool
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .collect();
    let at = |path: &str| methods.iter().find(|method| path_of(method) == path);
    if let Some(path) = path {
        let method = at(path.as_str()).ok_or_else(|| SchemaError::MethodNotFound {
            wanted: path.to_string(),
            found: paths(&methods),
        })?;
        return of_method(method);
    }
    if let Some(method) = at(PATH) {
        return of_method(method);
    }
    let namesakes: Vec<_> = methods.iter().filter(|one| one.name() == METHOD).collect();
    match *namesakes.as_slice() {
        [] => Err(SchemaError::MethodNotFound {
            wanted: METHOD.to_owned(),
            found: paths(&methods),
        }),
        [only] => of_method(only),
        _ => Err(SchemaError::AmbiguousMethod(paths(namesakes))),
    }
}

fn path_of(method: &MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}

fn paths<'m>(methods: impl IntoIterator<Item = &'m MethodDescriptor>) -> Vec<String> {
    methods.into_iter().map(path_of).collect()
}

fn of_method(method: &MethodDescriptor) -> Result<Contract, SchemaError> {
    let path = path_of(method);
    let unsuitable = |message: &MessageDescriptor, problem| SchemaError::UnsuitableMethod {
        method: path.clone(),
        message: message.full_name().to_owned(),
        problem,
    };
    let (request, response) = (method.input(), method.output());
    if method.is_client_streaming() || method.is_server_streaming() {
        return Err(unsuitable(&request, MethodProblem::Streaming));
    }
    let list = chosen(&request, LIST_NAMES, records);
    let (list, record) =
        list.ok_or_else(|| unsuitable(&request, MethodProblem::NoRecordsField(fields(&request))))?;
    let token = chosen(&record, TOKEN_NAMES, |field| {
        (is_one(field) && matches!(field.kind(), Kind::Bytes | Kind::String)).then_some(())
    });
    let (token, ()) =
        token.ok_or_else(|| unsuitable(&record, MethodProblem::NoTokenField(fields(&record))))?;
    let time = chosen(&record, TIME_NAMES, |field| {
        let is_plain = is_one(field) && !counts_other_units(field.name());
        time_encoding(&field.kind()).filter(|_| is_plain)
    });
    let (time, (encoding, latest)) =
        time.ok_or_else(|| unsuitable(&record, MethodProblem::NoTimeField(fields(&record))))?;
    for (message, known) in [(&request, &[&list][..]), (&record, &[&token, &time])] {
        let unknown = message
            .fields()
            .find(|field| field.cardinality() == Cardinality::Required && !known.contains(&field));
        if let Some(field) = unknown {
            return Err(unsuitable(
                message,
                MethodProblem::UnknownRequiredField(field.name().to_owned()),
            ));
        }
    }
    if let (Some(one), Some(other)) = (token.containing_oneof(), time.containing_oneof())
        && one == other
    {
        return Err(unsuitable(
            &record,
            MethodProblem::SharedOneof(one.name().to_owned()),
        ));
    }
    let code = chosen(&response, CODE_NAMES, code);
    let says_something = response.fields().len() + response.extension_ranges().len() > 0;
    if code.is_none() && says_something {
        return Err(unsuitable(
            &response,
            MethodProblem::NoCodeField(fields(&response)),
        ));
    }
    Ok(Contract {
        path: path
            .parse()
            .map_err(|_| SchemaError::InvalidDescriptors(format!("{path} is no path of a call")))?,
        list: list.number(),
        token: token.number(),
        token_is_text: token.kind() == Kind::String,
        time: TimeField {
            number: time.number(),
            encoding,
            latest,
            keeps_zero: time.supports_presence(),
        },
        code: code.map(|(_, code)| code),
    })
}

/// The field of one of these names, in their order, or the only one, that `judge` takes. A field of
/// such a name that it does not take is not passed over for another.
fn chosen<T>(
    message: &MessageDescriptor,
    names: &[&str],
    judge: impl Fn(&FieldDescriptor) -> Option<T>,
) -> Option<(FieldDescriptor, T)> {
    let judged = |field: FieldDescriptor| {
        let judgement = judge(&field)?;
        Some((field, judgement))
    };
    let named = names
        .iter()
        .find_map(|name| message.fields().find(|field| is_named(field, &[name])));
    match named {
        Some(field) => judged(field),
        None => only(message.fields().filter_map(judged)),
    }
}

/// The type of the records in a list of them.
fn records(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    let is_list = field.is_list() && !field.is_group();
    field.kind().as_message().filter(|_| is_list).cloned()
}

fn is_one(field: &FieldDescriptor) -> bool {
    !field.is_list() && !field.is_map()
}

fn is_named(field: &FieldDescriptor, names: &[&str]) -> bool {
    names.contains(&normalized(field).as_str())
}

fn normalized(field: &FieldDescriptor) -> String {
    field.name().replace('_', "").to_ascii_lowercase()
}

fn only<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let first = all.next()?;
    all.next().is_none().then_some(first)
}

/// How a field of this kind holds an expire time, and the last one that it holds.
fn time_encoding(kind: &Kind) -> Option<(TimeEncoding, u32)> {
    const SIGNED: u32 = i32::MAX.unsigned_abs();
    Some(match kind {
        Kind::Uint32 | Kind::Uint64 | Kind::Int64 => (TimeEncoding::Varint, u32::MAX),
        Kind::Int32 => (TimeEncoding::Varint, SIGNED),
        Kind::Sint32 => (TimeEncoding::ZigZag, SIGNED),
        Kind::Sint64 => (TimeEncoding::ZigZag, u32::MAX),
        Kind::Fixed32 => (TimeEncoding::Fixed32, u32::MAX),
        Kind::Sfixed32 => (TimeEncoding::Fixed32, SIGNED),
        Kind::Fixed64 | Kind::Sfixed64 => (TimeEncoding::Fixed64, u32::MAX),
        Kind::Message(message) if is_timestamp(message) => (TimeEncoding::Timestamp, u32::MAX),
        _ => return None,
    })
}

fn is_timestamp(message: &MessageDescriptor) -> bool {
    let is_seconds = |field: &FieldDescriptor| field.number() == 1 && field.kind() == Kind::Int64;
    let seconds = message.get_field_by_name("seconds");
    message.full_name() == "google.protobuf.Timestamp"
        && seconds.is_some_and(|one| is_seconds(&one))
}

/// Whether a name ends in a unit that is not the second, as in `expire_time_ms` and `untilMillis`.
fn counts_other_units(name: &str) -> bool {
    const UNITS: &[&str] = &[
        "ms",
        "msec",
        "millis",
        "milliseconds",
        "us",
        "usec",
        "micros",
        "microseconds",
        "ns",
        "nsec",
        "nanos",
        "nanoseconds",
        "minutes",
        "hours",
        "days",
    ];
    let from = name.rfind(|c: char| c == '_' || c.is_ascii_uppercase());
    let last = name[from.unwrap_or(0)..].trim_start_matches('_');
    UNITS.contains(&last.to_ascii_lowercase().as_str())
}

/// A field that can be the code: it is called so, because a 0 that counts something is no success.
/// Within a oneof it would be 0 wherever another field is set.
fn code(field: &FieldDescriptor) -> Option<CodeField> {
    let is_called_so = normalized(field).ends_with("code");
    let is_alone = is_one(field)
        && field
            .containing_oneof()
            .is_none_or(|oneof| oneof.is_synthetic());
    let default = match field.default_value() {
        Value::I32(value) | Value::EnumNumber(value) => i64::from(value),
        Value::U32(value) => value.into(),
        Value::I64(value) => value,
        Value::U64(value) => i64::try_from(value).ok()?,
        _ => return None,
    };
    Some(CodeField {
        number: field.number(),
        kind: integer(&field.kind()).filter(|_| is_alone && is_called_so)?,
        absent: match field.cardinality() {
            Cardinality::Required => None,
            _ => Some(i32::try_from(default).ok()?),
        },
    })
}

fn integer(kind: &Kind) -> Option<IntegerKind> {
    Some(match kind {
        Kind::Int32 | Kind::Enum(_) => IntegerKind::Int32,
        Kind::Int64 => IntegerKind::Int64,
        Kind::Uint32 => IntegerKind::Uint32,
        Kind::Uint64 => IntegerKind::Uint64,
        Kind::Sint32 => IntegerKind::Sint32,
        Kind::Sint64 => IntegerKind::Sint64,
        Kind::Fixed32 => IntegerKind::Fixed32,
        Kind::Fixed64 => IntegerKind::Fixed64,
        Kind::Sfixed32 => IntegerKind::Sfixed32,
        Kind::Sfixed64 => IntegerKind::Sfixed64,
        _ => return None,
    })
}

/// Fields with their types, as a `.proto` file writes them.
fn fields(message: &MessageDescriptor) -> Vec<String> {
    message
        .fields()
        .map(|field| {
            let repeated = if field.is_list() { "repeated " } else { "" };
            format!("{repeated}{:?} {}", field.kind(), field.name())
        })
        .collect()
}
