//! A hub as pages and other machines meet it: events, access, groups, its own description.

mod house;

mod events;
