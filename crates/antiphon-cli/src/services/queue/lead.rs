//! What the player of the queue asks it: what follows, what is wanted instead; and what it tells it.

use std::sync::Arc;

use antiphon_audio::source::{Feed, List, ListItem, SourceError};

use super::{Desk, Order};
use crate::play::stream::{Leader, Wish};

/// The queue as what leads a stream.
pub struct Lead {
    desk: Arc<Desk>,
}

impl Lead {
    pub fn new(desk: &Arc<Desk>) -> Self {
        Self { desk: Arc::clone(desk) }
    }
}

impl Leader for Lead {
    fn wish(&mut self) -> Option<Wish> {
        // Taken before anything is opened: opening may take a while.
        let order = self.desk.lock().order.take()?;
        match order {
            Order::Stop => Some(Wish::Stop),
            Order::Play(key) => match self.desk.open_from(key) {
                Some(list) => Some(Wish::Play(Box::new(list))),
                None => Some(Wish::Stop),
            },
        }
    }

    fn skip(&mut self, by: i32) -> Option<List> {
        let step = |queue: &super::Queue, key| if by < 0 { queue.before(key) } else { queue.after(key) };
        let next = {
            let state = self.desk.lock();
            let heard = state.queue.current?;
            step(&state.queue, heard)
        };
        let list = next.and_then(|key| self.desk.open_along(key, &step));
        if list.is_none() {
            self.desk.lock().queue.current = None;
        }
        list
    }

    fn heard(&mut self, tag: u64) {
        let mut state = self.desk.lock();
        if state.queue.current == Some(tag) || state.order.is_some() {
            return;
        }
        if state.queue.item(tag).is_some() {
            state.queue.current = Some(tag);
        } else {
            // Taken out when it was already on its way.
            let next = state.queue.current.and_then(|heard| state.queue.after(heard));
            let order = next.map_or(Order::Stop, Order::Play);
            self.desk.order(&mut state, order);
        }
        drop(state);
        self.desk.changed();
    }

    fn on_air(&mut self, title: &str) {
        self.desk.lock().on_air = Some(title.to_owned());
        self.desk.changed();
    }

    fn trouble(&mut self, error: &SourceError) {
        let path = std::path::Path::new(&error.name);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        self.desk.trouble(&super::left_out(error, &name));
    }
}

/// What follows in the queue, at the moment that it is opened.
#[derive(Debug)]
pub struct Following {
    desk: Arc<Desk>,
}

impl Following {
    pub fn new(desk: &Arc<Desk>) -> Self {
        Self { desk: Arc::clone(desk) }
    }
}

impl Feed for Following {
    fn after(&mut self, tag: u64) -> Option<(u64, ListItem)> {
        let (mut key, tries) = (tag, self.desk.lock().queue.items().len());
        for _ in 0..tries {
            let entry = {
                let state = self.desk.lock();
                // A station is a programme of its own.
                if state.queue.item(key).is_some_and(|item| item.what.is_stream()) {
                    return None;
                }
                key = state.queue.after(key)?;
                state.queue.item(key).filter(|item| !item.what.is_stream())?.what.clone()
            };
            match self.desk.item(&entry) {
                Ok(item) => return Some((key, item)),
                Err(error) => self.desk.trouble(&error.message),
            }
        }
        None
    }

    fn turn(&self, tag: u64) -> (usize, usize) {
        let state = self.desk.lock();
        (state.queue.number(tag), state.queue.items().len())
    }
}
