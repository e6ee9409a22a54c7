//! The real drivers, io_uring and epoll, over loopback: events, sockets, large bodies.

mod drivers;
mod large_bodies;
mod sockets;
