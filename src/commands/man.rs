//! The `man` command: prints the man pages, or writes them to files.

use std::{fs, path::PathBuf};

use crate::{
    diagnostics::{Failure, file_write_failed},
    terminal::Terminal,
    user_path::UserPath,
};

pub(crate) struct Plan {
    pub(crate) pages: Vec<Page>,
    /// If `None`, the pages are printed.
    pub(crate) folder: Option<PathBuf>,
    pub(crate) terminal: Terminal,
}

pub(crate) struct Page {
    pub(crate) file_name: String,
    /// In roff (man(7)).
    pub(crate) text: String,
}

/// Runs the command and returns the exit code.
pub(crate) fn run(plan: &Plan) -> u8 {
    Terminal::exit_code(write(plan).map(|()| 0))
}

fn write(plan: &Plan) -> Result<(), Failure> {
    let Some(folder) = &plan.folder else {
        for Page { file_name, .. } in &plan.pages {
            plan.terminal.detail(1, || format!("page {file_name}"));
        }
        let texts: Vec<_> = plan.pages.iter().map(|page| page.text.trim_end()).collect();
        return Terminal::print_data(&texts.join("\n"));
    };
    fs::create_dir_all(folder).map_err(|error| file_write_failed(folder, &error))?;
    for Page { file_name, text } in &plan.pages {
        let file = folder.join(file_name);
        fs::write(&file, text).map_err(|error| file_write_failed(&file, &error))?;
        let written = || format!("wrote {}", UserPath::from(file.as_path()));
        plan.terminal.detail(1, written);
    }
    Ok(())
}
