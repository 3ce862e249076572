//! All source files of the program, and the imports between them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use super::{
    SEPARATE, level,
    source_file::{Segments, SourceFile, child},
};

/// The meaning of a path.
#[derive(Debug, PartialEq)]
pub(super) enum Resolved {
    /// An item of the file with this index in [`Tree::files`].
    Item(usize),
    Module,
    External(Segments),
    /// A local name, such as a variable or a generic parameter.
    Local,
}

pub(super) struct Tree {
    pub(super) files: Vec<SourceFile>,
    modules: BTreeMap<Segments, usize>,
}

impl Tree {
    pub(super) fn of_project() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let texts: Vec<_> = rust_files(&root)
            .into_iter()
            .map(|path| {
                let text = fs::read_to_string(&path).expect("a readable source file");
                let name = path.strip_prefix(&root).expect("a path below src");
                (name.to_str().expect("a UTF-8 path").to_owned(), text)
            })
            .collect();
        assert!(texts.len() > 20, "src has only {} files", texts.len());
        Self::parse(
            texts
                .iter()
                .map(|(path, text)| (path.as_str(), text.as_str())),
        )
    }

    pub(super) fn parse<'t>(texts: impl IntoIterator<Item = (&'t str, &'t str)>) -> Self {
        let mut files: Vec<_> = texts
            .into_iter()
            .map(|(path, text)| SourceFile::parse(path, text))
            .collect();
        let test_only: Vec<Segments> = files
            .iter()
            .flat_map(|file| {
                let child = |name: &String| child(&file.module, name);
                file.test_modules.iter().map(child)
            })
            .collect();
        files.retain(|file| !test_only.iter().any(|test| file.module.starts_with(test)));
        for file in &files {
            assert!(!file.has_glob_import, "src/{} has a glob import", file.path);
        }
        let modules = files
            .iter()
            .enumerate()
            .map(|(index, file)| (file.module.clone(), index))
            .collect();
        Self { files, modules }
    }

    /// Resolves a path that occurs in `file`.
    pub(super) fn resolve(&self, file: usize, path: &[String]) -> Resolved {
        let Some((first, rest)) = path.split_first() else {
            return Resolved::Module;
        };
        let module = &self.files[file].module;
        match first.as_str() {
            "crate" => self.descend(&[], rest),
            "self" => self.descend(module, rest),
            "super" => self.descend(&module[..module.len().saturating_sub(1)], rest),
            "Self" => Resolved::Local,
            _ => self.resolve_name(file, first, rest),
        }
    }

    fn resolve_name(&self, file: usize, first: &str, rest: &[String]) -> Resolved {
        let source = &self.files[file];
        if let Some(import) = source.imports.get(first) {
            let is_own_name = import.first().is_some_and(|start| start == first);
            let full = [import.as_slice(), rest].concat();
            return if is_own_name && !self.modules.contains_key(&child(&source.module, first)) {
                Resolved::External(full)
            } else if is_own_name {
                self.descend(&source.module, &full)
            } else {
                self.resolve(file, &full)
            };
        }
        if source.items.contains(first) {
            return Resolved::Item(file);
        }
        let module = child(&source.module, first);
        if self.modules.contains_key(&module) {
            return self.descend(&module, rest);
        }
        if rest.is_empty() {
            Resolved::Local
        } else {
            Resolved::External([&[first.to_owned()], rest].concat())
        }
    }

    /// Resolves `rest`, which is relative to a module.
    fn descend(&self, module: &[String], rest: &[String]) -> Resolved {
        let Some((first, behind)) = rest.split_first() else {
            return Resolved::Module;
        };
        if first == "super" {
            return self.descend(&module[..module.len().saturating_sub(1)], behind);
        }
        let below = child(module, first);
        if self.modules.contains_key(&below) {
            return self.descend(&below, behind);
        }
        let Some(file) = self.modules.get(module) else {
            return Resolved::Local;
        };
        self.resolve_name(*file, first, behind)
    }

    /// Returns, for each file, the files whose items it uses.
    pub(super) fn edges(&self) -> Vec<BTreeSet<usize>> {
        (0..self.files.len())
            .map(|file| {
                let used = self.files[file].paths.iter();
                used.filter_map(|path| match self.resolve(file, path) {
                    Resolved::Item(other) if other != file => Some(other),
                    _ => None,
                })
                .collect()
            })
            .collect()
    }

    /// Returns a list of files in which each file imports the next and the last file imports the
    /// first.
    pub(super) fn circle(&self) -> Option<Vec<&str>> {
        let edges = self.edges();
        let mut done = BTreeSet::new();
        (0..self.files.len())
            .find_map(|start| find_circle(&edges, start, &mut Vec::new(), &mut done))
            .map(|circle| {
                circle
                    .into_iter()
                    .map(|file| self.files[file].path.as_str())
                    .collect()
            })
    }

    /// Returns each import that points to a higher level, or from the first to the second room of a
    /// pair in [`SEPARATE`].
    pub(super) fn upward_imports(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (file, used) in self.edges().iter().enumerate() {
            for other in used {
                let (from, to) = (&self.files[file], &self.files[*other]);
                let is_separate = SEPARATE.contains(&(from.room(), to.room()));
                if level(to.room()) > level(from.room()) || is_separate {
                    found.push(format!("{} imports {}", from.path, to.path));
                }
            }
        }
        found
    }
}

fn find_circle(
    edges: &[BTreeSet<usize>],
    file: usize,
    trail: &mut Vec<usize>,
    done: &mut BTreeSet<usize>,
) -> Option<Vec<usize>> {
    if let Some(start) = trail.iter().position(|passed| *passed == file) {
        return Some(trail[start..].to_vec());
    }
    if done.contains(&file) {
        return None;
    }
    trail.push(file);
    let circle = edges[file]
        .iter()
        .find_map(|next| find_circle(edges, *next, trail, done));
    trail.pop();
    done.insert(file);
    circle
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a folder entry").path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}
