//! The real world: TCP and UDP sockets.

use std::{io, net::SocketAddr};

use tokio::net::{TcpListener, TcpStream};

use super::{Accept, BoxFuture, Connect, Datagrams, Network, Stream, udp::Udp};

/// Real TCP and UDP sockets of this machine. Needs a tokio runtime with I/O enabled.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sockets;

impl Connect for Sockets {
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Stream>> {
        Box::pin(async move {
            let stream = TcpStream::connect((host, port)).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Stream)
        })
    }
}

impl Network for Sockets {
    fn listen(&self, addr: SocketAddr) -> io::Result<Box<dyn Accept>> {
        let listener = std::net::TcpListener::bind(addr)?;
        listener.set_nonblocking(true)?;
        let local = listener.local_addr()?;
        Ok(Box::new(Listener {
            socket: TcpListener::from_std(listener)?,
            local,
        }))
    }

    fn bind(&self, addr: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        Ok(Box::new(Udp::bind(addr)?))
    }

    fn is_virtual(&self) -> bool {
        false
    }
}

struct Listener {
    socket: TcpListener,
    local: SocketAddr,
}

impl Accept for Listener {
    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Stream, SocketAddr)>> {
        Box::pin(async move {
            let (stream, peer) = self.socket.accept().await?;
            stream.set_nodelay(true)?;
            Ok((Box::new(stream) as Stream, peer))
        })
    }
}
