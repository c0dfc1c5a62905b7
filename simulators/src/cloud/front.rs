//! A cloud's listener, in either world.

use std::{io, net::SocketAddr, sync::Arc};

use fotalab_wire::net::Network;
use tokio::task::JoinHandle;

use super::{
    Cloud,
    backend::{Backend, Desk},
    proxy,
};

/// A listening cloud. It stops when it is dropped, and its connections with it.
#[derive(Debug)]
pub struct Front {
    address: SocketAddr,
    task: JoinHandle<()>,
}

/// Has `cloud` answer on `listen`; port 0 picks a free one.
///
/// On real sockets a wiremock server of its own answers, in the virtual world a hyper service of
/// the current runtime. Before either stands the same proxy, which cuts connections on demand.
/// Every response ends its connection (`Connection: close`). Answers wait by the runtime's clock in
/// the virtual world, by the machine's in the real one.
///
/// # Errors
/// The port is taken, or no other can be had for wiremock.
pub async fn start(
    cloud: Cloud,
    network: Arc<dyn Network>,
    listen: SocketAddr,
) -> io::Result<Front> {
    let listener = network.listen(listen)?;
    let address = listener.local_addr();
    let desk = Desk::new(cloud);
    let backend = if network.is_virtual() {
        Backend::in_process(Arc::clone(&desk))?
    } else {
        Backend::wiremock(Arc::clone(&desk)).await?
    };
    let task = tokio::spawn(proxy::run(listener, desk, backend));
    Ok(Front { address, task })
}

impl Front {
    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// `http://address:port`, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops, and returns when the port is free again.
    pub async fn stop(mut self) {
        self.task.abort();
        drop((&mut self.task).await);
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}
