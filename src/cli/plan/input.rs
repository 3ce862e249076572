//! Turns options into an [`InputPlan`]: files, format, fields, and the rules that refuse an input.

use std::path::PathBuf;

use crate::{
    cli::options::{FormatArgs, InputArgs},
    commands::InputPlan,
    diagnostics::Failure,
    input::{FieldSelector, InputOptions, InputSource},
    record::TimeRules,
    user_path::describe_value,
};

pub(super) fn input_plan(args: InputArgs) -> Result<InputPlan, Failure> {
    if args.format.no_header {
        refuse_name("--time-field", args.time_field.as_ref())?;
    }
    if args.format.token_field.is_some() && args.format.token_field == args.time_field {
        return Err(Failure::usage(
            "--token-field and --time-field name the same field",
        ));
    }
    let time_rules = TimeRules {
        unit: args.time_unit,
        zone: args.timezone,
    };
    let time_field = args.time_field.unwrap_or(FieldSelector::DefaultNames);
    Ok(InputPlan {
        sources: input_sources(args.files)?,
        options: input_options(args.format, time_field, time_rules)?,
        max_errors: args.max_errors,
        on_duplicate: args.on_duplicate,
        refuses_past: args.refuse_past,
        min_records: args.min_records,
        max_records: args.max_records,
        refuses_empty: args.fail_on_empty,
    })
}

pub(super) fn input_options(
    args: FormatArgs,
    time_field: FieldSelector,
    time_rules: TimeRules,
) -> Result<InputOptions, Failure> {
    if args.no_header {
        refuse_name("--token-field", args.token_field.as_ref())?;
    }
    Ok(InputOptions {
        format: args.input_format,
        token_field: args.token_field.unwrap_or(FieldSelector::DefaultNames),
        time_field,
        has_header: !args.no_header,
        delimiter: args.delimiter,
        token_encoding: args.token_encoding,
        time_rules,
        records_pointer: args.records,
    })
}

fn refuse_name(option: &str, field: Option<&FieldSelector>) -> Result<(), Failure> {
    let Some(FieldSelector::Name(name)) = field else {
        return Ok(());
    };
    Err(Failure::usage(format!(
        "{option} \"{}\" is a name, but --no-header files have only column numbers",
        describe_value(name)
    )))
}

pub(super) fn input_sources(files: Vec<PathBuf>) -> Result<Vec<InputSource>, Failure> {
    if files.is_empty() {
        return Ok(vec![InputSource::Stdin]);
    }
    let sources: Vec<_> = files
        .into_iter()
        .map(|file| match file.to_str() {
            Some("-") => InputSource::Stdin,
            _ => InputSource::File(file),
        })
        .collect();
    let stdin_sources = sources
        .iter()
        .filter(|source| **source == InputSource::Stdin);
    if stdin_sources.count() > 1 {
        return Err(Failure::usage("standard input can be read only once"));
    }
    Ok(sources)
}
