//! An opened input, which knows its format and can be read any number of times.

use super::{
    bytes::{Content, InputSource, LineBuffer, ReadLimits},
    detect::{DetectedFormat, Head, format_from_name},
    excerpt::Excerpt,
    fields::FieldNames,
    json,
    options::{InputFormat, InputOptions, JsonPointer, REQUEST_ARRAY_KEY, format_pointer},
    position::InputLabel,
    problem::{Field, ProblemKind, ReadError},
    reader::RecordReader,
};

#[derive(Debug)]
pub(super) struct InputFile {
    pub(super) label: InputLabel,
    content: Content,
    known_format: Option<InputFormat>,
    detected_format: Option<DetectedFormat>,
    /// Whether the first pass did not reach the end of the input, so that no later pass reads it.
    pub(super) is_incomplete: bool,
}

impl InputFile {
    pub(super) fn open(
        source: &InputSource,
        label: InputLabel,
        options: &InputOptions,
        read_limits: &ReadLimits,
    ) -> Result<Self, ReadError> {
        let content = Content::open(source, read_limits).map_err(ProblemKind::cannot_open)?;
        let format_from_source = || match source {
            InputSource::File(_) => format_from_name(&label.name),
            InputSource::Stdin | InputSource::Memory(_) => None,
        };
        Ok(Self {
            content,
            known_format: options.format.or_else(format_from_source),
            label,
            detected_format: None,
            is_incomplete: false,
        })
    }

    pub(super) fn set_read_limits(&mut self, read_limits: ReadLimits) {
        self.content.read_limits = read_limits;
    }

    pub(super) fn detected_format(&self) -> Option<&DetectedFormat> {
        self.detected_format.as_ref()
    }

    pub(super) fn records<'i>(
        &'i mut self,
        options: &'i InputOptions,
    ) -> Result<RecordReader<'i>, ReadError> {
        let format = match self.detected_format.take() {
            Some(format) => format,
            None => self.detect_format(options)?,
        };
        self.detected_format = Some(format.clone());
        RecordReader::open(format, self.line_buffer()?, options)
    }

    fn line_buffer(&mut self) -> Result<LineBuffer<'_>, ReadError> {
        Ok(LineBuffer::new(self.content.text_reader()?))
    }

    /// Reads all of a JSON document in which the records must be located, and else the first bytes.
    fn detect_format(&mut self, options: &InputOptions) -> Result<DetectedFormat, ReadError> {
        let head = Head::read(&mut self.content.text_reader()?)?;
        if let Some(format) = head.unsupported_format() {
            return Err(ProblemKind::UnsupportedFormat(format).into());
        }
        if head.is_blank() {
            return Ok(DetectedFormat::Blank);
        }
        if head.is_rejects() {
            return Ok(DetectedFormat::Rejects);
        }
        if head.is_altered_rejects() {
            return Err(ProblemKind::AlteredRejects.into());
        }
        let separator = head.separator();
        let csv = |default| {
            let delimiter = options.delimiter.or(separator).unwrap_or(default);
            Ok(DetectedFormat::Csv {
                delimiter,
                has_separator_line: separator.is_some(),
            })
        };
        let has_pointer = options.records_pointer.is_some();
        match self.known_format.unwrap_or_else(|| head.format()) {
            InputFormat::Csv | InputFormat::Tsv | InputFormat::Ndjson if has_pointer => {
                Err(ProblemKind::NotJsonDocument.into())
            }
            InputFormat::Csv => csv(b','),
            InputFormat::Tsv => csv(b'\t'),
            InputFormat::Ndjson => Ok(DetectedFormat::Ndjson { is_guess: false }),
            // The record reader checks each element of a root array, and refuses any other root.
            InputFormat::Json if head.first_byte() != Some(b'{') && !has_pointer => {
                Ok(DetectedFormat::JsonArray {
                    path: Vec::new(),
                    is_protobuf: false,
                })
            }
            InputFormat::Json | InputFormat::ProtoJson => self.detect_in_document(&head, options),
        }
    }

    fn detect_in_document(
        &mut self,
        head: &Head,
        options: &InputOptions,
    ) -> Result<DetectedFormat, ReadError> {
        let Err(error) = json::check_syntax(self.content.text_reader()?) else {
            return self.locate_records(options);
        };
        let has_documents = matches!(*error.kind, ProblemKind::MultipleDocuments);
        match (self.known_format, &options.records_pointer) {
            (Some(InputFormat::ProtoJson), _) => Err(error),
            (_, Some(_)) if has_documents => Err(ProblemKind::NotJsonDocument.into()),
            (None, None) if has_documents && head.has_document_per_line() => {
                Ok(DetectedFormat::Ndjson { is_guess: true })
            }
            (_, None) if has_documents => Ok(DetectedFormat::JsonObjects),
            // The NDJSON reader reports a malformed first line and continues.
            (None, None) if head.is_ndjson() => Ok(DetectedFormat::Ndjson { is_guess: false }),
            _ => Err(error),
        }
    }

    fn locate_records(&mut self, options: &InputOptions) -> Result<DetectedFormat, ReadError> {
        let members = json::read_root_members(self.line_buffer()?)?;
        let keys: Vec<_> = members.iter().map(|member| &*member.key).collect();
        let arrays = members.iter().filter(|member| member.is_array());
        let arrays: Vec<_> = arrays.map(|member| vec![member.key.clone()]).collect();
        let is_request = keys.contains(&REQUEST_ARRAY_KEY);
        let is_protobuf = is_request || self.known_format == Some(InputFormat::ProtoJson);
        let array = |path, is_protobuf| Ok(DetectedFormat::JsonArray { path, is_protobuf });
        let names = FieldNames::new(options);
        let is_record = self.known_format != Some(InputFormat::ProtoJson)
            && options.records_pointer.is_none()
            && is_record(&keys, !arrays.is_empty(), &names);
        if is_record {
            match self.find_record_arrays(&members, &names)?.as_slice() {
                [] if is_request => {}
                [] => return Ok(DetectedFormat::JsonRecord),
                arrays => {
                    let only_array = json::only_pointer(arrays);
                    let arrays = pointers(arrays);
                    return Err(ProblemKind::RecordWithArrays { arrays, only_array }.into());
                }
            }
        }
        json::check_keys(&members)?;
        if let Some(path) = &options.records_pointer {
            json::check_path(self.line_buffer()?, path)?;
            let ends_at_request = path.last().is_some_and(|key| key == REQUEST_ARRAY_KEY);
            let is_protobuf = is_protobuf || ends_at_request && options.format.is_none();
            return array(path.clone(), is_protobuf);
        }
        if is_request {
            return match self.find_record_arrays(&members, &names)?.as_slice() {
                [] | [_] => array(vec![REQUEST_ARRAY_KEY.to_owned()], true),
                arrays => Err(ProblemKind::SeveralArrays(pointers(arrays)).into()),
            };
        }
        if is_protobuf {
            let has_array = !arrays.is_empty();
            return Err(ProblemKind::MissingRequestArray { has_array }.into());
        }
        match arrays.as_slice() {
            [only] => match self.find_other_arrays(&members, &names, only)?.as_slice() {
                [] => array(only.clone(), false),
                others => {
                    let arrays = [std::slice::from_ref(only), others].concat();
                    Err(ProblemKind::SeveralArrays(pointers(&arrays)).into())
                }
            },
            [] => {
                let keys = keys.iter().map(|key| Excerpt::from_text(key)).collect();
                let only_array = json::find_only_array(&mut self.line_buffer()?, &[]);
                let may_be_record =
                    !members.is_empty() && !members.iter().any(json::Member::may_contain_arrays);
                Err(ProblemKind::NoArray {
                    keys,
                    may_be_record,
                    only_array,
                }
                .into())
            }
            arrays => Err(ProblemKind::SeveralArrays(pointers(arrays)).into()),
        }
    }

    /// Returns the arrays of records in the objects of the root, unless `array` has records too.
    fn find_other_arrays(
        &mut self,
        members: &[json::Member],
        names: &FieldNames,
        array: &JsonPointer,
    ) -> Result<Vec<JsonPointer>, ReadError> {
        if members
            .iter()
            .all(|member| member.is_array() || !member.may_contain_arrays())
        {
            return Ok(Vec::new());
        }
        let arrays = json::find_record_arrays(self.line_buffer()?, names)?;
        Ok(if arrays.contains(array) {
            Vec::new()
        } else {
            arrays
        })
    }

    /// Returns the arrays of records and, even if it is empty, the array of a request message.
    fn find_record_arrays(
        &mut self,
        members: &[json::Member],
        names: &FieldNames,
    ) -> Result<Vec<JsonPointer>, ReadError> {
        let is_request_array = |member: &&json::Member| {
            let letters = member.key.replace('_', "");
            member.is_array() && letters.eq_ignore_ascii_case(REQUEST_ARRAY_KEY)
        };
        let requests = members.iter().filter(is_request_array);
        let mut arrays: Vec<_> = requests.map(|member| vec![member.key.clone()]).collect();
        let may_be_others = members
            .iter()
            .any(|member| member.may_contain_arrays() && !is_request_array(&member));
        if may_be_others {
            let found = json::find_record_arrays(self.line_buffer()?, names)?;
            arrays.extend(found);
            arrays.sort_unstable();
            arrays.dedup();
        }
        Ok(arrays)
    }
}

fn pointers(paths: &[JsonPointer]) -> Vec<Excerpt> {
    let pointers = paths.iter().map(|path| format_pointer(path));
    pointers
        .map(|pointer| Excerpt::from_text(&pointer))
        .collect()
}

/// Returns whether the root of a document is a record: it has every field that the options use, or
/// at least one field but no array that could contain records.
fn is_record(keys: &[&str], has_array: bool, names: &FieldNames) -> bool {
    let is_key = |name: &String| keys.contains(&name.as_str());
    let has = |field| names.names_of(field).iter().any(is_key);
    let has_if_used = |field| !names.is_used(field) || has(field);
    (has_if_used(Field::Token) && has_if_used(Field::Time))
        || (!has_array && (has(Field::Token) || has(Field::Time)))
}
