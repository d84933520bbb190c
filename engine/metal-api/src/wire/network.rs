//! Networks on the wire.

use super::{Time, answer, request};
use std::collections::BTreeMap;

answer! {
    /// A network of any kind.
    pub struct Network {
        id: String,
        name: String,
        description: String,
        /// `""` when unset.
        partitionid: String,
        /// `""` when unset.
        projectid: String,
        labels: BTreeMap<String, String>,
        shared: bool,
        /// In random order between address families.
        prefixes: Vec<String>,
        destinationprefixes: Vec<String>,
        /// Keys `IPv4`, `IPv6`; `null` unless it is a super network.
        defaultchildprefixlength: Option<BTreeMap<String, u8>>,
        nat: bool,
        privatesuper: bool,
        underlay: bool,
        vrf: u64,
        /// Always `null`.
        vrfshared: Option<bool>,
        parentnetworkid: Option<String>,
        #[serde(rename = "additionalAnnouncableCIDRs", skip_serializing_if = "Vec::is_empty")]
        additional_announcable_cidrs: Vec<String>,
        /// external, underlay, super, super-namespaced, child, child-shared; `null` for old rows.
        networktype: Option<String>,
        /// none or ipv4-masq; `null` for old rows.
        nattype: Option<String>,
        consumption: Consumption,
        /// The same as `consumption.ipv4`.
        usage: Usage,
        created: Time,
        changed: Time,
    }

    /// Usage per address family, `null` for a family the network does not have.
    pub struct Consumption {
        ipv4: Option<Usage>,
        ipv6: Option<Usage>,
    }

    /// `available_ips` is the size of the prefixes, not what is left.
    pub struct Usage {
        available_ips: u64,
        available_prefixes: u64,
        used_ips: u64,
        used_prefixes: u64,
    }
}

request! {
    /// `POST /v1/network/allocate`: a child of the partition's super network.
    pub struct NetworkAllocateRequest {
        name: String,
        description: String,
        partitionid: String,
        projectid: String,
        labels: BTreeMap<String, String>,
        shared: bool,
        destinationprefixes: Vec<String>,
        nat: bool,
        /// Keys `IPv4`, `IPv6`.
        length: BTreeMap<String, u8>,
        /// `IPv4` or `IPv6`; absent: every family of the super network.
        addressfamily: String,
    }

    /// `POST /v1/network/find`: equality, all of them; lists mean all of.
    pub struct NetworkFindRequest {
        id: String,
        name: String,
        partitionid: String,
        projectid: String,
        prefixes: Vec<String>,
        destinationprefixes: Vec<String>,
        nat: bool,
        privatesuper: bool,
        underlay: bool,
        vrf: u64,
        parentnetworkid: String,
        labels: BTreeMap<String, String>,
        addressfamily: String,
    }

    /// `PUT /v1/network`: creates a network that is nobody's child.
    pub struct NetworkCreateRequest {
        id: String,
        name: String,
        description: String,
        partitionid: String,
        projectid: String,
        labels: BTreeMap<String, String>,
        shared: bool,
        prefixes: Vec<String>,
        destinationprefixes: Vec<String>,
        defaultchildprefixlength: BTreeMap<String, u8>,
        nat: bool,
        privatesuper: bool,
        underlay: bool,
        vrf: u64,
        vrfshared: bool,
        parentnetworkid: String,
        #[serde(rename = "additionalAnnouncableCIDRs")]
        additional_announcable_cidrs: Vec<String>,
        networktype: String,
        nattype: String,
    }

    /// `POST /v1/network`: labels are replaced as a whole.
    pub struct NetworkUpdateRequest {
        id: String,
        name: String,
        description: String,
        labels: BTreeMap<String, String>,
        shared: bool,
        prefixes: Vec<String>,
        destinationprefixes: Vec<String>,
        defaultchildprefixlength: BTreeMap<String, u8>,
        #[serde(rename = "additionalAnnouncableCIDRs")]
        additional_announcable_cidrs: Vec<String>,
    }
}
