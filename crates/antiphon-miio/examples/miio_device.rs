//! A device at 127.0.0.1:54321 for other programs' clients, until its standard input ends. Its token is the argument.

#[path = "../tests/device/mod.rs"]
mod device;

use std::io::Read;

use device::{Device, Manner};

fn main() {
    let text = std::env::args().nth(1).expect("a token of 32 hexadecimal digits");
    let token = text.parse().expect("a token of 32 hexadecimal digits");
    let device =
        Device::start("127.0.0.1:54321", Manner { token, exposes: false, garbage: false, mute: false });
    println!("{} {:08x} {}", device.address, device::ID, device::INFO);
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
