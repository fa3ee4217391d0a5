//! `bench`: measures the budgets of the product and says which are kept. It never fails because a
//! budget is exceeded: how fast a machine is, is not a property of the code.

mod arguments;
mod cold_start;
mod memo_page;
mod migration;
mod pushes;
mod report;
mod scratch;
mod vectors;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use arguments::Arguments;

const HELP: &str = "\
Measures the budgets. Without a command: all of them.

Usage: bench [COMMAND] [OPTION...]

  cold-start  start of each function's binary to its first poll of the Runtime API
    --bins DIR     where the binaries are; default: target/release, then where this one is
    --runs N       starts of each binary; default: 20

  memo-page   a page of the memos of a user who has many, compared with one who has few, with and without
              statistics of the tables: on SQLite and, where TEST_POSTGRES_URL and TEST_MYSQL_URL name
              servers, in new databases there
    --rows N       memos of the one; default: 100000
    --small N      memos of the other; default: 1000
    --runs N       measurements of each statement; default: 50
    --explain      print the plans of the statements too

  migration   the migration of a generated old install: rows per second of the transaction, compared with a raw
              multi-row insert of the same rows, and peak memory; on the same databases
    --rows N        rows of the old install; default: 200000
    --dimensions N  size of the vectors of its memos; default: 1536
    --bins DIR      where the binary migrate is; default: where this one is

  vectors     requests to S3 of look-ups in the embedding cache and of vector searches, before and after many single
              appends, at the server that TEST_S3_ENDPOINT names
    --cached N      rows of the cache and vectors; default: 10000
    --appends N     rows that are appended one by one; default: 10000

  pushes      one run of the schedule with many rules that are due, against a fast endpoint; on the same databases
    --rules N       rules; default: 10000
    --users N       users who have them; default: 1000

Each prints a table and writes the same as JSON to bench/COMMAND.json beside the directory of this
binary, that is in target/, or with a command to --json FILE.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    // One thread: what is measured runs in other processes or waits for them.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(arguments)),
        Err(error) => Err(error.to_string()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("bench: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the directory of this binary: `target/<profile>`, with the binaries of the same build.
///
/// # Errors
/// The operating system does not tell.
fn binary_directory() -> Result<PathBuf, String> {
    let binary = std::env::current_exe().map_err(|error| error.to_string())?;
    binary.parent().map(Path::to_path_buf).ok_or("this binary lies in no directory".to_owned())
}

async fn run(mut arguments: Vec<String>) -> Result<(), String> {
    let command = if arguments.is_empty() { None } else { Some(arguments.remove(0)) };
    let mut arguments = Arguments::new(arguments);
    match command.as_deref() {
        None => {
            let cold_start = cold_start::run(cold_start::Options::read(&mut arguments)?).await;
            println!();
            let memo_page = memo_page::run(memo_page::Options::read(&mut arguments)?).await;
            println!();
            let migration = migration::run(migration::Options::read(&mut arguments)?).await;
            println!();
            let pushes = pushes::run(pushes::Options::read(&mut arguments)?).await;
            println!();
            let vectors = vectors::run(vectors::Options::read(&mut arguments)?).await;
            cold_start.and(memo_page).and(migration).and(pushes).and(vectors)
        }
        Some("cold-start") => {
            let options = cold_start::Options::read(&mut arguments)?;
            arguments.finish()?;
            cold_start::run(options).await
        }
        Some("memo-page") => {
            let options = memo_page::Options::read(&mut arguments)?;
            arguments.finish()?;
            memo_page::run(options).await
        }
        Some("migration") => {
            let options = migration::Options::read(&mut arguments)?;
            arguments.finish()?;
            migration::run(options).await
        }
        Some("pushes") => {
            let options = pushes::Options::read(&mut arguments)?;
            arguments.finish()?;
            pushes::run(options).await
        }
        Some("vectors") => {
            let options = vectors::Options::read(&mut arguments)?;
            arguments.finish()?;
            vectors::run(options).await
        }
        Some(other) => Err(format!("unknown command {other}; see bench --help")),
    }
}
