//! What Xiaomi's Wi-Fi devices are asked and answer (miIO), and the schemas of `antiphon miio --json`.

use serde::{Deserialize, Serialize};

use crate::error::{ErrorBody, ErrorCode};
use crate::json;

/// Number of the schemas; fields are only ever added under one number.
pub const MIIO_SCHEMA: u32 = 1;

/// The question what a device is, as devices take it.
pub fn info_question(id: u32) -> Vec<u8> {
    json::write(&Question { id, method: "miIO.info", params: [] })
}

#[derive(Serialize)]
struct Question {
    id: u32,
    method: &'static str,
    params: [u8; 0],
}

/// What a device says that it is. Firmwares differ in what they tell.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MiioInfo {
    /// As in `xiaomi.wifispeaker.lx01`.
    pub model: Option<String>,
    /// Firmware, as in `1.56.1`.
    pub fw_ver: Option<String>,
    /// Hardware.
    pub hw_ver: Option<String>,
    /// Its Ethernet address.
    pub mac: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    result: Option<MiioInfo>,
    error: Option<Refusal>,
    /// What stands beside the number: python-miio's simulator answers so, and its client takes it.
    #[serde(flatten)]
    bare: MiioInfo,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    message: String,
}

/// Reads the answer to [`info_question`].
///
/// # Errors
/// It is no answer, or a refusal; a sentence for people.
pub fn read_info(text: &[u8]) -> Result<MiioInfo, ErrorBody> {
    let answer: Answer = json::read("the device's answer", text)?;
    match (answer.result, answer.error) {
        (Some(info), _) => Ok(info),
        (None, Some(Refusal { code, message })) => {
            let printable: String = message.chars().filter(|letter| !letter.is_control()).take(200).collect();
            let said = format!("the device refuses: {printable} ({code})");
            Err(ErrorBody::new(ErrorCode::Conflict, said))
        }
        (None, None) if answer.bare != MiioInfo::default() => Ok(answer.bare),
        (None, None) => Err(ErrorBody::new(ErrorCode::BadRequest, "the device's answer says nothing")),
    }
}

/// Devices that answered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MiioReport {
    /// [`MIIO_SCHEMA`].
    pub schema: u32,
    /// In the order of their answers.
    pub devices: Vec<MiioDevice>,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MiioDevice {
    /// Address and port.
    pub address: String,
    /// Its number, in hexadecimal.
    pub id: String,
    /// It tells its token to whoever asks: it was never set up.
    pub exposes_token: bool,
    /// What it is; null: not asked.
    pub info: Option<MiioInfo>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_is_the_one_that_devices_know() {
        assert_eq!(info_question(7), br#"{"id":7,"method":"miIO.info","params":[]}"#);
    }

    #[test]
    fn answers_refusals_and_nonsense_are_told_apart() {
        let info = read_info(br#"{"id":1,"result":{"model":"a.b.c","fw_ver":"1.2","life":3}}"#).unwrap();
        assert_eq!(
            (info.model.as_deref(), info.fw_ver.as_deref(), info.mac),
            (Some("a.b.c"), Some("1.2"), None)
        );
        let bare = read_info(br#"{"id":1,"model":"a.b.c","netif":{}}"#).unwrap();
        assert_eq!(bare.model.as_deref(), Some("a.b.c"));
        let refused = read_info(br#"{"id":1,"error":{"code":-32601,"message":"no such \u001b[2J method"}}"#);
        let said = refused.unwrap_err().to_string();
        assert!(said.contains("refuses: no such [2J method (-32601)"), "{said}");
        for nonsense in [&b""[..], b"{}", b"[]", br#"{"result":7}"#, b"\xff"] {
            assert!(read_info(nonsense).is_err());
        }
    }
}
