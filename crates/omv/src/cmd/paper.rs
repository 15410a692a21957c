//! `omv completions` and `omv man`: made from the command line itself.

use std::fs;
use std::io;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::fail::Fail;
use crate::output::Output;

/// Prints a completion script.
pub fn completions(shell: Shell) -> Result<(), Fail> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "omv", &mut script);
    write_out(&script)
}

/// Writes the manual pages to a folder, or prints the main one.
pub fn man(folder: Option<&Path>, output: &Output) -> Result<(), Fail> {
    let command = Cli::command();
    let Some(folder) = folder else {
        return write_out(&page(command)?);
    };
    fs::create_dir_all(folder).map_err(|error| Fail::file(folder, "making", error))?;
    let mut written = vec![("omv".to_owned(), page(command.clone())?)];
    for sub in command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help")
    {
        let name = format!("omv-{}", sub.get_name());
        written.push((name.clone(), page(sub.clone().display_name(name))?));
    }
    for (name, page) in &written {
        let path = folder.join(format!("{name}.1"));
        fs::write(&path, page).map_err(|error| Fail::file(&path, "writing", error))?;
    }
    output.line(&format!("{} pages in {}", written.len(), folder.display()))
}

fn page(command: clap::Command) -> Result<Vec<u8>, Fail> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .map_err(|error| Fail::file(Path::new("omv.1"), "writing", error))?;
    Ok(page)
}

fn write_out(bytes: &[u8]) -> Result<(), Fail> {
    use io::Write;
    io::stdout()
        .write_all(bytes)
        .map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Fail::BrokenPipe,
            _ => Fail::file(Path::new("standard output"), "writing", error),
        })
}
