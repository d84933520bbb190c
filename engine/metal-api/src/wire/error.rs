//! The error body: a JSON string that contains JSON, in one case a bare string, behind a proxy anything at all.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What metal-api answers beside success. It serializes as metal-lib does: as a string that contains an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpError {
    pub statuscode: u16,
    pub message: String,
}

#[derive(Serialize, Deserialize)]
struct Inner {
    #[serde(default)]
    statuscode: u16,
    #[serde(default)]
    message: String,
}

impl HttpError {
    /// The inner text, as the server puts it into the outer string.
    fn to_text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&Inner { statuscode: self.statuscode, message: self.message.clone() })
    }
}

impl Serialize for HttpError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text().map_err(serde::ser::Error::custom)?)
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Shape {
    Text(String),
    Object(Inner),
}

impl<'de> Deserialize<'de> for HttpError {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let inner = match Shape::deserialize(deserializer)? {
            Shape::Object(inner) => inner,
            Shape::Text(text) => serde_json::from_str(&text).map_err(serde::de::Error::custom)?,
        };
        Ok(Self { statuscode: inner.statuscode, message: inner.message })
    }
}

/// The server's words in an error body of any shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorText {
    /// String with JSON, or a plain object.
    Typed(HttpError),
    /// A bare JSON string: how missing or unknown credentials are answered.
    Bare(String),
    /// Anything else, such as a proxy's HTML.
    Raw(String),
}

impl ErrorText {
    /// Never fails: what is no error of metal-api is raw text.
    pub fn parse(body: &[u8]) -> Self {
        if let Ok(error) = serde_json::from_slice(body) {
            return Self::Typed(error);
        }
        match serde_json::from_slice(body) {
            Ok(text) => Self::Bare(text),
            Err(_) => Self::Raw(String::from_utf8_lossy(body).into_owned()),
        }
    }

    /// The words for people.
    pub fn message(&self) -> &str {
        match self {
            Self::Typed(error) => &error.message,
            Self::Bare(text) | Self::Raw(text) => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REAL: &str = r#""{\"statuscode\":404,\"message\":\"NotFound no ip with id \\\"1.2.3.4\\\" found\"}""#;

    #[test]
    fn writes_a_string_that_contains_json() {
        let error = HttpError { statuscode: 404, message: "NotFound no ip with id \"1.2.3.4\" found".into() };
        assert_eq!(serde_json::to_string(&error).unwrap(), REAL);
    }

    #[test]
    fn reads_every_shape() {
        let typed = |statuscode, message: &str| ErrorText::Typed(HttpError { statuscode, message: message.into() });
        assert_eq!(ErrorText::parse(REAL.as_bytes()), typed(404, "NotFound no ip with id \"1.2.3.4\" found"));
        assert_eq!(ErrorText::parse(br#"{"statuscode":409,"message":"Conflict x"}"#), typed(409, "Conflict x"));
        assert_eq!(ErrorText::parse(br#""tenant  not allowed""#), ErrorText::Bare("tenant  not allowed".into()));
        assert_eq!(ErrorText::parse(b"<html>502</html>"), ErrorText::Raw("<html>502</html>".into()));
        assert_eq!(ErrorText::parse(b""), ErrorText::Raw(String::new()));
    }
}
