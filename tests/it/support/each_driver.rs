//! One test body on every driver of this machine.

use opsurge::io::clock::Clock;
use opsurge::io::epoll::Epoll;
use opsurge::io::uring::{Features, Uring};
use opsurge::io::{Driver, DriverConfig};

/// The features of io_uring before Linux 5.19.
pub const OLD_KERNEL: Features = Features {
    defer_taskrun: false,
    multishot: false,
    coop_taskrun: false,
};

/// Runs `scene` on epoll, then on io_uring once for each of `kernels`. Prints `SKIPPED` for one that is not available.
pub fn on_each_driver(
    config: &DriverConfig,
    kernels: &[Features],
    scene: impl Fn(&mut dyn Driver),
) {
    scene(&mut Epoll::new(config, Clock::start()).expect("epoll is everywhere"));
    for &features in kernels {
        match Uring::new(config, Clock::start(), features) {
            Ok(mut uring) => scene(&mut uring),
            Err(error) => println!("SKIPPED on io_uring: {error}"),
        }
    }
}
