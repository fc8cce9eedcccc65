//! The operator's way in while the server runs: a Unix socket in the data directory, for those who
//! may use that directory (0700). One JSON object a line: `{"call":NAME,"payload":{..}}`, answered
//! by `{"ok":REPLY}` or `{"error":{"code","message"}}`. The calls enter at the door like any other.

use std::{
    fs::{self, File, Permissions},
    io::{self, BufRead, BufReader, Write as _},
    os::{
        fd::AsRawFd,
        unix::{fs::PermissionsExt, net::UnixStream as BlockingStream},
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use bellwire_services::kit::{Code, Fault, Payload, Principal, Settings};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    task::JoinHandle,
};

use crate::{
    app::Core,
    door::{Door, Guests},
    logging::Throttle,
    net::listen::{ACCEPT_AGAIN_MS, ACCEPT_TOLD_MS},
};

/// The longest request, in bytes.
const REQUEST_LEN_MAX: u64 = 1 << 20;

#[derive(Serialize, Deserialize)]
struct Request {
    call: String,
    payload: Payload,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Reply {
    Ok(Box<RawValue>),
    Error { code: Code, message: String },
}

const NAME: &str = "control.sock";

/// The socket's path by way of the open directory: a socket's path has at most 107 bytes, and that
/// of a data directory may have more.
fn path(directory: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(NAME)
}

/// Listens for the operator.
///
/// # Errors
/// When the socket cannot be made.
pub fn listen(data: &Path, door: Arc<Door>) -> anyhow::Result<JoinHandle<()>> {
    remove(data); // The data directory is locked: what is there is left from an earlier run.
    let directory = File::open(data)?;
    let listener = UnixListener::bind(path(&directory))
        .and_then(|listener| {
            fs::set_permissions(path(&directory), Permissions::from_mode(0o600))?;
            Ok(listener)
        })
        .with_context(|| format!("Cannot listen on {}", data.join(NAME).display()))?;
    Ok(tokio::spawn(async move {
        let mut told = Throttle::new(ACCEPT_TOLD_MS);
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(converse(stream, door.clone()));
                }
                Err(error) => {
                    // No descriptor is left: the operator must get through once some are free again.
                    if let Some(left_out) = told.admit(door.clock.elapsed_ms()) {
                        tracing::warn!(%error, left_out, "the operator could not be answered");
                    }
                    #[expect(
                        clippy::disallowed_methods,
                        reason = "nothing tells when descriptors come free"
                    )]
                    tokio::time::sleep(Duration::from_millis(ACCEPT_AGAIN_MS)).await;
                }
            }
        }
    }))
}

/// Takes the socket away.
pub fn remove(data: &Path) {
    let _ = std::fs::remove_file(data.join(NAME));
}

async fn converse(mut stream: UnixStream, door: Arc<Door>) -> io::Result<()> {
    let (read, mut write) = stream.split();
    let mut line = String::new();
    tokio::io::BufReader::new(read.take(REQUEST_LEN_MAX)).read_line(&mut line).await?;
    let result = match serde_json::from_str::<Request>(&line) {
        Ok(request) => {
            door.ask(&request.call, request.payload, Arc::new(Principal::operator())).await
        }
        Err(error) => Err(Fault::new(Code::Invalid, error.to_string())),
    };
    let reply = match result {
        Ok(json) => Reply::Ok(json),
        Err(fault) => Reply::Error { code: fault.code, message: fault.message.into_owned() },
    };
    let reply = serde_json::to_string(&reply).map_err(io::Error::other)?;
    write.write_all(reply.as_bytes()).await?;
    write.write_all(b"\n").await
}

/// Asks the server of this data directory; if none runs, opens the directory and answers itself.
///
/// # Errors
/// What the call refuses, or why the directory cannot be used.
pub fn ask(data: &Path, call: &str, payload: Payload) -> anyhow::Result<Box<RawValue>> {
    if let Ok(directory) = File::open(data)
        && let Ok(stream) = BlockingStream::connect(path(&directory))
    {
        return ask_server(stream, call, payload);
    }
    let core = Core::open(data, Guests::Nowhere, Settings::default(), Vec::new())?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let result = runtime.block_on(core.door.ask(call, payload, Arc::new(Principal::operator())));
    core.close()?;
    result.map_err(|fault| anyhow!(fault.to_string()))
}

fn ask_server(
    mut stream: BlockingStream,
    call: &str,
    payload: Payload,
) -> anyhow::Result<Box<RawValue>> {
    let request = serde_json::to_string(&Request { call: call.to_owned(), payload })?;
    writeln!(stream, "{request}")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    match serde_json::from_str(&line).context("the server gave no answer")? {
        Reply::Ok(json) => Ok(json),
        Reply::Error { message, .. } => Err(anyhow!(message)),
    }
}
