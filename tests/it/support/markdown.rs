//! The code blocks of the documents.

use std::{
    fs,
    path::{Path, PathBuf},
};

pub(crate) struct CodeBlock {
    pub(crate) language: String,
    /// The lines of the block, without the indentation of the block.
    pub(crate) text: String,
    /// The last line before the block that is not empty.
    pub(crate) introduction: String,
}

impl CodeBlock {
    /// Returns the name of the file that the block shows. Such a block follows a line that ends
    /// with `NAME`: in backticks.
    pub(crate) fn file_name(&self) -> Option<&str> {
        let (_, name) = self.introduction.strip_suffix("`:")?.rsplit_once('`')?;
        name.contains('.').then_some(name)
    }
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read_document(name: &str) -> String {
    fs::read_to_string(root().join(name)).expect("a document")
}

/// Returns the Markdown files of the project.
pub(crate) fn documents() -> Vec<PathBuf> {
    let folders = [
        root().to_owned(),
        root().join("docs"),
        root().join("samples"),
    ];
    let files = folders.iter().flat_map(|folder| {
        let entries = fs::read_dir(folder).expect("a folder");
        entries.map(|entry| entry.expect("an entry").path())
    });
    let is_markdown = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "md");
    let mut files: Vec<_> = files.filter(is_markdown).collect();
    files.sort();
    files
}

/// Returns the code blocks of a document, in their order.
pub(crate) fn code_blocks(document: &str) -> Vec<CodeBlock> {
    let mut blocks = Vec::new();
    let mut introduction = "";
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        let (indentation, rest) = line.split_at(line.len() - line.trim_start().len());
        let Some(language) = rest.strip_prefix("```") else {
            if !rest.is_empty() {
                introduction = line;
            }
            continue;
        };
        let block = lines.by_ref().take_while(|line| line.trim() != "```");
        let block = block.map(|line| line.strip_prefix(indentation).unwrap_or(line));
        blocks.push(CodeBlock {
            language: language.to_owned(),
            text: block.map(|line| format!("{line}\n")).collect(),
            introduction: introduction.to_owned(),
        });
        introduction = "";
    }
    blocks
}
