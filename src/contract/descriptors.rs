//! Builds descriptor pools, which hold linked protobuf files with all type names resolved.

use std::path::{Path, PathBuf};

use prost::Message;
use prost_reflect::DescriptorPool;
use prost_types::{FileDescriptorProto, FileDescriptorSet};

use super::error::ContractError;

/// Imported files are searched in `import_paths`, then in the folder of `file`.
pub(crate) fn compile_proto(
    file: &Path,
    import_paths: &[PathBuf],
) -> Result<DescriptorPool, ContractError> {
    let mut includes = import_paths.to_vec();
    if file.exists() {
        let folder = file.parent().filter(|path| !path.as_os_str().is_empty());
        includes.push(folder.unwrap_or(Path::new(".")).to_owned());
    }
    // Only the `Debug` format of the compiler's error contains the line and the column.
    let error = |error: protox::Error| ContractError::InvalidProto(format!("{error:?}"));
    let mut compiler = protox::Compiler::new(includes).map_err(error)?;
    compiler.open_file(file).map_err(error)?;
    Ok(compiler.descriptor_pool())
}

pub(crate) fn decode_descriptor_set(set: &[u8]) -> Result<DescriptorPool, ContractError> {
    let set = FileDescriptorSet::decode(set)
        .map_err(|error| ContractError::InvalidDescriptors(error.to_string()))?;
    if set.file.is_empty() {
        return Err(ContractError::InvalidDescriptors("no file".to_owned()));
    }
    link_files(set.file)
}

pub(crate) fn link_files(
    mut files: Vec<FileDescriptorProto>,
) -> Result<DescriptorPool, ContractError> {
    // The global pool already has the well-known files, and ignores other versions of them.
    files.retain(|file| !is_well_known(file.name()));
    // prost-reflect panics on protobuf editions. A file without a `syntax` is proto2.
    let is_unsupported =
        |file: &&FileDescriptorProto| !["", "proto2", "proto3"].contains(&file.syntax());
    if let Some(file) = files.iter().find(is_unsupported) {
        let message = format!("{} has the syntax \"{}\"", file.name(), file.syntax());
        return Err(ContractError::InvalidDescriptors(message));
    }
    let mut pool = DescriptorPool::global();
    pool.add_file_descriptor_protos(files)
        .map_err(|error| ContractError::InvalidDescriptors(format!("{error:?}")))?;
    Ok(pool)
}

pub(crate) fn is_well_known(file: &str) -> bool {
    DescriptorPool::global().get_file_by_name(file).is_some()
}
