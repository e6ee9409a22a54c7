//! A Unix socket to listen on: a file that a dead server left behind makes way, and our own goes with us.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

/// The file of a socket that is listened on; removed when this is dropped, if it is still the same one.
pub(super) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

/// A socket with this address, and its file; a name in the abstract namespace has none.
pub(super) fn bound(address: &SockAddr) -> io::Result<(Socket, Option<SocketFile>)> {
    let path = address.as_pathname();
    if let Some(path) = path {
        clear_stale(path, address)?;
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(address)?;
    let file = path.map(SocketFile::of).transpose()?;
    Ok((socket, file))
}

/// Removes a socket that nobody answers on. Anything else at the path is somebody's, and stays.
fn clear_stale(path: &Path, address: &SockAddr) -> io::Result<()> {
    let is_socket = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type().is_socket(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !is_socket {
        let reason = "there is something at this path that is no socket, and it is left alone; give another path";
        return Err(io::Error::new(ErrorKind::AlreadyExists, reason));
    }
    let caller = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // A server whose line is full is alive too.
    caller.set_nonblocking(true)?;
    match caller.connect(address) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        _ => {
            let reason = "another server listens on this socket; end it, or give another path";
            Err(io::Error::new(ErrorKind::AddrInUse, reason))
        }
    }
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(Self {
            path: path.to_owned(),
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode));
        if is_ours {
            // Nothing more can be done where it cannot be removed; the next one clears it away.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(path: &Path) -> SockAddr {
        SockAddr::unix(path).expect("short enough")
    }

    #[test]
    fn a_dead_servers_socket_makes_way_and_our_own_goes_with_us() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s.sock");
        // Bound, closed, and its file left behind.
        let dead = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
        dead.bind(&address(&path)).expect("a new file");
        drop(dead);
        let (_socket, file) = bound(&address(&path)).expect("the stale one makes way");
        assert!(path.exists());
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_somebody_elses_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s.sock");
        fs::write(&path, "a file").expect("room");
        let refused = bound(&address(&path)).err().expect("it is no socket");
        assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).expect("it is there"), b"a file");
        fs::remove_file(&path).expect("ours");
        let (alive, file) = bound(&address(&path)).expect("it is free");
        alive.listen(1).expect("it is bound");
        let refused = bound(&address(&path)).err().expect("somebody listens");
        assert_eq!(refused.kind(), ErrorKind::AddrInUse);
        // Whoever took the path meanwhile keeps it.
        fs::remove_file(&path).expect("ours");
        fs::write(&path, "a file").expect("room");
        drop(file);
        assert!(path.exists());
    }
}
