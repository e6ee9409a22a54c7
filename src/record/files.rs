//! Reports on the disk. Their places are checked before the run; an older report stays whole until the new one is
//! complete.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Names that are tried for a temporary file. When all are taken, someone plants them in this folder.
const NAMES_MAX: u32 = 100;

/// Checks, before anything is sent, that a report can be written at a path.
///
/// # Errors
/// With the path, the reason and the remedy.
pub fn check_writable(path: &Path, flag: &str) -> Result<()> {
    let shown = path.display();
    if path.is_dir() {
        bail!("{flag} {shown} is a folder; name a file in it");
    }
    if is_special(path) {
        return Ok(());
    }
    let path = &followed(path);
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
    let (_, beside) = open_beside(path, None)
        .with_context(|| format!("{flag} {shown} cannot be written; choose another place"))?;
    fs::remove_file(&beside).with_context(|| format!("{flag} {shown} cannot be written"))
}

/// Checks, before anything is sent, that no two outputs go to the same file, under different names or links: one of
/// them would be lost. Each path comes with the flag that names it.
///
/// # Errors
/// With both flags.
pub fn check_apart(places: &[(PathBuf, &str)]) -> Result<()> {
    let streams = [(1, "standard output"), (2, "standard error")].map(|(number, name)| {
        let place = Place::of(Path::new(&format!("/proc/self/fd/{number}")));
        (place, name)
    });
    for (index, (path, flag)) in places.iter().enumerate() {
        let shown = path.display();
        let place = Place::of(path);
        let same =
            |other: &&(PathBuf, &str)| place != Place::Device && Place::of(&other.0) == place;
        if let Some((other, other_flag)) = places[..index].iter().find(same) {
            bail!(
                "{other_flag} {} and {flag} {shown} are the same file; give each output a file of its own",
                other.display()
            );
        }
        let is_file = matches!(place, Place::File { .. }) && !is_special(path);
        if let Some((_, name)) = streams.iter().find(|(of, _)| is_file && *of == place) {
            bail!("{flag} {shown} is the file that {name} goes to; give it a file of its own");
        }
    }
    Ok(())
}

/// Where a path leads.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// An existing file or pipe, by device and inode.
    File { device: u64, inode: u64 },
    /// A file that does not exist yet.
    New(PathBuf),
    /// A terminal or `/dev/null`: it takes any number of outputs.
    Device,
}

impl Place {
    fn of(path: &Path) -> Self {
        match fs::metadata(path) {
            Ok(what) if what.file_type().is_char_device() => Self::Device,
            Ok(what) => Self::File {
                device: what.dev(),
                inode: what.ino(),
            },
            Err(_) => Self::New(new_place(&followed(path))),
        }
    }
}

/// The one name of a file that does not exist yet. Its folder does, and may be reached through links.
fn new_place(path: &Path) -> PathBuf {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = fs::canonicalize(folder.unwrap_or(Path::new(".")));
    match (folder, path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

/// Writes a report to a temporary file beside its path and renames it when it is complete. The new file has the mode of
/// the one that it replaces, and its owner where this process may set that.
///
/// # Errors
/// When the disk does not take it; an older file is then unharmed.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if is_special(path) {
        let opened = OpenOptions::new().append(true).open(path);
        let written = opened.and_then(|mut file| file.write_all(bytes));
        return written.with_context(|| format!("{} could not be written", path.display()));
    }
    let path = &followed(path);
    let old = fs::metadata(path).ok();
    let written = open_beside(path, old.as_ref()).and_then(|(mut file, beside)| {
        let moved = (|| {
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&beside, path)
        })();
        if moved.is_err() {
            // Half a report is useless.
            let _ = fs::remove_file(&beside);
        }
        moved
    });
    written.with_context(|| format!("{} could not be written", path.display()))
}

/// The place of one file of a report: the path that the user gave, and the ending of its name.
pub fn with_suffix(prefix: &Path, suffix: &str) -> PathBuf {
    let mut path = prefix.as_os_str().to_owned();
    path.push(suffix);
    PathBuf::from(path)
}

/// Opens a report that is written piece by piece while the run lasts. An older one is lost.
///
/// # Errors
/// When the file cannot be opened.
pub fn create(path: &Path) -> Result<File> {
    let opened = match is_special(path) {
        true => OpenOptions::new().append(true).open(path),
        false => File::create(path),
    };
    opened.with_context(|| format!("{} could not be opened", path.display()))
}

/// Devices, pipes, and names of open files: these are written to directly. A file renamed to that path would replace the
/// device itself.
fn is_special(path: &Path) -> bool {
    let is_open = ["/dev/stdout", "/dev/stderr", "/dev/fd", "/proc"];
    let is_no_file = fs::metadata(path).is_ok_and(|what| !what.is_file() && !what.is_dir());
    is_no_file || is_open.iter().any(|open| path.starts_with(open))
}

/// Where a link leads: the link stays, and the file that it names is replaced or created.
fn followed(path: &Path) -> PathBuf {
    let is_link = fs::symlink_metadata(path).is_ok_and(|what| what.is_symlink());
    match (fs::canonicalize(path), is_link) {
        (Ok(followed), _) => followed,
        (Err(_), false) => path.to_owned(),
        (Err(_), true) => {
            let target = fs::read_link(path).unwrap_or_default();
            path.parent().unwrap_or(Path::new("")).join(target)
        }
    }
}

/// A new file beside a path, with the access that the old file there grants. An existing file or link with that name was
/// not made by this process: it is neither written to nor followed.
fn open_beside(path: &Path, old: Option<&Metadata>) -> io::Result<(File, PathBuf)> {
    // A file that replaces one with less access than usual never has more, not even while it is written.
    let mode = if old.is_some() { 0o600 } else { 0o666 };
    for number in 0..NAMES_MAX {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}.{number}.part", std::process::id()));
        let beside = PathBuf::from(name);
        let opened = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&beside);
        match opened {
            Ok(file) => {
                if let Some(old) = old {
                    grant_as(old, &file);
                }
                return Ok((file, beside));
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

/// Sets owner, group and mode of an older file. On a file system without them, the new file stays private to its owner.
fn grant_as(old: &Metadata, file: &File) {
    let mut mode = old.mode() & 0o777;
    let is_owners = fchown(file, Some(old.uid()), Some(old.gid())).is_ok();
    if !is_owners && fchown(file, None, Some(old.gid())).is_err() {
        // The group of this process is not the one that the old file granted access to: it gets what others get.
        mode = mode & !0o070 | (mode & 0o007) << 3;
    }
    let _ = file.set_permissions(Permissions::from_mode(mode));
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
    fn a_replaced_report_keeps_its_mode_and_owner() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.json");
        write(&path, b"old").expect("written");
        for mode in [0o600, 0o640, 0o644] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("it is ours");
            // Only root may give a file away.
            let given = std::os::unix::fs::chown(&path, Some(4_711), Some(4_712)).is_ok();
            write(&path, b"new").expect("written");
            let what = fs::metadata(&path).expect("it is there");
            assert_eq!(what.mode() & 0o777, mode);
            assert!(!given || (what.uid(), what.gid()) == (4_711, 4_712));
        }
    }

    #[test]
    fn a_planted_link_at_the_name_of_the_temporary_file_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, victim) = (folder.path().join("x.json"), folder.path().join("victim"));
        fs::write(&victim, b"precious").expect("written");
        let mut planted = path.as_os_str().to_owned();
        planted.push(format!(".{}.0.part", std::process::id()));
        let planted = PathBuf::from(planted);
        std::os::unix::fs::symlink(&victim, &planted).expect("a link");
        check_writable(&path, "--json").expect("it can be written");
        write(&path, b"new").expect("written");
        assert_eq!(fs::read(&path).expect("it is there"), b"new");
        assert_eq!(fs::read(&victim).expect("it is there"), b"precious");
        assert!(fs::symlink_metadata(&planted).expect("there").is_symlink());
    }

    #[test]
    fn two_outputs_at_one_place_are_refused_whatever_the_place_is_called() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::write(at("old"), b"").expect("written");
        fs::create_dir(at("sub")).expect("made");
        fs::hard_link(at("old"), at("hard")).expect("a link");
        std::os::unix::fs::symlink(at("old"), at("soft")).expect("a link");
        std::os::unix::fs::symlink(folder.path(), at("around")).expect("a link");
        std::os::unix::fs::symlink(at("new"), at("dangling")).expect("a link");
        let check = |one: &Path, other: &Path, is_refused: bool| {
            let checked = check_apart(&[(one.into(), "--json"), (other.into(), "--hdr")]);
            assert_eq!(
                checked.is_err(),
                is_refused,
                "{one:?} {other:?} {checked:?}"
            );
        };
        check(&at("new"), &at("new"), true);
        check(&at("new"), &at("sub/../new"), true);
        check(&at("new"), &at("around/new"), true);
        check(&at("new"), &at("dangling"), true);
        check(&at("old"), &at("hard"), true);
        check(&at("soft"), &at("old"), true);
        check(&at("old"), &at("new"), false);
        check(Path::new("/dev/null"), Path::new("/dev/null"), false);
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
