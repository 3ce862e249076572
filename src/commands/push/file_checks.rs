//! Refuses files with which one output of a push would replace another output, or the input.

use std::path::{self, Path, PathBuf};

use super::plan::Plan;
use crate::{diagnostics::Failure, input::InputSource, user_path::UserPath};

/// Only the rejects file may also be an input, because it is replaced at the end of the push.
pub(super) fn refuse_shared_files(plan: &Plan) -> Result<(), Failure> {
    let (rejects, metrics) = (plan.rejects_file.as_deref(), plan.metrics_file.as_deref());
    let ledger = plan.ledger.as_ref().map(|ledger| &*ledger.path);
    for (option, path, other_option, other_path) in [
        ("--rejects", rejects, "--metrics-file", metrics),
        ("--rejects", rejects, "--ledger", ledger),
        ("--metrics-file", metrics, "--ledger", ledger),
    ] {
        if is_same_file(path, other_path) {
            return Err(Failure::usage(format!(
                "{option} and {other_option} name the same file"
            )));
        }
    }
    for source in &plan.input.sources {
        if let InputSource::File(input) = source
            && is_same_file(metrics, Some(input))
        {
            return Err(Failure::usage(format!(
                "--metrics-file and the input name the same file: {}",
                UserPath::from(input.as_path())
            )));
        }
    }
    Ok(())
}

/// Returns `false` for a pipe or a device, because two outputs may write to the same pipe without
/// replacing each other.
fn is_same_file(path: Option<&Path>, other: Option<&Path>) -> bool {
    let (Some(path), Some(other)) = (path, other) else {
        return false;
    };
    let is_special = path.metadata().is_ok_and(|metadata| !metadata.is_file());
    !is_special && resolve(path).is_some_and(|resolved| resolve(other) == Some(resolved))
}

/// Returns the path with all symbolic links resolved. The file at the end of the links need not
/// exist.
fn resolve(path: &Path) -> Option<PathBuf> {
    if let Ok(resolved) = path.canonicalize() {
        return Some(resolved);
    }
    let target = match path.read_link() {
        Ok(target) => path.with_file_name(target),
        Err(_) => path.to_owned(),
    };
    let target = path::absolute(target).ok()?;
    let folder = target.parent()?.canonicalize().ok()?;
    Some(folder.join(target.file_name()?))
}
