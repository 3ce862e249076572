//! [`find_contract`]: finds the contract in the descriptors of a server. Without a method from the
//! user, the method must have the name in `proto/sensor.proto`. A field is chosen by its name
//! there, except for case and underscores, or else because no other field has a suitable type.

use http::uri::PathAndQuery;
use prost_reflect::{
    Cardinality, DescriptorPool, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, Value,
};

use super::{
    codec::CodeField,
    error::{ContractError, MethodProblem},
    messages::Contract,
    time_field::{TimeEncoding, TimeField, TimeType},
};

const METHOD_NAME: &str = "UpdateSensorExpireTime";
const METHOD_PATH: &str = "/Internal/UpdateSensorExpireTime";

// The field names are in lower case and without underscores, as `normalized_name` returns names.
const RECORDS_FIELD_NAMES: &[&str] = &["sensorexpire"];
const TOKEN_FIELD_NAMES: &[&str] = &["devicetoken", "token"];
const TIME_FIELD_NAMES: &[&str] = &["expiretime"];
const CODE_FIELD_NAMES: &[&str] = &["code"];

struct ChosenField<T> {
    field: FieldDescriptor,
    role: T,
}

/// No other method is guessed, because the wrong one would receive tokens, which are credentials.
pub(crate) fn find_contract(
    pool: &DescriptorPool,
    path: Option<&PathAndQuery>,
) -> Result<Contract, ContractError> {
    let methods: Vec<_> = pool
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .collect();
    let wanted = path.map_or(METHOD_PATH, PathAndQuery::as_str);
    if let Some(method) = methods.iter().find(|method| method_path(method) == wanted) {
        return build_contract(method, &methods);
    }
    let has_name = |method: &&MethodDescriptor| path.is_none() && method.name() == METHOD_NAME;
    let candidates: Vec<_> = methods.iter().filter(has_name).collect();
    match *candidates.as_slice() {
        [] => Err(ContractError::MethodNotFound {
            wanted: path.map_or(METHOD_NAME, PathAndQuery::as_str).to_owned(),
            found: paths(&methods),
        }),
        [only] => build_contract(only, &methods),
        _ => Err(ContractError::AmbiguousMethod(paths(candidates))),
    }
}

fn method_path(method: &MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}

fn paths<'m>(methods: impl IntoIterator<Item = &'m MethodDescriptor>) -> Vec<String> {
    methods.into_iter().map(method_path).collect()
}

fn build_contract(
    method: &MethodDescriptor,
    methods: &[MethodDescriptor],
) -> Result<Contract, ContractError> {
    let path = method_path(method);
    describe_messages(method, &path).map_err(|problem| ContractError::UnsuitableMethod {
        others: paths(methods.iter().filter(|other| *other != method)),
        method: path,
        problem,
    })
}

fn describe_messages(method: &MethodDescriptor, path: &str) -> Result<Contract, MethodProblem> {
    if method.is_client_streaming() || method.is_server_streaming() {
        return Err(MethodProblem::Streaming);
    }
    let (request, response) = (method.input(), method.output());
    let wanted = "field for the records (one repeated message)";
    let records = choose_field(&request, wanted, RECORDS_FIELD_NAMES, record_type)?;
    let record = &records.role;
    let wanted = "field for the device token (one bytes or string)";
    let token = choose_field(record, wanted, TOKEN_FIELD_NAMES, token_type)?;
    let wanted =
        "field for the expiration time (one integer in seconds or google.protobuf.Timestamp)";
    let time = choose_field(record, wanted, TIME_FIELD_NAMES, |field| {
        // Two members of a oneof exclude each other.
        let oneof = field.containing_oneof();
        let is_excluded = oneof.is_some() && oneof == token.field.containing_oneof();
        time_type(field).filter(|_| !is_excluded)
    })?;
    check_required(&request, &[&records.field])?;
    check_required(record, &[&token.field, &time.field])?;
    let is_empty = response.fields().len() + response.extension_ranges().len() == 0;
    let wanted = "code (one integer or enum outside of a oneof, with a name that ends in \"code\")";
    let code_field = match choose_field(&response, wanted, CODE_FIELD_NAMES, code_field) {
        Ok(code) => Some(code.role),
        Err(_) if is_empty => None,
        Err(problem) => return Err(problem),
    };
    Ok(Contract {
        path: path.parse().map_err(|_| MethodProblem::InvalidPath)?,
        records_field: records.field.number(),
        token_field: token.field.number(),
        is_token_string: token.field.kind() == Kind::String,
        time_field: TimeField {
            number: time.field.number(),
            value_type: time.role,
            has_presence: time.field.supports_presence(),
        },
        code_field,
    })
}

fn choose_field<T>(
    message: &MessageDescriptor,
    wanted: &'static str,
    names: &[&str],
    role: impl Fn(&FieldDescriptor) -> Option<T>,
) -> Result<ChosenField<T>, MethodProblem> {
    let choose = |field: FieldDescriptor| {
        let role = role(&field)?;
        Some(ChosenField { field, role })
    };
    let named = names.iter().find_map(|name| {
        let mut fields = message.fields();
        fields.find(|field| normalized_name(field) == *name)
    });
    let chosen = match named {
        Some(field) => choose(field),
        None => only(message.fields().filter_map(choose)),
    };
    chosen.ok_or_else(|| MethodProblem::NoField {
        message: message.full_name().to_owned(),
        wanted,
        fields: field_list(message),
    })
}

/// This program has no values for required fields that are not `known`.
fn check_required(
    message: &MessageDescriptor,
    known: &[&FieldDescriptor],
) -> Result<(), MethodProblem> {
    let unknown = message
        .fields()
        .find(|field| field.cardinality() == Cardinality::Required && !known.contains(&field));
    match unknown {
        Some(field) => Err(MethodProblem::UnknownRequiredField {
            message: message.full_name().to_owned(),
            field: field.name().to_owned(),
        }),
        None => Ok(()),
    }
}

fn record_type(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    let is_repeated = field.is_list() && !field.is_group();
    field.kind().as_message().filter(|_| is_repeated).cloned()
}

fn token_type(field: &FieldDescriptor) -> Option<()> {
    (is_singular(field) && matches!(field.kind(), Kind::Bytes | Kind::String)).then_some(())
}

fn is_singular(field: &FieldDescriptor) -> bool {
    !field.is_list() && !field.is_map()
}

fn normalized_name(field: &FieldDescriptor) -> String {
    field.name().replace('_', "").to_ascii_lowercase()
}

fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next()?;
    items.next().is_none().then_some(first)
}

fn time_type(field: &FieldDescriptor) -> Option<TimeType> {
    const LATEST_SIGNED: u32 = i32::MAX.unsigned_abs();
    if !is_singular(field) || has_other_unit(field.name()) {
        return None;
    }
    let (encoding, latest) = match field.kind() {
        Kind::Uint32 | Kind::Uint64 | Kind::Int64 => (TimeEncoding::Varint, u32::MAX),
        Kind::Int32 => (TimeEncoding::Varint, LATEST_SIGNED),
        Kind::Sint32 => (TimeEncoding::ZigZag, LATEST_SIGNED),
        Kind::Sint64 => (TimeEncoding::ZigZag, u32::MAX),
        Kind::Fixed32 => (TimeEncoding::Fixed32, u32::MAX),
        Kind::Sfixed32 => (TimeEncoding::Fixed32, LATEST_SIGNED),
        Kind::Fixed64 | Kind::Sfixed64 => (TimeEncoding::Fixed64, u32::MAX),
        Kind::Message(message) if message.full_name() == "google.protobuf.Timestamp" => {
            (TimeEncoding::Timestamp, u32::MAX)
        }
        _ => return None,
    };
    Some(TimeType { encoding, latest })
}

fn has_other_unit(name: &str) -> bool {
    const UNITS: &str = "ms msec millis milliseconds us usec micros microseconds ns nsec nanos \
        nanoseconds minutes hours days";
    let start = name.rfind(|c: char| c == '_' || c.is_ascii_uppercase());
    let last_word = name[start.unwrap_or(0)..].trim_start_matches('_');
    UNITS
        .split_whitespace()
        .any(|unit| unit.eq_ignore_ascii_case(last_word))
}

/// The name must end in "code", because 0 in any other field, such as a count, does not mean
/// success. In a oneof, the code would be 0 whenever another member is set.
fn code_field(field: &FieldDescriptor) -> Option<CodeField> {
    let is_named_code = normalized_name(field).ends_with("code");
    let is_in_oneof = field
        .containing_oneof()
        .is_some_and(|oneof| !oneof.is_synthetic());
    let default = match field.default_value() {
        Value::I32(value) | Value::EnumNumber(value) => i64::from(value),
        Value::U32(value) => value.into(),
        Value::I64(value) => value,
        Value::U64(value) => i64::try_from(value).ok()?,
        _ => return None,
    };
    if !is_named_code || !is_singular(field) || is_in_oneof {
        return None;
    }
    Some(CodeField {
        number: field.number(),
        kind: field.kind(),
        default: match field.cardinality() {
            Cardinality::Required => None,
            _ => Some(i32::try_from(default).ok()?),
        },
    })
}

fn field_list(message: &MessageDescriptor) -> Vec<String> {
    message
        .fields()
        .map(|field| {
            let repeated = if field.is_list() { "repeated " } else { "" };
            let oneof = field.containing_oneof().filter(|it| !it.is_synthetic());
            let oneof = oneof.map_or_else(String::new, |it| format!(" (oneof {})", it.name()));
            format!("{repeated}{:?} {}{oneof}", field.kind(), field.name())
        })
        .collect()
}
