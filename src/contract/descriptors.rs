//! Descriptor pools from `.proto` files, descriptor sets and the files of server reflection.

use std::path::{Path, PathBuf};

use prost::Message;
use prost_reflect::DescriptorPool;
use prost_types::{FileDescriptorProto, FileDescriptorSet};

use super::error::SchemaError;

/// Compiles a `.proto` file. Its imports are searched in `import_paths`, then in the file's folder.
///
/// # Errors
///
/// The compiler's message, which names file, line and column.
pub(crate) fn compile_proto(
    file: &Path,
    import_paths: &[PathBuf],
) -> Result<DescriptorPool, SchemaError> {
    let mut includes = import_paths.to_vec();
    if file.exists() {
        let folder = file.parent().filter(|path| !path.as_os_str().is_empty());
        includes.push(folder.unwrap_or(Path::new(".")).to_owned());
    }
    // Only the `Debug` format of the compiler's error contains the position.
    let error = |error: protox::Error| SchemaError::InvalidProto(format!("{error:?}"));
    let mut compiler = protox::Compiler::new(includes).map_err(error)?;
    compiler.open_file(file).map_err(error)?;
    Ok(compiler.descriptor_pool())
}

/// Decodes a `google.protobuf.FileDescriptorSet`.
///
/// # Errors
///
/// An error if the bytes are no descriptor set, or if an imported file is missing.
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

/// Resolves the imports and type names of files that import one another.
///
/// # Errors
///
/// An error if an imported file is missing, or if the files contradict each other.
pub(crate) fn link_files(
    mut files: Vec<FileDescriptorProto>,
) -> Result<DescriptorPool, SchemaError> {
    // The global pool already has the well-known files, which may differ between releases.
    files.retain(|file| !is_well_known(file.name()));
    // The features of protobuf editions change the encoding and are not supported.
    let is_unsupported =
        |file: &&FileDescriptorProto| !["", "proto2", "proto3"].contains(&file.syntax());
    if let Some(file) = files.iter().find(is_unsupported) {
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

/// Returns whether a file belongs to protobuf itself, such as `google/protobuf/timestamp.proto`.
pub(crate) fn is_well_known(file: &str) -> bool {
    DescriptorPool::global().get_file_by_name(file).is_some()
}
