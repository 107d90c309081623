//! Law: edge, for tests only: an `org.bluez` that exists only on a private bus; no other crate's code.
//!
//! What tests play against where the real BlueZ would be: an object manager with adapters, devices,
//! media endpoints and transports, whose sockets end in the test.
