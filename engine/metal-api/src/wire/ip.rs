//! Addresses on the wire.

use super::{Time, answer, request};

answer! {
    /// An address; its id is the address itself.
    pub struct Ip {
        ipaddress: String,
        /// Changes when the address is freed and allocated again.
        allocationuuid: String,
        networkid: String,
        projectid: String,
        /// `static` or `ephemeral`.
        r#type: String,
        tags: Vec<String>,
        name: String,
        description: String,
        created: Time,
        changed: Time,
    }
}

request! {
    /// `POST /v1/ip/allocate` and `POST /v1/ip/allocate/{ip}`.
    pub struct IpAllocateRequest {
        networkid: String,
        projectid: String,
        /// `static`; anything else is ephemeral.
        r#type: String,
        tags: Vec<String>,
        name: String,
        description: String,
        machineid: String,
        /// `IPv4` or `IPv6`; not together with a given address.
        addressfamily: String,
    }

    /// `POST /v1/ip/find`: equality, all of them; tags are whole `key=value` strings.
    pub struct IpFindRequest {
        ipaddress: String,
        allocationuuid: String,
        name: String,
        networkprefix: String,
        networkid: String,
        tags: Vec<String>,
        projectid: String,
        r#type: String,
        machineid: String,
        addressfamily: String,
    }

    /// `POST /v1/ip`: absent tags keep, `[]` clears.
    pub struct IpUpdateRequest {
        ipaddress: String,
        name: String,
        description: String,
        tags: Vec<String>,
        r#type: String,
    }
}
