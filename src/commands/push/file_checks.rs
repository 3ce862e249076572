//! Refuses file names with which one output of a push would replace a different output, or the
//! input.

use std::path::Path;

use super::plan::Plan;
use crate::{diagnostics::Failure, input::InputSource, user_path::UserPath};

/// Refuses a file that is named for two outputs, and a metrics file that is also an input.
///
/// The rejects file may also be an input. The push replaces the input with the rejects file only at
/// its end, after it has accounted for every record.
pub(super) fn refuse_shared_files(plan: &Plan) -> Result<(), Failure> {
    let outputs = [
        ("--rejects", plan.rejects_file.as_deref()),
        ("--metrics-file", plan.metrics_file.as_deref()),
        (
            "--ledger",
            plan.ledger.as_ref().map(|ledger| ledger.path.as_path()),
        ),
    ];
    for (index, (option, path)) in outputs.iter().enumerate() {
        for (other_option, other_path) in &outputs[index + 1..] {
            if let (Some(path), Some(other_path)) = (path, other_path)
                && is_same_file(path, other_path)
            {
                return Err(Failure::usage(format!(
                    "{option} and {other_option} name the same file"
                )));
            }
        }
    }
    let Some(metrics_file) = plan.metrics_file.as_deref() else {
        return Ok(());
    };
    let input = plan.input.sources.iter().find_map(|source| match source {
        InputSource::File(path) => Some(path).filter(|path| is_same_file(metrics_file, path)),
        InputSource::Stdin | InputSource::Memory(_) => None,
    });
    input.map_or(Ok(()), |input| {
        Err(Failure::usage(format!(
            "--metrics-file names the input {}",
            UserPath::from(input.as_path())
        )))
    })
}

/// Returns whether both paths lead to the same file, even if the file does not exist yet.
///
/// Returns `false` for a pipe or a device, because two outputs may write to the same pipe without
/// replacing each other.
fn is_same_file(path: &Path, other: &Path) -> bool {
    let is_special = path.metadata().is_ok_and(|metadata| !metadata.is_file());
    !is_special && resolve(path).is_some_and(|resolved| resolve(other) == Some(resolved))
}

/// Returns the absolute path with all symbolic links followed. The file need not exist, even if the
/// path is a link to the file. Returns `None` if the directory of the file does not exist.
fn resolve(path: &Path) -> Option<std::path::PathBuf> {
    let name = path.file_name()?;
    let folder = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
        .canonicalize()
        .ok()?;
    let file = folder.join(name);
    match file.read_link() {
        Ok(target) => Some(file.canonicalize().unwrap_or_else(|_| folder.join(target))),
        Err(_) => Some(file),
    }
}
