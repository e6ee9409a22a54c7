//! A dropped driver leaves neither descriptors nor mappings, after any number of drivers that were built, used and
//! dropped. A file of its own, because other tests in the same process open and close descriptors at the same time.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;

use opsurge::io::clock::Clock;
use opsurge::io::epoll::Epoll;
use opsurge::io::uring::{Features, Uring};
use opsurge::io::{ConnectionId, Driver, DriverConfig, Event, Io, Sockets};

/// Rounds after which allocator and kernel have allocated the memory that they keep.
const WARM_UP: usize = 20;
const ROUNDS: usize = 100;

/// Number of open descriptors and of memory mappings of this process.
fn counts() -> (usize, usize) {
    let descriptors = fs::read_dir("/proc/self/fd").expect("Linux").count();
    let mappings = fs::read_to_string("/proc/self/maps").expect("Linux");
    (descriptors, mappings.lines().count())
}

fn wait_for(driver: &mut dyn Driver, connection: ConnectionId, wanted: fn(Io) -> bool) {
    let mut events: Vec<Event> = Vec::new();
    let deadline_ns = driver.now_ns() + 10_000_000_000;
    let mut found = false;
    while !found {
        assert!(driver.now_ns() < deadline_ns, "nothing happened for 10 s");
        driver.wait(deadline_ns, &mut events);
        for event in events.drain(..) {
            found |= event.connection == connection && wanted(event.io);
            if let Io::Received(received) = event.io {
                driver.release(received);
            }
        }
    }
}

/// Opens three connections: one is used and closed, one is used and stays open, one is still connecting.
fn use_and_leave(driver: &mut dyn Driver, listener: &TcpListener) {
    let id = |slot| ConnectionId {
        slot,
        generation: 1,
    };
    for slot in [0, 1] {
        driver.submit_connect(id(slot), 0);
        wait_for(driver, id(slot), |io| io == Io::Connected);
        let mut peer = listener.accept().expect("it has connected").0;
        driver.send_buffer()[..4].copy_from_slice(b"ping");
        driver.submit_send(id(slot), 4);
        driver.wait(0, &mut Vec::new());
        let mut bytes = [0; 4];
        peer.read_exact(&mut bytes).expect("it arrives");
        peer.write_all(&bytes).expect("it is open");
        wait_for(driver, id(slot), |io| matches!(io, Io::Received(_)));
    }
    driver.close(id(0));
    driver.submit_connect(id(2), 0);
    driver.send_buffer()[0] = b'x';
    driver.submit_send(id(1), 1);
}

#[test]
fn drivers_leave_no_descriptor_and_no_mapping_behind() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let config = DriverConfig {
        addresses: vec![listener.local_addr().expect("it is bound").into()],
        sockets: Sockets::default(),
        slots: 4,
        rendered_bytes_max: 4096,
        shared: Vec::new(),
    };
    let one_shot = Features {
        multishot: false,
        ..Features::ALL
    };
    let old = Features {
        defer_taskrun: false,
        multishot: false,
        coop_taskrun: false,
    };
    let kinds = [None, Some(Features::ALL), Some(one_shot), Some(old)];
    for kind in kinds {
        let mut after_warm_up = (0, 0);
        for round in 0..WARM_UP + ROUNDS {
            if round == WARM_UP {
                after_warm_up = counts();
            }
            match kind {
                None => {
                    let mut epoll = Epoll::new(&config, Clock::start()).expect("everywhere");
                    use_and_leave(&mut epoll, &listener);
                }
                Some(features) => match Uring::new(&config, Clock::start(), features) {
                    Ok(mut uring) => use_and_leave(&mut uring, &listener),
                    Err(error) => println!("SKIPPED on io_uring: {error}"),
                },
            }
            // The third connection of a round may not have reached the listener.
            listener.set_nonblocking(true).expect("a listener");
            while listener.accept().is_ok() {}
            listener.set_nonblocking(false).expect("a listener");
        }
        let (descriptors, mappings) = counts();
        assert_eq!(descriptors, after_warm_up.0, "descriptors with {kind:?}");
        // The allocator may add one mapping; a leak would add one per round, a hundred in all.
        let mappings_max = after_warm_up.1 + ROUNDS / 10;
        assert!(
            mappings <= mappings_max,
            "{mappings} mappings with {kind:?}"
        );
    }
}
