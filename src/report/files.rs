//! Reports on the disk: the place is checked before the run, and an older report stays whole until the new one is.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Makes sure, before anything is sent, that a report can be written there.
///
/// # Errors
/// With the place, the reason and the remedy.
pub fn check_writable(path: &Path, flag: &str) -> Result<()> {
    let shown = path.display();
    if path.is_dir() {
        bail!("{flag} {shown} is a folder; name a file in it");
    }
    if is_special(path) {
        return Ok(());
    }
    let path = &followed(path);
    let beside = beside(path);
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder
        && !folder.is_dir()
    {
        bail!(
            "{flag} {shown}: there is no folder {}; make it first",
            folder.display()
        );
    }
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&beside)
        .with_context(|| format!("{flag} {shown} cannot be written; choose another place"))?;
    fs::remove_file(&beside).with_context(|| format!("{flag} {shown} cannot be written"))
}

/// Writes a report beside its place and moves it there when it is complete.
///
/// # Errors
/// When the disk does not take it; what stood there before is unharmed.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if is_special(path) {
        let opened = OpenOptions::new().append(true).open(path);
        let written = opened.and_then(|mut file| file.write_all(bytes));
        return written.with_context(|| format!("{} could not be written", path.display()));
    }
    let path = &followed(path);
    let beside = beside(path);
    let written = (|| {
        let mut file = fs::File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    })();
    if written.is_err() {
        // The half of a report is of no use to anybody.
        let _ = fs::remove_file(&beside);
    }
    written.with_context(|| format!("{} could not be written", path.display()))
}

/// Opens a report that is written piece by piece while the run lasts; an older one is gone then.
///
/// # Errors
/// When it cannot be opened.
pub fn create(path: &Path) -> Result<fs::File> {
    let opened = match is_special(path) {
        true => OpenOptions::new().append(true).open(path),
        false => fs::File::create(path),
    };
    opened.with_context(|| format!("{} could not be opened", path.display()))
}

/// Devices, pipes, and names for what is open already: these are written to, where they stand. A file that is moved
/// there would take the place of the device itself.
fn is_special(path: &Path) -> bool {
    let is_open = ["/dev/stdout", "/dev/stderr", "/dev/fd", "/proc"];
    let is_no_file = fs::metadata(path).is_ok_and(|what| !what.is_file() && !what.is_dir());
    is_no_file || is_open.iter().any(|open| path.starts_with(open))
}

/// Where a link leads: it stays, and what it names is replaced.
fn followed(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_refused_with_its_reason() {
        let folder = tempfile::tempdir().expect("a folder");
        let check = |path: &Path, part: &str| {
            let error = format!("{:#}", check_writable(path, "--json").expect_err("refused"));
            assert!(error.contains(part), "{error}");
        };
        check(folder.path(), "is a folder");
        check(&folder.path().join("none/x.json"), "there is no folder");
        check_writable(&folder.path().join("x.json"), "--json").expect("it can be written");
        let left = fs::read_dir(folder.path()).expect("it is there").count();
        assert_eq!(left, 0, "the check leaves nothing");
    }

    #[test]
    fn a_report_replaces_the_older_one_in_one_step() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.json");
        write(&path, b"old").expect("written");
        write(&path, b"new").expect("written");
        assert_eq!(fs::read(&path).expect("it is there"), b"new");
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 1);
    }

    #[test]
    fn links_stay_and_devices_are_written_to_where_they_stand() {
        let folder = tempfile::tempdir().expect("a folder");
        let (target, link) = (folder.path().join("x.json"), folder.path().join("link"));
        write(&target, b"old").expect("written");
        let device = folder.path().join("device");
        std::os::unix::fs::symlink(&target, &link).expect("a link");
        std::os::unix::fs::symlink("/dev/null", &device).expect("a link");
        for path in [&link, &device] {
            check_writable(path, "--json").expect("it can be written");
            write(path, b"new").expect("written");
            let what = fs::symlink_metadata(path).expect("it is there");
            assert!(what.is_symlink(), "{}", path.display());
        }
        assert_eq!(fs::read(&target).expect("it is there"), b"new");
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 3);
        let full = write(Path::new("/dev/full"), b"new").expect_err("it is full");
        assert!(format!("{full:#}").contains("No space left"), "{full:#}");
    }
}
