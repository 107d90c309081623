//! `antiphon miio` and a device that is a program.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use antiphon_api::json;
use antiphon_api::miio::MiioReport;

use crate::house::House;

#[path = "../../../antiphon-miio/tests/device/mod.rs"]
mod device;

use device::{Device, Manner};

const TOKEN: &str = "07070707070707070707070707070707";

fn manner() -> Manner {
    Manner { token: TOKEN.parse().unwrap(), exposes: false, garbage: false, mute: false }
}

fn run(house: &House, line: &str) -> (Option<i32>, String, String) {
    let output = house.run(&line.split(' ').collect::<Vec<_>>());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_devices_firmware_is_read_and_its_token_is_kept_for_its_owner_alone() {
    let (house, device) = (House::empty(), Device::start("127.0.0.1:0", manner()));
    let at = device.address;
    let (code, out, said) = run(&house, &format!("miio info {at} --token {TOKEN} --remember"));
    assert!(code == Some(0) && out.contains("1.56.1") && out.contains("lx01"), "{out}{said}");
    let (code, checked, _) = run(&house, "check xiaomi.wifispeaker.lx01");
    let words = checked.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        code == Some(0) && words.contains("firmware 1.56.1, read over the network (miIO) on 20"),
        "{checked}"
    );
    assert!(said.contains("antiphon check") && !out.contains("0707") && !said.contains("0707"), "{said}");
    let kept = house.path("state/miio-tokens");
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    let (code, out, _) = run(&house, &format!("miio info {at} --json"));
    let report: MiioReport = json::read("it", out.as_bytes()).unwrap();
    let info = report.devices[0].info.as_ref().unwrap();
    assert_eq!((code, info.fw_ver.as_deref()), (Some(0), Some("1.56.1")));
}

#[test]
fn a_wrong_token_is_called_that_within_three_seconds_and_never_shown() {
    let (house, device) = (House::empty(), Device::start("127.0.0.1:0", manner()));
    let begin = Instant::now();
    let wrong = "08".repeat(16);
    let (code, _, said) = run(&house, &format!("miio info {} --token {wrong}", device.address));
    assert!(code == Some(5) && said.contains("token is wrong") && !said.contains(&wrong), "{said}");
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
    let (code, _, said) = run(&house, &format!("miio info {}", device.address));
    assert!(code == Some(5) && said.contains("ANTIPHON_MIIO_TOKEN"), "{said}");
    let (code, _, said) = run(&house, &format!("miio info {} --token 08x8", device.address));
    assert!(code == Some(2) && said.contains("32 hexadecimal digits"), "{said}");
}

#[test]
fn who_is_there_is_listed() {
    let (house, device) =
        (House::empty(), Device::start("127.0.0.1:0", Manner { exposes: true, ..manner() }));
    let (code, out, _) = run(&house, &format!("miio discover --at {} --time 500ms", device.address));
    assert!(code == Some(0) && out.contains("00bc614e") && out.contains("tells its token"), "{out}");
    let (code, out, said) = run(&house, "miio info nowhere.invalid");
    assert!(code == Some(4) && out.is_empty() && said.contains("no address"), "{said}");
}
