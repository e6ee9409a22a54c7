//! A Unix socket to listen on. A file that a dead server has left behind is replaced; our own is removed at the end.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

/// The file of a listening socket. Dropping this removes the file, if it is still the same one.
pub(super) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

/// A socket bound to this address, and its file; a name in the abstract namespace has no file.
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

/// Removes a socket file that no server listens on. Anything else at the path is left alone.
fn clear_stale(path: &Path, address: &SockAddr) -> io::Result<()> {
    let is_socket = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type().is_socket(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !is_socket {
        let reason = "there is a file at this path that is no socket, and it is left alone; give another path";
        return Err(io::Error::new(ErrorKind::AlreadyExists, reason));
    }
    let caller = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Non-blocking, because a live server's backlog may be full.
    caller.set_nonblocking(true)?;
    match caller.connect(address) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        _ => {
            let reason = "another server listens on this socket; stop it, or give another path";
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
            // If it cannot be removed now, the next start will replace it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(path: &Path) -> SockAddr {
        SockAddr::unix(path).expect("the path is short enough")
    }

    #[test]
    fn the_socket_of_a_dead_server_is_replaced_and_our_own_is_removed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("s.sock");
        // A bound and closed socket leaves its file behind.
        let dead = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a descriptor is free");
        dead.bind(&address(&path)).expect("the path is free");
        drop(dead);
        let (_socket, file) = bound(&address(&path)).expect("the stale file is replaced");
        assert!(path.exists());
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_of_another_program_is_left_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("s.sock");
        fs::write(&path, "a file").expect("the file can be written");
        let refused = bound(&address(&path)).err().expect("the file is no socket");
        assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).expect("the file is left alone"), b"a file");
        fs::remove_file(&path).expect("the file can be removed");
        let (alive, file) = bound(&address(&path)).expect("the path is free");
        alive.listen(1).expect("the socket is bound");
        let refused = bound(&address(&path)).err().expect("a server listens");
        assert_eq!(refused.kind(), ErrorKind::AddrInUse);
        // Another program that has taken the path meanwhile keeps it.
        fs::remove_file(&path).expect("the file can be removed");
        fs::write(&path, "a file").expect("the file can be written");
        drop(file);
        assert!(path.exists());
    }
}
