//! One source file of the program, parsed: the items that it defines and the paths that it names.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, ImplItemFn, Item, ItemFn, ItemImpl, ItemMod, ItemUse, Macro, Meta, Type, UseTree,
    spanned::Spanned,
    visit::{self, Visit},
};

/// The segments of a path, such as `crate`, `tls`, `Identity`.
pub(super) type Segments = Vec<String>;

/// One parsed source file without its unit tests.
#[derive(Default)]
pub(super) struct SourceFile {
    /// The path below `src`, such as `input/csv/rows.rs`.
    pub(super) path: String,
    pub(super) module: Segments,
    /// Names of the items that the file defines at its top level.
    pub(super) items: BTreeSet<String>,
    /// The full path of each name that `use` brings into scope.
    pub(super) imports: BTreeMap<String, Segments>,
    /// Each path in the code, including the paths of imports.
    pub(super) paths: Vec<Segments>,
    /// The type and the generics of each inherent impl block.
    pub(super) inherent_impls: Vec<(Segments, String)>,
    pub(super) functions: Vec<Function>,
    pub(super) lines: usize,
    /// Whether the file has a `use …::*`, which hides the names that the file uses.
    pub(super) has_glob_import: bool,
    /// Child modules that exist for unit tests only.
    pub(super) test_modules: Vec<String>,
}

pub(super) struct Function {
    pub(super) name: String,
    pub(super) lines: usize,
}

pub(super) fn child(module: &[String], name: &str) -> Segments {
    [module, &[name.to_owned()]].concat()
}

impl SourceFile {
    pub(super) fn parse(path: &str, text: &str) -> Self {
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

    /// Returns the room that the file belongs to. The roots of the crates are the rooms `lib` and
    /// `main`.
    pub(super) fn room(&self) -> &str {
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

    /// Adds the paths in the arguments of a macro. `syn` does not parse such arguments as code.
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

/// Returns the number of lines from the first to the last token.
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
