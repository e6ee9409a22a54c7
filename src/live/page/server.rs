//! The connections of the page: how many, how long for a head, how long for a reader that takes nothing.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::patience::Patient;
use super::route::{Site, answer};

/// Connections at once, at most; a further one is closed.
pub const CONNECTIONS_MAX: usize = 512;
/// Longest time for the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Longest time in which a reader takes nothing.
const PATIENCE: Duration = Duration::from_secs(30);
/// A connection buffers so many bytes, and the last event.
const BUFFER_BYTES: usize = 64 << 10;
/// After an error of the listener (no descriptor is left), it rests.
const REST: Duration = Duration::from_millis(100);

/// Serves until `end`.
pub async fn serve(
    listener: TcpListener,
    site: Arc<Site>,
    connections_max: usize,
    end: oneshot::Receiver<()>,
) {
    let connections = Arc::new(Semaphore::new(connections_max));
    let accept = async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    if let Ok(permit) = connections.clone().try_acquire_owned() {
                        tokio::spawn(carry(stream, site.clone(), permit));
                    }
                }
                Err(_) => tokio::time::sleep(REST).await,
            }
        }
    };
    tokio::select! {
        () = accept => {}
        _ = end => {}
    }
}

/// A connection carries one request: those who wait for events take no second one, and Prometheus comes seldom.
async fn carry(stream: TcpStream, site: Arc<Site>, permit: OwnedSemaphorePermit) {
    let io = TokioIo::new(Patient::new(stream, PATIENCE));
    let service = service_fn(|request| {
        let site = site.clone();
        async move { Ok::<_, Infallible>(answer(&site, request).await) }
    });
    // A connection that fails concerns its reader alone.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .keep_alive(false)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(io, service)
        .await;
    drop(permit);
}
