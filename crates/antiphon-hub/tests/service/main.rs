//! A hub as pages and other machines meet it: events, access, groups, its own description.

mod house;

mod lan;

mod names;

mod access;

mod events;

mod groups;
