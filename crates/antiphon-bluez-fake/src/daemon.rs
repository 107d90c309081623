//! One life of the fake service: its connection, and the calls that come in.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt;
use zbus::message::Type;
use zbus::{Connection, MatchRule, Message, MessageStream, ObjectPath, OwnedVariant};

use crate::calls;
use crate::objects::{Held, Interfaces, Signal, emit};
use crate::world::World;

/// What a call comes to.
#[derive(Debug)]
pub enum Reply {
    Nothing,
    Objects(HashMap<ObjectPath<'static>, Interfaces>),
    All(Held),
    One(OwnedVariant),
    Bytes(Vec<u8>),
    Socket(OwnedFd, u16),
}

/// Error name and message.
pub type Failed = (String, String);

pub fn failed(fault: (&str, &str)) -> Failed {
    (format!("org.bluez.Error.{}", fault.0), fault.1.to_owned())
}

#[derive(Debug)]
pub struct Daemon {
    pub connection: Connection,
    pub world: Arc<Mutex<World>>,
}

impl Daemon {
    /// Takes the name and serves until the connection closes.
    pub async fn start(address: &str, world: Arc<Mutex<World>>) -> Arc<Self> {
        let builder = zbus::connection::Builder::address(address);
        let connection = builder.build().await.expect("the private bus");
        let daemon = Arc::new(Self { connection: connection.clone(), world });
        let calls = MessageStream::from(&connection);
        let gone = MatchRule::builder().msg_type(Type::Signal).member("NameOwnerChanged").build();
        let gone =
            MessageStream::for_match_rule(gone.expect("a rule"), &connection, None).await.expect("a rule");
        tokio::spawn(serve(Arc::clone(&daemon), calls));
        tokio::spawn(notice(Arc::clone(&daemon), gone));
        connection.request_name("org.bluez").await.expect("nobody else has the name");
        daemon
    }

    pub fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub async fn emit(&self, signals: impl IntoIterator<Item = Signal>) {
        emit(&self.connection, signals).await;
    }

    /// Changes the world and tells everybody.
    pub async fn change(&self, change: impl FnOnce(&mut World) -> Vec<Signal>) {
        let signals = change(&mut self.lock());
        self.emit(signals).await;
    }

    pub fn log(&self, line: String) {
        self.lock().log.push(line);
    }
}

async fn serve(daemon: Arc<Daemon>, mut calls: MessageStream) {
    while let Some(Ok(call)) = calls.next().await {
        if call.message_type() == Type::MethodCall {
            let daemon = Arc::clone(&daemon);
            tokio::spawn(async move { answer(&daemon, &call).await });
        }
    }
}

async fn answer(daemon: &Arc<Daemon>, call: &Message) {
    let done = calls::handle(daemon, call).await;
    let header = call.header();
    let connection = &daemon.connection;
    let _ = match done {
        Ok(Reply::Nothing) => connection.reply(&header, &()).await,
        Ok(Reply::Objects(objects)) => connection.reply(&header, &objects).await,
        Ok(Reply::All(held)) => connection.reply(&header, &held).await,
        Ok(Reply::One(value)) => connection.reply(&header, &value).await,
        Ok(Reply::Bytes(bytes)) => connection.reply(&header, &bytes).await,
        Ok(Reply::Socket(socket, mtu)) => {
            connection.reply(&header, &(zbus::OwnedFd::from(socket), mtu, mtu)).await
        }
        Err((name, message)) => connection.reply_error(&header, name, &message).await,
    };
}

/// What a client registered ends with it.
async fn notice(daemon: Arc<Daemon>, mut owners: MessageStream) {
    while let Some(Ok(change)) = owners.next().await {
        let Ok((name, _, new)) = change.body().deserialize::<(String, String, String)>() else { continue };
        if new.is_empty() && name.starts_with(':') {
            calls::client_gone(&daemon, &name).await;
        }
    }
}
