//! The layout of `src`: imports point down, no files import each other, files and functions are short.
//!
//! `syn` parses the sources. A path is followed through `use` lines and re-exports to the file that
//! defines the item, so that a facade `mod.rs` is not mistaken for the place of what it re-exports.
//! Unit tests are left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, ImplItemFn, Item, ItemFn, ItemImpl, ItemMod, ItemUse, Macro, Meta, Type, UseTree,
    spanned::Spanned,
    visit::{self, Visit},
};

/// The rooms from the bottom up, as CONTRIBUTING.md lists them.
const LEVELS: &[&[&str]] = &[
    &[
        "record",
        "endpoint",
        "proxy",
        "metadata",
        "tls",
        "atomic_file",
        "signals",
    ],
    &["contract", "input"],
    &["batch", "shard", "rejects", "ledger"],
    &["client", "receiver"],
    &["delivery", "probe"],
    &["diagnostics", "report", "terminal"],
    &["commands"],
    &["cli", "harness"],
    &["lib", "main"],
];

/// Rooms of one level that may not import each other all the same.
const SEPARATE: &[(&str, &str)] = &[("input", "contract")];

/// Crates and functions, and the only rooms or files that may use them.
const SINGLE_PLACES: &[(&str, &[&str])] = &[
    ("rustls_pemfile", &["tls/pem.rs"]),
    ("clap", &["cli/"]),
    ("std::io::stdout", &["terminal.rs"]),
    ("std::io::stderr", &["terminal.rs"]),
    ("rusqlite", &["ledger/", "receiver/"]),
];

const MAX_FILE_LINES: usize = 420;
const MAX_FUNCTION_LINES: usize = 70;
const MAX_LONG_FUNCTIONS: usize = 4;

type Segments = Vec<String>;

/// One parsed source file without its unit tests.
#[derive(Default)]
struct SourceFile {
    /// Below `src`, such as `input/csv/rows.rs`.
    path: String,
    module: Segments,
    /// Names of the items that the file defines at its top level.
    items: BTreeSet<String>,
    /// The names that `use` brings in, with the full path that each stands for.
    imports: BTreeMap<String, Segments>,
    /// Each path that the code names, in imports too.
    paths: Vec<Segments>,
    /// The types with an inherent impl, one entry for each block, with its generics.
    inherent_impls: Vec<(Segments, String)>,
    functions: Vec<Function>,
    lines: usize,
    /// Whether a `use …::*` hides what is used.
    has_glob_import: bool,
    /// Child modules that exist for unit tests only.
    test_modules: Vec<String>,
}

struct Function {
    name: String,
    lines: usize,
}

/// What a path stands for.
#[derive(Debug, PartialEq)]
enum Resolved {
    /// An item of this file, by its index.
    Item(usize),
    Module,
    External(Segments),
    /// A local name, such as a variable or a generic parameter.
    Local,
}

struct Tree {
    files: Vec<SourceFile>,
    modules: BTreeMap<Segments, usize>,
}

impl Tree {
    fn of_project() -> Self {
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

    fn parse<'t>(texts: impl IntoIterator<Item = (&'t str, &'t str)>) -> Self {
        let mut files: Vec<_> = texts
            .into_iter()
            .map(|(path, text)| SourceFile::parse(path, text))
            .collect();
        let test_only: Vec<Segments> = files
            .iter()
            .flat_map(|file| {
                let child = |name: &String| [file.module.as_slice(), &[name.clone()]].concat();
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

    /// Follows `path`, as `file` writes it.
    fn resolve(&self, file: usize, path: &[String]) -> Resolved {
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

    /// Follows `rest` from a module downward.
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

    /// The files whose items each file uses.
    fn edges(&self) -> Vec<BTreeSet<usize>> {
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

    /// A list of files in which each imports the next and the last imports the first.
    fn circle(&self) -> Option<Vec<&str>> {
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

    /// Each import that points to a higher level or between rooms that are separate.
    fn upward_imports(&self) -> Vec<String> {
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

fn child(module: &[String], name: &str) -> Segments {
    [module, &[name.to_owned()]].concat()
}

fn level(room: &str) -> usize {
    LEVELS
        .iter()
        .position(|rooms| rooms.contains(&room))
        .unwrap_or_else(|| panic!("{room} has no level in tests/it/structure.rs"))
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

impl SourceFile {
    fn parse(path: &str, text: &str) -> Self {
        let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut file = Self {
            path: path.to_owned(),
            module: module_of(path),
            lines: text.lines().count(),
            ..Self::default()
        };
        file.visit_file(&parsed);
        for item in &parsed.items {
            if let Some(name) = item_name(item) {
                file.items.insert(name);
            }
        }
        file
    }

    /// The top-level module that the file belongs to, `lib` and `main` for the crate's roots.
    fn room(&self) -> &str {
        self.module.first().map_or("lib", String::as_str)
    }

    fn add_use(&mut self, tree: &UseTree, before: &[String]) {
        match tree {
            UseTree::Path(path) => {
                self.add_use(&path.tree, &child(before, &path.ident.to_string()));
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_use(tree, before);
                }
            }
            UseTree::Name(name) => self.add_import(&name.ident.to_string(), before, None),
            UseTree::Rename(rename) => {
                let alias = rename.rename.to_string();
                self.add_import(&rename.ident.to_string(), before, Some(alias));
            }
            UseTree::Glob(_) => self.has_glob_import = true,
        }
    }

    fn add_import(&mut self, name: &str, before: &[String], alias: Option<String>) {
        let full = match name {
            "self" => before.to_vec(),
            name => child(before, name),
        };
        let name = alias.or_else(|| full.last().cloned()).unwrap_or_default();
        self.paths.push(full.clone());
        if name != "_" {
            self.imports.insert(name, full);
        }
    }

    /// Adds the paths in the arguments of a macro, which are not parsed as code.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path = Segments::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) if path.is_empty() || colons == 2 => {
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => {
                    colons += 1;
                }
                other => {
                    self.paths.push(std::mem::take(&mut path));
                    colons = 0;
                    match other {
                        TokenTree::Group(group) => self.add_tokens(group.stream()),
                        TokenTree::Ident(ident) => path.push(ident.to_string()),
                        TokenTree::Punct(_) | TokenTree::Literal(_) => {}
                    }
                }
            }
        }
        self.paths.push(path);
    }

    fn add_function(&mut self, name: &syn::Ident, whole: &impl Spanned) {
        self.functions.push(Function {
            name: name.to_string(),
            lines: line_count(whole),
        });
    }
}

/// The number of lines from the first to the last token.
fn line_count(whole: &impl Spanned) -> usize {
    let span = whole.span();
    span.end().line - span.start().line + 1
}

fn module_of(path: &str) -> Segments {
    let path = path.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    match path {
        "lib" => Segments::new(),
        path => path.split('/').map(ToOwned::to_owned).collect(),
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        Meta::Path(_) | Meta::NameValue(_) => false,
    })
}

fn item_name(item: &Item) -> Option<String> {
    Some(match item {
        Item::Const(item) => item.ident.to_string(),
        Item::Enum(item) => item.ident.to_string(),
        Item::Fn(item) => item.sig.ident.to_string(),
        Item::Mod(item) if item.content.is_some() => item.ident.to_string(),
        Item::Static(item) => item.ident.to_string(),
        Item::Struct(item) => item.ident.to_string(),
        Item::Trait(item) => item.ident.to_string(),
        Item::Type(item) => item.ident.to_string(),
        _ => return None,
    })
}

impl<'ast> Visit<'ast> for SourceFile {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Mod(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if is_for_tests(attributes) {
            self.lines -= line_count(item);
            if let Item::Mod(ItemMod {
                ident,
                content: None,
                ..
            }) = item
            {
                self.test_modules.push(ident.to_string());
            }
            return;
        }
        visit::visit_item(self, item);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.add_use(&item.tree, &[]);
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.add_function(&item.sig.ident, item);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.add_function(&item.sig.ident, item);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        if let (None, Type::Path(path)) = (&item.trait_, &*item.self_ty) {
            let generics = format!("{:?}{:?}", path.path, item.generics);
            self.inherent_impls.push((segments(&path.path), generics));
        }
        visit::visit_item_impl(self, item);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.paths.push(segments(path));
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast Macro) {
        self.add_tokens(item.tokens.clone());
        visit::visit_macro(self, item);
    }
}

fn segments(path: &syn::Path) -> Segments {
    let segments = path.segments.iter();
    segments.map(|segment| segment.ident.to_string()).collect()
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

#[test]
fn imports_point_down() {
    let tree = Tree::of_project();
    let edges: usize = tree.edges().iter().map(BTreeSet::len).sum();
    assert!(edges > 200, "only {edges} imports were found");
    assert_eq!(tree.upward_imports(), Vec::<String>::new());
}

#[test]
fn no_files_import_each_other() {
    assert_eq!(Tree::of_project().circle(), None);
}

#[test]
fn inherent_methods_stand_in_one_block_beside_their_type() {
    let tree = Tree::of_project();
    for (index, file) in tree.files.iter().enumerate() {
        let mut seen = BTreeSet::new();
        for (path, generics) in &file.inherent_impls {
            let name = path.join("::");
            assert_eq!(
                tree.resolve(index, path),
                Resolved::Item(index),
                "src/{}: methods of {name} away from its definition",
                file.path
            );
            assert!(
                seen.insert(generics),
                "src/{}: a second block of methods of {name}",
                file.path
            );
        }
    }
}

#[test]
fn some_crates_are_used_in_one_place() {
    let tree = Tree::of_project();
    for (what, places) in SINGLE_PLACES {
        let wanted: Segments = what.split("::").map(ToOwned::to_owned).collect();
        let mut uses = 0;
        for (index, file) in tree.files.iter().enumerate() {
            let is_used = file.paths.iter().any(|path| {
                matches!(tree.resolve(index, path), Resolved::External(full) if full.starts_with(&wanted))
            });
            if is_used {
                uses += 1;
                let is_allowed = places.iter().any(|place| file.path.starts_with(place));
                assert!(is_allowed, "src/{} uses {what}", file.path);
            }
        }
        assert!(uses > 0, "nothing uses {what}");
    }
}

#[test]
fn files_and_functions_are_short() {
    let tree = Tree::of_project();
    let mut long_functions = Vec::new();
    for file in &tree.files {
        let (path, lines) = (&file.path, file.lines);
        assert!(lines <= MAX_FILE_LINES, "src/{path} has {lines} lines");
        let long = file
            .functions
            .iter()
            .filter(|function| function.lines > MAX_FUNCTION_LINES);
        long_functions.extend(
            long.map(|function| {
                format!("src/{path}: {} has {} lines", function.name, function.lines)
            }),
        );
    }
    assert!(
        long_functions.len() <= MAX_LONG_FUNCTIONS,
        "{}",
        long_functions.join("\n")
    );
}

/// A small crate in which `client` uses `record` through a facade.
const EXAMPLE: [(&str, &str); 4] = [
    ("lib.rs", "mod client; mod record;"),
    ("record/mod.rs", "mod token; pub(crate) use token::Token;"),
    (
        "record/token.rs",
        "pub(crate) struct Token; impl Token { fn new() {} }",
    ),
    (
        "client.rs",
        "use crate::record::{self, Token}; fn send(_: Token, _: record::Token) {}",
    ),
];

fn example_with(path: &'static str, text: &'static str) -> Tree {
    let others = EXAMPLE.into_iter().filter(|(other, _)| *other != path);
    Tree::parse(others.chain([(path, text)]))
}

#[test]
fn accepts_imports_through_a_facade() {
    let tree = Tree::parse(EXAMPLE);
    assert_eq!(tree.circle(), None);
    assert_eq!(tree.upward_imports(), Vec::<String>::new());
    let file = |path| {
        tree.files
            .iter()
            .position(|file| file.path == path)
            .expect("a file")
    };
    let edges = tree.edges();
    assert_eq!(
        edges[file("client.rs")],
        BTreeSet::from([file("record/token.rs")])
    );
}

#[test]
fn finds_circles_and_upward_imports_in_every_form() {
    for text in [
        "use crate::client::send; pub(crate) struct Token;",
        "use crate::{client::{self}}; pub(crate) struct Token; fn f() { client::send(); }",
        "use super::super::client as sender; pub(crate) struct Token; fn f() { sender::send() }",
        "pub(crate) struct Token; fn f() { crate::client::send() }",
        "pub(crate) struct Token; fn f() { assert!(true && crate::client::send()) }",
        "pub(crate) struct Token; mod inner { fn f() { crate::client::send() } }",
    ] {
        let tree = example_with("record/token.rs", text);
        let circle = tree.circle().unwrap_or_default();
        assert_eq!(
            BTreeSet::from_iter(circle),
            BTreeSet::from(["client.rs", "record/token.rs"]),
            "{text}"
        );
        assert_eq!(
            tree.upward_imports(),
            ["record/token.rs imports client.rs"],
            "{text}"
        );
    }
}

#[test]
fn ignores_imports_of_unit_tests() {
    let text = "pub(crate) struct Token; #[cfg(test)] mod tests { use crate::client::send; }";
    assert_eq!(example_with("record/token.rs", text).circle(), None);
}
