//! Turns the options of input into the plans for reading it.

use std::{
    collections::HashSet,
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::PathBuf,
};

use jiff::civil::Time;

use super::options::{FormatArgs, InputArgs};
use crate::{
    commands::{InputPlan, ledger::TokenInput},
    diagnostics::{self, Failure},
    input::{FieldSelector, InputOptions, InputSource},
    record::{TimeRange, TimeRules},
    user_path::{UserPath, describe_value},
};

pub(super) fn input_plan(args: InputArgs) -> Result<InputPlan, Failure> {
    let time_rules = TimeRules {
        unit: args.time_unit,
        zone: args.timezone,
        formats: args.time_format,
        default_time: if args.end_of_day {
            Time::constant(23, 59, 59, 0)
        } else {
            Time::midnight()
        },
    };
    if let (Some(min), Some(max)) = (args.min_records, args.max_records)
        && max < min
    {
        return Err(Failure::usage(format!(
            "--max-records {max} is less than --min-records {min}"
        )));
    }
    let time_field = args.time_field.unwrap_or(FieldSelector::DefaultNames);
    Ok(InputPlan {
        sources: input_sources(args.files)?,
        options: InputOptions {
            time_range: time_range(
                args.earliest.as_deref(),
                args.latest.as_deref(),
                &time_rules,
            )?,
            time_rules,
            ..input_options(args.format, time_field)?
        },
        max_errors: args.max_errors,
        on_duplicate: args.on_duplicate,
        refuses_past: args.refuse_past,
        min_records: args.min_records,
        max_records: args.max_records,
        refuses_empty: args.fail_on_empty,
    })
}

/// Reads only the tokens of `file`.
pub(super) fn token_input(file: PathBuf, format: FormatArgs) -> Result<TokenInput, Failure> {
    Ok(TokenInput {
        sources: input_sources(vec![file])?,
        options: InputOptions {
            // Only tokens are used, but the times of a rejects file are read, too.
            time_range: TimeRange::ALL,
            ..input_options(format, FieldSelector::Unused)?
        },
    })
}

fn time_range(
    earliest: Option<&str>,
    latest: Option<&str>,
    rules: &TimeRules,
) -> Result<TimeRange, Failure> {
    let mut range = TimeRange::default();
    for (option, text, limit) in [
        ("--earliest", earliest, &mut range.earliest),
        ("--latest", latest, &mut range.latest),
    ] {
        if let Some(text) = text {
            let time = rules.parse(text.as_bytes());
            *limit = time.map_err(|error| diagnostics::time_invalid(option, text, error))?;
        }
    }
    if range.earliest > range.latest {
        return Err(Failure::usage(format!(
            "--latest {} is before --earliest {}",
            range.latest, range.earliest
        )));
    }
    Ok(range)
}

fn input_options(args: FormatArgs, time_field: FieldSelector) -> Result<InputOptions, Failure> {
    let token_field = args.token_field.unwrap_or(FieldSelector::DefaultNames);
    if token_field == time_field && token_field != FieldSelector::DefaultNames {
        return Err(Failure::usage(
            "--token-field and --time-field name the same field",
        ));
    }
    for (option, field) in [
        ("--token-field", &token_field),
        ("--time-field", &time_field),
    ] {
        if args.no_header
            && field.column_number().is_none()
            && let FieldSelector::Name(name) = field
        {
            return Err(Failure::usage(format!(
                "{option} \"{}\" is a name, but --no-header files have only column numbers",
                describe_value(name)
            )));
        }
    }
    Ok(InputOptions {
        format: args.input_format,
        token_field,
        time_field,
        has_header: !args.no_header,
        delimiter: args.delimiter,
        token_encoding: args.token_encoding,
        records_pointer: args.records,
        ..InputOptions::default()
    })
}

fn input_sources(files: Vec<PathBuf>) -> Result<Vec<InputSource>, Failure> {
    if files.is_empty() {
        return Ok(vec![InputSource::Stdin]);
    }
    let to_source = |file: PathBuf| match file.to_str() {
        Some("-") => InputSource::Stdin,
        _ => InputSource::File(file),
    };
    if let Some(fifo) = find_repeated_fifo(&files) {
        let fifo = UserPath::from(fifo.as_path());
        return Err(Failure::usage(format!("{fifo} can be read only once")));
    }
    let sources: Vec<_> = files.into_iter().map(to_source).collect();
    let is_stdin = |source: &&InputSource| **source == InputSource::Stdin;
    if sources.iter().filter(is_stdin).count() > 1 {
        return Err(Failure::usage("standard input can be read only once"));
    }
    Ok(sources)
}

/// A second reader of a FIFO would wait forever for a second writer.
fn find_repeated_fifo(files: &[PathBuf]) -> Option<&PathBuf> {
    let mut fifos = HashSet::new();
    files.iter().find(|file| {
        let metadata = fs::metadata(file);
        let metadata = metadata.ok().filter(|one| one.file_type().is_fifo());
        metadata.is_some_and(|fifo| !fifos.insert((fifo.dev(), fifo.ino())))
    })
}
