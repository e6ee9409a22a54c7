//! The page's threads: one serves, one reads ticks, one draws. None of them is waited for by the run.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::metrics::tick::Ticks;
use crate::record::schema::Record;
use crate::record::so_far::Begun;
use crate::report::html::{LiveControl, live_page};

use super::board::Board;
use super::control::Controls;
use super::reader;
use super::route::Site;
use super::server::serve;

pub use super::server::CONNECTIONS_MAX;

/// What the page is made of.
pub struct Setup {
    /// Listens already.
    pub listener: TcpListener,
    /// What is known of the run before its first request.
    pub begun: Begun,
    /// Orders; `None` when they are not taken.
    pub controls: Option<Controls>,
    /// Connections at once, at most [`CONNECTIONS_MAX`].
    pub connections_max: usize,
    /// Called on each thread first: leaves the cores to the shards.
    pub on_thread: fn(&[usize]),
    /// The cores that no shard has; empty when every core has one.
    pub cores: Vec<usize>,
}

/// The page, served until it is dropped.
pub struct Page {
    board: Arc<Board>,
    /// Dropped, it ends the serving thread.
    end: Option<oneshot::Sender<()>>,
    server: Option<thread::JoinHandle<()>>,
    /// Ends with the ticks.
    reader: Option<thread::JoinHandle<()>>,
}

impl Page {
    /// Serves the run whose ticks are published there.
    ///
    /// # Errors
    /// When the machine gives no thread or no descriptor for it.
    pub fn start(setup: Setup, ticks: Arc<Ticks>) -> io::Result<Self> {
        let Setup {
            listener,
            begun,
            controls,
            connections_max,
            on_thread,
            cores,
        } = setup;
        listener.set_nonblocking(true)?;
        let listens_on = listener.local_addr()?;
        let machine = begun.run.machine.hostname.clone();
        let board = Arc::new(Board::new(begun));
        let offered = controls.as_ref().map(offered);
        let page = live_page(&board.record_so_far(), offered).into();
        let site = Arc::new(Site {
            board: board.clone(),
            page,
            controls,
            listens_on,
            machine,
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (end, ended) = oneshot::channel();
        let own = cores.clone();
        let server = spawn("page", move || {
            on_thread(&own);
            runtime.block_on(async {
                // Registering a descriptor that listens already does not fail.
                if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
                    serve(listener, site, connections_max, ended).await;
                }
            });
        })?;
        ticks.add_reader();
        let (drawn, news) = reader::channel();
        let (own, of_reader) = (cores.clone(), board.clone());
        let reader = spawn("page-ticks", move || {
            on_thread(&own);
            reader::read(&ticks, &of_reader, &drawn);
        })?;
        let of_drawing = board.clone();
        spawn("page-draw", move || {
            on_thread(&cores);
            reader::draw(&of_drawing, &news);
        })?;
        Ok(Self {
            board,
            end: Some(end),
            server: Some(server),
            reader: Some(reader),
        })
    }

    /// The run is over, and its ticks are closed: its final record is served from now on.
    pub fn finish(&mut self, record: &Record) {
        if let Some(reader) = self.reader.take() {
            // It has the last tick then.
            let _ = reader.join();
        }
        self.board.finish(record);
    }

    /// Goes on serving for a time.
    pub fn linger(&self, time: Duration) {
        let end = Instant::now() + time;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            thread::sleep(left);
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(server) = self.server.take() {
            // A panic of the server has been printed.
            let _ = server.join();
        }
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name(name.into()).spawn(body)
}

/// What the page offers to change.
fn offered(controls: &Controls) -> LiveControl {
    match &controls.changes {
        Err(_) => LiveControl::Drain,
        Ok(changes) if changes.is_open => LiveControl::Rate(changes.min, changes.max),
        Ok(changes) => LiveControl::Users(changes.min, changes.max),
    }
}

/// The URL of the page, as a browser on this machine reaches it.
pub fn url(listens_on: SocketAddr) -> String {
    let mut shown = listens_on;
    if shown.ip().is_unspecified() {
        shown.set_ip(match shown {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{shown}/")
}
