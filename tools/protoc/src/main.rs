//! Unpacks the protocol buffer compiler and its standard definitions into a directory: `bin/protoc` and
//! `include/`. `scripts/protoc` calls it on a machine that has no compiler.

use std::{error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args().nth(1).ok_or("usage: protoc DIRECTORY")?;
    let directory = Path::new(&directory);
    copy(&protoc_bin_vendored::include_path()?, &directory.join("include"))?;
    // Last, since its presence says that everything is there.
    fs::create_dir_all(directory.join("bin"))?;
    let draft = directory.join("bin/protoc.new");
    fs::copy(protoc_bin_vendored::protoc_bin_path()?, &draft)?;
    fs::rename(draft, directory.join("bin/protoc"))?;
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
