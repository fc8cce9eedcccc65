//! What stands between a client and a server, and can fail.

use std::{
    io,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

/// Forwards connections to one address, until they are cut.
pub struct Proxy {
    address: SocketAddr,
    /// A `Mutex`: the thread that takes connections and the test that cuts them agree on which there are.
    gate: Arc<Mutex<Gate>>,
    /// Takes connections.
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Gate {
    /// New connections are dropped.
    shut: bool,
    /// There are no more new ones.
    ended: bool,
    /// Both ends of each that was forwarded.
    ends: Vec<TcpStream>,
}

impl Gate {
    /// Drops all connections, and those that come.
    fn cut(&mut self) {
        self.shut = true;
        for end in self.ends.drain(..) {
            // It may have been closed by its other side.
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

impl Proxy {
    /// A proxy before this address.
    pub fn to(server: SocketAddr) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it listens");
        let gate = Arc::new(Mutex::new(Gate::default()));
        let inner = gate.clone();
        let accepting = thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let mut gate = inner.lock().expect("nobody panics under this lock");
                if gate.ended {
                    return;
                }
                if !gate.shut {
                    // A server that is not there looks like a cut.
                    let _ =
                        TcpStream::connect(server).and_then(|to| forward(&mut gate, client, to));
                }
            }
        });
        Proxy { address, gate, accepting: Some(accepting) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Drops all connections, and from now on each new one.
    pub fn cut(&self) {
        self.gate.lock().expect("nobody panics under this lock").cut();
    }

    /// Takes new connections again.
    pub fn mend(&self) {
        self.gate.lock().expect("nobody panics under this lock").shut = false;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let Ok(mut gate) = self.gate.lock() else { return };
        gate.cut();
        gate.ended = true;
        drop(gate);
        // Wakes the thread, which finds that it is over.
        let _ = TcpStream::connect(self.address);
        let _ = self.accepting.take().map(JoinHandle::join);
    }
}

/// Forwards in both directions, each in a thread that ends with its connection.
fn forward(gate: &mut Gate, client: TcpStream, server: TcpStream) -> io::Result<()> {
    for (from, to) in [(&client, &server), (&server, &client)] {
        from.set_nodelay(true)?;
        let (mut from, mut to) = (from.try_clone()?, to.try_clone()?);
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
            let _ = from.shutdown(Shutdown::Both);
        });
    }
    gate.ends.extend([client, server]);
    Ok(())
}
