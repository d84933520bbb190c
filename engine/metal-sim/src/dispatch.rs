//! From a request to an answer, as metal-api's filters and router do it: who calls, which route, may they, what then.

use crate::{
    api::{Ctx, ROUTES, Reply, Route},
    auth::{Proof, User, authenticate},
    refusal::Refusal,
    world::World,
};
use jiff::Timestamp;
use metal_api::wire::HttpError;

/// Both base paths are served.
const BASES: [&str; 2] = ["/metal/v1/", "/v1/"];
/// Guests may call what ends so.
const OPEN: [&str; 2] = ["/v1/health", "/v1/version"];

/// A request as far as the rules look at it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// As sent: with base path, percent-encoded, without query.
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) authorization: Option<String>,
    pub(crate) date: Option<String>,
    pub(crate) salt: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) accept: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The user that the header names, unchecked: for calls that a fault ended before they were.
    pub(crate) fn user_name(&self) -> &str {
        let name = self.authorization.as_deref().and_then(|header| header.split_once(' ')).map(|(name, _)| name);
        name.filter(|name| name.starts_with("Metal-")).unwrap_or("anonymous")
    }
}

/// What a call came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) reply: Reply,
    pub(crate) user: User,
}

/// `wall` is the real time, which clients sign with.
pub(crate) fn dispatch(world: &mut World, request: &Request, wall: Timestamp) -> Outcome {
    let proof = Proof {
        authorization: request.authorization.as_deref(),
        date: request.date.as_deref(),
        salt: request.salt.as_deref(),
    };
    let user = match authenticate(&world.auth, &request.method, proof, [wall, world.now]) {
        Ok(user) => user,
        Err(refusal) => return Outcome { reply: error(&refusal), user: User::Guest },
    };
    let path = request.path.trim_end_matches('/');
    if user == User::Guest && !OPEN.iter().any(|open| path.ends_with(open)) {
        // The one error that is no object inside of its string.
        return Outcome { reply: Reply::json(403, &"tenant  not allowed"), user };
    }
    let answer = select(request, path).and_then(|(route, params)| {
        user.check(route.role)?;
        let ctx = &mut Ctx { world, user: &user, params, query: &request.query, body: &request.body };
        (route.handler)(ctx)
    });
    Outcome { reply: answer.unwrap_or_else(|refusal| error(&refusal)), user }
}

/// A string that contains JSON, as metal-lib writes it.
pub(crate) fn error(refusal: &Refusal) -> Reply {
    let error = HttpError { statuscode: refusal.status, message: refusal.message.clone() };
    Reply::json(refusal.status, &error)
}

fn select(request: &Request, path: &str) -> Result<(&'static Route, Vec<String>), Refusal> {
    let not_found = || Refusal::new(404, "404: Page Not Found");
    let path = BASES.iter().find_map(|base| path.strip_prefix(base)).ok_or_else(not_found)?;
    let segments: Vec<&str> = path.split('/').collect();
    let mut matching: Vec<(&Route, Vec<&str>)> =
        ROUTES.iter().filter_map(|route| Some((route, params(route.pattern, &segments)?))).collect();
    // Static segments beat braces, whatever their method.
    let fewest = matching.iter().map(|(_, params)| params.len()).min().ok_or_else(not_found)?;
    matching.retain(|(_, params)| params.len() == fewest);
    let found = matching.into_iter().find(|(route, _)| route.method == request.method);
    let (route, params) = found.ok_or_else(|| Refusal::new(405, "405: Method Not Allowed"))?;
    negotiate(request)?;
    Ok((route, params.into_iter().map(decode).collect()))
}

fn params<'a>(pattern: &str, segments: &[&'a str]) -> Option<Vec<&'a str>> {
    let wanted: Vec<&str> = pattern.split('/').collect();
    if wanted.len() != segments.len() {
        return None;
    }
    let mut params = Vec::new();
    for (wanted, segment) in wanted.into_iter().zip(segments) {
        match wanted.starts_with('{') {
            true if segment.is_empty() => return None,
            true => params.push(*segment),
            false if wanted == *segment => {}
            false => return None,
        }
    }
    Some(params)
}

/// A POST or PUT must name JSON even without a body; whoever says what they accept must accept it.
fn negotiate(request: &Request) -> Result<(), Refusal> {
    let kind = request.content_type.as_deref().unwrap_or_default();
    let optional = kind.is_empty() && !["POST", "PUT", "PATCH"].contains(&request.method.as_str());
    let is_json = |kind: &str| kind.trim() == "application/json" || kind.trim() == "*/*";
    let named = kind.split(',').any(|kind| is_json(kind.split(';').next().unwrap_or_default()));
    if !named && !optional {
        return Err(Refusal::new(415, "415: Unsupported Media Type"));
    }
    let accept = request.accept.as_deref().unwrap_or_default();
    let accepted = accept.split(',').any(|kind| is_json(kind.split(';').next().unwrap_or_default()));
    match accept.is_empty() || accepted {
        true => Ok(()),
        false => Err(Refusal::new(406, "406: Not Acceptable")),
    }
}

/// Undoes percent-encoding; what is none stays.
fn decode(segment: &str) -> String {
    let bytes = segment.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = segment.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
