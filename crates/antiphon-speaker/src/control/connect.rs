//! One attempt: where the hub is, a WebSocket to it, the handshake, hello and welcome.

use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use antiphon_api::{ApiError, HubAddress, LocalReply, LocalRequest, local, session};
use antiphon_net::discovery;
use antiphon_proto::session::handshake::Approach;
use antiphon_proto::session::{
    Established, HandshakeError, HubMessage, Identity, Pairing, Refusal, RefusalCode, SealedChannel,
    SpeakerHandshake, SpeakerMessage, Welcome,
};
use antiphon_proto::wire::seal::SessionKeys;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Message, WebSocket};

use super::ControlConfig;
use crate::store::{SpeakerStore, StoreError};

/// A hub on the same network answers a SYN within milliseconds; one that takes longer is asked anew.
const CONNECT_LIMIT: Duration = Duration::from_millis(1_000);

/// From the request to the welcome: a few round trips and two key agreements, on a busy Wi-Fi.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// Read at once: any message of a hub fits.
const READ_BUFFER: usize = 4_096;

/// How long DNS-SD is given to find a hub: a responder answers within 120 ms (RFC 6762 section 6).
const BROWSE: Duration = Duration::from_millis(1_500);

/// While the network is searched, a hub on this machine is looked for this often.
const LOOK_HERE: Duration = Duration::from_millis(100);

/// A connection on which the hub has welcomed this speaker.
pub(crate) struct Connection {
    pub socket: WebSocket<TcpStream>,
    pub hub: SocketAddr,
    pub channel: Option<SealedChannel>,
    pub keys: Option<SessionKeys>,
    pub welcome: Welcome,
    pub paired_with: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("{0}")]
    Address(String),
    #[error(
        "no hub was found on this network; start one with `antiphon hub`, or name it with --hub HOST:PORT"
    )]
    NoneFound,
    #[error("{0} does not answer: {1}")]
    Unreachable(SocketAddr, String),
    #[error("{0}")]
    Handshake(#[from] HandshakeError),
    #[error("{}", .0.message)]
    Refused(Refusal),
    #[error("{0}")]
    Nonsense(String),
    #[error("{0}")]
    Store(#[from] StoreError),
}

pub(crate) fn connect(
    config: &mut ControlConfig,
    store: &mut SpeakerStore,
) -> Result<Connection, ConnectError> {
    let hub = find(config)?;
    if config.open {
        return attempt(config, store, hub, Approach::Open).map_err(plain_refusal);
    }
    // One handshake is one try: a code that a person typed is not tried again by itself.
    if let Some(code) = config.code.take() {
        return attempt(config, store, hub, Approach::Code(code)).map_err(plain_refusal);
    }
    // The newest pairing first: most agents have one hub.
    for pairing in store.hubs().iter().rev().cloned().collect::<Vec<_>>() {
        match attempt(config, store, hub, Approach::Paired(pairing)) {
            Err(ConnectError::Handshake(error)) if is_for_another_hub(&error) => {}
            other => return other,
        }
    }
    let pairing = pair_on_this_machine(config, store.identity())?;
    store.add(pairing.clone())?;
    attempt(config, store, hub, Approach::Paired(pairing)).map_err(|error| match error {
        ConnectError::Handshake(error) if is_for_another_hub(&error) => not_paired(hub),
        other => other,
    })
}

fn is_for_another_hub(error: &HandshakeError) -> bool {
    matches!(error, HandshakeError::Forged | HandshakeError::NotPaired)
        || matches!(error, HandshakeError::Refused(r) if r.code == RefusalCode::NotPaired)
}

fn not_paired(hub: SocketAddr) -> ConnectError {
    ConnectError::Refused(Refusal {
        code: RefusalCode::NotPaired,
        message: format!(
            "the hub at {hub} does not know this speaker; run `antiphon access` on the hub's machine and start \
             the speaker once with --code and the six digits"
        ),
    })
}

fn plain_refusal(error: ConnectError) -> ConnectError {
    match error {
        ConnectError::Handshake(error @ (HandshakeError::WrongCode | HandshakeError::Forged)) => {
            ConnectError::Refused(Refusal { code: RefusalCode::WrongCode, message: error.to_string() })
        }
        ConnectError::Handshake(HandshakeError::Refused(refusal)) => ConnectError::Refused(refusal),
        other => other,
    }
}

/// By address, else the hub on this machine, else one that announces itself.
fn find(config: &ControlConfig) -> Result<SocketAddr, ConnectError> {
    let resolve = |text: &str| {
        let address: HubAddress = text.parse().map_err(|e| ConnectError::Address(format!("{e}")))?;
        address.resolve().map_err(|e| ConnectError::Address(format!("cannot look up {text}: {e}")))
    };
    if let Some(hub) = &config.hub {
        return resolve(hub);
    }
    // The search takes its time; a hub on this machine that comes back meanwhile is not kept waiting.
    let (answer, found) = channel();
    let mut search = None;
    loop {
        if let Ok(LocalReply::Here { address, .. }) =
            local::ask(&local::socket_path(&config.runtime_dir), &LocalRequest::Whereabouts)
        {
            return resolve(&address);
        }
        // Whoever asks may have gone to a hub on this machine.
        let answer = answer.clone();
        search
            .get_or_insert_with(|| std::thread::spawn(move || drop(answer.send(discovery::browse(BROWSE)))));
        match found.recv_timeout(LOOK_HERE) {
            Ok(hubs) => {
                let hubs =
                    hubs.map_err(|e| ConnectError::Address(format!("cannot search the network: {e}")))?;
                return hubs.iter().find_map(|hub| hub.addrs.first().copied()).ok_or(ConnectError::NoneFound);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(ConnectError::NoneFound),
        }
    }
}

/// The hub of the same user on the same machine pairs without a question.
fn pair_on_this_machine(config: &ControlConfig, me: &Identity) -> Result<Pairing, ConnectError> {
    let request =
        LocalRequest::Pair { speaker_public: me.public().to_string(), name: config.hello.name.clone() };
    let socket = local::socket_path(&config.runtime_dir);
    match local::ask(&socket, &request) {
        Ok(LocalReply::Paired { hub_public, psk, hub_name, .. }) => {
            let bad = || ConnectError::Nonsense("the hub's answer to a local pairing does not read".into());
            let peer = hub_public.parse().map_err(|_| bad())?;
            let psk = *Identity::from_hex(&psk).map_err(|_| bad())?.secret();
            Ok(Pairing { peer, psk, name: hub_name })
        }
        Ok(_) => Err(ConnectError::Nonsense("the hub answers a local pairing with something else".into())),
        Err(ApiError::Refused(error)) => Err(ConnectError::Nonsense(error.to_string())),
        Err(_) => Err(ConnectError::Refused(Refusal {
            code: RefusalCode::NotPaired,
            message:
                "this speaker is not paired with the hub; run `antiphon access` on the hub's machine and \
                      start the speaker once with --code and the six digits"
                    .into(),
        })),
    }
}

fn attempt(
    config: &ControlConfig,
    store: &mut SpeakerStore,
    hub: SocketAddr,
    approach: Approach,
) -> Result<Connection, ConnectError> {
    let mut socket = open_socket(hub)?;
    let mut entropy = [0; 32];
    getrandom::fill(&mut entropy).map_err(|e| ConnectError::Nonsense(format!("no random bytes: {e}")))?;
    let mut handshake = SpeakerHandshake::new(store.identity(), &config.hello.name, approach, entropy);
    let established = shake_hands(&mut socket, hub, &mut handshake)?;
    let paired_with = established.paired_now.as_ref().map(|pairing| pairing.name.clone());
    if let Some(pairing) = established.paired_now.clone() {
        store.add(pairing)?;
    }
    greet(config, socket, hub, established, paired_with)
}

fn open_socket(hub: SocketAddr) -> Result<WebSocket<TcpStream>, ConnectError> {
    let unreachable = |e: &dyn std::fmt::Display| ConnectError::Unreachable(hub, e.to_string());
    let stream = TcpStream::connect_timeout(&hub, CONNECT_LIMIT).map_err(|e| unreachable(&e))?;
    stream.set_nodelay(true).map_err(|e| unreachable(&e))?;
    stream.set_read_timeout(Some(ANSWER_LIMIT)).map_err(|e| unreachable(&e))?;
    stream.set_write_timeout(Some(ANSWER_LIMIT)).map_err(|e| unreachable(&e))?;
    let limits = WebSocketConfig::default()
        .max_message_size(Some(session::MAX_MESSAGE + 64))
        .max_frame_size(Some(session::MAX_MESSAGE + 64))
        .read_buffer_size(READ_BUFFER);
    let (socket, _) =
        tungstenite::client::client_with_config(format!("ws://{hub}/session"), stream, Some(limits))
            .map_err(|e| unreachable(&e))?;
    Ok(socket)
}

fn shake_hands(
    socket: &mut WebSocket<TcpStream>,
    hub: SocketAddr,
    handshake: &mut SpeakerHandshake,
) -> Result<Established, ConnectError> {
    let mut frames = vec![handshake.start()];
    loop {
        for frame in frames {
            socket.send(Message::binary(frame)).map_err(|e| ConnectError::Unreachable(hub, e.to_string()))?;
        }
        let step = handshake.receive(&next(socket, hub)?)?;
        if let Some(established) = step.established {
            for frame in step.send {
                socket
                    .send(Message::binary(frame))
                    .map_err(|e| ConnectError::Unreachable(hub, e.to_string()))?;
            }
            return Ok(established);
        }
        frames = step.send;
    }
}

/// The next binary or text message.
fn next(socket: &mut WebSocket<TcpStream>, hub: SocketAddr) -> Result<Vec<u8>, ConnectError> {
    loop {
        match socket.read().map_err(|e| ConnectError::Unreachable(hub, e.to_string()))? {
            Message::Binary(bytes) => return Ok(bytes.to_vec()),
            Message::Text(text) => return Ok(text.as_bytes().to_vec()),
            Message::Close(_) => {
                return Err(ConnectError::Unreachable(hub, "it closed the connection".into()));
            }
            _ => {}
        }
    }
}

fn greet(
    config: &ControlConfig,
    mut socket: WebSocket<TcpStream>,
    hub: SocketAddr,
    established: Established,
    paired_with: Option<String>,
) -> Result<Connection, ConnectError> {
    let mut channel = established.channel;
    let hello = seal(&mut channel, &SpeakerMessage::Hello(config.hello.clone()))?;
    socket.send(hello).map_err(|e| ConnectError::Unreachable(hub, e.to_string()))?;
    let answer = next(&mut socket, hub)?;
    match open(&mut channel, &answer)? {
        HubMessage::Welcome(welcome) => {
            Ok(Connection { socket, hub, channel, keys: established.keys, welcome, paired_with })
        }
        HubMessage::Refused(refusal) => Err(ConnectError::Refused(refusal)),
        _ => Err(ConnectError::Nonsense("the hub did not say welcome".into())),
    }
}

/// A control message as it goes on the wire.
pub(super) fn seal(
    channel: &mut Option<SealedChannel>,
    message: &SpeakerMessage,
) -> Result<Message, ConnectError> {
    let json = session::encode_speaker(message);
    match channel {
        Some(channel) => {
            channel.seal(&json).map(Message::binary).map_err(|e| ConnectError::Nonsense(e.to_string()))
        }
        None => Ok(Message::text(String::from_utf8_lossy(&json).into_owned())),
    }
}

/// A control message from the wire.
pub(super) fn open(channel: &mut Option<SealedChannel>, bytes: &[u8]) -> Result<HubMessage, ConnectError> {
    let nonsense = |e: &dyn std::fmt::Display| ConnectError::Nonsense(e.to_string());
    match channel {
        Some(channel) => {
            let json = channel.open(bytes).map_err(|e| nonsense(&e))?;
            session::decode_hub(&json).map_err(|e| nonsense(&e))
        }
        None => session::decode_hub(bytes).map_err(|e| nonsense(&e)),
    }
}
