//! What a client's bytes go over: TCP, or TLS on it.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    path::Path,
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::DEADLINE;

/// A stream of bytes, blocking.
pub trait Transport: Read + Write + Send {
    /// The socket, for its options.
    fn tcp(&self) -> &TcpStream;

    /// Says that nothing more is sent: FIN, before that `close_notify` over TLS.
    fn finish_sending(&mut self);
}

impl Transport for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }

    fn finish_sending(&mut self) {
        self.shutdown(Shutdown::Write).expect("the connection is there");
    }
}

/// A TLS connection.
pub type Tls = StreamOwned<ClientConnection, TcpStream>;

impl Transport for Tls {
    fn tcp(&self) -> &TcpStream {
        &self.sock
    }

    fn finish_sending(&mut self) {
        self.conn.send_close_notify();
        self.flush().expect("the connection is there");
        self.sock.finish_sending();
    }
}

impl Transport for Box<dyn Transport> {
    fn tcp(&self) -> &TcpStream {
        (**self).tcp()
    }

    fn finish_sending(&mut self) {
        (**self).finish_sending();
    }
}

/// A client that trusts this CA and no other, with one version of the protocol.
pub fn trusting(ca: &Path, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(ca).expect("the CA is a certificate");
    roots.add(ca).expect("it can be trusted");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_protocol_versions(&[version]).expect("ring has suites for it");
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

/// Does the handshake, in which the server must show that it is `localhost`.
#[track_caller]
pub fn secure(tcp: TcpStream, config: &Arc<ClientConfig>) -> Tls {
    tcp.set_read_timeout(Some(DEADLINE)).expect("a socket takes options");
    let mut stream = begin_tls(tcp, config);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).expect("the handshake goes well");
    }
    stream
}

/// TLS whose handshake is still to be done.
pub fn begin_tls(tcp: TcpStream, config: &Arc<ClientConfig>) -> Tls {
    let name = "localhost".try_into().expect("it is a name");
    let tls = ClientConnection::new(config.clone(), name).expect("it is configured");
    StreamOwned::new(tls, tcp)
}
