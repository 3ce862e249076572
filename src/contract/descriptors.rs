//! Builds descriptor pools, which hold linked protobuf files with all type names resolved.

use std::{
    fs,
    path::{Path, PathBuf},
};

use prost::Message;
use prost_reflect::DescriptorPool;
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use protox::file::{ChainFileResolver, FileResolver, GoogleFileResolver, IncludeFileResolver};

use super::error::ContractError;

/// Imported files are searched in `import_paths`, then in the folder of `file`. Without `text`, the
/// file itself is searched in `import_paths`.
pub(crate) fn compile_proto(
    file: &Path,
    text: Option<String>,
    import_paths: &[PathBuf],
) -> Result<DescriptorPool, ContractError> {
    let mut includes = import_paths.to_vec();
    let mut resolver = ChainFileResolver::new();
    if let Some(text) = text {
        let folder = file.parent().filter(|path| !path.as_os_str().is_empty());
        includes.push(folder.unwrap_or(Path::new(".")).to_owned());
        resolver.add(MainFile {
            path: file.to_owned(),
            text,
        });
    }
    for folder in includes {
        resolver.add(ProtoFolder(folder));
    }
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.open_file(file).map_err(|error| {
        // Only the `Debug` format of the compiler's error contains the line and the column.
        let text = format!("{error:?}");
        if error.is_file_not_found() {
            ContractError::MissingProto(text)
        } else if text.ends_with("but found 'edition'") {
            ContractError::UnsupportedSyntax {
                file: error.file().unwrap_or_default().to_owned(),
                syntax: "editions".to_owned(),
            }
        } else {
            // The text that was found may be a secret, if the file is not a .proto file.
            let expected = text.split(", but found ").next().unwrap_or_default();
            // The parser has one message for both.
            let expected = expected.replace(
                "invalid group name",
                "invalid group name, or import path with \"..\" or \".\"",
            );
            ContractError::InvalidProto(expected)
        }
    })?;
    Ok(compiler.descriptor_pool())
}

/// The file of `--proto`, which may be a FIFO, so it is read only once.
struct MainFile {
    path: PathBuf,
    text: String,
}

impl FileResolver for MainFile {
    fn resolve_path(&self, path: &Path) -> Option<String> {
        let name = (path == self.path).then(|| path.file_name())??;
        Some(name.to_string_lossy().into_owned())
    }

    fn open_file(&self, name: &str) -> Result<protox::file::File, protox::Error> {
        if self.resolve_path(&self.path).as_deref() != Some(name) {
            return Err(protox::Error::file_not_found(name));
        }
        parse_proto(name, &self.text)
    }
}

fn parse_proto(name: &str, text: &str) -> Result<protox::file::File, protox::Error> {
    protox::file::File::from_source(name, text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// The `.proto` files of a folder, which may start with a UTF-8 byte order mark.
struct ProtoFolder(PathBuf);

impl FileResolver for ProtoFolder {
    fn resolve_path(&self, path: &Path) -> Option<String> {
        IncludeFileResolver::new(self.0.clone()).resolve_path(path)
    }

    fn open_file(&self, name: &str) -> Result<protox::file::File, protox::Error> {
        match fs::read_to_string(self.0.join(name)) {
            Ok(text) => parse_proto(name, &text),
            // This resolver describes the error.
            Err(_) => IncludeFileResolver::new(self.0.clone()).open_file(name),
        }
    }
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
        return Err(ContractError::UnsupportedSyntax {
            file: file.name().to_owned(),
            syntax: file.syntax().to_owned(),
        });
    }
    let mut pool = DescriptorPool::global();
    pool.add_file_descriptor_protos(files)
        .map_err(|error| ContractError::InvalidDescriptors(format!("{error:?}")))?;
    Ok(pool)
}

pub(crate) fn is_well_known(file: &str) -> bool {
    DescriptorPool::global().get_file_by_name(file).is_some()
}
