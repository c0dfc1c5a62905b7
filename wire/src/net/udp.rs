//! Real UDP: quinn-udp's batched calls on tokio's socket.

use std::{
    fmt, io,
    io::IoSliceMut,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

use bytes::{Bytes, BytesMut};
use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use tokio::{io::Interest, net::UdpSocket};

use super::{
    BoxFuture, Datagram, Datagrams,
    limits::{MAX_DATAGRAM_BYTES, RECEIVE_BATCH},
};

/// Room for one receive slot: what the kernel may join into one (GRO) is at most 64 KiB.
const SLOT_BYTES: usize = 64 * 1024;
/// Asked of the kernel for both directions; it gives what its limits allow.
const KERNEL_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// A socket that tells and chooses addresses with `IP_PKTINFO`.
pub(super) struct Udp {
    socket: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
    /// Pages nobody has written to cost nothing: a slot takes as much as its largest datagram.
    slots: Mutex<Vec<u8>>,
}

impl fmt::Debug for Udp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Udp").field("local", &self.local).finish()
    }
}

impl Udp {
    pub(super) fn bind(addr: SocketAddr) -> io::Result<Self> {
        let socket = std::net::UdpSocket::bind(addr)?;
        let state = UdpSocketState::new((&socket).into())?;
        // Larger buffers are a wish; the kernel's own are enough to work with.
        drop(state.set_recv_buffer_size((&socket).into(), KERNEL_BUFFER_BYTES));
        drop(state.set_send_buffer_size((&socket).into(), KERNEL_BUFFER_BYTES));
        let local = socket.local_addr()?;
        Ok(Self {
            socket: UdpSocket::from_std(socket)?,
            state,
            local,
            slots: Mutex::new(vec![0; SLOT_BYTES * RECEIVE_BATCH]),
        })
    }

    /// Takes what the kernel has, without waiting.
    fn take(&self, received: &mut Vec<Datagram>) -> io::Result<()> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let mut meta = [RecvMeta::default(); RECEIVE_BATCH];
        let count = {
            let mut chunks = slots.chunks_exact_mut(SLOT_BYTES);
            let mut buffers: [IoSliceMut<'_>; RECEIVE_BATCH] =
                std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
            self.state
                .recv((&self.socket).into(), &mut buffers, &mut meta)?
        };
        let meta = meta.get(..count).unwrap_or_default();
        // One allocation for the batch, however many datagrams share it.
        let mut batch = BytesMut::with_capacity(meta.iter().map(|it| it.len).sum());
        for (meta, slot) in meta.iter().zip(slots.chunks_exact(SLOT_BYTES)) {
            let to = SocketAddr::new(
                meta.dst_ip.unwrap_or_else(|| self.local.ip()),
                self.local.port(),
            );
            let filled = slot.get(..meta.len).unwrap_or_default();
            let mut deliver = |bytes: Bytes| {
                received.push(Datagram {
                    from: meta.addr,
                    to,
                    bytes,
                });
            };
            if filled.is_empty() {
                deliver(Bytes::new());
            }
            for segment in filled.chunks(meta.stride.max(1)) {
                batch.extend_from_slice(segment);
                deliver(batch.split().freeze());
            }
        }
        Ok(())
    }
}

impl Datagrams for Udp {
    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    fn recv<'a>(&'a self, received: &'a mut Vec<Datagram>) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move {
            self.socket
                .async_io(Interest::READABLE, || self.take(received))
                .await
        })
    }

    fn try_send(&self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() > MAX_DATAGRAM_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{} bytes do not fit into a UDP datagram", bytes.len()),
            ));
        }
        let transmit = Transmit {
            destination: to,
            ecn: None,
            contents: bytes,
            segment_size: None,
            src_ip: (!from.ip().is_unspecified()).then_some(from.ip()),
        };
        self.socket.try_io(Interest::WRITABLE, || {
            self.state.try_send((&self.socket).into(), &transmit)
        })
    }

    fn writable(&self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(self.socket.writable())
    }
}
