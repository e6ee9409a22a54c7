//! A driver around a driver: forwards every call, and lets a test see or change some of them.

use opsurge::io::{ConnectionId, Driver, Event, Handshake, Insert, Received, Turn};

/// What a test sees or changes. A method that is not overridden forwards the call.
pub trait Hooks<D: Driver> {
    /// Called before a send is forwarded. `inserts` is empty for batches without shared bytes.
    fn on_send(&mut self, _driver: &mut D, _bytes: usize, _inserts: &[Insert]) {}

    fn wait(&mut self, driver: &mut D, deadline_ns: u64, events: &mut Vec<Event>) -> Turn {
        driver.wait(deadline_ns, events)
    }

    fn flushed_ns(&mut self, driver: &mut D) -> Option<u64> {
        driver.flushed_ns()
    }
}

pub struct WrappedDriver<D, H> {
    pub driver: D,
    pub hooks: H,
}

impl<D: Driver, H: Hooks<D>> Driver for WrappedDriver<D, H> {
    fn now_ns(&self) -> u64 {
        self.driver.now_ns()
    }

    fn submit_connect(&mut self, connection: ConnectionId, route: usize) {
        self.driver.submit_connect(connection, route);
    }

    fn send_buffer(&mut self) -> &mut [u8] {
        self.driver.send_buffer()
    }

    fn submit_send(&mut self, connection: ConnectionId, bytes: usize) {
        self.hooks.on_send(&mut self.driver, bytes, &[]);
        self.driver.submit_send(connection, bytes);
    }

    fn submit_send_around(&mut self, connection: ConnectionId, bytes: usize, inserts: &[Insert]) {
        self.hooks.on_send(&mut self.driver, bytes, inserts);
        self.driver.submit_send_around(connection, bytes, inserts);
    }

    fn announce_sent(&mut self, connection: ConnectionId) {
        self.driver.announce_sent(connection);
    }

    fn is_sending(&self, connection: ConnectionId) -> bool {
        self.driver.is_sending(connection)
    }

    fn flushed_ns(&mut self) -> Option<u64> {
        self.hooks.flushed_ns(&mut self.driver)
    }

    fn send_last(&mut self, connection: ConnectionId, bytes: &[u8]) {
        self.driver.send_last(connection, bytes);
    }

    fn pass_over_late_bytes(&mut self) {
        self.driver.pass_over_late_bytes();
    }

    fn close(&mut self, connection: ConnectionId) {
        self.driver.close(connection);
    }

    fn close_after_fin(&mut self, connection: ConnectionId) {
        self.driver.close_after_fin(connection);
    }

    fn wait(&mut self, deadline_ns: u64, events: &mut Vec<Event>) -> Turn {
        self.hooks.wait(&mut self.driver, deadline_ns, events)
    }

    fn received(&self, received: Received) -> &[u8] {
        self.driver.received(received)
    }

    fn received_mut(&mut self, received: Received) -> &mut [u8] {
        self.driver.received_mut(received)
    }

    fn handshake(&self, connection: ConnectionId) -> Option<Handshake> {
        self.driver.handshake(connection)
    }

    fn is_in_handshake(&self, connection: ConnectionId) -> bool {
        self.driver.is_in_handshake(connection)
    }

    fn release(&mut self, received: Received) {
        self.driver.release(received);
    }

    fn finish(&mut self) {
        self.driver.finish();
    }

    fn overflows(&self) -> u64 {
        self.driver.overflows()
    }
}
